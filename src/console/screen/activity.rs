//! What is being applied, live, and what was applied before, by whom.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::changes::{ByHand, Change, changes, clock, day, day_in_words};
use super::page;
use super::past;
use super::told::mark;
use crate::console::action::{Action, Place};
use crate::console::activity::{Commit, End, OperationLine, Outcome, Progress, Run};
use crate::console::draw::ages::Ages;
use crate::console::draw::mark::mark as state_mark;
use crate::console::draw::pen::{self, Spans};
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Opens, Screen};
use crate::console::theme::Role;
use crate::fleet::Name;
use crate::plan::unfinished::by;
use crate::record::Applying;
use crate::text::{clean, elide, took, width, wrap};
use crate::verdict::SiteRow;
use crate::walk::history::{Past, State};

/// What is being applied, and was; one site's part, where named.
#[derive(Debug)]
pub struct Activity {
    /// Only this site's.
    only: Option<String>,
    /// First line.
    top: usize,
    /// Which of the applies that the journals tell of is under the cursor.
    at: Option<usize>,
}

impl Activity {
    /// All of it, or one site's part.
    pub fn of(only: Option<String>) -> Activity {
        Activity {
            only,
            top: 0,
            at: None,
        }
    }

    fn lines(
        &self,
        model: &Model,
        room: usize,
        ages: &Ages,
        shown: Range<usize>,
    ) -> (Window, Vec<usize>) {
        lines(model, self.only.as_deref(), self.at, room, ages, shown)
    }

    /// One step: to the next apply that can be opened, or, while that is not on screen, one line on.
    fn step(&mut self, model: &Model, up: bool) {
        let height = model.body_lines();
        let (at, top) = (self.at, self.top);
        let ages = Ages::new(model.now());
        let (window, places) = self.lines(model, usize::from(model.size.0), &ages, 0..0);
        let last = window.all().saturating_sub(height);
        let next = match (at, up) {
            (None, false) => Some(0),
            (Some(n), false) => Some(n + 1),
            (Some(n), true) => n.checked_sub(1),
            (None, true) => None,
        };
        let place = next.and_then(|n| places.get(n).copied());
        let seen = |line: usize| line >= top && line < top + height;
        (self.at, self.top) = match (place, up) {
            (Some(line), _) if seen(line) => (next, top),
            (_, true) if top > 0 => (at.filter(|_| next.is_some()), top - 1),
            (_, true) => (at.filter(|_| next.is_some()), 0),
            (_, false) => (at, (top + 1).min(last)),
        };
    }
}

impl Screen for Activity {
    fn place(&self) -> Place {
        Place::Activity
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        let height = usize::from(area.height);
        let shown = self.top..self.top + height;
        let (window, _) = self.lines(model, usize::from(area.width), ages, shown);
        pen::lines(buf, &model.theme, area, window.lines(), 0);
        page::below(window.all(), self.top, height)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        match motion {
            Motion::By(by) => (0..by.unsigned_abs()).for_each(|_| self.step(model, by < 0)),
            _ => {
                self.top = page::scroll(model, motion, self.top, |room, ages| {
                    self.lines(model, room, ages, 0..0).0.all()
                });
            }
        }
    }

    fn open(&self, model: &Model) -> Opens {
        let mut pasts = pasts(model, self.only.as_deref());
        match self.at.and_then(|at| pasts.nth(at)) {
            Some(past) => Opens::Screen(Box::new(past::Past::of(past.run.clone()))),
            None => Opens::Words("j goes to what was applied before"),
        }
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.site(self.only.as_deref()?)
    }

    fn shows_journal(&self) -> bool {
        true
    }
}

/// A window over many lines: those outside of it are counted, and not made.
struct Window {
    shown: Range<usize>,
    all: usize,
    lines: Vec<Spans>,
}

