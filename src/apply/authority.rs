//! The certificate authority as one run of apply uses it: one account for all of a fleet's hosts, kept on
//! those that order.

use std::sync::Arc;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::progress::Failure;
use crate::acme::{Account, Authority, Credentials, Directory, Eab, Kind, Refusal};
use crate::fleet::{Acme, Fleet, SecretSpec};
use crate::host::service::secrets::SecretSource;
use crate::host::{NewFile, Toolbox};
use crate::text::plain_line;

/// What was opened in this run.
#[derive(Clone)]
pub(super) struct Open {
    pub account: Account,
    pub directory: Directory,
    credentials: Credentials,
}

/// The account of a run: opened by the first order.
#[derive(Default)]
pub(super) struct Accounts(Mutex<Option<Open>>);

impl Accounts {
    /// Opens the account: the one that is kept on this host or another, else a new one. From then on it
    /// is kept on this host, too.
    ///
    /// # Errors
    /// What the authority says.
    pub async fn open(
        &self,
        own: &Toolbox,
        peers: &[Toolbox],
        authority: &Authority,
    ) -> Result<Open, Refusal> {
        let mut held = self.0.lock().await;
        let open = match &*held {
            Some(open) => open.clone(),
            None => {
                let open = anew(own, peers, authority).await?;
                *held = Some(open.clone());
                open
            }
        };
        drop(held);
        Ok(open)
    }
}

async fn anew(own: &Toolbox, peers: &[Toolbox], authority: &Authority) -> Result<Open, Refusal> {
    let directory = Directory::reach(authority).await?;
    for toolbox in std::iter::once(own).chain(peers) {
        // A host that is away may keep it; another one does, or a new account does no harm.
        let Ok(Some(bytes)) = toolbox.read(&toolbox.layout.acme_account()).await else {
            continue;
        };
        let kept = Credentials::from_json(bytes);
        match directory.open(Some(&kept)).await {
            Ok(opened) => {
                let credentials = opened.keep.unwrap_or(kept);
                return Ok(Open {
                    account: opened.account,
                    directory,
                    credentials,
                });
            }
            // Of another authority, or out of force.
            Err(refusal) if refusal.kind == Kind::Account => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let opened = directory.open(None).await?;
    let Some(credentials) = opened.keep else {
        let why = "a new account cannot be kept";
        return Err(Refusal::of(Kind::Other, why));
    };
    Ok(Open {
        account: opened.account,
        directory,
        credentials,
    })
}

/// The authority as the fleet file has it, with what it names on the operator's machine. What binds an
/// account is read only where one is opened: its source may be a command.
///
/// # Errors
/// There is none, or what it names cannot be read.
pub async fn of_file(
    fleet: &Fleet,
    secrets: &dyn SecretSource,
    for_an_account: bool,
) -> Result<Authority, String> {
    let Some(Acme::On(wanted)) = &fleet.acme else {
        return Err("the fleet file names no authority".into());
    };
    let read = async |name: &'static str, spec: &SecretSpec| {
        let bytes = secrets.named("acme", name, spec).await;
        bytes.map_err(|error| plain_line(&error.to_string()))
    };
    let mut authority = Authority::new(&wanted.directory);
    let contact = wanted.contact.iter();
    authority.contact = contact.map(|address| format!("mailto:{address}")).collect();
    authority.profile.clone_from(&wanted.profile);
    if let Some(eab) = wanted.eab.as_ref().filter(|_| for_an_account) {
        let key = Zeroizing::new(read("eab", &eab.key).await?.0);
        let key = Zeroizing::new(String::from_utf8_lossy(&key).into_owned());
        authority.eab = Some(Eab::new(&eab.kid, &key)?);
    }
    if let Some(path) = &wanted.ca {
        let root = read("ca", &SecretSpec::File(path.clone())).await?;
        authority.root = Some(root.0);
    }
    Ok(authority)
}

/// Keeps the account on a host, unless it does.
///
/// # Errors
/// The toolbox.
pub(super) async fn keep(open: &Open, toolbox: &Toolbox) -> Result<(), Failure> {
    let path = toolbox.layout.acme_account();
    let there = toolbox.read(&path).await?;
    if there.as_deref() == Some(open.credentials.json()) {
        return Ok(());
    }
    let file = NewFile::new(path, 0o600, open.credentials.json());
    toolbox.replace(&[file]).await?;
    Ok(())
}

/// The toolboxes of the other hosts, where the account may be kept.
pub(super) type Peers = Arc<Vec<Toolbox>>;
