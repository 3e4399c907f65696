//! How a console is opened, and on what.

use std::path::PathBuf;
use std::sync::Arc;

use crate::console::question::Desk;
use crate::fleet::Host;
use crate::walk::FleetFile;
use crate::walk::look::Connect;

/// What the console looks at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A fleet file.
    Fleet(FleetFile),
    /// One host, without a file: everything on it, read-only.
    Host(Box<Host>),
}

/// How the console is opened.
pub struct ConsoleOptions {
    /// What it looks at.
    pub subject: Subject,
    /// How hosts are connected to. In on-call mode its clients' gates let only reading pass.
    pub connect: Connect,
    /// Where logins ask the operator: what `connect` connects by asks there.
    pub desk: Arc<Desk>,
    /// Read-only; a host without a file always is.
    pub on_call: bool,
    /// A simulated fleet.
    pub demo: bool,
    /// No colours, whatever the terminal can do.
    pub no_color: bool,
    /// The configuration directory.
    pub config: Option<PathBuf>,
    /// Where the operator's own records are kept.
    pub state: Option<PathBuf>,
}
