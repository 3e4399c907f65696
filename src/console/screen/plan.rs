//! The plan, grouped by site: what, why, how long it interrupts, how dangerous, how it is undone.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::model::{Model, PlanScreen};
use crate::console::order::{contains, words};
use crate::console::pen::{Pen, Spans};
use crate::console::text::{clean, count, elide, width};
use crate::console::theme::{Role, Theme};
use crate::console::words as say;
use crate::fleet::Name;
use crate::plan::drift::Field;
use crate::plan::show;
use crate::plan::{Class, Interruption, Operation, Plan, Undo};

/// A plan as lines, made once per plan; each is built only when it is drawn.
#[derive(Debug)]
pub struct PlanLines {
    plan: Arc<Plan>,
    lines: Vec<(usize, Line)>,
    /// What each group is about: its site or host, lower case, to filter by.
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    host: Name,
    site: Option<Name>,
    operations: Vec<usize>,
    causes: Vec<String>,
    verb: &'static str,
}

#[derive(Debug, Clone, Copy)]
enum Line {
    Blank,
    Problem(usize),
    Notice(usize),
    Head,
    Cause(usize),
    Operation(usize),
}

impl PlanLines {
    /// The lines of a plan.
    pub fn of(plan: &Arc<Plan>) -> PlanLines {
        let mut groups: Vec<Group> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for shown in show::groups(plan) {
            let group = group_of(&mut groups, &mut places, shown.host, shown.site);
            group.causes = shown.causes.iter().map(|c| clean(c).into_owned()).collect();
            group.verb = shown.verb;
        }
        for (at, operation) in plan.operations.iter().enumerate() {
            let site = operation.site.as_ref();
            group_of(&mut groups, &mut places, &operation.host, site)
                .operations
                .push(at);
        }
        let mut lines = Vec::new();
        for (at, problem) in plan.problems.iter().enumerate() {
            group_of(
                &mut groups,
                &mut places,
                &problem.host,
                problem.site.as_ref(),
            );
            let key = (problem.host.clone(), problem.site.clone());
            lines.push((places[&key], Line::Problem(at)));
        }
        for (group, it) in groups.iter().enumerate() {
            if it.operations.is_empty() {
                continue;
            }
            if !lines.is_empty() {
                lines.push((group, Line::Blank));
            }
            lines.push((group, Line::Head));
            lines.extend((0..it.causes.len()).map(|c| (group, Line::Cause(c))));
            lines.extend(it.operations.iter().map(|o| (group, Line::Operation(*o))));
        }
        for (at, notice) in plan.notices.iter().enumerate() {
            group_of(&mut groups, &mut places, &notice.host, notice.site.as_ref());
            let key = (notice.host.clone(), notice.site.clone());
            if at == 0 && !lines.is_empty() {
                lines.push((places[&key], Line::Blank));
            }
            lines.push((places[&key], Line::Notice(at)));
        }
        PlanLines {
            plan: plan.clone(),
            lines,
            groups,
        }
    }

    /// Which lines are shown.
    pub fn shown(&self, screen: &PlanScreen) -> Vec<usize> {
        let words = words(&screen.filter);
        let fits: Vec<bool> = self
            .groups
            .iter()
            .map(|group| {
                let site = group.site.as_ref().map_or("", |s| s.as_str());
                let only = screen.only.as_deref().is_none_or(|o| o == site);
                only && words.iter().all(|w| {
                    contains(site, w)
                        || contains(group.host.as_str(), w)
                        || group.causes.iter().any(|c| contains(c, w))
                })
            })
            .collect();
        (0..self.lines.len())
            .filter(|i| fits[self.lines[*i].0])
            .collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// One of them.
    pub fn spans(&self, at: usize, room: usize, theme: &Theme) -> Spans {
        let plan = &self.plan;
        let (group, line) = self.lines[at];
        let group = &self.groups[group];
        let bad = if theme.ascii { "X" } else { "✖" };
        match line {
            Line::Blank => Vec::new(),
            Line::Problem(at) => {
                let p = &plan.problems[at];
                vec![
                    (
                        Role::Bad,
                        format!(" {bad} {}: ", title(&p.host, p.site.as_ref())),
                    ),
                    (Role::Text, clean(&p.what).into_owned()),
                    (Role::Dim, format!("; {}", clean(&p.remedy))),
                ]
            }
            Line::Notice(at) => {
                let n = &plan.notices[at];
                vec![
                    (
                        Role::Dim,
                        format!(" · {}: ", title(&n.host, n.site.as_ref())),
                    ),
                    (Role::Dim, clean(&n.text).into_owned()),
                ]
            }
            Line::Head => {
                let n = group.operations.len();
                vec![
                    (Role::Accent, format!(" {} ", group.verb)),
                    (Role::Strong, title(&group.host, group.site.as_ref())),
                    (
                        Role::Dim,
                        format!("  {}", count(n, "operation", "operations")),
                    ),
                ]
            }
            Line::Cause(at) => vec![
                (Role::Dim, "   because ".into()),
                (Role::Drift, group.causes[at].clone()),
            ],
            Line::Operation(at) => operation(&plan.operations[at], room),
        }
    }
}

fn group_of<'a>(
    groups: &'a mut Vec<Group>,
    places: &mut std::collections::HashMap<(Name, Option<Name>), usize>,
    host: &Name,
    site: Option<&Name>,
) -> &'a mut Group {
    let at = *places
        .entry((host.clone(), site.cloned()))
        .or_insert_with(|| {
            groups.push(Group {
                host: host.clone(),
                site: site.cloned(),
                operations: Vec::new(),
                causes: Vec::new(),
                verb: "",
            });
            groups.len() - 1
        });
    &mut groups[at]
}

