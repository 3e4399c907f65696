//! The plan, grouped by site: what, why, how long it interrupts, how dangerous, how it is undone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::page;
use crate::console::action::{Action, Place};
use crate::console::draw::ages::Ages;
use crate::console::draw::pen::{Pen, Spans};
use crate::console::message::Broken;
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Screen};
use crate::console::plan_lines::summary;
use crate::console::theme::Role;
use crate::plan::drift::Field;
use crate::text::{clean, elide, width, wrap};
use crate::verdict::SiteRow;

/// How the plan is looked at.
#[derive(Debug)]
pub struct PlanScreen {
    /// Only this site's part.
    only: Option<String>,
    /// Words.
    filter: String,
    /// First line.
    top: usize,
}

impl PlanScreen {
    /// All of it, or one site's part.
    pub fn of(only: Option<String>) -> PlanScreen {
        PlanScreen {
            only,
            filter: String::new(),
            top: 0,
        }
    }
}

impl Screen for PlanScreen {
    fn place(&self) -> Place {
        Place::Plan
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, _ages: &Ages) -> Spans {
        if let Some(why) = &model.fleet_broken {
            let lines = broken_lines(model, why, usize::from(area.width));
            return page::draw(model, buf, area, &lines, self.top);
        }
        draw(model, self, buf, area);
        Vec::new()
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        self.top = page::scroll(model, motion, self.top, |room, _| {
            if let Some(why) = &model.fleet_broken {
                return broken_lines(model, why, room).len();
            }
            field_lines(model, self, room).len() + shown(model, self).len()
        });
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.site(self.only.as_deref()?)
    }

    fn filter<'a>(&'a self, _model: &'a Model) -> &'a str {
        &self.filter
    }

    fn set_filter(&mut self, _model: &mut Model, words: &str) {
        words.clone_into(&mut self.filter);
        self.top = 0;
    }
}

/// What is wrong with the fleet file, in the place of a plan.
fn broken_lines(model: &Model, why: &Broken, room: usize) -> Vec<Spans> {
    let sign = if model.theme.ascii { "X" } else { "✖" };
    let head = format!(" {sign} No plan: the fleet file cannot be used");
    let mut lines = vec![vec![(Role::Bad, head)], Vec::new()];
    for line in &why.lines {
        let fits = width(line) < room;
        let parts = match fits {
            true => vec![line.clone()],
            false => wrap(line, room.saturating_sub(2)),
        };
        lines.extend(
            parts
                .into_iter()
                .map(|part| vec![(Role::Text, format!(" {part}"))]),
        );
    }
    lines.push(Vec::new());
    let rest = " Until it is right again nothing is planned or changed; what is shown is of the file as it was.";
    let rest = wrap(rest, room.saturating_sub(2)).into_iter();
    lines.extend(rest.map(|part| vec![(Role::Dim, format!(" {}", part.trim_start()))]));
    lines
}

/// The plan's lines on the screen.
fn shown(model: &Model, screen: &PlanScreen) -> Vec<usize> {
    let planned = model.planned.as_ref();
    planned.map_or_else(Vec::new, |planned| {
        planned.lines.shown(screen.only.as_deref(), &screen.filter)
    })
}

