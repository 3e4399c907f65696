//! One site: the verdict first, then the chain from the visitor to the application, the last error
//! lines, the last changes, what it uses, and the next step as a key.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::host::HostPage;
use super::page;
use crate::console::action::{Action, Place};
use crate::console::activity::{End, Progress};
use crate::console::draw::ages::Ages;
use crate::console::draw::mark::mark;
use crate::console::draw::pen::Spans;
use crate::console::effect::{Effect, Watch};
use crate::console::log::{self, Piece, Tone};
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Screen};
use crate::console::theme::Role;
use crate::fleet::Name;
use crate::text::{clean, count, elide, rate, size, width, wrap};
use crate::verdict::chain::{Age, Way};
use crate::verdict::{self, SiteRow, State};

/// A site's page, by the row's key, and its first line on screen.
#[derive(Debug)]
pub struct SitePage {
    key: Arc<str>,
    top: usize,
}

/// The page of a row: a site's, or a host's.
pub fn of_row(model: &Model, key: &Arc<str>) -> Option<Box<dyn Screen>> {
    match model.row(key).filter(|row| row.is_host) {
        Some(row) => Some(Box::new(HostPage::of(&row.host)?)),
        None => Some(Box::new(SitePage {
            key: key.clone(),
            top: 0,
        })),
    }
}

impl Screen for SitePage {
    fn place(&self) -> Place {
        Place::Site
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        let lines = lines(model, &self.key, usize::from(area.width), ages);
        page::draw(model, buf, area, &lines, self.top)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        self.top = page::scroll(model, motion, self.top, |room, ages| {
            lines(model, &self.key, room, ages).len()
        });
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.row(&self.key)
    }

    fn opened(&self, model: &Model) -> Vec<Effect> {
        let row = model.row(&self.key).filter(|row| row.in_file);
        let name = row.and_then(|row| row.name.parse().ok());
        name.map(Effect::Outside).into_iter().collect()
    }

    /// Its last lines: all on the page is as fresh as the rest of it.
    fn asks(&self, model: &mut Model) -> Vec<Effect> {
        let now = model.now_ms;
        if self.due_ms(model).is_none_or(|at| at > now) {
            return Vec::new();
        }
        let Some((container, host)) = read_from(model, &self.key) else {
            return Vec::new();
        };
        let tail = model.tails.entry(self.key.clone()).or_default();
        tail.ask(&container, now);
        vec![Effect::Tail {
            key: self.key.clone(),
            host,
            container,
        }]
    }

    fn due_ms(&self, model: &Model) -> Option<i64> {
        let (container, _) = read_from(model, &self.key)?;
        match model.tails.get(&self.key) {
            Some(tail) => tail.due_ms(&container),
            None => Some(0),
        }
    }

    fn watch(&self, model: &Model, watch: &mut Watch) {
        if let Some(row) = model.row(&self.key) {
            watch.row(row, true);
            watch.certificate = Some((row.host.clone(), row.name.clone()));
        }
    }

    fn shows_journal(&self) -> bool {
        true
    }
}

/// The container whose lines a page shows, and its host, where that answers.
fn read_from(model: &Model, key: &str) -> Option<(String, Name)> {
    let row = model.row(key).filter(|row| !row.stale)?;
    Some((row.container.clone()?, row.host.parse().ok()?))
}

/// The page.
fn lines(model: &Model, key: &str, room: usize, ages: &Ages) -> Vec<Spans> {
    let Some(row) = model.row(key) else {
        return vec![Vec::new(), vec![(Role::Dim, " it is gone".into())]];
    };
    let mut out = Vec::new();
    verdict(model, row, room, ages, &mut out);
    out.push(Vec::new());
    chain(model, row, ages, &mut out);
    out.push(Vec::new());
    usage(row, ages, &mut out);
    out.push(Vec::new());
    tail(model, row, room, ages, &mut out);
    changes(model, row, ages, &mut out);
    next_step(model, row, &mut out);
    out
}

