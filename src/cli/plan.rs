//! `ostler plan`

use super::args::PlanArgs;
use super::context::Context;
use super::walk::{self, Planned, Wish};
use super::{Exit, Failure, planned};

/// Shows what apply would do. Changes nothing.
pub async fn run(context: &Context, args: &PlanArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    let wish = Wish {
        selection: context.select()?,
        stop_unknown: args.stop_unknown,
        ..Wish::default()
    };
    let made = walk::plan(context, &file, &wish).await?;
    match args.json.json {
        true => context.out.json(&planned::json(&made.plan))?,
        false => context
            .out
            .text(&planned::render(&made.plan, context.out.colour))?,
    }
    Ok(exit(&made))
}

/// 2 when there is something to do; 1 when nothing is known to be to do, but not all could be
/// planned.
fn exit(made: &Planned) -> Exit {
    match (
        made.plan.operations.is_empty(),
        made.plan.problems.is_empty(),
    ) {
        (false, _) => Exit::Changes,
        (true, false) => Exit::Error,
        (true, true) => Exit::Done,
    }
}
