//! One machine on the way to a host.

use std::path::PathBuf;
use std::time::Duration;

/// What becomes of a key that known_hosts does not hold. One that changed is always refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strict {
    /// Refused without a question.
    Yes,
    /// The operator is asked.
    Ask,
    /// Taken and written down: `accept-new`, and `no`.
    AcceptNew,
}

/// AddressFamily.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Whatever the name has.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// One machine on the way, and how to log in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// As it was written: in the fleet file, or in ProxyJump.
    pub name: String,
    /// HostName: what is connected to.
    pub host: String,
    pub port: u16,
    /// Kind of addresses to connect to.
    pub family: Family,
    /// The bastions on the way to it, nearest first.
    pub way: Vec<String>,
    /// Login name.
    pub user: String,
    /// Private keys to offer, those that are not there included.
    pub identity_files: Vec<PathBuf>,
    /// Certificates to offer with them.
    pub certificate_files: Vec<PathBuf>,
    /// The agent's socket, if one is to be asked.
    pub identity_agent: Option<PathBuf>,
    /// Of the agent's keys only those that are among the files.
    pub identities_only: bool,
    /// Where known keys are read; new ones are written to the first.
    pub user_known_hosts: Vec<PathBuf>,
    /// Where known keys are read only.
    pub global_known_hosts: Vec<PathBuf>,
    /// Keys that are nobody's any more.
    pub revoked_host_keys: Option<PathBuf>,
    /// A program that knows keys is configured, which only OpenSSH asks.
    pub known_hosts_command: bool,
    /// The name in known_hosts, when it is not the host's own.
    pub host_key_alias: Option<String>,
    /// What becomes of unknown keys.
    pub strict: Strict,
    /// Names are hashed in known_hosts.
    pub hash_known_hosts: bool,
    /// How long a connection may take.
    pub connect_timeout: Option<Duration>,
    /// Whether keys may be offered.
    pub publickey: bool,
    /// Whether the host's own questions may be asked.
    pub keyboard_interactive: bool,
    /// Whether a password may be asked.
    pub password: bool,
    /// How often to knock on a connection without traffic.
    pub server_alive_interval: Option<Duration>,
    /// How many knocks may stay unanswered.
    pub server_alive_count_max: u32,
    /// What is configured and cannot be done here, for when the login fails.
    pub notes: Vec<String>,
}

impl Hop {
    /// The host's name in known_hosts: `web1`, `[web1]:2222`.
    pub fn known_as(&self) -> String {
        match &self.host_key_alias {
            Some(alias) => alias.clone(),
            None if self.port == 22 => self.host.clone(),
            None => format!("[{}]:{}", self.host, self.port),
        }
    }

    /// Which machine it is, for what is kept of it: its address alone is not enough, since behind
    /// another bastion, or in another network, the same one may be another machine's.
    pub(in crate::engine::transport::ssh) fn place(&self) -> String {
        let way: Vec<String> = self.way.iter().map(|hop| format!(" by {hop}")).collect();
        format!(
            "{}:{} known as {}{}",
            self.host,
            self.port,
            self.known_as(),
            way.concat()
        )
    }

    /// As one on the way to others.
    pub(super) fn as_bastion(&self) -> String {
        format!(
            "{}@{}:{} known as {}",
            self.user,
            self.host,
            self.port,
            self.known_as()
        )
    }
}
