//! How a cursor moves, or what is shown is scrolled.

#[derive(Debug, Clone, Copy)]
pub enum Motion {
    /// So many lines down; below 0: up.
    By(isize),
    /// Half a page, down or up.
    Page(isize),
    /// To the first line.
    Top,
    /// To the last line.
    Bottom,
    /// To the next, or previous, that is looked for: what is not well, or a match.
    Next(isize),
}

impl Motion {
    /// Where it leads from line `at`: not beyond line `last`. `page`: lines of half a page.
    pub fn from(self, at: usize, page: isize, last: usize) -> usize {
        match self {
            Motion::By(n) => at.saturating_add_signed(n),
            Motion::Page(n) => at.saturating_add_signed(n * page),
            Motion::Top => 0,
            Motion::Bottom => last,
            Motion::Next(_) => at,
        }
        .min(last)
    }
}
