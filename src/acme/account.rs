//! The account at an authority: made once, kept, opened again.

use std::fmt;

use instant_acme::{
    AccountCredentials, Error, ExternalAccountKey, Key, NewAccount, RevocationRequest,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::directory::Directory;
use super::refusal::{Kind, Refusal};
use super::told::short_type;

/// Bytes of kept credentials at most; they have some 400.
const LARGEST: usize = 16 << 10;

/// How often a call is tried again when the authority does not take its nonce. Each time there are
/// three tries in it already.
pub(super) const NONCES: u32 = 20;

/// Awaits a call to the authority anew for as long as only its nonce is not taken.
macro_rules! again {
    ($call:expr) => {{
        let mut left = $crate::acme::account::NONCES;
        loop {
            match $call.await {
                Err(error) if left > 0 && $crate::acme::account::is_stale(&error) => left -= 1,
                answer => break answer,
            }
        }
    }};
}
pub(super) use again;

/// Whether a call failed for its nonce alone.
pub(super) fn is_stale(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if short_type(problem) == "badNonce")
}

/// What lets somebody act for an account: its number and private key, as JSON. Told by no `Debug`,
/// and wiped when it is dropped.
#[derive(Clone)]
pub struct Credentials(Zeroizing<Vec<u8>>);

impl Credentials {
    /// As they were kept. What is wrong with them is told when they are used.
    pub fn from_json(bytes: Vec<u8>) -> Credentials {
        Credentials(Zeroizing::new(bytes))
    }

    /// As they are to be kept: readable by nobody else.
    pub fn json(&self) -> &[u8] {
        &self.0
    }

    fn new(kept: &Kept) -> Result<Credentials, Refusal> {
        let bytes = serde_json::to_vec(kept);
        let bytes = bytes.map_err(|_| Refusal::of(Kind::Other, "the account cannot be kept"))?;
        Ok(Credentials(Zeroizing::new(bytes)))
    }