fn verdict(model: &Model, row: &SiteRow, room: usize, ages: &Ages, out: &mut Vec<Spans>) {
    let (symbol, role) = mark(model, row.state);
    let since = row
        .since
        .map(|since| match since.exact {
            true => format!(" for {}", ages.ago(since.at)),
            false => format!(" for at least {}", ages.ago(since.at)),
        })
        .unwrap_or_default();
    let words = match row.state {
        State::Ok => "is well",
        State::Running => "runs",
        // Hosts have pages of their own.
        State::Lost => "is lost",
        State::Degraded => "is degraded",
        State::Failing => "is failing",
        State::Restarting => "keeps restarting",
        State::Warning => "answers, but wants a look",
        State::Drift => "is not as it was applied",
        State::Pending => "is not yet as the file says",
        State::Starting => "is starting",
        State::Unknown => "is not known yet",
        State::Leftover => "is left over",
        State::Stopped => "is stopped",
        State::Archived => "is archived: its files stay on the host",
    };
    let was = match row.seen.filter(|_| row.stale) {
        Some(at) => format!("as last seen {} ago: ", ages.ago(at)),
        None => String::new(),
    };
    let (symbol, role) = match row.stale {
        true => mark(model, State::Unknown),
        false => (symbol, role),
    };
    out.push(vec![
        (role, format!(" {symbol} ")),
        (Role::Strong, row.name.clone()),
        (role, format!(" {was}{words}{since}")),
    ]);
    for line in wrap(&row.why, room.saturating_sub(4)) {
        if !line.is_empty() {
            out.push(vec![(Role::Text, format!("   {line}"))]);
        }
    }
    let mut facts = Vec::new();
    let mut add = |label: &str, value: &str| {
        if !value.is_empty() {
            facts.push(format!("{label}{value}"));
        }
    };
    add("on ", &row.host);
    add("", &row.recipe);
    add("account ", &row.account);
    add("project ", &row.project);
    add("", &row.image);
    out.push(vec![(Role::Dim, format!("   {}", facts.join(" · ")))]);
}

/// From the visitor to the application, each with a mark, what was found, and its age.
fn chain(model: &Model, row: &SiteRow, ages: &Ages, out: &mut Vec<Spans>) {
    let name = row.name.parse::<Name>().ok();
    let way = Way {
        row,
        probe: name.as_ref().and_then(|name| model.probes.get(name)),
        outside: name.as_ref().and_then(|name| model.outside.get(name)),
    };
    for link in verdict::chain::chain(&way) {
        let (symbol, role) = mark(model, link.state);
        let age = match link.age {
            Age::None => String::new(),
            Age::Read(at) => format!("  {}", ages.read(at)),
            Age::Since(at) => format!("  {} ago", ages.ago(at)),
        };
        let text = match link.state {
            State::Failing => Role::Bad,
            _ => Role::Text,
        };
        out.push(vec![
            (role, format!("   {symbol} ")),
            (Role::Text, format!("{:<12} ", link.name)),
            (text, link.what),
            (Role::Dim, age),
        ]);
    }
}

fn usage(row: &SiteRow, ages: &Ages, out: &mut Vec<Spans>) {
    let mut parts: Spans = vec![(Role::Column, " Uses  ".into())];
    match (row.memory_used, row.memory_limit) {
        (Some(used), Some(limit)) if limit > 0 => {
            let share = used.value as f64 / limit as f64;
            let role = if share > 0.9 { Role::Warn } else { Role::Text };
            parts.push((
                role,
                format!(
                    "memory {} of {} ({:.0}%)",
                    size(used.value),
                    size(limit),
                    share * 100.0
                ),
            ));
            parts.push((Role::Dim, ages.unless_fresh(used.at)));
        }
        (Some(used), _) => {
            parts.push((Role::Text, format!("memory {}, no limit", size(used.value))));
            parts.push((Role::Dim, ages.unless_fresh(used.at)));
        }
        (None, Some(limit)) => parts.push((Role::Dim, format!("memory limit {}", size(limit)))),
        (None, None) => parts.push((Role::Dim, "not known".into())),
    }
    if let Some(cpu) = row.cpu {
        parts.push((Role::Text, format!("   cpu {:.0}%", cpu.value * 100.0)));
    }
    if let Some(requests) = row.requests {
        parts.push((
            Role::Text,
            format!("   {} requests/s", rate(requests.value)),
        ));
    }
    if let Some(connections) = row.connections {
        let held = count(connections.value as usize, "connection");
        parts.push((Role::Text, format!("   {held}")));
    }
    out.push(parts);
}

