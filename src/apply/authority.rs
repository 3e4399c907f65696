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

/// The toolboxes of the other hosts, where the account may be kept.
pub(super) type Peers = Arc<Vec<Toolbox>>;

/// An account that was opened.
#[derive(Clone)]
struct Open {
    account: Account,
    credentials: Credentials,
}

/// What a run knows of the authority. What it refuses to all is asked for once.
#[derive(Default)]
pub(super) struct Accounts {
    directory: Mutex<Option<Result<Directory, Refusal>>>,
    open: Mutex<Option<Result<Open, Refusal>>>,
}

/// Why there is no account, and whether that was found out for somebody else already.
pub(super) struct NoAccount {
    pub refusal: Refusal,
    pub known: bool,
}

impl Accounts {
    /// The authority, reached once.
    ///
    /// # Errors
    /// It cannot be reached, or what the fleet file says of it cannot be read.
    pub async fn directory(
        &self,
        fleet: &Fleet,
        secrets: &dyn SecretSource,
    ) -> Result<Directory, NoAccount> {
        let mut held = self.directory.lock().await;
        let known = held.is_some();
        if held.is_none() {
            let reached = match of_file(fleet, secrets, false).await {
                Ok(authority) => Directory::reach(&authority).await,
                Err(why) => Err(Refusal::of(Kind::Settings, why)),
            };
            *held = Some(reached);
        }
        match &*held {
            Some(Ok(directory)) => Ok(directory.clone()),
            Some(Err(refusal)) => Err(NoAccount {
                refusal: refusal.clone(),
                known,
            }),
            None => Err(NoAccount {
                refusal: Refusal::of(Kind::Other, "the authority was not asked"),
                known,
            }),
        }
    }

    /// The account, opened once: the one that is kept on this host or another, else a new one. It is
    /// kept on this host before anything is ordered with it.
    ///
    /// # Errors
    /// What the authority says, or that it cannot be kept.
    pub async fn open(
        &self,
        own: &Toolbox,
        peers: &[Toolbox],
        fleet: &Fleet,
        secrets: &dyn SecretSource,
    ) -> Result<Account, NoAccount> {
        let directory = self.directory(fleet, secrets).await?;
        let mut held = self.open.lock().await;
        let known = held.is_some();
        if held.is_none() {
            *held = Some(anew(own, peers, &directory, fleet, secrets).await);
        }
        let refused = |refusal: &Refusal| NoAccount {
            refusal: refusal.clone(),
            known,
        };
        match &*held {
            Some(Ok(open)) => {
                let open = open.clone();
                drop(held);
                keep(&open.credentials, own).await.map_err(|failure| {
                    let why = format!("the account cannot be kept: {failure}");
                    refused(&Refusal::of(Kind::Other, why))
                })?;
                Ok(open.account)
            }
            Some(Err(refusal)) => Err(refused(refusal)),
            None => Err(refused(&Refusal::of(Kind::Other, "no account was opened"))),
        }
    }
}

async fn anew(
    own: &Toolbox,
    peers: &[Toolbox],
    directory: &Directory,
    fleet: &Fleet,
    secrets: &dyn SecretSource,
) -> Result<Open, Refusal> {
    for toolbox in std::iter::once(own).chain(peers) {
        // A host that is away may keep it; another one does, or a new account does no harm.
        let Ok(Some(bytes)) = toolbox.read(&toolbox.layout.acme_account()).await else {
            continue;
        };
        let kept = Credentials::from_json(bytes);
        match directory.open(Some(&kept)).await {
            Ok(opened) => {
                return Ok(Open {
                    account: opened.account,
                    credentials: opened.keep.unwrap_or(kept),
                });
            }
            // Of another authority, or out of force.
            Err(refusal) if refusal.kind == Kind::Account => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let authority = of_file(fleet, secrets, true).await;
    let authority = authority.map_err(|why| Refusal::of(Kind::Settings, why))?;
    let opened = Directory::reach(&authority).await?.open(None).await?;
    let Some(credentials) = opened.keep else {
        return Err(Refusal::of(Kind::Other, "a new account cannot be kept"));
    };
    // Before anything else: one that is lost is made again with every try.
    keep(&credentials, own).await.map_err(|failure| {
        Refusal::of(
            Kind::Other,
            format!("the account cannot be kept: {failure}"),
        )
    })?;
    Ok(Open {
        account: opened.account,
        credentials,
    })
}

/// The authority as the fleet file has it, with what it names on the operator's machine. What binds an
/// account is read only where one is made: its source may be a command.
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
    let read = async |of: &'static str, name: &'static str, spec: &SecretSpec| {
        let bytes = secrets.named(of, name, spec).await;
        bytes.map_err(|error| plain_line(&error.to_string()))
    };
    let mut authority = Authority::new(&wanted.directory);
    let contact = wanted.contact.iter();
    authority.contact = contact.map(|address| format!("mailto:{address}")).collect();
    authority.profile.clone_from(&wanted.profile);
    if let Some(eab) = wanted.eab.as_ref().filter(|_| for_an_account) {
        let key = Zeroizing::new(read("acme.eab", "key", &eab.key).await?.0);
        let key = Zeroizing::new(String::from_utf8_lossy(&key).into_owned());
        authority.eab = Some(Eab::new(&eab.kid, &key)?);
    }
    if let Some(path) = &wanted.ca {
        let spec = SecretSpec::File(path.clone());
        authority.root = Some(read("acme.ca", "certificates", &spec).await?.0);
    }
    Ok(authority)
}

/// Keeps the account on a host, unless it does.
async fn keep(credentials: &Credentials, toolbox: &Toolbox) -> Result<(), Failure> {
    let path = toolbox.layout.acme_account();
    let there = toolbox.read(&path).await?;
    if there.as_deref() == Some(credentials.json()) {
        return Ok(());
    }
    let file = NewFile::new(path, 0o600, credentials.json());
    toolbox.replace(&[file]).await?;
    Ok(())
}
