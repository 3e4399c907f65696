//! What is being applied, live, and what was applied before, by whom.

use std::ops::Range;

use crate::console::action::Action;
use crate::console::activity::{Commit, End, Line, Outcome, Progress, Run};
use crate::console::ages::Ages;
use crate::console::model::Model;
use crate::console::pen::Spans;
use crate::console::text::{clean, elide, width, wrap};
use crate::console::theme::Role;
use crate::fleet::Name;
use crate::plan::unfinished::by;
use crate::record::Applying;
use crate::walk::history::{Past, State};

/// A window over many lines: those outside of it are counted, and not made.
pub struct Window {
    shown: Range<usize>,
    all: usize,
    lines: Vec<Spans>,
}

impl Window {
    /// Over these lines.
    pub fn over(shown: Range<usize>) -> Window {
        Window {
            shown,
            all: 0,
            lines: Vec::new(),
        }
    }

    fn push(&mut self, line: impl FnOnce() -> Spans) {
        if self.shown.contains(&self.all) {
            self.lines.push(line());
        }
        self.all += 1;
    }

    fn extend(&mut self, lines: impl IntoIterator<Item = Spans>) {
        lines.into_iter().for_each(|line| self.push(|| line));
    }

    /// How many lines there are, seen or not.
    pub fn all(&self) -> usize {
        self.all
    }

    /// Those that are seen.
    pub fn lines(&self) -> &[Spans] {
        &self.lines
    }
}

/// The lines, the newest apply first: what was cut off and waits, the applies of this run of the
/// console, then those that the journals tell of. With them: on which line each of the latter is.
/// `at`: the one under the cursor.
pub fn lines(
    model: &Model,
    only: Option<&str>,
    at: Option<usize>,
    room: usize,
    ages: &Ages,
    shown: Range<usize>,
) -> (Window, Vec<usize>) {
    let mut out = Window::over(shown);
    for (run, notes) in model.cut_off() {
        let touches = |(_, note): &(&Name, &Applying)| {
            only.is_none_or(|site| note.sites.iter().any(|s| s.as_str() == site))
        };
        if notes.iter().any(touches) {
            let mut lines = Vec::new();
            cut_off(model, &run, &notes, room, &mut lines);
            out.extend(lines);
        }
    }
    for run in model.runs.iter().rev() {
        if only.is_some_and(|site| !run.lines.iter().any(|l| l.site == site)) {
            continue;
        }
        if out.all() > 0 {
            out.push(Vec::new);
        }
        out.push(|| head(model, run, ages));
        if let Some(outcome) = &run.outcome {
            let mut lines = Vec::new();
            ended(model, outcome, room, &mut lines);
            out.extend(lines);
        }
        if let Some(commit) = &run.commit {
            out.push(|| committed(model, commit, room));
        }
        for line in &run.lines {
            if only.is_some_and(|site| line.site != site) {
                continue;
            }
            out.push(|| operation(model, line, room, ages));
            if let Progress::Ended(End::Failed(why)) = &line.progress {
                out.extend(failure(why, room));
            }
        }
        for note in &run.notes {
            out.push(|| vec![(Role::Dim, format!("   · {note}"))]);
        }
    }
    let mut places = Vec::new();
    for (number, past) in pasts(model, only).enumerate() {
        if number == 0 {
            if out.all() > 0 {
                out.push(Vec::new);
            }
            out.push(|| vec![(Role::Column, " Applied before".into())]);
        }
        places.push(out.all());
        out.push(|| entry(model, past, at == Some(number), room, ages));
    }
    let told = || model.journal.iter();
    let own = told().filter_map(|told| Some(("this machine", told.own.as_ref()?)));
    let hosts = told().flat_map(|told| &told.unanswered);
    for (host, why) in own.chain(hosts.map(|(host, why)| (host.as_str(), why))) {
        let text = || format!("   {host}: what only it knows is missing: {}", clean(why));
        out.push(|| vec![(Role::Dim, elide(&text(), room).into_owned())]);
    }
    if out.all() == 0 {
        let text = match (only, &model.journal, &model.fleet) {
            (_, None, Some(_)) => " reading the journals …".into(),
            (Some(site), ..) => format!(" nothing was applied to {site}, as far as is known"),
            (None, ..) => " nothing was applied, as far as is known".into(),
        };
        out.push(Vec::new);
        out.push(|| vec![(Role::Dim, text)]);
    }
    (out, places)
}