/// Last lines of the container that speak of trouble; else its last lines.
fn tail(model: &Model, row: &SiteRow, room: usize, ages: &Ages, out: &mut Vec<Spans>) {
    if row.container.is_none() {
        return;
    }
    let tail = model.tails.get(&row.key);
    let why = tail.and_then(|tail| tail.why.as_ref());
    match (tail.and_then(|tail| tail.lines.as_ref()), why) {
        (None, why) => out.push(vec![
            (Role::Column, " Log  ".into()),
            (
                Role::Dim,
                why.map_or("reading its last lines …".into(), |why| {
                    clean(why).into_owned()
                }),
            ),
        ]),
        (Some((at, lines)), _) => {
            let trouble = |line: &&String| log::level(line.as_bytes()).is_some();
            let trouble: Vec<&String> = lines.iter().filter(trouble).collect();
            let (title, chosen) = if trouble.is_empty() {
                (" Last lines", lines.iter().collect())
            } else {
                (" Last error lines", trouble)
            };
            out.push(vec![
                (Role::Column, title.into()),
                (Role::Dim, ages.unless_fresh(*at)),
            ]);
            for line in chosen.iter().rev().take(4).rev() {
                out.extend(in_short(line, room.saturating_sub(4)));
            }
            if chosen.is_empty() {
                out.push(vec![(Role::Dim, "   it has written nothing".into())]);
            }
        }
    }
    out.push(Vec::new());
}

/// A line of a log, what stands before its message folded away; the message of an error on two rows
/// where it needs them, what is beside it as far as there is room.
fn in_short(line: &str, room: usize) -> Vec<Spans> {
    let mark: Spans = vec![(Role::Dim, "   ".into())];
    let Some(short) = log::short(line.as_bytes()) else {
        return vec![[mark, vec![(Role::Text, elide(line, room).into_owned())]].concat()];
    };
    let mut out = vec![mark];
    let mut left = room;
    let time = Piece {
        text: format!("{} ", short.time),
        tone: Tone::Faint,
    };
    let time = (!short.time.is_empty()).then_some(time);
    for piece in time.into_iter().chain(short.pieces) {
        let role = match piece.tone {
            Tone::Plain => Role::Text,
            Tone::Faint => Role::Dim,
            Tone::Good => Role::Ok,
            Tone::Refused => Role::Warn,
            Tone::Failed => Role::Bad,
        };
        // Taken apart, a text may hold what it had only in other words before.
        let text = clean(&piece.text);
        let indent = room - left;
        if piece.tone == Tone::Plain && short.level.is_some() && width(&text) > left {
            let mut rows = wrap(&text, left.max(8)).into_iter();
            put(&mut out, role, rows.next().unwrap_or_default());
            let rest = rows.collect::<Vec<String>>().join(" ");
            out.push(vec![(Role::Dim, " ".repeat(3 + indent))]);
            let rest = elide(&rest, left).into_owned();
            left = left.saturating_sub(width(&rest));
            put(&mut out, role, rest);
            continue;
        }
        let part = elide(&text, left);
        let whole = part.len() == text.len();
        left = left.saturating_sub(width(&part));
        put(&mut out, role, part.into_owned());
        if !whole {
            break;
        }
    }
    out
}

/// Adds to the last row.
fn put(rows: &mut [Spans], role: Role, text: String) {
    if let Some(row) = rows.last_mut().filter(|_| !text.is_empty()) {
        row.push((role, text));
    }
}

