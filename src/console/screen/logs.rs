//! Logs: opened for rows, fed with bytes, drawn with the theme's roles.

use ratatui::style::Color;

use crate::console::action::Action;
use crate::console::effect::{Effect, Followed};
use crate::console::fleet_view::SiteRow;
use crate::console::log::{LogAction, LogMessage, LogScreen, LogStyles};
use crate::console::message::LogNews;
use crate::console::model::{Logs, Model, Screen};
use crate::console::text::count;
use crate::console::theme::{Role, Theme};

/// Opens the log of these rows, those that have a container.
pub fn open(model: &mut Model, keys: &[std::sync::Arc<str>]) -> Vec<Effect> {
    let rows: Vec<&SiteRow> = keys.iter().filter_map(|k| model.row(k)).collect();
    let mut followed = Vec::new();
    let mut names = Vec::new();
    for row in &rows {
        if let (Some(container), Ok(host)) = (&row.container, row.host.parse()) {
            let container = container.clone();
            followed.push(Followed { host, container });
            names.push(row.name.clone());
        }
    }
    let title = match (&names[..], &rows[..]) {
        ([name], [row]) => format!("{name} on {}", row.host),
        (many, _) => count(many.len(), "site", "sites"),
    };
    let mut screen = LogScreen::new(&title);
    let sources = names.iter().map(|n| screen.add_source(n, true)).collect();
    let key = match keys {
        [one] => Some(one.clone()),
        _ => None,
    };
    let id = model.next_id;
    model.next_id += 1;
    // One log screen at a time: an older one below would keep its streams open.
    model.stack.retain(|s| !matches!(s, Screen::Logs(_)));
    let mut effects: Vec<Effect> = model
        .following
        .replace(id)
        .map(Effect::Unfollow)
        .into_iter()
        .collect();
    let logs = Logs {
        id,
        key,
        screen,
        sources,
    };
    model.stack.push(Screen::Logs(Box::new(logs)));
    resize(model);
    effects.push(Effect::Follow(id, followed));
    effects
}

/// Tells the log its size.
pub fn resize(model: &mut Model) {
    let size = (model.size.0, model.size.1.saturating_sub(2));
    for screen in &mut model.stack {
        if let Screen::Logs(logs) = screen {
            logs.screen.update(LogMessage::Resize(size.0, size.1));
        }
    }
}

/// Takes what came of the logs followed under `id`.
pub fn news(model: &mut Model, id: u64, news: &LogNews) {
    for screen in &mut model.stack {
        let Screen::Logs(logs) = screen else { continue };
        if logs.id != id {
            continue;
        }
        let (LogNews::Bytes(at, ..) | LogNews::Ended(at, _)) = news;
        let Some(source) = logs.sources.get(*at).copied() else {
            continue;
        };
        logs.screen.update(match news {
            LogNews::Bytes(_, stream, bytes) => LogMessage::Bytes {
                source,
                stream: *stream,
                bytes,
            },
            LogNews::Ended(_, why) => LogMessage::Ended { source, why },
        });
    }
}

/// The log's own word for an action; `None`: it is not the log's.
pub fn action(action: Action) -> Option<LogAction> {
    Some(match action {
        Action::Down => LogAction::Down,
        Action::Up => LogAction::Up,
        Action::Top => LogAction::Top,
        Action::Bottom => LogAction::Bottom,
        Action::PageDown => LogAction::PageDown,
        Action::PageUp => LogAction::PageUp,
        Action::Next => LogAction::Next,
        Action::Previous => LogAction::Previous,
        Action::Search => LogAction::Search,
        Action::Pause => LogAction::Pause,
        Action::Follow => LogAction::Follow,
        Action::FilterIn => LogAction::FilterIn,
        Action::FilterOut => LogAction::FilterOut,
        Action::ShowAll => LogAction::Reset,
        Action::Wrap => LogAction::Wrap,
        Action::Times => LogAction::Times,
        Action::Raw => LogAction::Raw,
        Action::Right => LogAction::Right,
        Action::Left => LogAction::Left,
        Action::Forget => LogAction::Clear,
        Action::Copy => LogAction::Copy,
        _ => return None,
    })
}

/// The log's parts in the theme's roles.
pub fn styles(theme: &Theme) -> LogStyles {
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
