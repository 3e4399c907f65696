//! How the fleet is, as node_exporter's textfile collector reads it.

use std::fmt::Write;

use super::alerts::Seen;
use crate::fleet::Fleet;
use crate::verdict::State;
use crate::verdict::alert::{Alert, Kind};
use crate::verdict::certificates::Holder;

/// All that a site can be: a number that is 0 is told as well, since one that is missing means nothing.
const STATES: [State; 12] = [
    State::Failing,
    State::Restarting,
    State::Warning,
    State::Degraded,
    State::Drift,
    State::Pending,
    State::Starting,
    State::Unknown,
    State::Leftover,
    State::Ok,
    State::Stopped,
    State::Archived,
];

/// The text. It is a moment's: the last line says whose.
pub fn text(fleet: &Fleet, seen: &Seen, alerts: &[Alert]) -> String {
    let mut out = Metrics {
        fleet: fleet.name.as_str(),
        text: String::new(),
    };
    out.head("ostler_sites", "Sites by state.");
    for state in STATES {
        let these = seen.rows.iter().filter(|row| row.state == state);
        out.value("ostler_sites", &[("state", state.word())], these.count());
    }
    out.head("ostler_host_up", "Whether a host answered.");
    for (host, found) in &seen.observed.hosts {
        let up = u8::from(found.reached().is_some());
        out.value("ostler_host_up", &[("host", host.as_str())], up);
    }
    let name = "ostler_certificate_expiry_seconds";
    out.head(name, "Seconds until a site's certificate ends.");
    for row in &seen.certificates {
        if let (Holder::Site, Some(until)) = (row.holder, row.until) {
            let labels = [("host", row.host.as_str()), ("site", row.name.as_str())];
            out.value(name, &labels, until - seen.now);
        }
    }
    out.head("ostler_alerts", "Alerts that stand, by kind.");
    for kind in Kind::ALL {
        let these = alerts.iter().filter(|alert| alert.kind == kind);
        out.value("ostler_alerts", &[("kind", kind.word())], these.count());
    }
    let name = "ostler_tend_last_pass_timestamp_seconds";
    out.head(name, "When the last pass ended.");
    out.value(name, &[], seen.now);
    out.text
}

struct Metrics<'a> {
    fleet: &'a str,
    text: String,
}

impl Metrics<'_> {
    fn head(&mut self, name: &str, help: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let all = [("fleet", self.fleet)]
            .into_iter()
            .chain(labels.iter().copied());
        let all = all.map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
        let all: Vec<String> = all.collect();
        let _ = writeln!(self.text, "{name}{{{}}} {value}", all.join(","));
    }
}

fn escaped(label: &str) -> String {
    let escaped = label.replace('\\', "\\\\").replace('"', "\\\"");
    escaped.replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::SiteRow;

    #[test]
    fn labels_are_escaped_and_nothing_is_missing() {
        assert_eq!(escaped("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
        let row = |name: &str, state| SiteRow {
            name: name.into(),
            state,
            ..SiteRow::default()
        };
        let seen = Seen {
            observed: Default::default(),
            rows: vec![
                row("a", State::Ok),
                row("b", State::Ok),
                row("c", State::Failing),
            ],
            certificates: Vec::new(),
            whole: true,
            now: 1_700_000_000,
        };
        let fleet = Fleet::default();
        let text = text(&fleet, &seen, &[]);
        let name = fleet.name.as_str();
        for line in [
            format!("ostler_sites{{fleet=\"{name}\",state=\"ok\"}} 2"),
            format!("ostler_sites{{fleet=\"{name}\",state=\"drift\"}} 0"),
            format!("ostler_alerts{{fleet=\"{name}\",kind=\"certificate\"}} 0"),
            format!("ostler_tend_last_pass_timestamp_seconds{{fleet=\"{name}\"}} 1700000000"),
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(text.ends_with('\n') && !text.contains("\n\n"));
    }
}