/// Applies that the journals tell of and that are not this run's own, newest first.
pub fn pasts<'a>(model: &'a Model, only: Option<&'a str>) -> impl Iterator<Item = &'a Past> {
    let own: Vec<&str> = model
        .runs
        .iter()
        .filter_map(|r| r.name.as_deref())
        .collect();
    let told = model.journal.iter().flat_map(|told| &told.applies);
    told.filter(move |past| {
        only.is_none_or(|site| past.sites.contains(site)) && !own.contains(&past.run.as_str())
    })
}

/// An apply that was cut off: whose, how far it came, and what can be done.
fn cut_off(
    model: &Model,
    run: &str,
    notes: &[(&Name, &Applying)],
    room: usize,
    out: &mut Vec<Spans>,
) {
    let sign = if model.theme.ascii { "!" } else { "▲" };
    let by = notes.first().map(|(_, note)| by(note)).unwrap_or_default();
    out.push(vec![
        (Role::Warn, format!(" {sign} cut off: ")),
        (Role::Strong, format!("the apply of {by}")),
        (Role::Dim, format!("   {run}")),
    ]);
    for (host, note) in notes {
        let mut text = format!(
            "{host}: begun {}, at least {} of {} operations done",
            clean(&note.at),
            note.ended,
            note.operations
        );
        if !note.middle.is_empty() {
            text.push_str(&format!(", in the middle of {}", note.middle.join(", ")));
        }
        for line in wrap(&clean(&text), room.saturating_sub(4)) {
            out.push(vec![(Role::Text, format!("   {line}"))]);
        }
    }
    if model.view.on_call {
        return;
    }
    for (action, text) in [
        (
            Action::Finish,
            "finish it: the plan for what it touched, as the file is now",
        ),
        (
            Action::Undo,
            "take it back: to what was applied before it; data stays",
        ),
    ] {
        let named = || format!(":{}", action.entry().name);
        let key = model.keymap.key(action).unwrap_or_else(named);
        out.push(vec![
            (Role::Key, format!("   {key}")),
            (Role::Text, format!(" {text}")),
        ]);
    }
}

fn ended(model: &Model, outcome: &Outcome, room: usize, out: &mut Vec<Spans>) {
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

/// The fleet file in git.
fn committed(model: &Model, commit: &Commit, room: usize) -> Spans {
    let short =
        |text: &str| elide(&clean(text).replace('\n', " "), room.saturating_sub(30)).into_owned();
    match commit {
        Commit::Offered(message) => {
            let key = model.keymap.key(Action::Commit);
            let key = key.unwrap_or_else(|| ":commit".into());
            vec![
                (Role::Key, format!("   {key}")),
                (Role::Text, " commits the fleet file: ".into()),
                (Role::Dim, short(message)),
            ]
        }
        Commit::Running => vec![(Role::Busy, "   committing the fleet file …".into())],
        Commit::Done(name) => vec![(
            Role::Ok,
            format!("   the fleet file is committed: {}", short(name)),
        )],
        Commit::Failed(why) => vec![
            (Role::Bad, "   not committed: ".into()),
            (Role::Text, short(why)),
        ],
    }
}

/// An outcome's mark and role.
pub fn mark(model: &Model, state: State) -> (&'static str, Role) {
    let (symbol, letter, role) = match state {
        State::Done => ("✔", "o", Role::Ok),
        State::Running => ("◔", ">", Role::Busy),
        State::Finished | State::Undone => ("✔", "o", Role::Dim),
        State::Cancelled => ("–", "-", Role::Warn),
        State::Partial | State::Failed | State::Unfinished => ("✖", "X", Role::Bad),
    };
    (if model.theme.ascii { letter } else { symbol }, role)
}

/// When an apply began, unix seconds.
pub fn begun(past: &Past) -> Option<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(&past.at).ok()?;
    Some(at.timestamp())
}