/// For one site: each field as it was last applied, as it is, as the file says, and whose change
/// that was; then the keys that settle it.
fn field_lines(model: &Model, screen: &PlanScreen, room: usize) -> Vec<Spans> {
    let row = screen.only.as_deref().and_then(|only| {
        let mut rows = model.view.sites.iter();
        rows.find(|row| !row.foreign && row.name == only)
    });
    let Some(row) = row.filter(|row| !row.drift.is_empty()) else {
        return Vec::new();
    };
    let longest = row.drift.iter().map(|f| width(&f.path)).max().unwrap_or(0);
    let name = longest.clamp(5, (room / 4).max(5)) + 2;
    let changed = 8;
    // Columns are as wide as they have to be, and share what room there is.
    let wide = |value: fn(&Field) -> &Option<String>, head: &str| {
        let longest = row
            .drift
            .iter()
            .map(|f| value(f).as_deref().map_or(1, width))
            .max();
        longest.unwrap_or(0).max(width(head))
    };
    let share = room.saturating_sub(name + changed + 3) / 3;
    let columns = [
        ("LAST APPLIED", wide(|f| &f.applied, "LAST APPLIED")),
        ("LIVE", wide(|f| &f.live, "LIVE")),
        ("FILE", wide(|f| &f.wanted, "FILE")),
    ]
    .map(|(head, wide)| (head, wide.min(share.saturating_sub(2)) + 2));
    let pad = |text: &str, wide: usize| {
        let text = elide(text, wide.saturating_sub(1)).into_owned();
        let gap = " ".repeat(wide.saturating_sub(width(&text)));
        format!("{text}{gap}")
    };
    let mut lines: Vec<Spans> = vec![vec![
        (Role::Column, format!("   {}", pad("FIELD", name))),
        (Role::Column, pad(columns[0].0, columns[0].1)),
        (Role::Column, pad(columns[1].0, columns[1].1)),
        (Role::Column, pad(columns[2].0, columns[2].1)),
        (Role::Column, "CHANGED".into()),
    ]];
    for field in &row.drift {
        let value = |value: &Option<String>, at: usize| {
            let text = value.as_deref().map(clean).unwrap_or("—".into());
            pad(&text, columns[at].1)
        };
        let live = if field.by_hand() {
            Role::Drift
        } else {
            Role::Text
        };
        let wanted = match field.wanted == field.applied {
            true => Role::Text,
            false => Role::Busy,
        };
        lines.push(vec![
            (
                Role::Strong,
                format!("   {}", pad(&clean(&field.path), name)),
            ),
            (Role::Text, value(&field.applied, 0)),
            (live, value(&field.live, 1)),
            (wanted, value(&field.wanted, 2)),
            (live, field.kind.word().into()),
        ]);
    }
    lines.push(Vec::new());
    if !model.view.on_call && row.in_file && !row.stale {
        let key = |action| model.keymap.key(action).unwrap_or_default();
        let mut spans = vec![
            (Role::Key, format!("   {}", key(Action::Apply))),
            (Role::Text, " as the file says".into()),
        ];
        if row.drift.iter().any(|field| field.adoptable) {
            spans.push((Role::Key, format!("   {}", key(Action::Adopt))));
            spans.push((Role::Text, " write what is live into the file".into()));
        }
        spans.push((Role::Dim, "   both ask first".into()));
        lines.push(spans);
        lines.push(Vec::new());
    }
    lines
}

fn draw(model: &Model, screen: &PlanScreen, buf: &mut Buffer, area: Rect) {
    let theme = &model.theme;
    let head = match (&model.planned, &model.plan_error) {
        (_, Some(why)) => (Role::Bad, format!("no plan: {}", clean(why))),
        (None, None) => (Role::Busy, "working it out …".into()),
        (Some(planned), None) => match &screen.only {
            None => (Role::Dim, summary(&planned.plan)),
            Some(_) => (Role::Dim, String::new()),
        },
    };
    let mut pen = Pen::on(buf, theme, area, 0);
    match &screen.only {
        Some(site) => pen.put(Role::Column, &format!(" What differs for {site}  ")),
        None => pen.put(Role::Column, " What apply would do  "),
    };
    pen.put(head.0, &head.1);
    if !screen.filter.is_empty() {
        pen.put(Role::Match, &format!("  /{}", screen.filter));
    }
    let shown = shown(model, screen);
    let below = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    let room = usize::from(area.width);
    let fields = field_lines(model, screen, room);
    let all = fields.len() + shown.len();
    let visible = (screen.top..all).take(usize::from(below.height));
    for (line, at) in visible.enumerate() {
        let spans = match fields.get(at) {
            Some(spans) => spans.clone(),
            None => match &model.planned {
                Some(planned) => planned.lines.spans(shown[at - fields.len()], room, theme),
                None => Vec::new(),
            },
        };
        Pen::on(buf, theme, below, line as u16).spans(&spans);
    }
    if all == 0 && model.planned.is_some() && screen.only.is_some() {
        let text = " nothing: it is as the file says, as far as the host tells";
        Pen::on(buf, theme, below, 1).put(Role::Dim, text);
    }
}