fn title(host: &Name, site: Option<&Name>) -> String {
    match site {
        Some(site) => format!("{site} on {host}"),
        None => format!("host {host}"),
    }
}

/// What, how dangerous, how long it interrupts, how it is undone; what does not fit is left out.
fn operation(operation: &Operation, room: usize) -> Spans {
    let what = say::what(&operation.kind);
    let wide = if room >= 110 { 50 } else { 38 };
    let what = crate::console::text::elide(&what, wide).into_owned();
    let gap = " ".repeat(wide.saturating_sub(width(&what)) + 1);
    let role = match operation.class {
        Class::Read => Role::Dim,
        Class::Write => Role::Text,
        Class::Destructive => Role::Warn,
    };
    let (interrupts, tone) = match operation.interrupts {
        Interruption::None => ("no pause".into(), Role::Dim),
        Interruption::Lasting => ("lasting".into(), Role::Bad),
        seconds => (format!("pause {}", say::interruption(seconds)), Role::Warn),
    };
    let undo = match &operation.undo {
        // What reads, or only records, has nothing to be taken back.
        Undo::Nothing => String::new(),
        other => say::undo(other),
    };
    vec![
        (Role::Text, format!("   {what}{gap}")),
        (role, format!("{:<12}", say::class(operation.class))),
        (tone, format!("{interrupts:<11}")),
        (Role::Dim, undo),
    ]
}

/// One line about a whole plan.
pub fn summary(plan: &Plan) -> String {
    if plan.is_empty() && !plan.unknown.is_empty() {
        return "nothing to do on the hosts that answer: they match the file".into();
    }
    if plan.is_empty() {
        return "nothing to do: the hosts match the file".into();
    }
    let mut sites: Vec<&Name> = plan
        .operations
        .iter()
        .filter_map(|o| o.site.as_ref())
        .collect();
    sites.sort();
    sites.dedup();
    let mut parts = vec![count(plan.operations.len(), "operation", "operations")];
    if !sites.is_empty() {
        parts.push(count(sites.len(), "site", "sites"));
    }
    let destructive = plan
        .operations
        .iter()
        .filter(|o| o.class == Class::Destructive)
        .count();
    if destructive > 0 {
        parts.push(format!("{destructive} destructive"));
    }
    if !plan.problems.is_empty() {
        parts.push(count(plan.problems.len(), "problem", "problems"));
    }
    parts.join(" · ")
}

/// The plan's lines on the screen.
fn shown(model: &Model, screen: &PlanScreen) -> Vec<usize> {
    let planned = model.planned.as_ref();
    planned.map_or_else(Vec::new, |planned| planned.lines.shown(screen))
}

/// How many lines the screen has.
pub fn line_count(model: &Model, screen: &PlanScreen) -> usize {
    field_lines(model, screen, usize::from(model.size.0)).len() + shown(model, screen).len()
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

/// Draws the screen.
pub fn draw(model: &Model, screen: &PlanScreen, buf: &mut Buffer, area: Rect) {
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
