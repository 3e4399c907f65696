//! Members of lists and mappings: one more at the end, or one less.

use std::ops::Range;

use super::{Owner, Page, Splice, put};

impl Page<'_> {
    /// One more item after the last of a collection in brackets or braces.
    pub(super) fn add_flow(&self, spans: &[Range<usize>], text: &str) -> Vec<Splice> {
        let Some(last) = spans.last() else {
            return Vec::new();
        };
        let rest = &self.source[last.end..self.line_end(last.end)];
        let after = rest.trim_start();
        let comma = after.starts_with(',');
        let closes =
            after.starts_with([']', '}']) || comma && after[1..].trim().starts_with([']', '}']);
        if self.begins_line(last.start) && !closes {
            let end = self.line_end(last.end);
            let indent = " ".repeat(self.column(last.start));
            let line = format!("{}{indent}{text}{}", self.eol, if comma { "," } else { "" });
            let mut splices = vec![put(end..end, line)];
            if !comma {
                splices.insert(0, put(last.end..last.end, ","));
                if last.end == end {
                    let line = std::mem::take(&mut splices[1].text);
                    return vec![put(end..end, format!(",{line}"))];
                }
            }
            return splices;
        }
        vec![put(last.end..last.end, format!(", {text}"))]
    }

    /// One more item of a block list.
    pub(super) fn add_item(&self, spans: &[Range<usize>], text: &str) -> Option<Vec<Splice>> {
        let last = spans.last()?;
        let dash = self.dash(last.start)?;
        let column = self.column(dash);
        let gap = &self.source[dash..last.start];
        let end = self.end_of(last, column);
        let line = format!("{}{}{gap}{text}", self.eol, " ".repeat(column));
        Some(vec![put(end..end, line)])
    }

    /// The dash before an item of a block list that begins its line.
    pub(super) fn dash(&self, item: usize) -> Option<usize> {
        let start = self.line_start(item);
        let before = &self.source[start..item];
        let dash = before.find('-')?;
        let alone = before[..dash].trim().is_empty() && before[dash + 1..].trim().is_empty();
        alone.then_some(start + dash)
    }

    /// Takes the entry or item at `index` out of a collection.
    pub(super) fn cut(
        &self,
        owner: &Owner<'_>,
        spans: &[Range<usize>],
        index: usize,
        flow: bool,
        empty: &str,
    ) -> Option<Vec<Splice>> {
        let span = spans.get(index)?.clone();
        if flow {
            self.cut_flow(owner, spans, index)
        } else {
            self.cut_block(owner, span, spans.len(), empty)
        }
    }

    fn cut_flow(
        &self,
        owner: &Owner<'_>,
        spans: &[Range<usize>],
        index: usize,
    ) -> Option<Vec<Splice>> {
        let span = spans.get(index)?.clone();
        let (start, end) = (self.line_start(span.start), self.line_end(span.end));
        let rest = self.source[span.end..end].trim_start();
        let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        let alone = self.begins_line(span.start) && (rest.is_empty() || rest.starts_with('#'));
        if alone && spans.len() > 1 {
            return Some(vec![put(start..self.next_line(end), "")]);
        }
        let range = match (index, spans.len()) {
            (0, 1) => owner.node.span.start + 1..owner.node.span.end - 1,
            (last, count) if last + 1 == count => spans[last - 1].end..span.end,
            (index, _) => span.start..spans[index + 1].start,
        };
        (!self.source[range.clone()].contains(['#', '\n'])).then(|| vec![put(range, "")])
    }

    fn cut_block(
        &self,
        owner: &Owner<'_>,
        span: Range<usize>,
        count: usize,
        empty: &str,
    ) -> Option<Vec<Splice>> {
        let begin = if empty == "[]" {
            self.dash(span.start)?
        } else {
            span.start
        };
        if !self.begins_line(begin) {
            return None;
        }
        let mut start = self.line_start(begin);
        let many_lines = self.source[span.clone()].contains('\n');
        let end = match many_lines {
            true => self.end_of(&span, self.column(begin)),
            false => self.line_end(span.end),
        };
        let mut next = self.next_line(end);
        if count == 1 {
            let key = owner.key?;
            let colon = key.span.end + self.source[key.span.end..].find(':')? + 1;
            return Some(vec![
                put(colon..colon, format!(" {empty}")),
                put(start..next, ""),
            ]);
        }
        // A blank line on both sides is one too many afterwards.
        let blank = |from: usize| self.source[from..self.line_end(from)].trim().is_empty();
        let before = start > 0 && blank(self.line_start(start - 1));
        if many_lines && before && (next >= self.source.len() || blank(next)) {
            start = self.line_start(start - 1);
        }
        // At the end of a file without a last line break, the break before goes instead.
        if next >= self.source.len() && !self.source.ends_with('\n') && start > 0 {
            start = self.line_end(self.line_start(start - 1));
            next = self.source.len();
        }
        Some(vec![put(start..next, "")])
    }
}
