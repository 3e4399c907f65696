//! The console as an operator meets it: keys in, frames and wishes out.

mod ages;
mod certificates;
mod file;
pub mod fixture;
mod fresh;
mod journal;
mod keys;
mod logs;
mod screens;
mod trouble;
mod whole;
