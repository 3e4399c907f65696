//! A plan as lines, grouped by site: what, why, how long it interrupts, how dangerous, how it is
//! undone.

use std::collections::HashMap;
use std::sync::Arc;

use super::draw::pen::Spans;
use super::model::filter::{contains, words};
use super::theme::{Role, Theme};
use super::words as say;
use crate::fleet::Name;
use crate::plan::show;
use crate::plan::{Class, Interruption, Operation, Plan, Undo};
use crate::text::{clean, count, elide, width};

/// A plan as lines, made once per plan; each is built only when it is drawn.
#[derive(Debug)]
pub struct PlanLines {
    plan: Arc<Plan>,
    lines: Vec<(usize, PlanLine)>,
    /// What each group is about: its site or host, lower case, to filter by.
    groups: Vec<Group>,
    /// Which lines are shown where nothing is looked for: what is alike is told once.
    folded: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Group {
    host: Name,
    site: Option<Name>,
    operations: Vec<usize>,
    causes: Vec<String>,
    verb: &'static str,
    /// Whether another group that is alike stands for it.
    hidden: bool,
    /// How many it stands for itself, and which they are.
    alike: usize,
    like: Vec<String>,
}

/// Room for the names of sites that are told together: what 80 columns leave.
const ROOM: usize = 74;

#[derive(Debug, Clone, Copy)]
enum PlanLine {
    Blank,
    Problem(usize),
    Notice(usize),
    Head,
    Cause(usize),
    Operation(usize),
    Like(usize),
}

impl PlanLines {
    /// The lines of a plan.
    pub fn of(plan: &Arc<Plan>) -> PlanLines {
        let mut groups: Vec<Group> = Vec::new();
        let mut places = HashMap::new();
        for shown in show::groups(plan) {
            let group = group_of(&mut groups, &mut places, shown.host, shown.site);
            group.causes = shown.causes.iter().map(|c| clean(c).into_owned()).collect();
            group.verb = shown.verb;
            group.hidden = true;
        }
        for folded in show::folded(plan) {
            let shown = &folded.group;
            let group = group_of(&mut groups, &mut places, shown.host, shown.site);
            group.hidden = false;
            (group.alike, group.like) = (folded.hidden(), folded.told(ROOM));
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
            lines.push((places[&key], PlanLine::Problem(at)));
        }
        for (group, it) in groups.iter().enumerate() {
            if it.operations.is_empty() {
                continue;
            }
            if !lines.is_empty() {
                lines.push((group, PlanLine::Blank));
            }
            lines.push((group, PlanLine::Head));
            lines.extend((0..it.causes.len()).map(|c| (group, PlanLine::Cause(c))));
            lines.extend(
                it.operations
                    .iter()
                    .map(|o| (group, PlanLine::Operation(*o))),
            );
            lines.extend((0..it.like.len()).map(|l| (group, PlanLine::Like(l))));
        }
        for (at, notice) in plan.notices.iter().enumerate() {
            group_of(&mut groups, &mut places, &notice.host, notice.site.as_ref());
            let key = (notice.host.clone(), notice.site.clone());
            if at == 0 && !lines.is_empty() {
                lines.push((places[&key], PlanLine::Blank));
            }
            lines.push((places[&key], PlanLine::Notice(at)));
        }
        let folded = (0..lines.len()).filter(|at| {
            let (group, line) = &lines[*at];
            !groups[*group].hidden || matches!(line, PlanLine::Problem(_) | PlanLine::Notice(_))
        });
        PlanLines {
            folded: folded.collect(),
            plan: plan.clone(),
            lines,
            groups,
        }
    }

    /// Which lines are shown: those of one site only, and those that contain the words. Without
    /// either, what is alike is told once.
    pub fn shown(&self, only: Option<&str>, filter: &str) -> Vec<usize> {
        if only.is_none() && filter.is_empty() {
            return self.folded.clone();
        }
        let words = words(filter);
        let fits: Vec<bool> = self
            .groups
            .iter()
            .map(|group| {
                let site = group.site.as_ref().map_or("", |s| s.as_str());
                let only = only.is_none_or(|o| o == site);
                only && words.iter().all(|w| {
                    contains(site, w)
                        || contains(group.host.as_str(), w)
                        || group.causes.iter().any(|c| contains(c, w))
                })
            })
            .collect();
        (0..self.lines.len())
            .filter(|i| fits[self.lines[*i].0] && !matches!(self.lines[*i].1, PlanLine::Like(_)))
            .collect()
    }

    /// Those that are shown where nothing is looked for.
    pub fn folded(&self) -> &[usize] {
        &self.folded
    }

    /// One of them.
    pub fn spans(&self, at: usize, room: usize, theme: &Theme) -> Spans {
        let plan = &self.plan;
        let (group, line) = self.lines[at];
        let group = &self.groups[group];
        let bad = if theme.ascii { "X" } else { "✖" };
        match line {
            PlanLine::Blank => Vec::new(),
            PlanLine::Problem(at) => {
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
            PlanLine::Notice(at) => {
                let n = &plan.notices[at];
                vec![
                    (
                        Role::Dim,
                        format!(" · {}: ", title(&n.host, n.site.as_ref())),
                    ),
                    (Role::Dim, clean(&n.text).into_owned()),
                ]
            }
            PlanLine::Head => {
                let n = count(group.operations.len(), "operation");
                let more = match group.alike {
                    0 => n,
                    more => format!("and {more} more alike, {n} each"),
                };
                vec![
                    (Role::Accent, format!(" {} ", group.verb)),
                    (Role::Strong, title(&group.host, group.site.as_ref())),
                    (Role::Dim, format!("  {more}")),
                ]
            }
            PlanLine::Cause(at) => vec![
                (Role::Dim, "   because ".into()),
                (Role::Drift, group.causes[at].clone()),
            ],
            PlanLine::Operation(at) => operation(&plan.operations[at], room),
            PlanLine::Like(at) => vec![(Role::Text, format!("   {}", group.like[at]))],
        }
    }
}

fn group_of<'a>(
    groups: &'a mut Vec<Group>,
    places: &mut HashMap<(Name, Option<Name>), usize>,
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
                hidden: false,
                alike: 0,
                like: Vec::new(),
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
    let what = elide(&what, wide).into_owned();
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
        (role, format!("{:<12}", operation.class.word())),
        (tone, format!("{interrupts:<11}")),
        (Role::Dim, undo),
    ]
}

/// One line about a whole plan.
pub fn summary(plan: &Plan) -> String {
    if plan.is_empty() && !plan.uncompared.is_empty() {
        return "nothing to do in what could be compared: not all of it could".into();
    }
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
    let mut parts = vec![count(plan.operations.len(), "operation")];
    if !sites.is_empty() {
        parts.push(count(sites.len(), "site"));
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
        parts.push(count(plan.problems.len(), "problem"));
    }
    parts.join(" · ")
}
