//! What a site has beside its container, as the fleet file says it: a file per service, with its
//! keys, their reading and their writing.

pub(in crate::fleet) mod secrets;

pub use secrets::{SECRET, SECRETS, SecretSpec};
