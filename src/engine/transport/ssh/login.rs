//! Logging in: the handshake, the host's key, and proving who we are.

use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::Duration;

use ssh2::{MethodType, Session};

use super::answered::{Answered, KeyAnswer};
use super::config::hop::{Hop, Strict};
use super::crypto;
use super::known_hosts::{self, KnownHosts, RevokedError, Verdict};
use super::line::{Line, Stop, one_line};
use super::trouble::{ANSWERS, ChangedKey, Trouble};
use crate::engine::error::{Error, Result};
use crate::engine::transport::ask::{Ask, Question};

mod asked;
mod keys;

/// How long a host has for handshake and login together, without the time that a person takes.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Bytes that a host's offer of methods has at least, so many more than its greeting.
const OFFER: usize = 128;

type Done<T> = std::result::Result<T, Trouble>;

/// Logs in on a connection to a host. Blocks, as long as a person takes to answer; call it where
/// that is allowed. `address` is where the connection goes, for messages: `192.0.2.7:22`.
///
/// The session comes back in blocking mode, with [`LIMIT`] as the timeout of each call.
///
/// # Errors
/// [`Error::Ssh`], with the reason why there is no login.
pub fn log_in(
    stream: impl AsFd + AsRawFd + Send + 'static,
    hop: &Hop,
    address: &str,
    ask: &dyn Ask,
    answered: &Answered,
) -> Result<Session> {
    // As with OpenSSH, a configured ConnectTimeout holds for the handshake too.
    let limit = hop.connect_timeout.unwrap_or(LIMIT);
    let start = || -> Done<Session> {
        let login = Login {
            line: Line::new(stream, limit)?,
            hop,
            address,
            ask,
            answered,
            tried: Vec::new(),
            repeated: 0,
            notes: hop.notes.clone(),
            methods: Vec::new(),
        };
        login.run()
    };
    start().map_err(|trouble| Error::Ssh {
        host: hop.name.clone(),
        trouble: Box::new(trouble),
    })
}

struct Login<'a> {
    line: Line,
    hop: &'a Hop,
    address: &'a str,
    ask: &'a dyn Ask,
    answered: &'a Answered,
    /// What was offered and refused.
    tried: Vec<String>,
    /// Refusals of what had been refused before: another answer to the same question.
    repeated: usize,
    /// What could not be offered.
    notes: Vec<String>,
    /// What the host would take now.
    methods: Vec<String>,
}

/// How one way to log in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    In,
    No,
    /// It was right, and the host wants another one besides.
    Partly,
}

