//! Where a host is and how to log in there, as the operator's `ssh_config` says.
//!
//! `ssh -G` resolves Include, Match and most tokens: what OpenSSH would do is what is done. On a
//! machine without `ssh` no configuration is read, and a login that fails says so.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::options::SshOptions;
use super::trouble::Trouble;
use crate::engine::error::{Error, Result};

mod dump;
pub mod hop;
mod token;

use dump::Dump;
use hop::{Family, Hop, Strict};

/// Bastions behind bastions: more are a loop.
const MAX_HOPS: usize = 8;

impl Hop {
    fn of(name: &str, dump: &Dump, at_home: &Path) -> std::result::Result<Hop, String> {
        let port = dump.one("port").unwrap_or("22");
        let mut hop = Hop {
            name: name.to_owned(),
            host: dump.one("hostname").unwrap_or(name).to_owned(),
            port: port.parse().map_err(|_| format!("{port:?} is no port"))?,
            family: match dump.one("addressfamily") {
                Some("inet") => Family::V4,
                Some("inet6") => Family::V6,
                _ => Family::Any,
            },
            way: Vec::new(),
            user: dump.one("user").ok_or("no login name")?.to_owned(),
            identity_files: Vec::new(),
            certificate_files: Vec::new(),
            identity_agent: None,
            identities_only: dump.flag("identitiesonly", false),
            user_known_hosts: Vec::new(),
            global_known_hosts: Vec::new(),
            revoked_host_keys: None,
            known_hosts_command: dump.set("knownhostscommand").is_some(),
            host_key_alias: dump.set("hostkeyalias").map(str::to_owned),
            strict: match dump.one("stricthostkeychecking") {
                Some("yes" | "true") => Strict::Yes,
                Some("no" | "false" | "off" | "accept-new") => Strict::AcceptNew,
                _ => Strict::Ask,
            },
            hash_known_hosts: dump.flag("hashknownhosts", false),
            connect_timeout: dump.seconds("connecttimeout"),
            publickey: dump.flag("pubkeyauthentication", true),
            keyboard_interactive: dump.flag("kbdinteractiveauthentication", true),
            password: dump.flag("passwordauthentication", true),
            server_alive_interval: dump.seconds("serveraliveinterval"),
            server_alive_count_max: dump
                .one("serveralivecountmax")
                .and_then(|n| n.parse().ok())
                .unwrap_or(3),
            notes: Vec::new(),
        };
        let tokens = token::Tokens::of(&hop, dump.one("proxyjump").unwrap_or(""), at_home);
        let path = |text: &str| tokens.path(text);
        let all = |key: &str| -> std::result::Result<Vec<PathBuf>, String> {
            let texts = dump.all(key).filter(|text| *text != "none");
            texts.map(path).collect()
        };
        let (identities, certificates) = (all("identityfile")?, all("certificatefile")?);
        let agent = match dump.one("identityagent") {
            Some("none") => None,
            None | Some("SSH_AUTH_SOCK") => token::variable("SSH_AUTH_SOCK").map(PathBuf::from),
            Some(text) => match text.strip_prefix('$').filter(|v| !v.starts_with('{')) {
                Some(name) => token::variable(name).map(PathBuf::from),
                None => Some(path(text)?),
            },
        };
        let files = |key: &str| -> std::result::Result<Vec<PathBuf>, String> {
            let texts = dump::paths(dump.one(key).unwrap_or(""));
            texts.iter().map(|text| path(text)).collect()
        };
        let (user, global) = (files("userknownhostsfile")?, files("globalknownhostsfile")?);
        let revoked = dump.set("revokedhostkeys").map(path).transpose()?;
        hop.identity_files = identities;
        hop.certificate_files = certificates;
        hop.identity_agent = agent;
        hop.user_known_hosts = user;
        hop.global_known_hosts = global;
        hop.revoked_host_keys = revoked;
        if dump.set("pkcs11provider").is_some() {
            let note = "PKCS11Provider needs the system's ssh (`via: openssh`)";
            hop.notes.push(note.to_owned());
        }
        Ok(hop)
    }
}

/// How to reach a host of the fleet: the bastions in the order in which they are passed, the host
/// itself last. Blocks: it runs `ssh -G`.
///
/// # Errors
/// ssh_config is wrong, or asks for what only OpenSSH can do.
pub fn resolve(
    options: &SshOptions,
    user: Option<&str>,
    host: &str,
    port: Option<u16>,
) -> Result<Vec<Hop>> {
    let target = Target {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
    };
    let hops = walk(options, &target, MAX_HOPS).map_err(|trouble| Error::Ssh {
        host: host.to_owned(),
        trouble: Box::new(trouble),
    })?;
    Ok(with_ways(hops))
}

fn with_ways(mut hops: Vec<Hop>) -> Vec<Hop> {
    let mut way = Vec::new();
    for hop in &mut hops {
        hop.way = way.clone();
        way.push(hop.as_bastion());
    }
    hops
}

