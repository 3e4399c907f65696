//! The certificate: none is kept yet.

use super::link::{ChainLink, Way};
use crate::verdict::state::State;

pub(super) fn link(_: &Way) -> ChainLink {
    ChainLink::new("certificate", State::Unknown, "plain HTTP; none is kept")
}
