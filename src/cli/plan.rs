//! `ostler plan`

use std::path::Path;

use super::args::PlanArgs;
use super::context::Context;
use super::walk;
use super::{Exit, Failure, planned};
use crate::engine::Mode;
use crate::plan::Plan;
use crate::walk::Wish;
use crate::walk::look::Sites;
use crate::walk::saved::{MadeFrom, Saved};

/// Shows what apply would do. Changes nothing.
pub async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let wish = Wish {
        sites: Sites::Selected(context.select()?),
        stop_unknown: args.stop_unknown,
        ..Wish::default()
    };
    let proposal = walk::propose(context, &file, wish).await?;
    let plan = proposal.plan();
    if let Some(warning) = &proposal.uncommitted {
        context.out.warn(warning);
    }
    if let Some(unsaid) = file.fleet.acme_unsaid() {
        context.out.say(unsaid);
    }
    if let Some(path) = &args.out {
        let from = MadeFrom::of(&file.fleet, &proposal.observed);
        let saved = Saved {
            stop_unknown: args.stop_unknown,
            ..Saved::new(Plan::clone(&plan), from, context.global.only.clone(), now())
        };
        save(&saved, path)?;
        context.out.say(&format!(
            "saved; `ostler apply {}` runs exactly this, or refuses",
            path.display()
        ));
    }
    match args.json.json {
        true => context.out.json(&planned::json(&plan))?,
        false => context.out.text(&planned::render(
            &plan,
            context.out.colour,
            context.global.verbose > 0,
        ))?,
    }
    Ok(exit(&plan, context.mode))
}

/// 2 when there is something to do; 1 when nothing is known to be to do, but not all could be
/// planned or compared. In on-call mode some can never be, which is said, and is no failure.
fn exit(plan: &Plan, mode: Mode) -> Exit {
    let compared = plan.uncompared.is_empty() || mode == Mode::OnCall;
    match (plan.operations.is_empty(), plan.problems.is_empty()) {
        (false, _) => Exit::Changes,
        (true, true) if compared => Exit::Done,
        (true, _) => Exit::Error,
    }
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn save(saved: &Saved, path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::new(format!("cannot write {}: {error}", path.display()));
    saved.write(path).map_err(failed)
}
