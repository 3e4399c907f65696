//! Secrets on a host, and as digests: keyed with a key of the host's own, so that two operators agree whether a
//! secret changed and nobody learns it from a record.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{BySite, Kept};
use crate::fleet::{Name, SecretSpec, Site, SiteState};
use crate::host::script::{SHORT, Script};
use crate::host::{Kind, Toolbox, ToolboxError, archive};
use crate::record::{Different, HostState, RecordedState};

/// What secrets have on a host.
pub(super) const KEPT: Kept = Kept {
    name: "secrets",
    scripts: &[SECRETS],
    compare: |toolbox, state| Box::pin(compare(toolbox, state)),
};

/// The secrets of sites, as a tar archive on standard output: read by the program, told to nobody.
///
/// Arguments: `DIR SITE…`: the folder of all sites, and names. Nothing is printed where none of them
/// has any. Exit 0.
const SECRETS: Script = Script {
    tag: "secrets",
    text: r#"cd -- "$1" || exit 1
shift
left=$#
while [ "$left" -gt 0 ]; do
  dir=./$1/private/secrets; shift; left=$((left - 1))
  if [ -d "$dir" ] && [ ! -L "$dir" ]; then set -- "$@" "$dir"; fi
done
[ $# -eq 0 ] || exec tar -cf - -- "$@"
"#,
    deadline: SHORT,
};

/// The bytes of one secret. Has no `Debug` that tells them.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(pub Vec<u8>);

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretBytes(…)")
    }
}

/// Why a secret could not be read; without the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret {name}: {why}")]
pub struct SecretError {
    pub name: String,
    /// What went wrong.
    pub why: String,
    /// It is not to be read here, and nothing went wrong.
    pub withheld: bool,
}

/// What a source of secrets answers, later.
pub type SecretFuture<'a> =
    Pin<Box<dyn Future<Output = Result<SecretBytes, SecretError>> + Send + 'a>>;

/// Where the bytes of secrets come from, on the operator's machine.
pub trait SecretSource: Send + Sync {
    /// The bytes of the secret `name` of `site`.
    fn read<'a>(&'a self, site: &'a Site, name: &'a str) -> SecretFuture<'a>;

    /// The bytes of what else the fleet file names: `name` of `of`, a site or a key of the file.
    fn named<'a>(&'a self, of: &'a str, name: &'a str, _spec: &'a SecretSpec) -> SecretFuture<'a> {
        let error = SecretError {
            name: format!("{name} of {of}"),
            why: "it is not read here".into(),
            withheld: true,
        };
        Box::pin(async { Err(error) })
    }

    /// Whether those of this site are to be read; else they are taken to be unchanged.
    fn wants(&self, _site: &Site) -> bool {
        true
    }
}

/// A new key: 32 random bytes as hex.
pub fn new_key() -> Result<String, ToolboxError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| ToolboxError::Garbled {
        what: "random bytes for a new key".into(),
        why: e.to_string(),
    })?;
    Ok(hex::encode(bytes))
}

/// HMAC-SHA256 under the host's key, of site, name and bytes, as hex.
pub fn digest(key: &str, site: &Name, name: &str, secret: &SecretBytes) -> String {
    // A key of any length is fine for HMAC; the error exists for other algorithms.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    for part in [site.as_str(), name] {
        mac.update(part.as_bytes());
        mac.update(&[0]);
    }
    mac.update(&secret.0);
    hex::encode(mac.finalize().into_bytes())
}

/// Why a secret is left alone whose source only a host tells of.
pub const LEFT_ALONE: &str = "the fleet file that says where it comes from was kept by a host and is none \
    that you applied or have in git";

/// Reads all secrets of a site; none of them where one is to be left alone.
pub async fn read_all(
    source: &dyn SecretSource,
    site: &Site,
) -> Result<BTreeMap<String, SecretBytes>, SecretError> {
    let (all, withheld) = read_some(source, site).await?;
    match withheld.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(all),
    }
}

