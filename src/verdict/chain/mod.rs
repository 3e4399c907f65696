//! The chain of a site's page: from the visitor to the application, a link each. What a service
//! adds is a file of its name here and a line in `CHAIN`.

mod application;
mod certificate;
mod container;
mod dns;
pub mod link;
mod router;

pub use link::{Age, ChainLink, Way};

/// Its links, in the order in which a request meets them.
const CHAIN: [fn(&Way) -> ChainLink; 5] = [
    dns::link,
    router::link,
    certificate::link,
    container::link,
    application::link,
];

/// The links of a site or container, from the visitor to the application.
pub fn chain(way: &Way) -> impl Iterator<Item = ChainLink> {
    CHAIN.iter().map(|link| link(way))
}
