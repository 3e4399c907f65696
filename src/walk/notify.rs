//! The ways by which alerts go out, with the secrets that they take.

use zeroize::Zeroizing;

use super::secret::Sources;
use crate::fleet::{Fleet, Hook, Notify, SecretSpec, file_hash};
use crate::host::service::secrets::SecretSource;
use crate::notify::Way;

/// A way that the fleet file names.
#[derive(Debug)]
pub struct Named<'a> {
    /// What it is known by from pass to pass: the same for as long as the file says the same of it.
    pub key: String,
    /// What a person calls it.
    pub title: String,
    notify: &'a Notify,
}

/// All of them, in the order of the file.
pub fn ways<'a>(fleet: &'a Fleet) -> Vec<Named<'a>> {
    let named = |notify: &'a Notify| {
        let title = match notify {
            Notify::Command(words) => {
                let name = words.first().map_or("", String::as_str);
                format!("notify.command {name}")
            }
            Notify::Webhook(_) => "notify.webhook".to_owned(),
            Notify::Smtp(smtp) => format!("notify.smtp {}", smtp.server),
        };
        let said = serde_json::to_vec(notify).unwrap_or_default();
        let mut key = file_hash(&said);
        key.truncate(16);
        Named { key, title, notify }
    };
    fleet.notify.iter().map(named).collect()
}

impl Named<'_> {
    /// The way with its secrets. What the file names on this machine is read, and run, only as far as it
    /// is trusted with it.
    ///
    /// # Errors
    /// Why it cannot be gone, without the secret.
    pub async fn open(&self, sources: &Sources) -> Result<Way, String> {
        way(sources, self.notify).await
    }
}

async fn way(sources: &Sources, notify: &Notify) -> Result<Way, String> {
    match notify {
        Notify::Command(words) => {
            let spec = SecretSpec::Command(words.clone());
            let (file, folder) = (sources.file.as_deref(), &sources.folder);
            let may = sources
                .trust
                .may_read(file, folder, "notify.command", &spec);
            may.map_err(|withheld| withheld.why)?;
            Ok(Way::Program(words.clone(), folder.clone()))
        }
        Notify::Webhook(Hook::Url(url)) => Ok(Way::Web(Zeroizing::new(url.clone()))),
        Notify::Webhook(Hook::Secret(spec)) => Ok(Way::Web(
            secret(sources, "notify.webhook", "URL", spec).await?,
        )),
        Notify::Smtp(smtp) => {
            let password = match &smtp.login {
                Some(login) => {
                    let of = "notify.smtp";
                    Some(secret(sources, of, "password", &login.password).await?)
                }
                None => None,
            };
            Ok(Way::Mail(smtp.clone(), password))
        }
    }
}

/// A text of one line; a line break behind it is an editor's.
async fn secret(
    sources: &Sources,
    of: &str,
    name: &str,
    spec: &SecretSpec,
) -> Result<Zeroizing<String>, String> {
    let bytes = sources.named(of, name, spec).await;
    let bytes = Zeroizing::new(bytes.map_err(|error| error.to_string())?.0);
    let text = std::str::from_utf8(&bytes).map_err(|_| format!("the {name} is not UTF-8"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    match text.is_empty() || text.contains(['\r', '\n', '\0']) {
        true => Err(format!("the {name} is not one line")),
        false => Ok(Zeroizing::new(text.to_owned())),
    }
}
