//! What can go wrong between us and an engine, each named as what it is, with its remedy.

use std::time::Duration;

use super::transport::ssh::trouble::Trouble;

mod tls;

pub use tls::TlsProblem;

/// Result of every call of this part.
pub type Result<T> = std::result::Result<T, Error>;

/// One clear line each. Never carries a request's body, so never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The socket's path does not exist.
    #[error("no Docker socket at {path}")]
    NoSocket {
        /// Path of the socket.
        path: String,
    },
    /// As [`Error::NoSocket`], on a host behind SSH.
    #[error("no Docker socket at {path} on {host}")]
    NoSocketThere {
        /// The host as the operator wrote it.
        host: String,
        /// Path of the socket.
        path: String,
    },
    /// A host's sshd opens no channel to the socket, and no command there leads to it.
    #[error("{host} gives no way to its Docker socket {path} over SSH: {why}")]
    NoWayToSocket {
        /// The host as the operator wrote it.
        host: String,
        /// Path of the socket.
        path: String,
        /// What was tried last, and how it failed.
        why: String,
    },
    /// The socket is there but may not be opened by this user.
    #[error("no permission to use the Docker socket {path}")]
    PermissionDenied {
        /// Path of the socket.
        path: String,
        /// What would give the permission.
        remedy: String,
    },
    /// The address exists, but nothing accepts connections there.
    #[error("nothing listens at {address}")]
    NotListening {
        /// The engine's address.
        address: String,
    },
    /// Something answers there, but it is not a Docker Engine.
    #[error("{address} is not a Docker Engine: {what}")]
    NotDocker {
        /// The engine's address.
        address: String,
        /// What was found instead.
        what: String,
    },
    /// The engine could not be reached, or the connection broke.
    #[error("cannot reach {address}: {why}")]
    Unreachable {
        /// The engine's address.
        address: String,
        /// The cause, in the words of the operating system or the protocol.
        why: String,
    },
    /// The engine's oldest API version is newer than our newest.
    #[error("this engine speaks API {server_min} and newer; ostler speaks up to {ours}")]
    ApiTooNew {
        /// The engine's oldest API version.
        server_min: String,
        /// Our newest API version.
        ours: String,
    },
    /// The engine's newest API version is older than our oldest.
    #[error(
        "this engine speaks API {server} at most; ostler needs {ours_min} (Docker 20.10) or newer"
    )]
    ApiTooOld {
        /// The engine's newest API version.
        server: String,
        /// Our oldest API version.
        ours_min: String,
    },
    /// No answer in time.
    #[error("no answer within {} s: {what}", after.as_secs_f32())]
    Deadline {
        /// What was asked.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// The gate did not let the request out.
    #[error("on-call mode does not let {method} {path} out: {why}")]
    Gate {
        /// Method of the request.
        method: String,
        /// Path of the request, without its query.
        path: String,
        /// The rule it met.
        why: String,
    },
    /// The engine answered with an error.
    #[error("{what}: {message} ({code})")]
    Status {
        /// HTTP status.
        code: u16,
        /// What was asked.
        what: String,
        /// The engine's words.
        message: String,
    },
    /// The registry of an image does not give it to the engine.
    #[error("{why}")]
    Registry {
        /// What it refuses, and why.
        why: String,
        /// What can be done about it.
        remedy: String,
    },
    /// The answer could not be understood.
    #[error("{what}: the engine's answer makes no sense: {why}")]
    Protocol {
        /// What was asked.
        what: String,
        /// What was wrong with the answer.
        why: String,
    },
    /// A stream or an answer ended in its middle.
    #[error("{what}: the connection was cut in the middle of the answer")]
    Cut {
        /// What was asked.
        what: String,
    },
    /// A name or id that cannot be put in a request's path.
    #[error("{name:?} is not the name or id of a {kind}")]
    BadName {
        /// What it should name.
        kind: String,
        /// The text.
        name: String,
    },
    /// An answer larger than what may be kept in memory.
    #[error("{what}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        what: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// TLS with the engine, or the lack of it, is in the way.
    #[error("{address}: {problem}")]
    Tls {
        /// The engine's address.
        address: String,
        /// What is wrong.
        problem: Box<TlsProblem>,
    },
    /// There is no login on a host behind SSH.
    #[error("{host}: {trouble}")]
    Ssh {
        /// The host, or the bastion on the way to it, as it was written.
        host: String,
        /// What is wrong.
        trouble: Box<Trouble>,
    },
    /// The address is of a kind that this version cannot reach.
    #[error("{address}: {why}")]
    Unsupported {
        /// The engine's address.
        address: String,
        /// Why not.
        why: String,
    },
}

/// Longest text of an engine, or about what it said, that an error carries, in characters.
const LONGEST: usize = 500;