impl Window {
    /// Over these lines.
    fn over(shown: Range<usize>) -> Window {
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
    fn all(&self) -> usize {
        self.all
    }

    /// Those that are seen.
    fn lines(&self) -> &[Spans] {
        &self.lines
    }
}

/// The lines, the newest apply first: what was cut off and waits, the applies of this run of the
/// console, then those that the journals tell of. With them: on which line each of the latter is.
/// `at`: the one under the cursor.
fn lines(
    model: &Model,
    only: Option<&str>,
    at: Option<usize>,
    room: usize,
    ages: &Ages,
    shown: Range<usize>,
) -> (Window, Vec<usize>) {
    let mut out = Window::over(shown);
    out.push(|| vec![(Role::Column, title(model, only))]);
    let begun = out.all();
    for (run, notes) in model.cut_off() {
        let touches = |(_, note): &(&Name, &Applying)| {
            only.is_none_or(|site| note.sites.iter().any(|s| s.as_str() == site))
        };
        if notes.iter().any(touches) {
            out.push(Vec::new);
            let mut lines = Vec::new();
            cut_off(model, &run, &notes, room, &mut lines);
            out.extend(lines);
        }
    }
    for run in model.runs.iter().rev() {
        if only.is_some_and(|site| !run.lines.iter().any(|l| l.site == site)) {
            continue;
        }
        out.push(Vec::new);
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
    let mut last = None;
    for change in changes(model, only, pasts(model, only)) {
        let under = change.at().map(day);
        if last.replace(under) != Some(under) {
            out.push(Vec::new);
            out.push(|| vec![(Role::Column, under_words(under, model.now()))]);
        }
        match change {
            Change::Applied(begun, past) => {
                let here = at == Some(places.len());
                places.push(out.all());
                out.push(|| entry(model, (begun, past), here, room));
            }
            Change::ByHand(hand) => out.push(|| changed(model, &hand, room)),
        }
    }
    let told = || model.journal.iter();
    let own = told().filter_map(|told| Some(("this machine", told.own.as_ref()?)));
    let hosts = told().flat_map(|told| &told.unanswered);
    for (host, why) in own.chain(hosts.map(|(host, why)| (host.as_str(), why))) {
        let text = || format!("   {host}: what only it knows is missing: {}", clean(why));
        out.push(|| vec![(Role::Dim, elide(&text(), room).into_owned())]);
    }
    if model.journal.is_none() && model.fleet.is_some() {
        out.push(Vec::new);
        out.push(|| vec![(Role::Dim, " reading the journals …".into())]);
    }
    if out.all() == begun {
        let text = match only {
            Some(site) => format!(" nothing was applied to {site}, as far as is known"),
            None => " nothing was applied, as far as is known".into(),
        };
        out.push(Vec::new);
        out.push(|| vec![(Role::Dim, text)]);
    }
    (out, places)
}

/// Whose changes are listed.
fn title(model: &Model, only: Option<&str>) -> String {
    match only {
        None => " Changes of all sites and hosts".to_owned(),
        Some(site) => {
            let host = model.site(site).map(|row| format!(" on {}", row.host));
            let all = model.keymap.key(Action::Activity);
            let all = all.map_or_else(String::new, |key| format!("; {key} lists all"));
            format!(" Changes of {site}{}{all}", host.unwrap_or_default())
        }
    }
}

/// The head of what changed on one day.
fn under_words(under: Option<i64>, now: i64) -> String {
    match under {
        Some(under) => format!(" {} (UTC)", day_in_words(under, now)),
        None => " By hand, and so now; when is not known".to_owned(),
    }
}

/// One change by hand.
fn changed(model: &Model, hand: &ByHand, room: usize) -> Spans {
    let (symbol, role) = state_mark(model, crate::verdict::State::Drift);
    let time = hand.at.map_or_else(|| "     ".to_owned(), clock);
    let what = format!("{}: {}", hand.place, hand.what);
    vec![
        (role, format!(" {symbol} ")),
        (Role::Dim, format!("{time}  ")),
        (Role::Text, format!("{:<18} ", "by hand")),
        (
            Role::Drift,
            elide(&what, room.saturating_sub(32)).into_owned(),
        ),
    ]
}

/// Applies that the journals tell of and that are not this run's own, newest first.
fn pasts<'a>(model: &'a Model, only: Option<&'a str>) -> impl Iterator<Item = &'a Past> {
    let own: Vec<&str> = model
        .runs
        .iter()
        .flat_map(|r| r.names.iter().map(String::as_str))
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

fn entry(model: &Model, (begun, past): (Option<i64>, &Past), here: bool, room: usize) -> Spans {
    let (symbol, role) = mark(model, past.state);
    let time = begun.map_or_else(|| "     ".to_owned(), clock);
    let took = past.took_ms.map(took).unwrap_or_default();
    let machine = past.whence.split(' ').next().unwrap_or_default();
    let who = format!("{}@{machine}", past.who);
    let wide = room.saturating_sub(56).clamp(12, 70);
    let about = elide(&clean(&past.what), wide).into_owned();
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
        (Role::Dim, format!("{time}  ")),
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
    let tally = run.tally();
    let counts = match run.is_running() {
        true => tally.words("under way"),
        // The line below says the rest.
        false => format!("{} of {} done", tally.done, tally.all),
    };
    let (mark, role) = match &run.outcome {
        None => (if model.theme.ascii { "." } else { "◔" }, Role::Busy),
        Some(o) if o.exit == 0 => (if model.theme.ascii { "o" } else { "✔" }, Role::Ok),
        Some(_) => (if model.theme.ascii { "X" } else { "✖" }, Role::Bad),
    };
    let time = match run.ended {
        Some(at) => format!(
            "{} ago, took {}",
            ages.ago(at / 1000),
            between(run.began, at)
        ),
        None => format!("since {}", ages.ago(run.began / 1000)),
    };
    vec![
        (role, format!(" {mark} ")),
        (Role::Strong, run.title.clone()),
        (Role::Dim, format!("   {counts} · {time}")),
    ]
}

fn between(from: i64, to: i64) -> String {
    took(u64::try_from(to - from).unwrap_or_default())
}

fn operation(model: &Model, line: &OperationLine, room: usize, ages: &Ages) -> Spans {
    let ascii = model.theme.ascii;
    let pick = |symbol, letter| if ascii { letter } else { symbol };
    let (mark, role, tail) = match &line.progress {
        Progress::Waiting => (pick("·", "."), Role::Dim, String::new()),
        Progress::Running => {
            let text = format!("{}  {}", ages.ago(line.began / 1000), line.says);
            (pick("◔", ">"), Role::Busy, text)
        }
        Progress::Ended(End::Done) => (pick("✔", "o"), Role::Ok, between(line.began, line.ended)),
        Progress::Ended(End::Failed(_)) => {
            (pick("✖", "X"), Role::Bad, between(line.began, line.ended))
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