    fn read(&self) -> Result<Kept, Refusal> {
        let unreadable = || {
            let why = "what was kept of the account cannot be read";
            Refusal::of(Kind::Account, why)
        };
        if self.0.len() > LARGEST {
            return Err(unreadable());
        }
        // Its errors would tell parts of it.
        let kept: Kept = serde_json::from_slice(&self.0).map_err(|_| unreadable())?;
        match kept.schema {
            1 => Ok(kept),
            _ => Err(unreadable()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    schema: u32,
    directory: String,
    /// What the authority was told last.
    contact: Vec<String>,
    account: AccountCredentials,
}

/// An account that orders can be made with. Cheap to clone; several orders may run at once.
#[derive(Clone)]
pub struct Account {
    pub(super) acme: instant_acme::Account,
    pub(super) directory: Directory,
}

/// An account that was opened.
pub struct Opened {
    pub account: Account,
    /// What is to be kept of it from now on; `None`: what was kept already.
    pub keep: Option<Credentials>,
}

impl Directory {
    /// Opens the account that was kept, or makes one: the authority's terms are agreed to, and its
    /// contacts are those of the operator's file from then on.
    ///
    /// # Errors
    /// [`Kind::Account`]: what was kept is not known to the authority, or is of another one; asked
    /// again without it, a new account is made. [`Kind::Settings`]: it wants a binding, or does not
    /// like the contacts. Else as any call.
    pub async fn open(&self, kept: Option<&Credentials>) -> Result<Opened, Refusal> {
        match kept {
            Some(kept) => self.reopen(kept).await,
            None => self.create().await,
        }
    }

    async fn create(&self) -> Result<Opened, Refusal> {
        let eab = self.authority.eab.as_ref();
        if eab.is_none() && self.needs_binding() {
            let why = "the authority takes only accounts that are bound to one of its customers: acme.eab";
            return Err(Refusal::of(Kind::Settings, why));
        }
        let eab = eab.map(|eab| ExternalAccountKey::new(eab.kid.clone(), &eab.key));
        let contact: Vec<&str> = self.contact();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let url = || self.authority.directory.clone();
        let (acme, account) = again!(self.builder().create(&wanted, url(), eab.as_ref()))
            .map_err(|error| in_settings(error.into()))?;
        self.opened(acme, Some(account))
    }

    async fn reopen(&self, credentials: &Credentials) -> Result<Opened, Refusal> {
        let kept = credentials.read()?;
        if kept.directory != self.authority.directory {
            let why = format!("the account that was kept is one of {}", kept.directory);
            return Err(Refusal::of(Kind::Account, why));
        }
        let key = || {
            let key = kept.account.private_key().clone_key();
            let pair = (
                Key::from_pkcs8_der(key.clone_key())?,
                PrivateKeyDer::from(key),
            );
            Ok::<_, Error>(pair)
        };
        let url = || self.authority.directory.clone();
        let open = async || self.builder().from_key(key()?, url()).await;
        let (acme, account) = again!(open()).map_err(|error| out_of_force(error.into()))?;
        if kept.contact == self.authority.contact {
            return self.opened(acme, None);
        }
        let contact = self.contact();
        again!(acme.update_contacts(&contact)).map_err(|error| in_settings(error.into()))?;
        self.opened(acme, Some(account))
    }

    fn opened(
        &self,
        acme: instant_acme::Account,
        keep: Option<AccountCredentials>,
    ) -> Result<Opened, Refusal> {
        let keep = keep.map(|account| {
            Credentials::new(&Kept {
                schema: 1,
                directory: self.authority.directory.clone(),
                contact: self.authority.contact.clone(),
                account,
            })
        });
        Ok(Opened {
            account: Account {
                acme,
                directory: self.clone(),
            },
            keep: keep.transpose()?,
        })
    }

    fn contact(&self) -> Vec<&str> {
        self.authority.contact.iter().map(String::as_str).collect()
    }

    fn builder(&self) -> instant_acme::AccountBuilder {
        instant_acme::Account::builder_with_http(Box::new(self.http.clone()))
    }
}

impl Account {
    /// Withdraws the first certificate of a PEM file: nobody is to believe it any more.
    ///
    /// # Errors
    /// There is none in it, or the authority does not withdraw it.
    pub async fn revoke(&self, pem: &[u8]) -> Result<(), Refusal> {
        let chain = crate::record::certificate::chain(pem);
        let first = chain.map(|chain| chain.into_iter().next()).ok().flatten();
        let first =
            first.ok_or_else(|| Refusal::of(Kind::Other, "there is no certificate in it"))?;
        let certificate = CertificateDer::from(first);
        let request = RevocationRequest {
            certificate: &certificate,
            reason: None,
        };
        Ok(again!(self.acme.revoke(&request))?)
    }
}

/// An account that was deactivated is refused as not authorized.
fn out_of_force(mut refusal: Refusal) -> Refusal {
    if refusal.kind == Kind::Names {
        refusal.kind = Kind::Account;
    }
    refusal
}

/// A wrong binding is refused as not authorized, a wrong contact as malformed.
fn in_settings(mut refusal: Refusal) -> Refusal {
    if matches!(refusal.kind, Kind::Names | Kind::Other) {
        refusal.kind = Kind::Settings;
    }
    refusal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_credentials_are_told_by_nothing() {
        let broken = br#"{"schema":1,"directory":"https://ca.example","contact":[],"account":{"id":"x","key_pkcs8":"geheim!"}}"#;
        let credentials = Credentials::from_json(broken.to_vec());
        assert_eq!(format!("{credentials:?}"), "Credentials(…)");
        let refusal = credentials.read().err().unwrap();
        assert_eq!(refusal.kind, Kind::Account);
        assert!(!format!("{refusal} {refusal:?}").contains("geheim"));
        let large = Credentials::from_json(vec![b' '; LARGEST + 1]);
        assert_eq!(large.read().err().unwrap().kind, Kind::Account);
    }
}
