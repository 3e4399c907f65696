//! ostler runs shared web hosting on Docker hosts: one fleet file says what should be, one engine
//! observes, plans, shows and applies it, for the command line and the console alike.
//!
//! Read the modules in this order to read what the program does.

pub mod acme;
pub mod apply;
pub mod cli;
pub mod console;
pub mod doctor;
pub mod engine;
pub mod file;
pub mod fleet;
pub mod host;
pub mod notify;
pub mod observe;
pub mod plan;
pub mod record;
pub mod sim;
pub mod text;
pub mod verdict;
pub mod walk;
