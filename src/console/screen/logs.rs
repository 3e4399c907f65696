//! Logs: opened for rows, fed with bytes, drawn with the theme's roles.

use std::sync::Arc;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use crate::console::action::Place;
use crate::console::draw::ages::Ages;
use crate::console::draw::pen::Spans;
use crate::console::effect::{Effect, Followed};
use crate::console::log::{LogAction, LogMessage, LogScreen, LogStyles};
use crate::console::message::LogNews;
use crate::console::model::following::{Following, Origin};
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Screen};
use crate::console::theme::{Role, Theme};
use crate::fleet::Name;
use crate::observe::model::ObservedHost;
use crate::text::count;
use crate::verdict::SiteRow;

/// The log that is followed. There is one at a time.
#[derive(Debug)]
struct Logs;

impl Screen for Logs {
    fn place(&self) -> Place {
        Place::Logs
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, _ages: &Ages) -> Spans {
        // It has the line below the screen too.
        let height = area.height + 1;
        if let Some(logs) = &model.following {
            let area = Rect { height, ..area };
            logs.screen.view(area, buf, &styles(&model.theme));
        }
        Vec::new()
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        let action = match motion {
            Motion::By(n) if n < 0 => LogAction::Up,
            Motion::By(_) => LogAction::Down,
            Motion::Page(n) if n < 0 => LogAction::PageUp,
            Motion::Page(_) => LogAction::PageDown,
            Motion::Top => LogAction::Top,
            Motion::Bottom => LogAction::Bottom,
            Motion::Next(n) if n < 0 => LogAction::Previous,
            Motion::Next(_) => LogAction::Next,
        };
        if let Some(logs) = &mut model.following {
            logs.screen.update(LogMessage::Action(action));
        }
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.row(model.following.as_ref()?.key.as_deref()?)
    }

    fn key(&mut self, model: &mut Model, event: KeyEvent) -> bool {
        let logs = model.following.as_mut();
        let Some(logs) = logs.filter(|logs| logs.screen.is_typing()) else {
            return false;
        };
        logs.screen.update(LogMessage::Key(event));
        true
    }

    fn prompts(&self, model: &Model) -> bool {
        let logs = model.following.as_ref();
        logs.is_some_and(|logs| logs.screen.is_typing())
    }

    fn paste(&mut self, model: &mut Model, text: &str) {
        if let Some(logs) = &mut model.following {
            logs.screen.update(LogMessage::Paste(text));
        }
    }
}

/// Opens the log of these rows, those that have a container.
pub fn open(model: &mut Model, keys: &[Arc<str>]) -> Vec<Effect> {
    let rows: Vec<&SiteRow> = keys.iter().filter_map(|k| model.row(k)).collect();
    let mut followed = Vec::new();
    let mut names = Vec::new();
    for row in &rows {
        if let (Some(container), Ok(host)) = (&row.container, row.host.parse()) {
            let (at, container) = (followed.len(), container.clone());
            followed.push(Followed {
                at,
                host,
                container,
            });
            names.push((row.key.clone(), row.name.clone()));
        }
    }
    let title = match (&names[..], &rows[..]) {
        ([(_, name)], [row]) => format!("{name} on {}", row.host),
        (many, _) => count(many.len(), "site"),
    };
    let mut screen = LogScreen::new(&title);
    let origins = names
        .iter()
        .zip(&followed)
        .map(|((key, name), followed)| {
            let source = screen.add_source(name, true);
            Origin::new(key.clone(), followed.container.clone(), source)
        })
        .collect();
    let key = match keys {
        [one] => Some(one.clone()),
        _ => None,
    };
    let id = model.next_id;
    model.next_id += 1;
    // One log screen at a time: an older one below would keep its streams open.
    model.stack.retain(|s| s.place() != Place::Logs);
    let logs = Following {
        id,
        key,
        screen,
        origins,
    };
    let before = model.following.replace(Box::new(logs));
    let gone = before.map(|old| Effect::Unfollow(old.id));
    let mut effects: Vec<Effect> = gone.into_iter().collect();
    effects.extend(model.show(Box::new(Logs)));
    resize(model);
    effects.push(Effect::Follow(id, followed));
    effects
}

/// Tells the log its size.
pub fn resize(model: &mut Model) {
    let size = (model.size.0, model.size.1.saturating_sub(2));
    if let Some(logs) = &mut model.following {
        logs.screen.update(LogMessage::Resize(size.0, size.1));
    }
}

/// Takes what came of the logs followed under `id`.
pub fn news(model: &mut Model, id: u64, news: &LogNews) {
    let now = model.now_ms;
    let Some(logs) = model.following.as_mut().filter(|logs| logs.id == id) else {
        return;
    };
    let (LogNews::Bytes(at, ..) | LogNews::Ended(at, _) | LogNews::Never(at, _)) = news;
    let Some(origin) = logs.origins.get_mut(*at) else {
        return;
    };
    let source = origin.source;
    // What is still the case is not said again.
    let note = match news {
        LogNews::Bytes(..) => {
            origin.tries = 0;
            let lost = !std::mem::take(&mut origin.said).is_empty();
            lost.then_some("the log goes on")
        }
        LogNews::Ended(_, why) | LogNews::Never(_, why) => {
            origin.ended = Some(now);
            origin.readable = matches!(news, LogNews::Ended(..));
            logs.screen.update(LogMessage::Ended { source });
            let new = origin.said != *why;
            origin.said.clone_from(why);
            new.then_some(&**why)
        }
    };
    if let Some(text) = note {
        logs.screen.update(LogMessage::Note { source, text });
    }
    if let LogNews::Bytes(_, stream, bytes) = news {
        logs.screen.update(LogMessage::Bytes {
            source,
            stream: *stream,
            bytes,
        });
    }
}

