//! `view`: the model as a frame. Reads only; what of it will look different later without any
//! message (ages) it tells by [`Ages`].

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Place, TABLE};
use super::draw::ages::Ages;
use super::draw::mark::{link_mark, mark};
use super::draw::pen::{Pen, Spans, clear, fill, spans_width};
use super::model::{Model, SMALLEST};
use super::overlay;
use super::overlay::lines::Lines;
use super::theme::Role;
use super::tone::Tone;
use crate::fleet::Name;
use crate::record::Applying;
use crate::text::{count, elide, width};
use crate::verdict::Link;
use crate::verdict::tally::tally;

/// Draws the model. Returns the unix second at which what was drawn gets old by itself.
pub fn view(model: &Model, frame: &mut Frame) -> Option<i64> {
    let area = frame.area();
    draw(model, frame.buffer_mut(), area)
}

/// Draws the model into a buffer.
pub fn draw(model: &Model, buf: &mut Buffer, area: Rect) -> Option<i64> {
    let ages = Ages::new(model.now());
    clear(buf, &model.theme, area);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!("ostler needs {}×{}", SMALLEST.0, SMALLEST.1);
        Pen::on(buf, &model.theme, area, 0).put(Role::Text, &text);
        return None;
    }
    header(model, buf, Rect { height: 1, ..area }, &ages);
    let body = Rect::new(area.x, area.y + 1, area.width, area.height - 3);
    let detail = Rect::new(area.x, area.bottom() - 2, area.width, 1);
    let foot = Rect::new(area.x, area.bottom() - 1, area.width, 1);
    let screen = model.screen();
    let mut line = screen.map_or_else(Vec::new, |s| s.draw(model, buf, body, &ages));
    if matches!(model.place(), Place::Sites | Place::Hosts)
        && let Some(banner) = banner(model)
    {
        line = banner;
    }
    let mut told = true;
    if let Some(asks) = overlay::question::banner(model) {
        line = asks;
    } else if let Some((tone, text, _)) = &model.note {
        let role = match tone {
            Tone::Good => Role::Ok,
            Tone::Plain => Role::Accent,
            Tone::Bad => Role::Bad,
        };
        line = vec![(role, format!(" {text}"))];
    } else {
        told = false;
    }
    // A message never covers what is being typed: it stands above it.
    let prompts = screen.is_some_and(|s| s.prompts(model));
    let place = match prompts {
        true => Rect {
            y: detail.y - 1,
            ..detail
        },
        false => detail,
    };
    if told && prompts {
        clear(buf, &model.theme, place);
    }
    if told || !prompts {
        Pen::on(buf, &model.theme, place, 0).spans(&line);
    }
    footer(model, buf, foot);
    if let Some(open) = &model.overlay {
        let lines = Lines { body, detail, foot };
        overlay::draw(model, open, buf, lines);
    }
    ages.next()
}

/// Fleet, hosts, how many sites are in which trouble, and the mode.
fn header(model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) {
    let theme = &model.theme;
    fill(buf, area, theme.style(Role::Header));
    let mut badge = Vec::new();
    if model.view.demo {
        badge.push((Role::Demo, " DEMO "));
    }
    if model.view.on_call {
        badge.push((Role::OnCall, " ON-CALL "));
    }
    let badges: usize = badge.iter().map(|(_, t)| width(t)).sum();
    let room = usize::from(area.width).saturating_sub(badges + 1);
    let mut left = head_left(model, ages, Head::Hosts);
    for shorter in [Head::Troubled, Head::Counts] {
        if spans_width(&left) > room {
            left = head_left(model, ages, shorter);
        }
    }
    Pen::on(
        buf,
        theme,
        Rect {
            width: room as u16,
            ..area
        },
        0,
    )
    .spans(&left);
    let mut pen = Pen::on(buf, theme, area, 0);
    pen.skip(usize::from(area.width) - badges);
    for (role, text) in badge {
        pen.put(role, text);
    }
}

/// How much the head says of the hosts.
#[derive(Clone, Copy, PartialEq)]
enum Head {
    /// Each by name.
    Hosts,
    /// Those that are not ready by name, the others by their number.
    Troubled,
    /// How many are in which state.
    Counts,
}

fn head_left(model: &Model, ages: &Ages, head: Head) -> Spans {
    let mut out: Spans = vec![(Role::Strong, format!(" {} ", model.view.name))];
    if let Some(why) = &model.fleet_broken {
        // Before all else: what is below it is of the file as it was.
        let room = usize::from(model.size.0) / 2;
        out.push((Role::Bad, format!("{} ", elide(&why.brief, room))));
    }
    let hosts = &model.view.hosts;
    let counted: &[Link] = match head {
        Head::Hosts => &[],
        Head::Troubled => &[Link::Ready],
        Head::Counts => &[
            Link::Ready,
            Link::Degraded,
            Link::Connecting,
            Link::BackingOff,
        ],
    };
    for link in counted {
        let n = hosts.iter().filter(|h| h.link == *link).count();
        if n > 0 || *link == Link::Ready {
            let (symbol, role) = link_mark(model, *link);
            out.push((role, symbol.into()));
            out.push((Role::Header, format!("{} ", count(n, "host"))));
        }
    }
    for host in hosts {
        if counted.contains(&host.link) {
            continue;
        }
        let (symbol, role) = link_mark(model, host.link);
        out.push((role, symbol.into()));
        let text = match host.link {
            Link::Ready => format!("{} ", host.name),
            _ => format!("{} {} ", host.name, ages.ago(host.since)),
        };
        out.push((Role::Header, text));
    }
    let tally = tally(&model.view.sites, model.fleet.is_none());
    let noun = match model.fleet {
        Some(_) => "site",
        None => "container",
    };
    out.push((Role::Header, format!(" {} ", count(tally.all, noun))));
    for (state, n) in tally.troubles() {
        let (symbol, role) = mark(model, state);
        out.push((role, format!("{symbol}{n} ")));
    }
    if let Some(run) = model.runs.iter().rfind(|r| r.is_running()) {
        let tally = run.tally();
        let (done, all) = (tally.done, tally.all);
        out.push((Role::Busy, format!(" applying {done}/{all} ")));
    }
    if let Some((host, lock)) = model.others_applying().first() {
        let machine = lock.whence.split(' ').next().unwrap_or_default();
        let place = match head {
            Head::Hosts => format!(" on {host}"),
            Head::Troubled | Head::Counts => String::new(),
        };
        out.push((
            Role::Busy,
            format!(
                " {}@{machine} applying{place} {} ",
                lock.who,
                ages.ago(
                    model
                        .data
                        .get(*host)
                        .map_or(lock.since, |d| d.ours(lock.since))
                )
            ),
        ));
    }
    out
}

