//! What should be: the fleet file, as a checked model. Pure: bytes in, values out.

mod address;
mod at;
pub mod bounds;
mod diff;
mod draft;
pub mod edit;
mod endpoint;
mod fields;
mod finding;
mod hash;
mod header;
mod key;
pub mod keys;
mod load;
pub mod model;
mod name;
mod near;
mod network;
pub mod php_ini;
mod row;
mod schema;
mod select;
pub mod service;
mod source;
mod subnet;
mod template;
mod tree;
pub mod value;
mod write;
mod yaml;

pub use address::{EngineAddress, Via, is_private};
pub use diff::{DiffLine, diff};
pub use edit::{Edit, EditError, Edited, apply_edits};
pub use endpoint::Endpoint;
pub use finding::{Finding, Level, render};
pub use hash::{file_hash, hash};
pub use header::{HeaderName, unfit_header};
pub use load::{Loaded, load, wrong};
pub use model::*;
pub use name::{Domain, Invalid, Name, domain_both_ways, shown_domain};
pub use near::nearest;
pub use network::Network;
pub use schema::{reference, schema};
pub use select::{Selection, glob};
pub use service::{
    Acme, Algorithm, Authority, Certificate, Dns, Eab, Hook, Hsts, Https, KeyOfZone, Login, Notify,
    SecretSpec, Smtp, Tls, parse_hook,
};
pub use source::Source;
pub use subnet::Subnet;
pub use template::init_template;
pub use write::{site_block, site_fields, to_yaml};
pub use yaml::Value;
