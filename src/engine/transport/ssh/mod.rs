//! Hosts behind SSH.
//!
//! [`config`] says where a host is and how to log in there, [`login`] logs in on a connection that
//! somebody else made, checking the host's key against [`known_hosts`] and proving who we are with
//! the [`agent`]'s keys, [key files](key_file) or answers of the operator ([`answered`]).
//! [`openssh`] leaves all of that to the system's `ssh`, for what libssh2 cannot do.

pub mod agent;
pub mod answered;
pub mod config;
pub mod key_file;
pub mod known_hosts;
mod line;
pub mod login;
pub mod openssh;
mod trouble;

pub use answered::Answered;
pub use config::{Hop, SshOptions};
pub use trouble::Trouble;
