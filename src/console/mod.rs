//! The terminal interface: one state, changed by messages only, drawn when something changed.

pub mod log;
