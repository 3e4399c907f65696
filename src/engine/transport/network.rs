//! How one run of the program reaches hosts: what all of its connections share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::ask::{Ask, Headless};
use super::connector::Connector;
use super::ssh::{Answered, Ssh, SshOptions, openssh};
use super::tcp::{self, Target};
use super::tls;
use crate::engine::error::{Error, Result, TlsProblem};
use crate::engine::registry::Registries;
use crate::fleet::{EngineAddress, Via, is_private};

/// Yields the connector for any address of the fleet file. Cheap to clone; clones share what was
/// asked and answered.
#[derive(Clone)]
pub struct Network {
    folder: Arc<OnceLock<PathBuf>>,
    ssh: Ssh,
    registries: Registries,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

impl Default for Network {
    fn default() -> Self {
        Network::headless()
    }
}

impl Network {
    /// Whatever has to be asked fails.
    pub fn headless() -> Self {
        Network::asking(Arc::new(Headless))
    }

    /// Questions go to `ask`.
    pub fn asking(ask: Arc<dyn Ask>) -> Self {
        Network {
            folder: Arc::default(),
            ssh: Ssh::new(SshOptions::default(), ask, Arc::default()),
            registries: Registries::default(),
        }
    }

    /// The same, but questions go to `ask`.
    pub fn asked_by(self, ask: Arc<dyn Ask>) -> Self {
        let (options, answered) = (self.ssh().clone(), self.answered().clone());
        Network {
            ssh: Ssh::new(options, ask, answered),
            ..self
        }
    }

    /// The same, with another `ssh_config` than the operator's own.
    pub fn with_ssh(self, ssh: SshOptions) -> Self {
        let (ask, answered) = (self.ask().clone(), self.answered().clone());
        Network {
            ssh: Ssh::new(ssh, ask, answered),
            ..self
        }
    }

    /// The same, with pulls of images logged in like that.
    pub fn with_registries(self, registries: Registries) -> Self {
        Network { registries, ..self }
    }

    /// How pulls of images are logged in.
    pub fn registries(&self) -> &Registries {
        &self.registries
    }

    /// Who answers questions.
    pub fn ask(&self) -> &Arc<dyn Ask> {
        self.ssh.ask()
    }

    /// Relative paths of addresses start at this folder, the fleet file's. There is one in a run:
    /// later ones are not heard. Where there is none they start at the working directory.
    pub fn start_paths_at(&self, folder: &Path) {
        // Said before: the same fleet file was read again.
        let _ = self.folder.set(folder.to_owned());
    }

    /// A path of an address, `~` and the fleet file's folder put in.
    pub fn path(&self, path: &str) -> PathBuf {
        let home = || Some(directories::BaseDirs::new()?.home_dir().to_owned());
        let from_home = match path.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                home().map(|home| home.join(rest.trim_start_matches('/')))
            }
            _ => None,
        };
        from_home.unwrap_or_else(|| match self.folder.get() {
            Some(folder) => folder.join(path),
            None => PathBuf::from(path),
        })
    }

    /// The key of an address's TLS files, when everyone on this machine can read it.
    pub fn open_key(&self, address: &EngineAddress) -> Option<PathBuf> {
        match address {
            EngineAddress::Tcp {
                tls: Some(folder), ..
            } => tls::open_key(&self.path(folder)),
            _ => None,
        }
    }

    /// What was answered so far.
    pub fn answered(&self) -> &Arc<Answered> {
        self.ssh.answered()
    }

    /// How `ssh` and its configuration are asked.
    pub fn ssh(&self) -> &SshOptions {
        self.ssh.options()
    }

    /// The way to one engine. Nothing is connected yet: that is done when a client first asks for
    /// a stream.
    ///
    /// # Errors
    /// The address is of a kind that this version cannot reach, or plain TCP where that is not
    /// spoken. What is wrong with TLS files is the error of a connection: they may be mended.
    pub fn connector(&self, address: &EngineAddress) -> Result<Connector> {
        let why = match address {
            EngineAddress::Unix { path } => return Ok(Connector::unix(path)),
            EngineAddress::Tcp {
                host,
                port,
                tls,
                insecure,
            } => {
                let target = Target {
                    address: address.to_string(),
                    host: host.clone(),
                    port: *port,
                };
                return match tls {
                    Some(folder) => Ok(tls::connector(target, self.path(folder))),
                    None if !insecure => Err(target.problem(TlsProblem::NotSaid)),
                    None if !is_private(host) => Err(target.problem(TlsProblem::Exposed)),
                    None => Ok(tcp::connector(target)),
                };
            }
            EngineAddress::Ssh {
                user,
                host,
                port,
                socket,
                via,
            } => {
                let (user, socket) = (user.as_deref(), socket.as_deref());
                return Ok(match via {
                    Via::Native => self.ssh.connector(user, host, *port, socket),
                    Via::OpenSsh => openssh::connector(self.ssh(), user, host, *port, socket),
                });
            }
            EngineAddress::Sim { .. } => "simulated hosts exist only in `ostler demo`",
        };
        Err(Error::Unsupported {
            address: address.to_string(),
            why: why.to_owned(),
        })
    }
}
