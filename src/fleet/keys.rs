//! Every key of the fleet file, in one table per mapping. The loader's checks, its suggestions, the
//! JSON Schema and the reference in the README all read it.

mod file;
mod host;
mod site;

pub use file::{FILE, FLEET_NAME_MAX};
pub use host::{ACCOUNT, HOST, IMAGES, PORTS};
pub use site::{
    DEFAULT_CONNECTIONS, DEFAULT_MEMORY, DEFAULT_PHP, DEFAULT_PIDS, DEFAULTS, HEALTH, RECIPES,
    SITE, STATES,
};
