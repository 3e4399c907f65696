//! The screens: a file for each, with its state, what is done with it, and how it is drawn, behind
//! [`Screen`](super::model::Screen).

pub mod activity;
pub mod certificate;
pub mod certificates;
pub mod changes;
pub mod events;
pub mod help;
pub mod host;
pub mod hosts;
mod life;
pub mod logs;
mod page;
pub mod past;
pub mod plan;
pub mod site;
pub mod sites;
mod told;