/// What must not be overlooked: an apply that was cut off.
fn banner(model: &Model) -> Option<Spans> {
    if let Some(why) = &model.fleet_broken {
        let key = model
            .keymap
            .key(Action::Plan)
            .unwrap_or_else(|| ":plan".into());
        let room = usize::from(model.size.0).saturating_sub(14 + width(&key));
        return Some(vec![
            (Role::Bad, format!(" {}  ", elide(&why.brief, room))),
            (Role::Key, key),
            (Role::Text, " shows it".into()),
        ]);
    }
    let found = model.cut_off();
    let (run, notes) = found.first()?;
    let (host, note) = notes.first()?;
    let (done, all) = how_far(model, run, notes);
    let sign = if model.theme.ascii { "!" } else { "▲" };
    let mut line = vec![(
        Role::Warn,
        format!(
            " {sign} {}'s apply on {host} was cut off, {done}/{all}  ",
            crate::text::printable(&note.who),
        ),
    )];
    let mut keys = vec![(Action::Activity, "shows it")];
    if !model.view.on_call {
        keys.extend([(Action::Finish, "finishes"), (Action::Undo, "undoes")]);
    }
    for (action, what) in keys {
        let named = || format!(":{}", action.entry().name);
        let key = model.keymap.key(action).unwrap_or_else(named);
        line.push((Role::Key, key));
        line.push((Role::Text, format!(" {what}  ")));
    }
    Some(line)
}

/// How far an apply came that was cut off: as its hosts noted last, or as the journal of this machine
/// knows better.
fn how_far(model: &Model, run: &str, notes: &[(&Name, &Applying)]) -> (usize, usize) {
    let noted = notes.iter().fold((0, 0), |(done, all), (_, note)| {
        (done + note.ended, all + note.operations)
    });
    let told = model.journal.iter().flat_map(|told| &told.applies);
    let past = told.filter(|past| past.run == run).map(|past| past.tally);
    match past.max_by_key(|tally| tally.done) {
        Some(tally) if tally.done > noted.0 => (tally.done, tally.all),
        _ => noted,
    }
}

/// Keys that matter on the screen shown; only what fits, whole.
fn footer(model: &Model, buf: &mut Buffer, area: Rect) {
    let mut pen = Pen::on(buf, &model.theme, area, 0);
    pen.skip(1);
    let place = model.place();
    let mut entries: Vec<_> = TABLE
        .iter()
        .filter(|e| e.at(place) && !e.footer.is_empty())
        .filter(|e| !(e.changes() && (model.view.on_call || model.fleet.is_none())))
        .filter(|e| e.action != Action::Diff || model.fleet.is_some())
        .filter(|e| e.action != Action::Plan || model.fleet.is_some())
        .filter(|e| e.action != Action::Back || place != Place::Sites)
        .filter(|e| e.action != Action::Plan || !matches!(place, Place::Plan | Place::Logs))
        .filter(|e| e.action != Action::Diff || place != Place::Logs)
        .filter(|e| e.action != Action::Help || place != Place::Help)
        .collect();
    // What changes is named last; the ways out and on are never pushed out by it.
    let rank = |action| match action {
        Action::Back => 1,
        Action::Palette | Action::Help => 2,
        _ => 0,
    };
    entries.sort_by_key(|e| if e.changes() { 3 } else { rank(e.action) });
    let texts: Vec<(bool, String, String)> = entries
        .into_iter()
        .filter_map(|entry| {
            let key = model.keymap.key(entry.action)?;
            let word = match (entry.action, place) {
                (Action::Open, Place::Hosts) => "host",
                (Action::Open, Place::Host) => "its sites",
                (Action::Open, Place::Certificate) => "its site",
                (Action::Open, Place::Activity) => "all it did",
                _ => entry.footer,
            };
            Some((rank(entry.action) > 0, key, format!(" {word}  ")))
        })
        .collect();
    let cells = |(_, key, word): &(bool, String, String)| width(key) + width(word);
    let mut kept: usize = texts.iter().filter(|t| t.0).map(cells).sum();
    for text in &texts {
        if text.0 {
            kept -= cells(text);
        } else if cells(text) + kept > pen.room() {
            continue;
        }
        pen.put(Role::Key, &text.1).put(Role::Dim, &text.2);
    }
}
