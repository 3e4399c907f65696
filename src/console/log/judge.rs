//! Which lines are shown, and which the search finds.

use super::clean::strip;
use super::level::Level;
use super::pattern::Pattern;
use super::ring::flag;
use super::short::level;

/// One filter: lines that hold the pattern are kept, or left out.
#[derive(Debug, Clone)]
pub struct Filter {
    /// What to look for.
    pub pattern: Pattern,
    /// Whether lines that hold it are left out.
    pub out: bool,
}

/// What decides whether a line is shown and found.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) filters: Vec<Filter>,
    /// Only lines that report an error.
    pub(super) errors: bool,
    pub(super) search: Option<Pattern>,
}

impl Judge {
    pub(super) fn active(&self) -> bool {
        self.filters() || self.search.is_some()
    }

    /// Whether lines may be left out.
    pub(super) fn filters(&self) -> bool {
        self.errors || !self.filters.is_empty()
    }

    /// The text as it is read on screen: colours in the middle of a word do not hide it.
    pub(super) fn readable<'a>(&self, text: &'a [u8], escapes: bool) -> std::borrow::Cow<'a, [u8]> {
        if escapes {
            strip(text).text
        } else {
            text.into()
        }
    }

    /// A line is shown if it holds one of the "in" patterns (where there are any) and none of the
    /// "out" ones; and reports an error, where only those are asked for.
    pub(super) fn hidden(&self, text: &[u8]) -> u8 {
        let mut wanted = true;
        let mut found = false;
        for filter in &self.filters {
            if filter.out {
                if filter.pattern.matches(text) {
                    return flag::HIDDEN;
                }
            } else {
                wanted = false;
                found = found || filter.pattern.matches(text);
            }
        }
        if !wanted && !found || self.errors && level(text) != Some(Level::Error) {
            return flag::HIDDEN;
        }
        0
    }

    pub(super) fn hit(&self, text: &[u8]) -> u8 {
        match &self.search {
            Some(pattern) if pattern.matches(text) => flag::HIT,
            _ => 0,
        }
    }
}
