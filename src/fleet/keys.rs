//! Every key of the fleet file, in one table per mapping: the loader's reading and checks, its
//! suggestions, the writer, the JSON Schema and the reference in the README all come from it.

mod file;
mod host;
mod site;

pub(super) use file::FILE_ROWS;
pub use file::{FILE, FLEET_NAME_MAX};
pub use host::{ACCOUNT, HOST, IMAGES, PORTS};
pub(super) use host::{ACCOUNT_ROWS, HOST_ROWS};
pub(super) use site::SITE_ROWS;
pub use site::{DEFAULTS, HEALTH, RECIPES, SITE, creating};

pub use super::key::{Asked, Key, Kind, Table};
