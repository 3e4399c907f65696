//! What goes wrong on the way into a host, each named as what it is, with its remedy.

use std::time::Duration;

/// Why there is no login. Texts never carry a passphrase or a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// `ssh_config` cannot be used.
    #[error("the SSH configuration cannot be used: {why}")]
    Config {
        /// What is wrong, in OpenSSH's words where they are its.
        why: String,
    },
    /// It takes something that libssh2 cannot do.
    #[error("{what} needs the system's ssh")]
    NeedsOpenSsh {
        /// What: `ProxyCommand`, `a host certificate`.
        what: String,
    },
    /// known_hosts has no key for this host, and nobody said that this one is right.
    #[error("its key is not known: {kind} {fingerprint}")]
    UnknownKey {
        /// Kind of key: `ssh-ed25519`.
        kind: String,
        /// `SHA256:…`
        fingerprint: String,
        /// What would make it known.
        remedy: String,
        /// The operator said no.
        declined: bool,
    },
    /// The host shows another key than the one in known_hosts.
    #[error(
        "ITS KEY HAS CHANGED: it shows {} {}, {} says {} {}; somebody may be listening in",
        .0.kind, .0.fingerprint, .0.place, .0.known_kind, .0.known
    )]
    ChangedKey(Box<ChangedKey>),
    /// The host shows a key that was revoked.
    #[error("its key {kind} {fingerprint} is revoked by {place}")]
    RevokedKey {
        /// Kind of the key.
        kind: String,
        /// `SHA256:…`
        fingerprint: String,
        /// `FILE:LINE`
        place: String,
    },
    /// The host shows an RSA key that is too short.
    #[error(
        "its RSA key {fingerprint} has {bits} bits: such a key can be forged; 2048 is the least"
    )]
    WeakKey {
        /// How many it has.
        bits: usize,
        /// `SHA256:…`
        fingerprint: String,
    },
    /// A file of known keys cannot be read or written.
    #[error("{file}: {why}")]
    KnownHosts {
        file: String,
        /// Why not.
        why: String,
    },
    /// Both sides speak SSH, but not the same kinds of cryptography.
    #[error("the host and libssh2 have no cryptography in common: {why}")]
    Crypto {
        /// In libssh2's words.
        why: String,
    },
    /// The connection ended before the login began.
    #[error("{address} closed the connection before the login began")]
    Closed {
        /// `192.0.2.7:22`
        address: String,
    },
    /// Somebody answers who does not speak SSH.
    #[error("{address} does not answer as an SSH server")]
    NotSsh {
        /// `192.0.2.7:22`
        address: String,
    },
    /// The host stopped answering.
    #[error("no answer within {} s: {what}", after.as_secs_f32())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long the host had, without the time that a person took.
        after: Duration,
    },
    /// The host hung up while a person was answering a question. What was answered is remembered.
    #[error("the host hung up before the question was answered")]
    Late,
    /// The host hung up after too many keys or passwords.
    #[error("too many authentication failures: the host hung up after {tried}")]
    TooMany {
        /// What it was offered.
        tried: String,
    },
    /// The connection broke in the middle of the login.
    #[error("the connection broke in the middle of the login: {why}")]
    Lost {
        /// In libssh2's words.
        why: String,
    },
    /// Nothing that could be offered was taken.
    #[error("{user} may not log in{}", why(.methods, .tried, .notes))]
    Refused {
        /// Login name.
        user: String,
        /// What the host would take: `publickey`, `password`.
        methods: Vec<String>,
        /// What it was offered.
        tried: Vec<String>,
        /// What could not be offered, and why.
        notes: Vec<String>,
    },
    /// The host lets us in, but not to the engine's socket.
    #[error("the host does not forward {socket}: {why}")]
    NotForwarded {
        /// Path on the host.
        socket: String,
        /// In OpenSSH's words.
        why: String,
    },
    /// The system's `ssh` ended or could not be started.
    #[error("ssh: {why}")]
    Program {
        /// In its own words.
        why: String,
    },
}

/// What `ssh` says when the host will not let us in, however often it is tried.
const REFUSALS: [&str; 4] = [
    "Permission denied",
    "Host key verification failed",
    "Too many authentication failures",
    "Bad configuration option",
];
/// The answers to a host's own questions, when they are refused.
pub(super) const ANSWERS: &str = "the answers to its questions";
/// A password that is refused.
pub(super) const PASSWORD: &str = "a password";
const PROOFS: [&str; 2] = [ANSWERS, PASSWORD];

/// The key that a host shows, and the one that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// Kind of the key it shows.
    pub kind: String,
    /// `SHA256:…` of the key it shows.
    pub fingerprint: String,
    /// Kind of the key that is known.
    pub known_kind: String,
    /// `SHA256:…` of the key that is known.
    pub known: String,
    /// `FILE:LINE` of the key that is known.
    pub place: String,
    /// The name under which it is known: `[web1]:2222`.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
}

fn why(methods: &[String], tried: &[String], notes: &[String]) -> String {
    let mut text = match methods {
        [] => String::new(),
        methods => format!("; the host takes {}", methods.join(", ")),
    };
    match tried {
        [] => text.push_str("; there was nothing to offer"),
        tried => text.push_str(&format!("; it refused {}", tried.join(", "))),
    }
    for note in notes {
        text.push_str("; ");
        text.push_str(note);
    }
    text
}

