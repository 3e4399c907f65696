//! What services keep on a host. One file here and one line in [`ALL`] per service.

mod certificate;
#[cfg(test)]
mod marker;
pub mod own;
pub mod secrets;

use std::collections::BTreeMap;
use std::pin::Pin;

use super::script::Script;
use super::{Toolbox, ToolboxError};
use crate::fleet::Name;
use crate::record::{Different, HostState};

/// Where what a service wrote is not as recorded.
pub type BySite = BTreeMap<Name, Vec<Different>>;

/// A comparison that is under way.
pub type Comparing<'a> = Pin<Box<dyn Future<Output = Result<BySite, ToolboxError>> + Send + 'a>>;

/// What a service keeps on a host.
pub struct Kept {
    /// Its word, as the record calls it.
    pub name: &'static str,
    /// What it runs in the toolbox beside the scripts of all.
    pub scripts: &'static [Script],
    /// Looks where what it wrote is not as recorded. Asked only where commands can be run in the
    /// toolbox.
    pub compare: for<'a> fn(&'a Toolbox, &'a HostState) -> Comparing<'a>,
}

/// All services.
pub const ALL: &[Kept] = &[
    secrets::KEPT,
    certificate::KEPT,
    #[cfg(test)]
    marker::KEPT,
];
