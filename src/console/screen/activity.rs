//! What is being applied, live, and what was applied in this run.

use crate::console::activity::{End, Line, Progress, Run};
use crate::console::model::Model;
use crate::console::pen::Spans;
use crate::console::text::{clean, elide, width, wrap};
use crate::console::theme::Role;
use crate::console::view::Ages;

/// The lines, the newest apply first.
pub fn lines(model: &Model, only: Option<&str>, room: usize, ages: &Ages) -> Vec<Spans> {
    let mut out: Vec<Spans> = Vec::new();
    for run in model.runs.iter().rev() {
        if only.is_some_and(|site| !run.lines.iter().any(|l| l.site == site)) {
            continue;
        }
        if !out.is_empty() {
            out.push(Vec::new());
        }
        out.push(head(model, run, ages));
        if let Some(outcome) = &run.outcome {
            let role = if outcome.exit == 0 {
                Role::Ok
            } else {
                Role::Bad
            };
            for line in wrap(&clean(&outcome.text), room.saturating_sub(4)) {
                out.push(vec![(role, format!("   {line}"))]);
            }
            for next in &outcome.next {
                for (at, line) in wrap(&clean(next), room.saturating_sub(6))
                    .iter()
                    .enumerate()
                {
                    let lead = if at > 0 {
                        "     "
                    } else if model.theme.ascii {
                        "   > "
                    } else {
                        "   → "
                    };
                    out.push(vec![
                        (Role::Accent, lead.into()),
                        (Role::Text, line.clone()),
                    ]);
                }
            }
        }
        for line in &run.lines {
            if only.is_some_and(|site| line.site != site) {
                continue;
            }
            // What waits is not listed one by one while there is a lot of it.
            out.extend(operation(model, line, room, ages));
        }
        for note in &run.notes {
            out.push(vec![(Role::Dim, format!("   · {note}"))]);
        }
    }
    if out.is_empty() {
        let text = match only {
            Some(site) => format!(" nothing was applied to {site} since the console was opened"),
            None => " nothing was applied since the console was opened".into(),
        };
        out.push(Vec::new());
        out.push(vec![(Role::Dim, text)]);
    }
    out
}

fn head(model: &Model, run: &Run, ages: &Ages) -> Spans {
    let (done, all) = run.done();
    let (mark, role) = match &run.outcome {
        None => (if model.theme.ascii { "." } else { "◔" }, Role::Busy),
        Some(o) if o.exit == 0 => (if model.theme.ascii { "o" } else { "✔" }, Role::Ok),
        Some(_) => (if model.theme.ascii { "X" } else { "✖" }, Role::Bad),
    };
    let time = match run.ended {
        Some(at) => format!("{} ago, took {}", ages.ago(at / 1000), took(run.began, at)),
        None => format!("since {}", ages.ago(run.began / 1000)),
    };
    vec![
        (role, format!(" {mark} ")),
        (Role::Strong, run.title.clone()),
        (Role::Dim, format!("   {done} of {all} · {time}")),
    ]
}

fn took(from: i64, to: i64) -> String {
    let ms = (to - from).max(0);
    if ms < 10_000 {
        format!("{:.1}s", ms as f64 / 1000.0)
    } else {
        crate::console::text::age(ms / 1000)
    }
}

fn operation(model: &Model, line: &Line, room: usize, ages: &Ages) -> Vec<Spans> {
    let ascii = model.theme.ascii;
    let pick = |symbol, letter| if ascii { letter } else { symbol };
    let (mark, role, tail) = match &line.progress {
        Progress::Waiting => (pick("·", "."), Role::Dim, String::new()),
        Progress::Running => {
            let text = format!("{}  {}", ages.ago(line.began / 1000), line.says);
            (pick("◔", ">"), Role::Busy, text)
        }
        Progress::Ended(End::Done) => (pick("✔", "o"), Role::Ok, took(line.began, line.ended)),
        Progress::Ended(End::Failed(_)) => {
            (pick("✖", "X"), Role::Bad, took(line.began, line.ended))
        }
        Progress::Ended(End::Skipped(why)) => (
            pick("–", "-"),
            Role::Off,
            format!("not done: {}", clean(why)),
        ),
        Progress::Ended(End::Undone(why)) => (
            pick("↶", "<"),
            Role::Warn,
            format!("taken back: {}", clean(why)),
        ),
    };
    let place = if line.site.is_empty() {
        &line.host
    } else {
        &line.site
    };
    let wide = room.saturating_sub(44).clamp(20, 64);
    let what = elide(&line.what, wide).into_owned();
    let gap = wide.saturating_sub(width(&what)) + 1;
    let text = if matches!(line.progress, Progress::Waiting) {
        Role::Dim
    } else {
        Role::Text
    };
    let mut out = vec![vec![
        (role, format!("   {mark} ")),
        (Role::Dim, format!("{:<18} ", elide(place, 18))),
        (text, format!("{what}{}", " ".repeat(gap))),
        (Role::Dim, tail),
    ]];
    if let Progress::Ended(End::Failed(why)) = &line.progress {
        for part in why
            .lines()
            .flat_map(|l| wrap(&clean(l), room.saturating_sub(8)))
        {
            out.push(vec![(Role::Bad, format!("       {part}"))]);
        }
    }
    out
}