impl Trouble {
    /// Trying again by itself would not help, or do harm: a host may lock out who keeps knocking.
    pub fn needs_operator(&self) -> bool {
        if let Trouble::Program { why } = self {
            return REFUSALS.iter().any(|words| why.contains(words));
        }
        !matches!(
            self,
            Trouble::Closed { .. }
                | Trouble::Crypto { .. }
                | Trouble::TimedOut { .. }
                | Trouble::Late
                | Trouble::Lost { .. }
                | Trouble::NotForwarded { .. }
        )
    }

    /// What the operator can do about it. `host` is the host as it was written.
    pub fn remedy(&self, host: &str) -> Option<String> {
        const VIA: &str = "write `via: openssh` beside the host's `engine`";
        Some(match self {
            Trouble::Config { .. } => {
                format!("correct ssh_config; `ssh -G {host}` shows what it makes of it")
            }
            Trouble::NeedsOpenSsh { .. } => {
                format!("{VIA}: then the system's ssh forwards the socket")
            }
            Trouble::UnknownKey { remedy, .. } => remedy.clone(),
            Trouble::ChangedKey(changed) => format!(
                "if the host was set up anew, compare its key over another way, then remove the old one: `ssh-keygen -f {} -R '{}'`",
                changed.file, changed.name
            ),
            Trouble::RevokedKey { .. } => {
                "give the host a new key, or remove the line if the revocation was a mistake"
                    .to_owned()
            }
            Trouble::WeakKey { .. } => {
                "make a better key on the host (`sudo ssh-keygen -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key`), name it in sshd_config (`HostKey`) in place of the old one, and restart sshd"
                    .to_owned()
            }
            Trouble::KnownHosts { .. } => {
                "make it a file that you may read and write (0600, in a folder with 0700)".to_owned()
            }
            Trouble::Crypto { .. } => {
                format!("update the host's sshd (`ssh -vv {host}` shows what it offers), or {VIA}")
            }
            Trouble::Closed { .. } => {
                "sshd turns logins away when too many come at once (MaxStartups), and so do fail2ban and firewalls; its log on the host says which"
                    .to_owned()
            }
            Trouble::NotSsh { .. } => {
                "write the port of its sshd in the address: ssh://user@host:port".to_owned()
            }
            Trouble::TimedOut { .. } => {
                format!("the host or the way to it is overloaded; `ssh -v {host}` shows where it stops")
            }
            Trouble::TooMany { tried } if PROOFS.iter().any(|proof| tried.contains(proof)) => {
                "see that the login name and the password are right".to_owned()
            }
            Trouble::TooMany { .. } => {
                "name the one key for this host in ssh_config: `IdentityFile KEY` and `IdentitiesOnly yes`"
                    .to_owned()
            }
            Trouble::Refused { user, methods, .. } => refused(host, user, methods),
            Trouble::NotForwarded { socket, .. } => format!(
                "on the host, see that Docker listens at {socket}, that the login may use it (`sudo usermod -aG docker USER`), and that its sshd has AllowStreamLocalForwarding on"
            ),
            Trouble::Program { .. } => format!("`ssh {host}` has to work without a question"),
            Trouble::Late | Trouble::Lost { .. } => return None,
        })
    }
}

fn refused(host: &str, user: &str, methods: &[String]) -> String {
    let takes = |method: &str| methods.iter().any(|m| m == method);
    let ours = ["publickey", "keyboard-interactive", "password"];
    if !methods.is_empty() && !ours.iter().any(|m| takes(m)) {
        return "the host takes only what the system's ssh can do: write `via: openssh` beside the host's `engine`".to_owned();
    }
    format!(
        "see that {user} is the right login name, and that one of your keys is in its authorized_keys; another key is named by `IdentityFile` in ssh_config or added by `ssh-add`; `ssh -v {host}` shows more"
    )
}

/// libssh2's words about a channel that was not opened, without its own jargon.
pub(super) fn plainly(words: &str) -> &str {
    let reason = words.rsplit_once('(').map_or(words, |(_, reason)| reason);
    reason.trim_end_matches(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_refuses_is_not_asked_again_and_again() {
        let program = |why: &str| Trouble::Program { why: why.into() };
        assert!(program("me@web1: Permission denied (publickey).").needs_operator());
        assert!(!program("connect to host web1 port 22: Connection refused").needs_operator());
        assert!(!Trouble::Late.needs_operator());
        // An update mends it, and a handshake is no login that counts as refused.
        assert!(!Trouble::Crypto { why: String::new() }.needs_operator());
    }

    #[test]
    fn says_what_was_tried_in_one_line() {
        let refused = |methods: &[&str], tried: &[&str], notes: &[&str]| {
            let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
            Trouble::Refused {
                user: "ops".into(),
                methods: list(methods),
                tried: list(tried),
                notes: list(notes),
            }
        };
        assert_eq!(
            refused(
                &["publickey", "password"],
                &["/k", "the agent's me"],
                &["/j is not there"]
            )
            .to_string(),
            "ops may not log in; the host takes publickey, password; it refused /k, the agent's me; /j is not there"
        );
        let none = refused(&["gssapi-with-mic"], &[], &[]);
        assert_eq!(
            none.to_string(),
            "ops may not log in; the host takes gssapi-with-mic; there was nothing to offer"
        );
        assert!(none.remedy("web1").unwrap().contains("via: openssh"));
        let too_many = |tried: &str| {
            Trouble::TooMany {
                tried: tried.into(),
            }
            .remedy("web1")
            .unwrap()
        };
        assert!(too_many("/a, /b").contains("IdentitiesOnly"));
        assert!(too_many("a password").contains("password"));
    }
}