/// What an engine said, as it may stand in an error: on one line, not long, nothing in it that a
/// terminal would obey. All that engines say comes into errors through here.
pub(super) fn said(text: &str) -> String {
    crate::text::short(text, LONGEST)
}

impl Error {
    /// The engine answered with an error, in these words.
    pub(super) fn answered(code: u16, what: impl Into<String>, message: &str) -> Error {
        Error::Status {
            code,
            what: what.into(),
            message: said(message),
        }
    }

    /// The answer to `what` could not be understood.
    pub(super) fn nonsense(what: impl Into<String>, why: impl std::fmt::Display) -> Error {
        Error::Protocol {
            what: what.into(),
            why: said(&why.to_string()),
        }
    }

    /// The answer could not be understood: what it is about is not known, and no more.
    pub fn is_nonsense(&self) -> bool {
        matches!(self, Error::Protocol { .. })
    }

    /// The engine says that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Status { code: 404, .. })
    }

    /// The engine says that the request clashes with what is there (a name in use, a wrong state).
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Status { code: 409, .. })
    }

    /// The engine says that it does not do such a thing: a log's driver cannot be read, say.
    pub fn is_not_done(&self) -> bool {
        matches!(self, Error::Status { code: 501, .. })
    }

    /// The engine itself answered, with an error. All others say nothing about what it did.
    pub fn is_answer(&self) -> bool {
        matches!(self, Error::Status { .. } | Error::Registry { .. })
    }

    /// The host did not answer at all, or stopped doing so: its data is now old.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Error::NoSocket { .. }
                | Error::NoSocketThere { .. }
                | Error::NoWayToSocket { .. }
                | Error::PermissionDenied { .. }
                | Error::NotListening { .. }
                | Error::NotDocker { .. }
                | Error::Unreachable { .. }
                | Error::Tls { .. }
                | Error::Deadline { .. }
                | Error::Cut { .. }
                | Error::Ssh { .. }
        )
    }

    /// Trying again by itself would not help, or do harm: somebody has to do something first.
    pub fn needs_operator(&self) -> bool {
        matches!(self, Error::Ssh { trouble, .. } if trouble.needs_operator())
    }

    /// No answer came in time: the host may hang, or may only be slow.
    pub fn is_late(&self) -> bool {
        matches!(self, Error::Deadline { .. })
    }

    /// The request never left the process.
    pub fn is_gate(&self) -> bool {
        matches!(self, Error::Gate { .. })
    }

    /// What the operator can do about it, where that is known.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Error::NoSocket { path } => {
                let rootless = match std::env::var("XDG_RUNTIME_DIR") {
                    Ok(dir) if !dir.is_empty() => format!("{dir}/docker.sock"),
                    _ => "$XDG_RUNTIME_DIR/docker.sock".to_owned(),
                };
                format!(
                    "install or start Docker (`sudo systemctl start docker`), or name another socket than {path}: a rootless Docker listens at unix://{rootless}"
                )
            }
            Error::NoSocketThere { host, .. } => format!(
                "install or start Docker on {host} (`sudo systemctl start docker`), or name its socket: ssh://{host}/run/user/1000/docker.sock for a rootless Docker of the user 1000"
            ),
            Error::NoWayToSocket { host, .. } => format!(
                "on {host}, either allow `AllowStreamLocalForwarding yes` in sshd_config (and no `restrict` for this key), or install the docker command"
            ),
            Error::PermissionDenied { remedy, .. } | Error::Registry { remedy, .. } => {
                remedy.clone()
            }
            Error::NotListening { address } if address.starts_with("tcp://") => {
                "start Docker there, if it does not run; it listens on TCP only when told to: `-H tcp://0.0.0.0:2376 --tlsverify …`"
                    .to_owned()
            }
            Error::Unreachable { address, .. } if address.starts_with("tcp://") => {
                "is the host up, its address right, and does a firewall let its port through?".to_owned()
            }
            Error::Tls { problem, .. } => problem.remedy(),
            Error::NotListening { .. } => {
                "start Docker: `sudo systemctl start docker`; `journalctl -u docker` says why it stopped"
                    .to_owned()
            }
            Error::NotDocker { .. } => {
                "give the address of a Docker Engine, such as unix:///var/run/docker.sock".to_owned()
            }
            Error::ApiTooNew { .. } => "use a newer ostler for this engine".to_owned(),
            Error::ApiTooOld { .. } => "update Docker on this host to 20.10 or newer".to_owned(),
            Error::Gate { .. } => {
                "leave on-call mode to change hosts: start ostler without --read-only".to_owned()
            }
            Error::Deadline { .. } => {
                "the host is overloaded or its Docker hangs: `systemctl status docker` there says more"
                    .to_owned()
            }
            Error::Ssh { host, trouble } => return trouble.remedy(host),
            _ => return None,
        })
    }
}