impl Login<'_> {
    fn run(mut self) -> Done<Session> {
        let name = self.hop.known_as();
        let known = self.known(&name)?;
        self.handshake(&known)?;
        self.line.clock.stretch(LIMIT);
        self.check_key(&known, &name)?;
        self.authenticate()?;
        let session = self.line.session;
        session.set_timeout(u32::try_from(LIMIT.as_millis()).unwrap_or(10_000));
        session.set_blocking(true);
        Ok(session)
    }

    fn known(&self, name: &str) -> Done<KnownHosts> {
        let files = [
            &self.hop.user_known_hosts[..],
            &self.hop.global_known_hosts[..],
        ]
        .concat();
        KnownHosts::read(&files, name).map_err(|(file, error)| Trouble::KnownHosts {
            file: file.display().to_string(),
            why: error.to_string(),
        })
    }

    fn handshake(&self, known: &KnownHosts) -> Done<()> {
        let session = &self.line.session;
        let refused = |error: ssh2::Error| Trouble::Crypto {
            why: one_line(error.message()),
        };
        crypto::restrict(session).map_err(refused)?;
        let can = session
            .supported_algs(MethodType::HostKey)
            .map_err(refused)?;
        let order = host_key_order(&known.kinds(), &can);
        session
            .method_pref(MethodType::HostKey, &order.join(","))
            .map_err(refused)?;
        let mut came = 0;
        let shaken = self.line.drive(|session| {
            came += self.line.unread();
            session.clone().handshake()
        });
        shaken.map_err(|stop| self.no_handshake(&stop, came))
    }

    /// `came`: how many bytes the host sent, its greeting included.
    fn no_handshake(&self, stop: &Stop, came: usize) -> Trouble {
        let address = self.address.to_owned();
        let banner = self.line.session.banner_bytes().unwrap_or_default();
        let greeted = banner.starts_with(b"SSH-");
        match stop {
            Stop::Time => Trouble::TimedOut {
                what: match greeted {
                    true => "agree on keys".to_owned(),
                    false => format!("hear an SSH server at {address}"),
                },
                after: self.line.clock.limit(),
            },
            // It said something, and that was no greeting; -2 and -14: nor was it a line.
            Stop::Ssh { code: -2 | -14, .. } if !greeted => Trouble::NotSsh { address },
            stop if stop.is_cut() && !greeted && !banner.is_empty() => Trouble::NotSsh { address },
            stop if stop.is_cut() && !greeted => Trouble::Closed { address },
            // libssh2 says the same of all that goes wrong while keys are exchanged. A host with
            // which nothing is in common hangs up too, but has made its offer before.
            Stop::Ssh { code: -5 | -8, .. }
                if self.line.is_over() && (self.agreed() || came < banner.len() + OFFER) =>
            {
                Trouble::Lost {
                    why: "the host hung up while keys were exchanged".to_owned(),
                }
            }
            // -5, -8: nothing in common; -33: the host wants what libssh2 does not have.
            Stop::Ssh {
                code: -5 | -8 | -33,
                why,
            } => Trouble::Crypto { why: why.clone() },
            Stop::Ssh { why, .. } => Trouble::Lost { why: why.clone() },
        }
    }

    /// Whether a common method was found for everything.
    fn agreed(&self) -> bool {
        let all = [
            MethodType::Kex,
            MethodType::HostKey,
            MethodType::CryptCs,
            MethodType::CryptSc,
            MethodType::MacCs,
            MethodType::MacSc,
        ];
        let session = &self.line.session;
        all.into_iter().all(|kind| session.methods(kind).is_some())
    }

    fn check_key(&self, known: &KnownHosts, name: &str) -> Done<()> {
        let key = self.line.session.host_key().map(|(key, _)| key.to_vec());
        let key = key.ok_or_else(|| Trouble::Lost {
            why: "the host showed no key".to_owned(),
        })?;
        let (kind, fingerprint) = (known_hosts::kind(&key), known_hosts::fingerprint(&key));
        let revoked = |place: String| Trouble::RevokedKey {
            kind: kind.clone(),
            fingerprint: fingerprint.clone(),
            place,
        };
        if let Some(bits) = crypto::rsa_bits(&key).filter(|bits| *bits < crypto::RSA_BITS) {
            return Err(Trouble::WeakKey { bits, fingerprint });
        }
        if let Some(file) = &self.hop.revoked_host_keys {
            let place = |line: usize| format!("{}:{line}", file.display());
            match known_hosts::revoked_by(file, &key) {
                Ok(None) => {}
                Ok(Some(line)) => return Err(revoked(place(line))),
                Err(RevokedError::Binary) => {
                    let what = format!("RevokedHostKeys in binary form ({})", file.display());
                    return Err(Trouble::NeedsOpenSsh { what });
                }
                Err(RevokedError::Unreadable(error)) => {
                    return Err(Trouble::KnownHosts {
                        file: file.display().to_string(),
                        why: error.to_string(),
                    });
                }
            }
        }
        match known.judge(&key) {
            Verdict::Known => Ok(()),
            Verdict::Revoked(entry) => Err(revoked(entry.place())),
            Verdict::Changed(entry) => Err(Trouble::ChangedKey(Box::new(ChangedKey {
                kind,
                fingerprint,
                known_kind: entry.kind.clone(),
                known: known_hosts::fingerprint(&entry.key),
                place: entry.place(),
                name: name.to_owned(),
                file: entry.file.display().to_string(),
            }))),
            Verdict::Authority(entry) => Err(Trouble::NeedsOpenSsh {
                what: format!("a host certificate ({})", entry.place()),
            }),
            Verdict::Unknown if self.hop.known_hosts_command => Err(Trouble::NeedsOpenSsh {
                what: "KnownHostsCommand".to_owned(),
            }),
            Verdict::Unknown => self.unknown_key(&key, kind, fingerprint, name),
        }
    }

    fn unknown_key(&self, key: &[u8], kind: String, fingerprint: String, name: &str) -> Done<()> {
        let file = self.hop.user_known_hosts.first();
        let write = || match file {
            None => Ok(()),
            Some(file) => self.write(file, name, key),
        };
        let answer = match self.hop.strict {
            Strict::AcceptNew => return write(),
            Strict::Yes => KeyAnswer::Nobody,
            Strict::Ask => {
                let question = Question::HostKey {
                    host: self.hop.name.clone(),
                    address: self.address.to_owned(),
                    kind: kind.clone(),
                    fingerprint: fingerprint.clone(),
                    file: file.cloned().unwrap_or_default(),
                };
                let clock = &self.line.clock;
                clock.pause(|| self.answered.ask_host_key(self.ask, &question, write))?
            }
        };
        if answer == KeyAnswer::Yes {
            return Ok(());
        }
        let port = match self.hop.port {
            22 => String::new(),
            port => format!("-p {port} "),
        };
        // A port that is written in the address is not in ssh_config.
        let login = format!("{port}{}@{}", self.hop.user, self.hop.name);
        let remedy = match self.hop.strict {
            Strict::Yes => format!(
                "StrictHostKeyChecking is on: compare the fingerprint with what `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` says on the host, then add the key that `ssh-keyscan {port}{}` prints to known_hosts",
                self.hop.host
            ),
            _ => format!(
                "compare the fingerprint with what `ssh-keygen -lf` says on the host, then run `ssh {login}` once and answer yes, or answer yes in the console"
            ),
        };
        Err(Trouble::UnknownKey {
            kind,
            fingerprint,
            remedy,
            declined: answer == KeyAnswer::No,
        })
    }

    fn write(&self, file: &Path, name: &str, key: &[u8]) -> Done<()> {
        known_hosts::append(file, name, self.hop.hash_known_hosts, key).map_err(|error| {
            Trouble::KnownHosts {
                file: file.display().to_string(),
                why: format!("the key cannot be written there: {error}"),
            }
        })
    }

    fn authenticate(&mut self) -> Done<()> {
        if self.ask_methods()? == Step::In {
            return Ok(());
        }
        let mut done: Vec<&str> = Vec::new();
        loop {
            let ways = [
                ("publickey", self.hop.publickey),
                ("keyboard-interactive", self.hop.keyboard_interactive),
                ("password", self.hop.password),
            ];
            let way = ways.into_iter().find(|(way, may)| {
                *may && !done.contains(way) && self.methods.iter().any(|m| m == way)
            });
            let Some((way, _)) = way else {
                break;
            };
            done.push(way);
            let step = match way {
                "publickey" => self.keys()?,
                "password" => self.password()?,
                _ => {
                    // Both ask for the same password of most hosts.
                    let step = self.keyboard()?;
                    if self.tried.iter().any(|tried| tried == ANSWERS) {
                        done.push("password");
                    }
                    step
                }
            };
            if step == Step::In {
                return Ok(());
            }
        }
        Err(self.nothing_taken())
    }

    fn nothing_taken(&mut self) -> Trouble {
        Trouble::Refused {
            user: self.hop.user.clone(),
            methods: std::mem::take(&mut self.methods),
            tried: std::mem::take(&mut self.tried),
            notes: std::mem::take(&mut self.notes),
        }
    }

    /// Asks the host what it would take; a host may take nothing at all.
    fn ask_methods(&mut self) -> Done<Step> {
        let user = &self.hop.user;
        let listed = self
            .line
            .drive(|session| session.auth_methods(user).map(str::to_owned));
        if self.line.session.authenticated() {
            return Ok(Step::In);
        }
        let listed = listed.map_err(|stop| self.broken(stop))?;
        let words = listed
            .split(',')
            .map(one_line)
            .filter(|word| !word.is_empty());
        self.methods = words.take(16).collect();
        Ok(Step::No)
    }

    /// After something that was right as far as it went: whether the host wants more.
    fn wants_more(&mut self) -> Done<Step> {
        let before = self.methods.clone();
        Ok(match self.ask_methods()? {
            Step::In => Step::In,
            _ if self.methods != before => Step::Partly,
            step => step,
        })
    }

    /// What it means that a call failed without the host having refused what it was offered.
    fn broken(&self, stop: Stop) -> Trouble {
        match stop {
            Stop::Time => Trouble::TimedOut {
                what: format!("log in as {}", self.hop.user),
                after: self.line.clock.limit(),
            },
            // Whoever waits for a person may hang up for that alone.
            stop if stop.is_cut() && self.line.clock.paused() => Trouble::Late,
            // No host hangs up because of one.
            stop if stop.is_cut() && self.tried.len() + self.repeated > 1 => Trouble::TooMany {
                tried: self.tried.join(", "),
            },
            Stop::Ssh { why, .. } => Trouble::Lost { why },
        }
    }
}

