//! Two texts, line by line: what a form shows before it writes.

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

/// The difference between two texts; empty when there is none.
pub fn diff(old: &str, new: &str) -> Vec<DiffLine> {
    if old == new {
        return Vec::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let mut out = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        let (tag, was, is) = op.as_tag_tuple();
        if tag == DiffTag::Equal {
            // A change stands before all but the first, and behind all but the last.
            let before = if at > 0 { CONTEXT } else { 0 };
            let behind = if at + 1 < ops.len() { CONTEXT } else { 0 };
            folded(&old[was], before, behind, &mut out);
        } else {
            out.extend(
                old[was]
                    .iter()
                    .map(|line| DiffLine::Removed((*line).into())),
            );
            out.extend(new[is].iter().map(|line| DiffLine::Added((*line).into())));
        }
    }
    out
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
}
