//! What ostler keeps on a host, and how it is reached: everything through the Docker API, so that
//! local, TLS and SSH hosts behave the same.

pub mod archive;
pub mod compare;
pub mod lock;
pub mod machine;
pub mod router;
pub mod script;
pub mod service;
pub mod state;
pub mod toolbox;

pub use archive::{Entry, Kind};
pub use script::Script;
pub use toolbox::{NewFile, Toolbox, ToolboxError};
