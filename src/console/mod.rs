//! The terminal interface. `update` takes a message and changes the model, `view` draws the model,
//! workers send messages; nothing else.

pub mod act;
pub mod action;
pub mod activity;
mod certificates;
pub mod draw;
pub mod effect;
pub mod exec;
pub mod feed;
pub mod form;
#[cfg(test)]
pub mod harness;
pub mod keymap;
pub mod lock;
pub mod log;
pub mod message;
pub mod model;
pub mod outside;
pub mod overlay;
pub mod plan_lines;
pub mod planned;
pub mod proposal;
pub mod question;
pub mod run;
pub mod screen;
pub mod settle;
pub mod theme;
pub mod tone;
pub mod update;
pub mod view;
pub mod widget;
pub mod words;

pub use effect::Effect;
pub use message::Message;
pub use model::Model;
pub use run::options::{ConsoleOptions, Subject};
pub use run::{ConsoleError, run, still};

#[cfg(test)]
mod tests;
