//! A plan as text, for what tests say and compare.

use std::fmt::Write;

use crate::fleet::Name;
use crate::plan::Plan;
use crate::plan::show::groups;

/// The whole plan as text: problems, notices, then each group with its causes and operations.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let place = |host: &Name, site: Option<&Name>| match site {
        Some(site) => format!("{site} on {host}"),
        None => host.to_string(),
    };
    // Writing to a String cannot fail.
    for problem in &plan.problems {
        let at = place(&problem.host, problem.site.as_ref());
        let _ = writeln!(out, "✖ {at}: {}", problem.what);
        let _ = writeln!(out, "    {}", problem.remedy);
    }
    for notice in &plan.notices {
        let at = place(&notice.host, notice.site.as_ref());
        let _ = writeln!(out, "▲ {at}: {}", notice.text);
    }
    for group in groups(plan).iter().filter(|group| group.verb != "record") {
        let at = place(group.host, group.site);
        let interrupts = group.interrupts.describe();
        let sep = if interrupts.is_empty() { "" } else { "  · " };
        let _ = writeln!(
            out,
            "{} {} {at}{sep}{interrupts}",
            group.class.mark(),
            group.verb
        );
        for cause in &group.causes {
            let _ = writeln!(out, "    {cause}");
        }
        for operation in &group.operations {
            let _ = writeln!(
                out,
                "      {} {}",
                operation.class.mark(),
                operation.kind.describe()
            );
        }
    }
    out
}
