//! What was last applied for one site, as it is kept on its host.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::fields::Fields;
use super::route::RouteEntry;
use super::spec::ContainerSpec;
use crate::fleet::{Limits, Name, SiteState};

/// What was last applied for one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteRecord {
    /// Version of this schema: 1.
    pub schema: u32,
    pub site: Name,
    /// Its user and group id on this host; never another site's while this record exists.
    pub uid: u32,
    /// The spec its container was created from; none for `proxy`.
    pub spec: Option<ContainerSpec>,
    /// Hash of `spec`.
    pub hash: Option<String>,
    /// Limits last set.
    pub limits: Limits,
    /// Address of the container this record is about: tells it from a replacement that a killed
    /// process left half-way.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
    /// What the router was told.
    pub route: Option<RouteEntry>,
    /// Keyed digests of its secrets, by name.
    pub secrets: BTreeMap<String, String>,
    /// What its other services have to keep, by the service's name. A version that does not know a
    /// service reads past it and keeps it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, serde_json::Value>,
    /// State last applied.
    pub state: RecordedState,
    /// Id of the image its container runs, as found when the record was written; apply fills it in
    /// where the plan could not know it.
    pub image_id: Option<String>,
    /// What the engine told of its container when this was written (see [`crate::observe::made`]); apply
    /// fills it in where the plan could not know it. `None`: written by an older ostler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Fields>,
}

impl SiteRecord {
    /// User ids that ostler gives to sites; the engine knows none above the last.
    pub const UIDS: std::ops::RangeInclusive<u32> = 200_000..=0x7fff_ffff;
}

/// A site's state as last applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedState {
    /// As the file said.
    Wanted(SiteState),
    /// Removed from the file: route gone, container stopped and kept.
    Leftover,
}
