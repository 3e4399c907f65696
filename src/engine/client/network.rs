//! Networks.

use bollard::models::{Network, NetworkCreateRequest};
use serde::Deserialize;

use super::Client;
use crate::engine::error::Result;
use crate::engine::wire::{Call, READ, plain};

impl Client {
    /// Every network of the engine.
    pub async fn networks(&self) -> Result<Vec<Network>> {
        self.wire
            .ask(Call::get("/networks", "list networks"), READ)
            .await?
            .parse()
    }

    /// Creates a network and returns its id. A name that is taken is a conflict; a subnet that
    /// overlaps another is refused (403).
    pub async fn create_network(&self, request: &NetworkCreateRequest) -> Result<String> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "Id")]
            id: String,
        }
        // Without this flag the engine makes a second network of the same name.
        #[derive(serde::Serialize)]
        struct Unique<'a> {
            #[serde(rename = "CheckDuplicate")]
            check: bool,
            #[serde(flatten)]
            request: &'a NetworkCreateRequest,
        }
        let call = Call::post(
            "/networks/create",
            format!("create network {}", request.name),
        )
        .json(&Unique {
            check: true,
            request,
        })?;
        Ok(self.wire.ask(call, READ).await?.parse::<Created>()?.id)
    }

    /// Removes a network. Refused (403) while a container uses it.
    pub async fn remove_network(&self, id: &str) -> Result<()> {
        let path = format!("/networks/{}", plain("network", id)?);
        self.wire
            .ask(Call::delete(path, format!("remove network {id}")), READ)
            .await
            .map(drop)
    }
}
