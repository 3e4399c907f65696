//! What drawing is done with: pens, marks, ages.

pub mod ages;
pub mod mark;
pub mod pen;
