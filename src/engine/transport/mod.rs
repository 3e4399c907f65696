//! A transport is a connector: it yields byte streams that speak HTTP/1.1 with an engine.

pub mod ask;
pub(super) mod certificate;
pub(super) mod connector;
mod network;
pub mod ssh;
mod tcp;
mod tls;
pub mod unix;
mod x509;

pub use certificate::Certificates;
pub use connector::{Bytestream, Connector, NoPort, Reached};
pub use network::Network;
pub(super) use tcp::dial;
