//! Talking to a Docker Engine: one HTTP client over whatever carries bytes to it.
//!
//! A *transport* only yields byte streams ([`transport::Connector`]). Above every one of them sit
//! the same client with keep-alive, the API version prefix, the [`gate`], the deadlines, and
//! bollard for whoever wants its typed calls: there is one path for all requests, and it is
//! `wire`. Nothing in here knows what a site is.

pub mod client;
pub mod decode;
pub mod error;
pub mod gate;
pub mod hello;
pub mod model;
pub mod registry;
pub mod transport;
pub mod version;
pub mod visit;
mod wire;

pub use client::{Client, ExecOutput, LogOptions, Pieces};
pub use decode::joined::stamp;
pub use error::{Error, Result, TlsProblem};
pub use gate::{Gate, Mode};
pub use hello::{Greeted, Hello, Shown};
pub use model::{
    BuildProgress, EngineEvent, ListedContainer, ListedImage, ListedMount, ListedNetwork,
    ListedPort, LogChunk, Out, PullProgress, Stats,
};
pub use transport::ask::{Answer, Ask, Question};
pub use transport::{Certificates, Connector, Network, NoPort, Reached};
pub use version::{Api, EngineVersion};
pub use visit::{Heard, Visit, Visited};
