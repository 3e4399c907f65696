//! How many sites are in which state.

use super::row::SiteRow;
use super::state::State;

/// How many sites are in which trouble. Sites of a host that is away are in none: nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Sites of the file; and containers, where they are counted.
    pub all: usize,
    /// Failing or restarting.
    pub failing: usize,
    /// Answering, but to be looked at.
    pub warning: usize,
    /// Not as last applied.
    pub drift: usize,
    /// To be applied.
    pub pending: usize,
    /// On a host that does not answer, or has not answered yet.
    pub unknown: usize,
}

impl Tally {
    /// Each trouble with how many are in it, the worst first; those that none is in are left out.
    pub fn troubles(&self) -> impl Iterator<Item = (State, usize)> {
        let all = [
            (State::Failing, self.failing),
            (State::Warning, self.warning),
            (State::Drift, self.drift),
            (State::Pending, self.pending),
            (State::Unknown, self.unknown),
        ];
        all.into_iter().filter(|(_, n)| *n > 0)
    }
}

/// Counts sites; containers that are not ostler's only where everything is looked at.
pub fn tally(rows: &[SiteRow], foreign_too: bool) -> Tally {
    let mut tally = Tally::default();
    for row in rows {
        // What is in the file no more is no site.
        let counts = row.in_file || (row.foreign && foreign_too);
        if !counts {
            continue;
        }
        tally.all += 1;
        let one = match row.state {
            _ if row.stale => &mut tally.unknown,
            State::Unknown => &mut tally.unknown,
            State::Failing | State::Restarting => &mut tally.failing,
            State::Warning => &mut tally.warning,
            State::Drift => &mut tally.drift,
            State::Pending => &mut tally.pending,
            _ => continue,
        };
        *one += 1;
    }
    tally
}
