//! Two texts, line by line: what a form shows before it writes.

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
/// Beyond this many changed lines the middle is shown as removed and added as a whole.
const REACH: usize = 2_000;

/// The difference between two texts; empty when there is none.
pub fn diff(old: &str, new: &str) -> Vec<DiffLine> {
    if old == new {
        return Vec::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = |lines: &[&str]| lines.len() - head;
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let tail = tail.min(rest(&old)).min(rest(&new));
    let middle = changed(&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut all: Vec<DiffLine> = Vec::new();
    let from = head.saturating_sub(CONTEXT);
    if from > 0 {
        all.push(DiffLine::Skipped(from));
    }
    let context = |line: &&str| DiffLine::Context((*line).to_owned());
    all.extend(old[from..head].iter().map(context));
    all.extend(folded(middle));
    let after = &old[old.len() - tail..];
    let shown = CONTEXT.min(tail);
    all.extend(after[..shown].iter().map(context));
    if tail > shown {
        all.push(DiffLine::Skipped(tail - shown));
    }
    all
}

/// Longest common subsequence of the lines between the first and the last change.
fn changed(old: &[&str], new: &[&str]) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    let (mut i, mut j) = (0, 0);
    if old.len().max(new.len()) <= REACH {
        let width = new.len() + 1;
        let mut longest = vec![0u32; (old.len() + 1) * width];
        for i in (0..old.len()).rev() {
            for j in (0..new.len()).rev() {
                longest[i * width + j] = match old[i] == new[j] {
                    true => longest[(i + 1) * width + j + 1] + 1,
                    false => longest[(i + 1) * width + j].max(longest[i * width + j + 1]),
                };
            }
        }
        while i < old.len() && j < new.len() {
            if old[i] == new[j] {
                lines.push(DiffLine::Context(old[i].to_owned()));
                (i, j) = (i + 1, j + 1);
            } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
                lines.push(DiffLine::Removed(old[i].to_owned()));
                i += 1;
            } else {
                lines.push(DiffLine::Added(new[j].to_owned()));
                j += 1;
            }
        }
    }
    lines.extend(
        old[i..]
            .iter()
            .map(|line| DiffLine::Removed((*line).to_owned())),
    );
    lines.extend(
        new[j..]
            .iter()
            .map(|line| DiffLine::Added((*line).to_owned())),
    );
    lines
}

/// Long stretches of context become one line.
fn folded(lines: Vec<DiffLine>) -> Vec<DiffLine> {
    let mut out = Vec::new();
    for group in lines
        .chunk_by(|a, b| matches!(a, DiffLine::Context(_)) == matches!(b, DiffLine::Context(_)))
    {
        let is_context = matches!(group.first(), Some(DiffLine::Context(_)));
        if is_context && group.len() > 2 * CONTEXT + 1 {
            out.extend_from_slice(&group[..CONTEXT]);
            out.push(DiffLine::Skipped(group.len() - 2 * CONTEXT));
            out.extend_from_slice(&group[group.len() - CONTEXT..]);
        } else {
            out.extend_from_slice(group);
        }
    }
    out
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
