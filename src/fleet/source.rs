//! What a fleet file names on the operator's machine: files that are read and programs that are run.

use std::borrow::Cow;

use super::model::{Fleet, Site};
use super::service::{Acme, Certificate, Hook, Notify, SecretSpec};

/// One of them.
#[derive(Debug, Clone)]
pub struct Source<'f> {
    /// Whom it is for: a site, or a key of the file, whose words have a dot between them, as no site's
    /// name has: `acme.eab`.
    pub of: Cow<'f, str>,
    /// What it is there.
    pub name: &'f str,
    pub spec: Cow<'f, SecretSpec>,
    /// It is one of a site's secrets.
    pub secret: bool,
}

impl Source<'_> {
    /// What it is, for whoever is asked about it.
    pub fn title(&self) -> String {
        let secret = if self.secret { "secret " } else { "" };
        format!("{secret}{} of {}", self.name, self.of)
    }
}

impl Site {
    /// What the site names: its secrets, and a certificate of the operator's.
    pub fn sources(&self) -> impl Iterator<Item = Source<'_>> {
        let source = |name, spec, secret| Source {
            of: self.name.as_str().into(),
            name,
            spec,
            secret,
        };
        let secrets = self.secrets.iter();
        let secrets = secrets.map(move |(name, spec)| source(name, Cow::Borrowed(spec), true));
        let own = match self.certificate() {
            Certificate::Own { file, key } => vec![("certificate", file), ("key", key)],
            _ => Vec::new(),
        };
        let own = own.into_iter();
        secrets.chain(own.map(move |(name, path)| source(name, of_path(path), false)))
    }
}

impl Fleet {
    /// What the file names for none of its sites: what authorities, zones and alerts take.
    pub fn sources(&self) -> Vec<Source<'_>> {
        let mut all = Vec::new();
        let mut add = |of: Cow<'static, str>, name, spec| {
            all.push(Source {
                of,
                name,
                spec,
                secret: false,
            });
        };
        if let Some(Acme::On(authority)) = &self.acme {
            if let Some(eab) = &authority.eab {
                add("acme.eab".into(), "key", Cow::Borrowed(&eab.key));
            }
            if let Some(path) = &authority.ca {
                add("acme.ca".into(), "certificates", of_path(path));
            }
        }
        for dns in &self.dns {
            let of = format!("dns.{}", dns.zone);
            add(of.into(), "key", Cow::Borrowed(&dns.key.secret));
        }
        for way in &self.notify {
            match way {
                Notify::Command(words) => {
                    let spec = SecretSpec::Command(words.clone());
                    add("notify.command".into(), "program", Cow::Owned(spec));
                }
                Notify::Webhook(Hook::Secret(spec)) => {
                    add("notify.webhook".into(), "URL", Cow::Borrowed(spec));
                }
                Notify::Webhook(Hook::Url(_)) => {}
                Notify::Smtp(smtp) => {
                    if let Some(login) = &smtp.login {
                        add(
                            "notify.smtp".into(),
                            "password",
                            Cow::Borrowed(&login.password),
                        );
                    }
                }
            }
        }
        all
    }
}

fn of_path(path: &str) -> Cow<'static, SecretSpec> {
    Cow::Owned(SecretSpec::File(path.to_owned()))
}
