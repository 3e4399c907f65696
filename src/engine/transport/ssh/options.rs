//! How `ssh` and its configuration are asked.

use std::path::PathBuf;

/// How `ssh` is to be asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SshOptions {
    /// The configuration file instead of the operator's and the machine's own (`ssh -F`).
    pub config: Option<PathBuf>,
}
