//! Where on the log one is: the cursor, the first row on screen, and how both move.

use super::row::{Manner, Spot, ready, rows};
use super::screen::LogScreen;

impl LogScreen {
    /// The line under the cursor: the newest one while following.
    pub(super) fn here(&self) -> Option<u64> {
        if self.follow {
            return self.buffer.shown_up(u64::MAX);
        }
        // Its line may be gone, or be filtered out by now.
        self.buffer
            .shown_down(self.cursor)
            .or_else(|| self.buffer.shown_up(self.cursor))
    }

    /// How many lines came below the last row since the pause began.
    pub(super) fn new_below(&self, last: Option<u64>) -> u64 {
        if self.follow {
            return 0;
        }
        let seen = last.map_or(0, |last| last + 1);
        self.buffer.shown_from(self.paused_at.max(seen))
    }

    pub(super) fn pause(&mut self) {
        if self.follow {
            let size = self.body();
            self.cursor = self.here().unwrap_or_else(|| self.buffer.first());
            self.top = self.top_for(size);
            self.paused_at = self.buffer.next();
            self.follow = false;
        }
    }

    pub(super) fn down(&mut self) {
        if self.follow {
            return;
        }
        let (Some(here), size) = (self.here(), self.body()) else {
            return;
        };
        // A line that is higher than the screen is walked through first.
        let end = Spot {
            line: here,
            row: self.height(here, size.0, usize::MAX) - 1,
        };
        let bottom = self.advance(self.top, size.1 - 1, size.0);
        if bottom < end && bottom.line == here {
            self.top = self.advance(self.top, 1, size.0);
        } else if let Some(next) = self.buffer.shown_down(here + 1) {
            self.cursor = next;
        }
    }

    pub(super) fn up(&mut self) {
        self.pause();
        let Some(here) = self.here() else {
            return;
        };
        if self.top.line == here && self.top.row > 0 {
            self.top.row -= 1;
        } else if let Some(before) = here.checked_sub(1).and_then(|n| self.buffer.shown_up(n)) {
            self.cursor = before;
        }
    }

    pub(super) fn page_down(&mut self) {
        let (Some(here), size) = (self.here(), self.body()) else {
            return;
        };
        if self.follow {
            return;
        }
        let step = (size.1 / 2).max(1);
        let last = match self.buffer.shown_up(u64::MAX) {
            Some(last) => self.bottom_up(last, size),
            None => return,
        };
        let before = self.top;
        self.top = self.advance(self.top, step, size.0).min(last.max(before));
        let moved = self.advance(Spot { line: here, row: 0 }, step, size.0);
        self.cursor = moved.line.max(self.top.line);
        if (self.top, self.cursor) == (before, here) {
            // The end of a line that is higher than half a page is on screen already.
            self.cursor = self.buffer.shown_down(here + 1).unwrap_or(here);
        }
    }

    pub(super) fn page_up(&mut self) {
        self.pause();
        let (Some(here), size) = (self.here(), self.body()) else {
            return;
        };
        let step = (size.1 / 2).max(1);
        self.top = self.retreat(self.top, step, size.0);
        self.cursor = self.retreat(Spot { line: here, row: 0 }, step, size.0).line;
    }

    pub(super) fn settle(&mut self) {
        if let Some(here) = self.here() {
            self.cursor = here;
            self.top = self.top_for(self.body());
        }
    }

    pub(super) fn body(&self) -> (usize, usize) {
        let (columns, rows) = self.size;
        self.body_of(usize::from(columns), usize::from(rows))
    }

    /// The first row to be drawn in a body of so many columns and rows.
    pub(super) fn top_for(&self, size: (usize, usize)) -> Spot {
        let Some(here) = self.here() else {
            return Spot::default();
        };
        if self.follow {
            return self.bottom_up(here, size);
        }
        let top = match self.buffer.shown_down(self.top.line) {
            Some(line) if line == self.top.line => {
                let rows = self.height(line, size.0, self.top.row + 1);
                Spot {
                    line,
                    row: self.top.row.min(rows - 1),
                }
            }
            Some(line) => Spot { line, row: 0 },
            None => return self.bottom_up(here, size),
        };
        if here < top.line {
            return Spot { line: here, row: 0 };
        }
        let mut left = size.1 + top.row;
        let mut line = top.line;
        while line < here {
            left = left.saturating_sub(self.height(line, size.0, left + 1));
            match self.buffer.shown_down(line + 1) {
                Some(next) if left > 0 => line = next,
                _ => return self.bottom_up(here, size),
            }
        }
        let height = self.height(here, size.0, left + 1);
        if height > left && here != top.line {
            // Its end is out of sight.
            return self.bottom_up(here, size).min(Spot { line: here, row: 0 });
        }
        top
    }

    /// The first row, when the last row of `line` is to be the last of the body.
    fn bottom_up(&self, line: u64, (width, rows): (usize, usize)) -> Spot {
        let last = self.height(line, width, usize::MAX) - 1;
        self.retreat(Spot { line, row: last }, rows.saturating_sub(1), width)
    }

    /// So many rows further down, or the last row there is.
    pub(super) fn advance(&self, mut spot: Spot, mut rows: usize, width: usize) -> Spot {
        while rows > 0 {
            let height = self.height(spot.line, width, spot.row + rows + 1);
            let left = height.saturating_sub(spot.row + 1);
            if rows <= left {
                spot.row += rows;
                return spot;
            }
            match self.buffer.shown_down(spot.line + 1) {
                Some(line) => spot = Spot { line, row: 0 },
                None => {
                    spot.row += left;
                    return spot;
                }
            }
            rows -= left + 1;
        }
        spot
    }

    /// So many rows further up, or the first row there is.
    fn retreat(&self, mut spot: Spot, mut rows: usize, width: usize) -> Spot {
        while rows > 0 {
            if rows <= spot.row {
                spot.row -= rows;
                return spot;
            }
            let Some(line) = spot
                .line
                .checked_sub(1)
                .and_then(|n| self.buffer.shown_up(n))
            else {
                spot.row = 0;
                return spot;
            };
            rows -= spot.row + 1;
            spot = Spot {
                line,
                row: self.height(line, width, usize::MAX) - 1,
            };
        }
        spot
    }

    /// Rows that a line takes; counting stops at about `most`.
    fn height(&self, number: u64, width: usize, most: usize) -> usize {
        match self.buffer.line(number) {
            Some(line) if self.wrap => {
                // A row may end with a space that is out of sight.
                let columns = (width + 1).saturating_mul(most);
                let manner = Manner {
                    search: self.buffer.search(),
                    raw: self.raw,
                    timed: self.is_timed(),
                    columns,
                    open: false,
                };
                rows(&ready(&line, manner).glyphs, width).len()
            }
            _ => 1,
        }
    }
}