/// Has the log do a little of what it has still to do. It is forgotten once it is on no screen.
pub fn settle(model: &mut Model) -> Vec<Effect> {
    if !model.stack.iter().any(|s| s.place() == Place::Logs) {
        let gone = model.following.take();
        return gone
            .map(|logs| Effect::Unfollow(logs.id))
            .into_iter()
            .collect();
    }
    if let Some(logs) = &mut model.following
        && logs.screen.is_busy()
    {
        logs.screen.update(LogMessage::Tick);
    }
    go_on(model)
}

/// How a log that broke off goes on.
enum Onward {
    /// The same container runs again, or its host is back.
    Again(usize),
    /// Another container has taken its place.
    Replaced(usize, String),
}

/// A log is a site's, not a container's: when its container was restarted or replaced, or its host
/// was away, it goes on.
fn go_on(model: &mut Model) -> Vec<Effect> {
    let Some(logs) = &model.following else {
        return Vec::new();
    };
    let mut todo: Vec<(Onward, Followed)> = Vec::new();
    let mut next = logs.origins.len();
    for (at, origin) in logs.origins.iter().enumerate() {
        // One turn for each row, at its first origin.
        if logs.origins[..at].iter().any(|o| o.key == origin.key) {
            continue;
        }
        let Some(row) = model.row(&origin.key).filter(|row| !row.stale) else {
            continue;
        };
        let (Some(container), Ok(host)) = (&row.container, row.host.parse::<Name>()) else {
            continue;
        };
        let same = |o: &Origin| o.key == origin.key && o.container == *container;
        let (onward, at) = match logs.origins.iter().position(same) {
            None => {
                next += 1;
                (Onward::Replaced(at, row.name.clone()), next - 1)
            }
            Some(at) => {
                let origin = &logs.origins[at];
                let Some(ended) = origin.ended.filter(|_| origin.readable) else {
                    continue;
                };
                if model.now_ms < ended + origin.wait_ms()
                    || !runs_since(model, &host, container, ended)
                {
                    continue;
                }
                (Onward::Again(at), at)
            }
        };
        let container = container.clone();
        todo.push((
            onward,
            Followed {
                at,
                host,
                container,
            },
        ));
    }
    let Some(logs) = &mut model.following else {
        return Vec::new();
    };
    let mut follow = Vec::new();
    for (onward, followed) in todo {
        match onward {
            Onward::Again(at) => {
                let origin = &mut logs.origins[at];
                origin.ended = None;
                origin.tries += 1;
                let source = origin.source;
                logs.screen.update(LogMessage::Resumed { source });
            }
            Onward::Replaced(at, name) => {
                let source = logs.screen.add_source(&name, true);
                let text = "another container has taken its place; its log begins";
                logs.screen.update(LogMessage::Note { source, text });
                let key = logs.origins[at].key.clone();
                let container = followed.container.clone();
                logs.origins.push(Origin::new(key, container, source));
            }
        }
        follow.push(followed);
    }
    match follow.is_empty() {
        true => Vec::new(),
        false => vec![Effect::Follow(logs.id, follow)],
    }
}

/// When there is more to do: at once while it is busy, else when a log that ended may be followed
/// again, if that is still to come; milliseconds.
pub fn due_ms(model: &Model) -> Option<i64> {
    let logs = model.following.as_ref()?;
    if logs.screen.is_busy() {
        return Some(model.now_ms);
    }
    let due = logs
        .origins
        .iter()
        .filter(|origin| origin.readable)
        .filter_map(|origin| Some(origin.ended? + origin.wait_ms()));
    due.filter(|at| *at > model.now_ms).min()
}

/// Whether a container was seen running after `ended` (milliseconds).
fn runs_since(model: &Model, host: &Name, container: &str, ended: i64) -> bool {
    let Some(data) = model.data.get(host) else {
        return false;
    };
    let runs = |o: &ObservedHost| {
        let mut all = o.containers.iter();
        all.any(|c| c.id == container && c.is_running())
    };
    // Looks are dated in whole seconds.
    data.observed_at.is_some_and(|at| at * 1000 + 999 >= ended)
        && data.observed.as_deref().is_some_and(runs)
}

/// The log's parts in the theme's roles.
fn styles(theme: &Theme) -> LogStyles {
    let role = |r| theme.style(r);
    let ink = |r: Role, other: Color| role(r).fg.unwrap_or(other);
    let coloured = role(Role::Bad).fg.is_some();
    LogStyles {
        text: role(Role::Text),
        faint: role(Role::Dim),
        sources: vec![
            role(Role::Accent),
            role(Role::Ok),
            role(Role::Drift),
            role(Role::Warn),
        ],
        error: role(Role::Bad),
        warning: role(Role::Warn),
        good: role(Role::Ok),
        found: role(Role::Match),
        selected: role(Role::Selected),
        cursor: role(Role::Cursor),
        status: role(Role::Column),
        strong: role(Role::Strong),
        input: role(Role::Input),
        hues: coloured.then(|| {
            [
                ink(Role::Bad, Color::Red),
                ink(Role::Ok, Color::Green),
                ink(Role::Warn, Color::Yellow),
                ink(Role::Busy, Color::Blue),
                ink(Role::Drift, Color::Magenta),
                ink(Role::Accent, Color::Cyan),
                ink(Role::Dim, Color::DarkGray),
            ]
        }),
        ascii: theme.ascii,
    }
}