/// The fleet file of an apply: its commit, or its hash where it was not committed.
pub fn version(past: &Past) -> String {
    match &past.commit {
        Some(commit) => format!("commit {}", commit.get(..10).unwrap_or(commit)),
        None => {
            let hash = past.fleet_hash.get(..10).unwrap_or(&past.fleet_hash);
            format!("{hash}, not committed")
        }
    }
}

/// A duration in few characters.
pub fn took_ms(ms: u64) -> String {
    took(0, i64::try_from(ms).unwrap_or(i64::MAX))
}

fn entry(model: &Model, past: &Past, here: bool, room: usize, ages: &Ages) -> Spans {
    let (symbol, role) = mark(model, past.state);
    let ago = begun(past).map_or_else(String::new, |at| ages.ago(at));
    let took = past.took_ms.map(took_ms).unwrap_or_default();
    let machine = past.whence.split(' ').next().unwrap_or_default();
    let who = format!("{}@{machine}", past.who);
    let wide = room.saturating_sub(60).clamp(12, 60);
    let about = elide(&clean(&past.about()), wide).into_owned();
    let gap = " ".repeat(wide.saturating_sub(width(&about)) + 1);
    let cursor = match (here, model.theme.ascii) {
        (false, _) => " ",
        (true, false) => "▌",
        (true, true) => ">",
    };
    let text = if here { Role::Strong } else { Role::Text };
    let word = match past.state {
        State::Done => String::new(),
        other => other.word().to_owned(),
    };
    vec![
        (Role::Accent, cursor.into()),
        (role, format!("{symbol} ")),
        (Role::Dim, format!("{ago:>4} ago  ")),
        (text, format!("{:<18} ", elide(&clean(&who), 18))),
        (text, format!("{about}{gap}")),
        (
            Role::Dim,
            format!("{:>8} {took:>6}  ", format!("{}/{}", past.done, past.all)),
        ),
        (role, word),
    ]
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

fn operation(model: &Model, line: &Line, room: usize, ages: &Ages) -> Spans {
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
    vec![
        (role, format!("   {mark} ")),
        (Role::Dim, format!("{:<18} ", elide(place, 18))),
        (text, format!("{what}{}", " ".repeat(gap))),
        (Role::Dim, tail),
    ]
}

/// Why an operation failed, below it.
fn failure(why: &str, room: usize) -> Vec<Spans> {
    why.lines()
        .flat_map(|line| wrap(&clean(line), room.saturating_sub(8)))
        .map(|part| vec![(Role::Bad, format!("       {part}"))])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::harness::Setup;
    use crate::console::tests::fixture::{drift_plan, three};

    #[test]
    fn a_window_makes_only_the_lines_in_it() {
        let mut made = Vec::new();
        let mut window = Window::over(2..4);
        for n in 0..1_000 {
            window.push(|| {
                made.push(n);
                Vec::new()
            });
        }
        assert_eq!((window.all(), window.lines().len()), (1_000, 2));
        assert_eq!(made, [2, 3]);
    }

    #[test]
    fn every_window_shows_its_part_of_the_whole() {
        let mut app = three(Setup::default());
        for id in 0..3 {
            let run = Run::new(id, format!("apply {id}"), &drift_plan(), app.model.now_ms);
            app.model.runs.push(run);
        }
        let ages = Ages::new(app.model.now());
        let (whole, _) = lines(&app.model, None, None, 80, &ages, 0..usize::MAX);
        assert!(whole.all() > 10 && whole.all() == whole.lines().len());
        for top in 0..whole.all() {
            let (part, _) = lines(&app.model, None, None, 80, &ages, top..top + 3);
            let end = (top + 3).min(whole.all());
            assert_eq!(part.lines(), &whole.lines()[top..end]);
            assert_eq!(part.all(), whole.all());
        }
    }
}