/// The algorithms for host keys in the order in which they are offered: those of the known keys
/// first, or a host with several keys shows one that nobody knows. No certificates: libssh2 does
/// not check who signed them. Nothing that signs with SHA-1.
fn host_key_order<'a>(known: &[&str], can: &[&'a str]) -> Vec<&'a str> {
    let plain = |algorithm: &&&str| crypto::is_good(algorithm) && !algorithm.contains("-cert-");
    let is_known = |algorithm: &str| {
        known.iter().any(|kind| match *kind {
            "ssh-rsa" => algorithm.starts_with("rsa-sha2-"),
            kind => algorithm == kind,
        })
    };
    let (mut first, rest): (Vec<&str>, Vec<&str>) = can
        .iter()
        .filter(plain)
        .partition(|algorithm| is_known(algorithm));
    first.extend(rest);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_kinds_of_keys_come_first() {
        let can = [
            "ecdsa-sha2-nistp256",
            "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "ssh-ed25519",
            "rsa-sha2-512",
            "ssh-rsa",
        ];
        let none = ["ecdsa-sha2-nistp256", "ssh-ed25519", "rsa-sha2-512"];
        assert_eq!(host_key_order(&[], &can), none);
        assert_eq!(host_key_order(&["ssh-dss"], &can), none);
        assert_eq!(host_key_order(&["ssh-ed25519"], &can)[0], "ssh-ed25519");
        assert_eq!(
            host_key_order(&["ssh-rsa"], &can),
            ["rsa-sha2-512", "ecdsa-sha2-nistp256", "ssh-ed25519"]
        );
    }
}