/// Reads those secrets of a site that may be read here, and says why others are not; none of them
/// where one is to be left alone.
pub async fn read_some(
    source: &dyn SecretSource,
    site: &Site,
) -> Result<(BTreeMap<String, SecretBytes>, Vec<SecretError>), SecretError> {
    let mut specs = site.secrets.iter();
    if let Some((name, _)) = specs.find(|(_, spec)| **spec == SecretSpec::Kept) {
        return Err(SecretError {
            name: format!("{name} of {}", site.name),
            why: LEFT_ALONE.into(),
            withheld: false,
        });
    }
    let (mut all, mut withheld) = (BTreeMap::new(), Vec::new());
    for name in site.secrets.keys() {
        match source.read(site, name).await {
            Ok(bytes) => {
                all.insert(name.clone(), bytes);
            }
            Err(error) if error.withheld => withheld.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok((all, withheld))
}

/// Digests of secrets, by name.
pub fn digests(
    key: &str,
    site: &Name,
    secrets: &BTreeMap<String, SecretBytes>,
) -> BTreeMap<String, String> {
    secrets
        .iter()
        .map(|(name, bytes)| (name.clone(), digest(key, site, name, bytes)))
        .collect()
}

/// Secrets as they lie on the host, against the recorded digests. The bytes go no further than this.
async fn compare(toolbox: &Toolbox, state: &HostState) -> Result<BySite, ToolboxError> {
    let mut differ = BTreeMap::new();
    let key = state.host.as_ref().map(|host| host.digest_key.as_str());
    let with_secrets: Vec<_> = state
        .sites
        .values()
        .filter(|r| !r.secrets.is_empty() && r.state == RecordedState::Wanted(SiteState::Running))
        .collect();
    let Some(key) = key.filter(|_| !with_secrets.is_empty()) else {
        return Ok(differ);
    };
    let sites = toolbox.layout.sites();
    let mut args = vec![sites.as_str()];
    args.extend(with_secrets.iter().map(|record| record.site.as_str()));
    let output = toolbox.run(&SECRETS, &args, None).await?;
    let entries = match output.is_empty() {
        true => Vec::new(),
        false => archive::unpack(&output).map_err(|_| ToolboxError::Garbled {
            what: "secrets on the host".into(),
            why: "the archive cannot be read".into(),
        })?,
    };
    let mut found: BTreeMap<String, SecretBytes> = entries
        .into_iter()
        .filter(|e| e.kind == Kind::File)
        .map(|e| {
            (
                e.path.trim_start_matches("./").to_owned(),
                SecretBytes(e.bytes),
            )
        })
        .collect();
    for record in with_secrets {
        let site = &record.site;
        let prefix = format!("{site}/private/secrets/");
        let mut different = Vec::new();
        for (name, was) in &record.secrets {
            let there = found.remove(&format!("{prefix}{name}"));
            let live = match there {
                Some(bytes) if digest(key, site, name, &bytes) == *was => continue,
                Some(_) => Some("changed".to_owned()),
                None => None,
            };
            different.push(Different {
                path: name.clone(),
                applied: Some("written".to_owned()),
                live,
            });
        }
        let more = found
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .filter(|name| !name.starts_with('.'));
        different.extend(more.map(|name| Different {
            path: name.to_owned(),
            applied: None,
            live: Some("added".to_owned()),
        }));
        if !different.is_empty() {
            differ.insert(site.clone(), different);
        }
    }
    Ok(differ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_key_site_name_and_bytes() {
        let a: Name = "a".parse().unwrap();
        let b: Name = "b".parse().unwrap();
        let secret = SecretBytes(b"pass".to_vec());
        let base = digest("k", &a, "DB", &secret);
        assert_eq!(base.len(), 64);
        assert_eq!(base, digest("k", &a, "DB", &secret));
        assert_ne!(base, digest("j", &a, "DB", &secret));
        assert_ne!(base, digest("k", &b, "DB", &secret));
        assert_ne!(base, digest("k", &a, "DBp", &SecretBytes(b"ass".to_vec())));
        assert_eq!(format!("{secret:?}"), "SecretBytes(…)");
        assert_ne!(new_key().unwrap(), new_key().unwrap());
    }
}
