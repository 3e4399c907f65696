//! How one run of the program reaches hosts: what all of its connections share.

use std::sync::Arc;

use super::Connector;
use super::ask::{Ask, Headless};
use crate::engine::error::{Error, Result};
use crate::fleet::EngineAddress;

/// Yields the connector for any address of the fleet file. Cheap to clone; clones share what was
/// asked and answered.
#[derive(Clone)]
pub struct Network {
    ask: Arc<dyn Ask>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

impl Default for Network {
    fn default() -> Self {
        Network::headless()
    }
}

impl Network {
    /// Whatever has to be asked fails.
    pub fn headless() -> Self {
        Network::asking(Arc::new(Headless))
    }

    /// Questions go to `ask`.
    pub fn asking(ask: Arc<dyn Ask>) -> Self {
        Network { ask }
    }

    /// Who answers questions.
    pub fn ask(&self) -> &Arc<dyn Ask> {
        &self.ask
    }

    /// The way to one engine. Nothing is connected yet: that is done when a client first asks for
    /// a stream.
    ///
    /// # Errors
    /// The address is of a kind that this version cannot reach.
    pub fn connector(&self, address: &EngineAddress) -> Result<Connector> {
        let why = match address {
            EngineAddress::Unix { path } => return Ok(Connector::unix(path)),
            EngineAddress::Tcp { .. } => "engines over TCP cannot be reached yet; use unix://",
            EngineAddress::Ssh { .. } => "engines over SSH cannot be reached yet; use unix://",
            EngineAddress::Sim { .. } => "simulated hosts exist only in `ostler demo`",
        };
        Err(Error::Unsupported {
            address: address.to_string(),
            why: why.to_owned(),
        })
    }
}