fn changes(model: &Model, row: &SiteRow, ages: &Ages, out: &mut Vec<Spans>) {
    let mut lines: Vec<Spans> = Vec::new();
    for run in model.runs.iter().rev() {
        let mine: Vec<_> = run.lines.iter().filter(|l| l.site == row.name).collect();
        if mine.is_empty() {
            continue;
        }
        let failed = mine
            .iter()
            .any(|l| matches!(l.progress, Progress::Ended(End::Failed(_))));
        let (role, word) = match (run.is_running(), failed) {
            (true, _) => (Role::Busy, "running"),
            (_, true) => (Role::Bad, "failed"),
            _ => (Role::Ok, "done"),
        };
        lines.push(vec![
            (
                Role::Dim,
                format!("   {:>4} ago  ", ages.ago(run.began / 1000)),
            ),
            (Role::Text, run.title.clone()),
            (role, format!("  {word}")),
        ]);
    }
    let shown: Vec<&str> = model
        .runs
        .iter()
        .flat_map(|r| r.names.iter().map(String::as_str))
        .collect();
    let told = model.journal.iter().flat_map(|told| &told.applies);
    for past in told
        .filter(|past| past.sites.contains(row.name.as_str()))
        .filter(|past| !shown.contains(&past.run.as_str()))
        .take(3)
    {
        let (_, role) = super::told::mark(model, past.state);
        let cause = past
            .operations
            .iter()
            .filter(|o| {
                o.named
                    .site
                    .as_ref()
                    .is_some_and(|s| s.as_str() == row.name)
            })
            .find_map(|o| o.named.cause.first());
        let ago = super::told::begun(past).map_or_else(String::new, |at| ages.ago(at));
        lines.push(vec![
            (Role::Dim, format!("   {ago:>4} ago  ")),
            (Role::Text, clean(&past.who).into_owned()),
            (
                Role::Text,
                format!("  {}", elide(&clean(cause.map_or("", String::as_str)), 40)),
            ),
            (role, format!("  {}", past.state.word())),
        ]);
    }
    let host = model.view.hosts.iter().find(|h| h.name == row.host);
    if lines.is_empty()
        && let Some(by) = host.map(|h| &h.applied_by).filter(|b| !b.is_empty())
    {
        lines.push(vec![(
            Role::Dim,
            format!("   {} was last applied by {by}", row.host),
        )]);
    }
    if !lines.is_empty() && !row.foreign {
        out.push(vec![(Role::Column, " Last changes".into())]);
        lines.truncate(3);
        out.extend(lines);
        out.push(Vec::new());
    }
}

/// What to do next, as a key.
fn next_step(model: &Model, row: &SiteRow, out: &mut Vec<Spans>) {
    let (action, text) = match row.state {
        _ if row.stale => (
            Action::Host,
            "what its host does is not known: look at the host",
        ),
        State::Failing | State::Restarting if row.container.is_some() => {
            (Action::Logs, "read what it said before it failed")
        }
        State::Failing => (Action::Diff, "see what would bring it back"),
        State::Warning => (Action::Logs, "read its log"),
        State::Drift | State::Pending | State::Leftover => {
            (Action::Diff, "see what differs, and what apply would do")
        }
        State::Stopped | State::Archived if row.in_file => (Action::Start, "start it"),
        _ => (Action::Logs, "read its log"),
    };
    let changing = action.entry().changes();
    if changing && (model.view.on_call || row.foreign) {
        return;
    }
    let key = model
        .keymap
        .key(action)
        .unwrap_or_else(|| format!(":{}", action.entry().name));
    out.push(vec![
        (Role::Column, " Next  ".into()),
        (Role::Key, key),
        (Role::Text, format!(" {text}")),
    ]);
    if matches!(row.state, State::Drift | State::Pending)
        && !row.stale
        && !model.view.on_call
        && let Some(key) = model.keymap.key(Action::Apply)
    {
        out.push(vec![
            (Role::Text, "       ".into()),
            (Role::Key, key),
            (Role::Text, " make it as the file says (asks first)".into()),
        ]);
        if row.drift.iter().any(|field| field.adoptable)
            && let Some(key) = model.keymap.key(Action::Adopt)
        {
            out.push(vec![
                (Role::Text, "       ".into()),
                (Role::Key, key),
                (
                    Role::Text,
                    " write what is live into the file (asks first)".into(),
                ),
            ]);
        }
    }
}