fn walk(
    options: &SshOptions,
    target: &Target,
    left: usize,
) -> std::result::Result<Vec<Hop>, Trouble> {
    let config = |why: String| Trouble::Config { why };
    if left == 0 {
        return Err(config(format!(
            "ProxyJump leads over more than {MAX_HOPS} hosts"
        )));
    }
    let dump = target.ask(options)?;
    let hop = target.hop(&dump)?;
    if dump.set("proxycommand").is_some() {
        return Err(Trouble::NeedsOpenSsh {
            what: format!("ProxyCommand (for {})", target.host),
        });
    }
    let mut hops = Vec::new();
    if let Some(jumps) = dump.set("proxyjump") {
        let jumps = token::jump(jumps, &hop).map_err(config)?;
        for (at, jump) in jumps.split(',').enumerate() {
            let jump = Target::parse(jump.trim()).map_err(config)?;
            match at {
                // As ssh does: the first one is reached the way that is configured for it …
                0 => hops.extend(walk(options, &jump, left - 1)?),
                // … and each further one through the one before, whatever is.
                _ => hops.push(jump.hop(&jump.ask(options)?)?),
            }
            if hops.len() >= MAX_HOPS {
                return Err(config(format!(
                    "ProxyJump leads over more than {MAX_HOPS} hosts"
                )));
            }
        }
    }
    hops.push(hop);
    Ok(hops)
}

/// What is looked up.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    user: Option<String>,
    host: String,
    port: Option<u16>,
}

impl Target {
    /// One of ProxyJump: `[user@]host[:port]`, also behind `ssh://`.
    fn parse(text: &str) -> std::result::Result<Target, String> {
        let wrong = || format!("ProxyJump: {text:?} is not user@host:port");
        let rest = text.strip_prefix("ssh://").unwrap_or(text);
        let rest = rest.trim_end_matches('/');
        let (user, machine) = match rest.rsplit_once('@') {
            Some((user, machine)) => (Some(user), machine),
            None => (None, rest),
        };
        let (host, port) = match machine.strip_prefix('[') {
            Some(inside) => {
                let (host, after) = inside.split_once(']').ok_or_else(wrong)?;
                (host, after.strip_prefix(':'))
            }
            None => match machine.rsplit_once(':') {
                // A bare IPv6 address.
                Some((host, _)) if host.contains(':') => (machine, None),
                Some((host, port)) => (host, Some(port)),
                None => (machine, None),
            },
        };
        let port = match port {
            None => None,
            Some(port) => Some(port.parse::<u16>().map_err(|_| wrong())?),
        };
        // Neither may be taken for an option.
        let odd = |word: &str| word.is_empty() || word.starts_with('-');
        if odd(host) || user.is_some_and(odd) || port == Some(0) {
            return Err(wrong());
        }
        Ok(Target {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
        })
    }

    fn ask(&self, options: &SshOptions) -> std::result::Result<Dump, Trouble> {
        if self.host.starts_with('-') || self.user.as_ref().is_some_and(|u| u.starts_with('-')) {
            return Err(Trouble::Config {
                why: format!("{:?} is not the name of a host", self.host),
            });
        }
        let user = self.user.as_deref();
        match dump::ask("ssh", dump::LIMIT, options, user, &self.host, self.port)? {
            Some(dump) => Ok(dump),
            None => self.without_ssh(options),
        }
    }

    /// What holds on a machine that has no `ssh` to ask.
    fn without_ssh(&self, options: &SshOptions) -> std::result::Result<Dump, Trouble> {
        if let Some(file) = &options.config {
            return Err(Trouble::Config {
                why: format!(
                    "{} cannot be read: there is no ssh program here",
                    file.display()
                ),
            });
        }
        let user = self.user.clone().or_else(token::local_user);
        let mut lines: HashMap<String, Vec<String>> = HashMap::new();
        let mut set = |key: &str, values: &[&str]| {
            lines.insert(
                key.to_owned(),
                values.iter().map(|v| (*v).to_owned()).collect(),
            );
        };
        set("hostname", &[&self.host.to_ascii_lowercase()]);
        if let Some(user) = &user {
            set("user", &[user]);
        }
        set("port", &[&self.port.unwrap_or(22).to_string()]);
        set(
            "identityfile",
            &["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"],
        );
        set(
            "userknownhostsfile",
            &["~/.ssh/known_hosts ~/.ssh/known_hosts2"],
        );
        set(
            "globalknownhostsfile",
            &["/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"],
        );
        Ok(Dump::without_ssh(lines))
    }

    fn hop(&self, dump: &Dump) -> std::result::Result<Hop, Trouble> {
        let home = token::home();
        let mut hop = Hop::of(&self.host, dump, &home).map_err(|why| Trouble::Config { why })?;
        if dump.defaults && home.join(".ssh/config").exists() {
            let note = "~/.ssh/config was not read, for there is no ssh program here";
            hop.notes.push(note.to_owned());
        }
        Ok(hop)
    }
}

#[cfg(test)]
#[path = "config/tests.rs"]
mod tests;
