//! What changed hosts, newest first: what was applied, and what was changed by hand among it.

use super::told::begun;
use crate::console::model::Model;
use crate::plan::drift::Field;
use crate::text::clean;
use crate::verdict::State;
use crate::walk::history::Past;

/// One change.
pub enum Change<'a> {
    /// One that the journals tell of: when it began.
    Applied(Option<i64>, &'a Past),
    ByHand(ByHand),
}

impl Change<'_> {
    /// When, unix seconds, where that is known.
    pub fn at(&self) -> Option<i64> {
        match self {
            Change::Applied(at, _) => *at,
            Change::ByHand(hand) => hand.at,
        }
    }
}

/// What was changed by hand on a site, or on a host itself, since it was last applied.
pub struct ByHand {
    /// When it was seen to happen, unix seconds; `None`: it was found so.
    pub at: Option<i64>,
    /// The site, or the host.
    pub place: String,
    pub what: String,
}

/// All of them, or those of one site. `pasts`: the applies among them, newest first.
pub fn changes<'a>(
    model: &'a Model,
    only: Option<&str>,
    pasts: impl Iterator<Item = &'a Past>,
) -> Vec<Change<'a>> {
    let hand = by_hand(model, only).into_iter().map(Change::ByHand);
    let applied = pasts.map(|past| Change::Applied(begun(past), past));
    let mut all: Vec<Change> = hand.chain(applied).collect();
    // What is found so comes first: it is so now. Applies keep their order.
    all.sort_by_key(|change| std::cmp::Reverse(change.at().unwrap_or(i64::MAX)));
    all
}

fn by_hand(model: &Model, only: Option<&str>) -> Vec<ByHand> {
    let fields = |fields: &[Field]| -> Option<String> {
        let lines = fields.iter().filter(|field| field.by_hand());
        let lines: Vec<String> = lines
            .map(|field| clean(&field.line()).into_owned())
            .collect();
        Some(lines.join("; ")).filter(|text| !text.is_empty())
    };
    let mut found = Vec::new();
    let rows = model
        .view
        .sites
        .iter()
        .filter(|row| !row.foreign && !row.is_host);
    for row in rows.filter(|row| only.is_none_or(|site| row.name == site)) {
        let Some(what) = fields(&row.drift) else {
            continue;
        };
        found.push(ByHand {
            // Where something was heard of it; else it may be as old as the apply before it.
            at: row
                .since
                .filter(|since| row.state == State::Drift && since.exact)
                .map(|since| since.at),
            place: row.name.clone(),
            what,
        });
    }
    for (host, data) in model.data.iter().filter(|_| only.is_none()) {
        let what = data.drift.get(&None).and_then(|own| fields(own));
        found.extend(what.map(|what| ByHand {
            at: None,
            place: host.to_string(),
            what,
        }));
    }
    found
}

/// The day of a moment, in UTC: all changes of one stand below it.
pub fn day(at: i64) -> i64 {
    at.div_euclid(86_400)
}

/// A day in words: `today, Sat 21 Nov 2026`.
pub fn day_in_words(day_of: i64, now: i64) -> String {
    let date = chrono::DateTime::from_timestamp(day_of * 86_400, 0);
    let date = date.map_or_else(String::new, |it| it.format("%a %-d %b %Y").to_string());
    match day(now) - day_of {
        0 => format!("Today, {date}"),
        1 => format!("Yesterday, {date}"),
        _ => date,
    }
}

/// The time of day of a moment, in UTC: `03:07`.
pub fn clock(at: i64) -> String {
    let minutes = at.rem_euclid(86_400) / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::harness::NOW;

    #[test]
    fn days_and_times_are_said_in_utc() {
        assert_eq!(day_in_words(day(NOW), NOW), "Today, Sat 21 Nov 2026");
        assert_eq!(
            day_in_words(day(NOW) - 1, NOW),
            "Yesterday, Fri 20 Nov 2026"
        );
        assert_eq!(day_in_words(day(NOW) - 9, NOW), "Thu 12 Nov 2026");
        assert_eq!(clock(NOW + 61), "03:01");
    }
}
