//! Proving it with a key: the agent's, and those in files.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh2::{Agent, PublicKey, Session};

use super::{Done, Login, Step};
use crate::engine::transport::ask::Question;
use crate::engine::transport::ssh::agent;
use crate::engine::transport::ssh::answered::Secret;
use crate::engine::transport::ssh::key_file::{self, KeyFile, Unusable};
use crate::engine::transport::ssh::known_hosts;
use crate::engine::transport::ssh::line::{Stop, one_line};
use crate::file;

/// How often a passphrase may be wrong.
const TRIES: usize = 3;
/// libssh2: the signature was refused, or could not be made.
const UNVERIFIED: i32 = -19;

/// What the host says to a key.
enum Reply {
    In,
    /// It does not know it.
    Unknown,
    /// It knows it, and lets nobody in with it alone.
    Signed,
    /// It knows it, but it could not be made to sign.
    Unsigned,
    /// libssh2 cannot use it.
    Unfit(String),
}

impl Login<'_> {
    /// Offers the keys, in OpenSSH's order: the agent's that are named in the configuration, the
    /// agent's others, then the files.
    pub(super) fn keys(&mut self) -> Done<Step> {
        let mut files = self.files();
        let (agent, identities) = self.agent();
        let named = |key: &PublicKey| {
            let is = |file: &KeyFile| match &file.public {
                // A certificate is named with the key that it is for.
                Some(public) => public == key.blob() || certifies(key.blob(), public),
                None => false,
            };
            files.iter().position(is)
        };
        let mut offered: Vec<(usize, PublicKey)> = identities
            .into_iter()
            .map(|key| (named(&key).unwrap_or(usize::MAX), key))
            .filter(|(place, _)| *place != usize::MAX || !self.hop.identities_only)
            .collect();
        offered.sort_by_key(|(place, _)| *place);
        let held: Vec<Vec<u8>> = offered.iter().map(|(_, key)| key.blob().to_vec()).collect();
        files.retain(|file| !file.public.as_ref().is_some_and(|key| held.contains(key)));

        if let Some(agent) = &agent {
            for (_, key) in &offered {
                match self.agents_key(agent, key)? {
                    Step::No => {}
                    step => return Ok(step),
                }
            }
        }
        for file in &files {
            match self.file(file)? {
                Step::No => {}
                step => return Ok(step),
            }
        }
        Ok(Step::No)
    }

    /// The key files that can be offered.
    fn files(&mut self) -> Vec<KeyFile> {
        let mut files = Vec::new();
        for path in &self.hop.identity_files {
            match key_file::read(path) {
                Ok(file) => files.push(file),
                Err(Unusable::Missing) if is_default(path) => {}
                // With the private half elsewhere (in the agent), the public one names the key.
                Err(Unusable::Missing) => match named_by(path) {
                    Some(file) => files.push(file),
                    None => self.notes.push(format!("{} is not there", path.display())),
                },
                Err(why) => self.notes.push(format!("{} {why}", path.display())),
            }
        }
        files
    }

    fn agent(&mut self) -> (Option<Agent>, Vec<PublicKey>) {
        let Some(socket) = &self.hop.identity_agent else {
            return (None, Vec::new());
        };
        let listed = agent::identities(socket).and_then(|listed| match listed.is_empty() {
            true => Ok(None),
            false => ask_through(&self.line.session, socket)
                .map(Some)
                .map_err(|error| one_line(error.message())),
        });
        match listed {
            Ok(None) => (None, Vec::new()),
            Ok(Some((agent, mut keys))) => {
                let before = keys.len();
                keys.retain(|key| !known_hosts::kind(key.blob()).starts_with("sk-"));
                if keys.len() < before {
                    let note = "the agent's FIDO keys need the system's ssh (`via: openssh`)";
                    self.notes.push(note.to_owned());
                }
                (Some(agent), keys)
            }
            Err(why) => {
                let note = format!("the agent at {} cannot be asked: {why}", socket.display());
                self.notes.push(note);
                (None, Vec::new())
            }
        }
    }

    fn agents_key(&mut self, agent: &Agent, key: &PublicKey) -> Done<Step> {
        let user = &self.hop.user;
        // An agent may ask its owner before it signs.
        let clock = &self.line.clock;
        let sign = |_: &Session| clock.pause(|| agent.userauth(user, key));
        let reply = self.line.drive(sign);
        let what = format!("the agent's {}", one_line(key.comment()));
        match self.reply(reply)? {
            Reply::In => Ok(Step::In),
            Reply::Signed => self.signed(what),
            Reply::Unknown => {
                self.tried.push(what);
                Ok(Step::No)
            }
            Reply::Unsigned => {
                self.notes.push(format!(
                    "{what} would do, but the agent does not sign with it"
                ));
                Ok(Step::No)
            }
            Reply::Unfit(why) => {
                self.notes.push(format!("{what}: {why}"));
                Ok(Step::No)
            }
        }
    }

    /// The host took the signature, and did not let us in.
    fn signed(&mut self, what: String) -> Done<Step> {
        let step = self.wants_more()?;
        if step == Step::No {
            self.tried.push(what);
        }
        Ok(step)
    }

    fn file(&mut self, file: &KeyFile) -> Done<Step> {
        let Some(private) = &file.private else {
            return Ok(Step::No);
        };
        let what = file.path.display().to_string();
        for certificate in self.certificates(file) {
            let of = format!("the certificate of {what}");
            match self.private_key(file, private, Some(&certificate), &of)? {
                Step::No => {}
                step => return Ok(step),
            }
        }
        self.private_key(file, private, None, &what)
    }

    /// Certificates for a key: beside it, or named in the configuration.
    fn certificates(&self, file: &KeyFile) -> Vec<String> {
        let mut beside = file.path.as_os_str().to_owned();
        beside.push("-cert.pub");
        let mut paths = vec![PathBuf::from(beside)];
        paths.extend(self.hop.certificate_files.iter().cloned());
        let texts = paths
            .iter()
            .filter_map(|path| file::read_text(path, file::SMALL).ok());
        texts
            .filter(|text| {
                let blob = key_file::public(text);
                let (Some(blob), Some(key)) = (blob, &file.public) else {
                    return false;
                };
                certifies(&blob, key)
            })
            .collect()
    }

    fn private_key(
        &mut self,
        file: &KeyFile,
        private: &Secret,
        certificate: Option<&String>,
        what: &str,
    ) -> Done<Step> {
        let path = file.path.display().to_string();
        let name = format!("passphrase of {path}");
        let public = match (certificate, &file.public) {
            (Some(text), _) => text.lines().next().map(str::to_owned),
            (None, Some(key)) => Some(format!(
                "{} {}",
                known_hosts::kind(key),
                STANDARD.encode(key)
            )),
            (None, None) => None,
        };
        let mut passphrase = match file.encrypted {
            true => self.answered.secret(&name),
            false => None,
        };
        let mut wrong = 0;
        loop {
            // Without its public half it cannot be offered before it was opened.
            if file.encrypted && public.is_none() && passphrase.is_none() {
                passphrase = self.passphrase(&name, None, false);
                if passphrase.is_none() {
                    return Ok(self.unopened(&path));
                }
            }
            let user = &self.hop.user;
            let text = passphrase.as_ref().map(|secret| secret.as_str());
            let reply = self.line.drive(|session| {
                session.userauth_pubkey_memory(user, public.as_deref(), private, text)
            });
            match self.reply(reply)? {
                Reply::In => return Ok(Step::In),
                Reply::Signed => return self.signed(what.to_owned()),
                Reply::Unknown => {
                    self.tried.push(what.to_owned());
                    return Ok(Step::No);
                }
                Reply::Unsigned | Reply::Unfit(_) if file.encrypted => {
                    if let Some(secret) = &passphrase {
                        wrong += 1;
                        self.answered.forget(&name, secret);
                    }
                    if wrong >= TRIES {
                        let note = format!("{path} was not opened by {TRIES} passphrases");
                        self.notes.push(note);
                        return Ok(Step::No);
                    }
                    passphrase = self.passphrase(&name, passphrase.as_ref(), wrong > 0);
                    if passphrase.is_none() {
                        return Ok(self.unopened(&path));
                    }
                }
                Reply::Unsigned => {
                    self.notes
                        .push(format!("{path} cannot be used: libssh2 does not read it"));
                    return Ok(Step::No);
                }
                Reply::Unfit(why) => {
                    self.notes.push(format!("{path} cannot be used: {why}"));
                    return Ok(Step::No);
                }
            }
        }
    }

    fn unopened(&mut self, path: &str) -> Step {
        self.notes.push(format!(
            "{path} has a passphrase that nobody gave: `ssh-add {path}` lets the agent keep it"
        ));
        Step::No
    }

    fn passphrase(&self, name: &str, wrong: Option<&Secret>, again: bool) -> Option<Secret> {
        let question = Question::Text {
            host: self.hop.name.clone(),
            prompt: one_line(name),
            by_host: false,
            visible: false,
            again,
        };
        let ask = || self.answered.ask_secret(name, wrong, self.ask, &question);
        // A zero byte would end it early in libssh2.
        self.line
            .clock
            .pause(ask)
            .filter(|secret| !secret.contains('\0'))
    }

    fn reply(&self, reply: std::result::Result<(), Stop>) -> Done<Reply> {
        let stop = match reply {
            Ok(()) => return Ok(Reply::In),
            Err(stop) if stop.is_cut() => return Err(self.broken(stop)),
            Err(Stop::Time) => return Err(self.broken(Stop::Time)),
            Err(stop) => stop,
        };
        let Stop::Ssh { code, why } = stop else {
            return Err(self.broken(stop));
        };
        Ok(match code {
            -18 => Reply::Unknown,
            UNVERIFIED if why.starts_with("Invalid signature") => Reply::Signed,
            UNVERIFIED => Reply::Unsigned,
            _ => Reply::Unfit(why),
        })
    }
}

