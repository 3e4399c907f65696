//! Two texts, line by line: what a form shows before it writes.

use std::collections::HashMap;
use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};

/// One line of a [`diff`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "text")]
pub enum DiffLine {
    /// Unchanged lines that are not shown: how many.
    Skipped(usize),
    /// Unchanged, near a change.
    Context(String),
    /// Only in the old text.
    Removed(String),
    /// Only in the new text.
    Added(String),
}

impl std::fmt::Display for DiffLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DiffLine::Skipped(_) => f.write_str("  ⋯"),
            DiffLine::Context(line) => write!(f, "  {line}"),
            DiffLine::Removed(line) => write!(f, "- {line}"),
            DiffLine::Added(line) => write!(f, "+ {line}"),
        }
    }
}

/// Unchanged lines shown on each side of a change.
const CONTEXT: usize = 2;

/// Most lines that are compared with each other at once, for that costs their square. Where there are
/// more, lines that are there once in both texts part them, and what lies between two of those is at
/// worst shown as replaced.
const TOGETHER: usize = 5_000;

/// The difference between two texts; empty when there is none.
pub fn diff(old: &str, new: &str) -> Vec<DiffLine> {
    if old == new {
        return Vec::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let ops = compare(&old, &new);
    let mut out = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        if op.equal {
            // A change stands before all but the first, and behind all but the last.
            let before = if at > 0 { CONTEXT } else { 0 };
            let behind = if at + 1 < ops.len() { CONTEXT } else { 0 };
            folded(&old[op.old.clone()], before, behind, &mut out);
        } else {
            let removed = old[op.old.clone()].iter();
            out.extend(removed.map(|line| DiffLine::Removed((*line).into())));
            let added = new[op.new.clone()].iter();
            out.extend(added.map(|line| DiffLine::Added((*line).into())));
        }
    }
    out
}

/// A stretch of lines that are the same in both texts, or are replaced by the others.
struct Op {
    equal: bool,
    old: Range<usize>,
    new: Range<usize>,
}

fn compare(old: &[&str], new: &[&str]) -> Vec<Op> {
    let mut ops = Vec::new();
    let (mut i, mut j) = (0, 0);
    let anchors = match old.len() + new.len() {
        0..=TOGETHER => Vec::new(),
        _ => anchors(old, new),
    };
    for (a, b) in anchors {
        between(old, new, i..a, j..b, &mut ops);
        push(&mut ops, true, a..a + 1, b..b + 1);
        (i, j) = (a + 1, b + 1);
    }
    between(old, new, i..old.len(), j..new.len(), &mut ops);
    ops
}

fn push(ops: &mut Vec<Op>, equal: bool, old: Range<usize>, new: Range<usize>) {
    if old.is_empty() && new.is_empty() {
        return;
    }
    match ops.last_mut() {
        Some(last) if last.equal && equal => {
            (last.old.end, last.new.end) = (old.end, new.end);
        }
        _ => ops.push(Op { equal, old, new }),
    }
}

/// Compares what lies between two lines that are the same.
fn between(old: &[&str], new: &[&str], was: Range<usize>, is: Range<usize>, ops: &mut Vec<Op>) {
    if was.is_empty() || is.is_empty() || was.len() + is.len() > TOGETHER {
        return push(ops, false, was, is);
    }
    let found = capture_diff_slices(Algorithm::Myers, &old[was.clone()], &new[is.clone()]);
    for op in found {
        let (tag, of_old, of_new) = op.as_tag_tuple();
        let of_old = was.start + of_old.start..was.start + of_old.end;
        let of_new = is.start + of_new.start..is.start + of_new.end;
        push(ops, tag == DiffTag::Equal, of_old, of_new);
    }
}

/// Where each line stands, of those that are there once.
fn once<'a>(lines: &[&'a str]) -> HashMap<&'a str, Option<usize>> {
    let mut places = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        let place = places.entry(*line);
        place.and_modify(|place| *place = None).or_insert(Some(at));
    }
    places
}

/// Lines that are there once in each text, as many as stand in the same order in both.
fn anchors(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let there = once(new);
    let mine = once(old);
    let pairs = old.iter().enumerate().filter_map(|(at, line)| {
        mine.get(*line).copied().flatten()?;
        Some((at, there.get(*line).copied().flatten()?))
    });
    let pairs: Vec<(usize, usize)> = pairs.collect();
    // The longest sequence that rises: the last pair of the best of each length, and what came
    // before each pair.
    let mut best: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (n, pair) in pairs.iter().enumerate() {
        let length = best.partition_point(|last| pairs[*last].1 < pair.1);
        before.push(length.checked_sub(1).map(|at| best[at]));
        match best.get_mut(length) {
            Some(last) => *last = n,
            None => best.push(n),
        }
    }
    let mut rising = Vec::new();
    let mut next = best.last().copied();
    while let Some(n) = next {
        rising.push(pairs[n]);
        next = before[n];
    }
    rising.reverse();
    rising
}

/// Unchanged lines, of which a long stretch becomes one line.
fn folded(lines: &[&str], before: usize, behind: usize, out: &mut Vec<DiffLine>) {
    let context = |line: &&str| DiffLine::Context((*line).to_owned());
    let between = usize::from(before > 0 && behind > 0);
    if lines.len() <= before + behind + between {
        return out.extend(lines.iter().map(context));
    }
    let end = lines.len() - behind;
    out.extend(lines[..before].iter().map(context));
    out.push(DiffLine::Skipped(end - before));
    out.extend(lines[end..].iter().map(context));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> Vec<String> {
        diff(old, new).iter().map(DiffLine::to_string).collect()
    }

    #[test]
    fn shows_changes_with_their_neighbours() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n";
        assert!(shown(old, old).is_empty());
        let new = old.replace("d\n", "D\n");
        assert_eq!(
            shown(old, &new),
            ["  ⋯", "  b", "  c", "- d", "+ D", "  e", "  f", "  ⋯"]
        );
        let new = old.replace("a\n", "").replace("k\n", "k\nl\n");
        let both = ["- a", "  b", "  c", "  ⋯", "  j", "  k", "+ l"];
        assert_eq!(shown(old, &new), both);
        assert_eq!(shown("", "a\n"), ["+ a"]);
        assert_eq!(shown("a\na\n", "a\n"), ["  a", "- a"]);
    }

    #[test]
    fn large_texts_that_have_little_in_common_are_not_compared_line_by_line() {
        let lines =
            |n: usize, what: &str| (0..n).map(|i| format!("{what} {i}\n")).collect::<String>();
        // Changes far apart in a large text are found as ever.
        let old = lines(60_000, "line");
        let new = old
            .replace("line 7\n", "LINE 7\n")
            .replace("line 59990\n", "");
        let changed = |old: &str, new: &str| {
            let all = diff(old, new).into_iter();
            let kept = |line: &DiffLine| matches!(line, DiffLine::Removed(_) | DiffLine::Added(_));
            all.filter(kept)
                .map(|line| line.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            changed(&old, &new),
            ["- line 7", "+ LINE 7", "- line 59990"]
        );
        // Others are replaced, and the same lines in another order, and one line over and over.
        let backwards: String = old.lines().rev().map(|line| format!("{line}\n")).collect();
        let same = "same\n".repeat(30_000);
        for other in [lines(60_000, "other"), backwards, same] {
            let (ops, both) = (
                changed(&old, &other),
                old.lines().count() + other.lines().count(),
            );
            assert!(ops.len() >= both - 2, "{} of {both}", ops.len());
        }
    }
}
