//! What an authority says of itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::authority::Authority;
use super::http::Http;
use super::refusal::{Kind, Refusal};
use crate::text::short;

/// An authority that was reached. Cheap to clone; all share its connections.
#[derive(Clone)]
pub struct Directory {
    pub(super) http: Http,
    pub(super) authority: Authority,
    pub(super) said: Said,
}

/// RFC 8555, 7.1.1, as far as it is used here.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Said {
    /// Without it, it is no directory.
    #[serde(rename = "newOrder")]
    _new_order: String,
    pub(super) renewal_info: Option<String>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    terms_of_service: Option<String>,
    #[serde(default)]
    caa_identities: Vec<String>,
    #[serde(default)]
    external_account_required: bool,
    #[serde(default)]
    profiles: BTreeMap<String, serde::de::IgnoredAny>,
}

impl Directory {
    /// Asks an authority what it is.
    ///
    /// # Errors
    /// It cannot be reached, is no ACME server, or does not know the profile that is asked for.
    pub async fn reach(authority: &Authority) -> Result<Directory, Refusal> {
        let http = Http::new(authority)?;
        let answer = http.get(&authority.directory).await?;
        let said: Said = serde_json::from_slice(answer.body()).map_err(|_| {
            let why = format!("{} is no ACME directory", authority.directory);
            Refusal::of(Kind::Settings, why)
        })?;
        let directory = Directory {
            http,
            authority: authority.clone(),
            said,
        };
        directory.knows_profile()?;
        Ok(directory)
    }

    /// Some authorities take a profile that they do not know for none.
    fn knows_profile(&self) -> Result<(), Refusal> {
        let profiles = self.profiles();
        match &self.authority.profile {
            Some(profile) if !profiles.contains(profile) => {
                let offers = match profiles.is_empty() {
                    true => "it offers none".to_owned(),
                    false => format!("it offers {}", profiles.join(", ")),
                };
                let why = format!("the authority has no profile {profile}: {offers}");
                Err(Refusal::of(Kind::Profile, why))
            }
            _ => Ok(()),
        }
    }

    /// Where its terms of service are to be read.
    pub fn terms(&self) -> Option<String> {
        let terms = self.said.meta.terms_of_service.as_deref();
        terms.map(|terms| short(terms, 200))
    }

    /// The profiles that it offers.
    pub fn profiles(&self) -> Vec<String> {
        let names = self.said.meta.profiles.keys().take(30);
        names.map(|name| short(name, 60)).collect()
    }

    /// As whom CAA records name it, lower case; empty where it does not say.
    pub fn caa_identities(&self) -> Vec<String> {
        let names = self.said.meta.caa_identities.iter().take(30);
        names.map(|name| name.to_ascii_lowercase()).collect()
    }

    /// Whether it takes only accounts that are bound to one of its customers.
    pub fn needs_binding(&self) -> bool {
        self.said.meta.external_account_required
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_is_not_offered_is_told_with_those_that_are() {
        let mut authority = Authority::new("https://ca.example/directory");
        let directory = |authority: &Authority, meta: &str| Directory {
            http: Http::new(authority).unwrap(),
            authority: authority.clone(),
            said: serde_json::from_str(&format!(r#"{{"newOrder":"x","meta":{meta}}}"#)).unwrap(),
        };
        let two = r#"{"profiles":{"classic":"https://…","shortlived":1}}"#;
        assert_eq!(directory(&authority, two).knows_profile(), Ok(()));
        authority.profile = Some("shortlived".into());
        assert_eq!(directory(&authority, two).knows_profile(), Ok(()));
        authority.profile = Some("shortlive".into());
        for (meta, offers) in [
            (two, "it offers classic, shortlived"),
            ("{}", "it offers none"),
        ] {
            let refusal = directory(&authority, meta).knows_profile().unwrap_err();
            assert_eq!(refusal.kind, Kind::Profile);
            assert!(refusal.to_string().ends_with(offers), "{refusal}");
        }
    }
}