fn ask_through(
    session: &Session,
    socket: &Path,
) -> std::result::Result<(Agent, Vec<PublicKey>), ssh2::Error> {
    let mut agent = session.agent()?;
    agent.set_identity_path(socket)?;
    agent.connect()?;
    agent.list_identities()?;
    let keys = agent.identities()?;
    Ok((agent, keys))
}

/// The files that OpenSSH looks for by itself.
fn is_default(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    path.parent().is_some_and(|folder| folder.ends_with(".ssh"))
        && matches!(
            name,
            "id_rsa"
                | "id_ecdsa"
                | "id_ecdsa_sk"
                | "id_ed25519"
                | "id_ed25519_sk"
                | "id_xmss"
                | "id_dsa"
        )
}

/// The key that `FILE.pub` names when `FILE` is not there.
fn named_by(path: &Path) -> Option<KeyFile> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".pub");
    key_file::read(Path::new(&beside)).ok()
}

/// Whether a certificate is for this key: it holds the key's numbers behind its kind and a nonce.
fn certifies(certificate: &[u8], key: &[u8]) -> bool {
    let (mut cert, mut plain) = (certificate, key);
    let kinds = (key_file::string(&mut cert), key_file::string(&mut plain));
    let (Some(kind), Some(of)) = kinds else {
        return false;
    };
    let named = [of, b"-cert-v01@openssh.com"].concat();
    kind == named && key_file::string(&mut cert).is_some() && cert.starts_with(plain)
}
