//! Tokens in paths, which `ssh -G` leaves as they are: ssh_config(5), TOKENS and ENVIRONMENT
//! VARIABLES.

use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::hop::Hop;

/// A variable of the environment that says something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The operator's home.
pub(super) fn home() -> PathBuf {
    std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"))
}

/// The operator's name here.
pub(super) fn local_user() -> Option<String> {
    let told = variable("USER").or_else(|| variable("LOGNAME"));
    told.or_else(crate::file::login)
}

/// What the tokens stand for.
pub(super) struct Tokens {
    host: String,
    name: String,
    port: String,
    user: String,
    alias: String,
    jump: String,
    home: PathBuf,
}

impl Tokens {
    pub(super) fn of(hop: &Hop, jump: &str, home: &Path) -> Tokens {
        Tokens {
            host: hop.host.clone(),
            name: hop.name.clone(),
            port: hop.port.to_string(),
            user: hop.user.clone(),
            alias: hop
                .host_key_alias
                .clone()
                .unwrap_or_else(|| hop.name.clone()),
            jump: match jump {
                "none" => String::new(),
                jump => jump.to_owned(),
            },
            home: home.to_owned(),
        }
    }

    /// A path with `~`, tokens and `${VARIABLES}` replaced. One that is relative starts at home.
    ///
    /// # Errors
    /// A token or a variable that does not exist.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf, String> {
        let text = self.expand(text)?;
        if let Some(rest) = text.strip_prefix("~/") {
            return Ok(self.home.join(rest));
        }
        if text == "~" {
            return Ok(self.home.clone());
        }
        Ok(PathBuf::from(text))
    }

    fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("${") {
                let (name, after) = after
                    .split_once('}')
                    .ok_or_else(|| format!("{text:?}: `${{` without an end"))?;
                let value = variable(name);
                out.push_str(&value.ok_or_else(|| format!("{text:?}: ${name} is not set"))?);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else {
                let mut chars = rest.chars();
                let token = (chars.next(), chars.next()).1;
                let value = token.and_then(|token| self.token(token));
                out.push_str(&value.ok_or_else(|| format!("{text:?}: unknown token"))?);
                rest = chars.as_str();
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn token(&self, token: char) -> Option<String> {
        Some(match token {
            '%' => "%".to_owned(),
            'd' => self.home.to_string_lossy().into_owned(),
            'h' => self.host.clone(),
            'i' => rustix::process::getuid().as_raw().to_string(),
            'j' => self.jump.clone(),
            'k' => self.alias.clone(),
            'l' => local_host(),
            'L' => local_host()
                .split('.')
                .next()
                .unwrap_or_default()
                .to_owned(),
            'n' => self.name.clone(),
            'p' => self.port.clone(),
            'r' => self.user.clone(),
            'u' => local_user()?,
            'C' => {
                let parts = [
                    &local_host(),
                    &self.host,
                    &self.port,
                    &self.user,
                    &self.jump,
                ];
                hex::encode(Sha1::digest(parts.map(String::as_str).concat()))
            }
            _ => return None,
        })
    }
}

/// The tokens that ProxyJump knows, replaced by what they are for the host behind it.
///
/// # Errors
/// A token that does not exist there.
pub(super) fn jump(text: &str, hop: &Hop) -> Result<String, String> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    while let Some(part) = parts.next() {
        let mut chars = part.chars();
        match chars.next() {
            Some('h') => out.push_str(&hop.host),
            Some('n') => out.push_str(&hop.name),
            Some('p') => out.push_str(&hop.port.to_string()),
            Some('r') => out.push_str(&hop.user),
            // `%%`: what follows is text.
            None => {
                out.push('%');
                chars = parts
                    .next()
                    .ok_or_else(|| format!("ProxyJump: {text:?}: unknown token"))?
                    .chars();
            }
            Some(_) => return Err(format!("ProxyJump: {text:?}: unknown token")),
        }
        out.push_str(chars.as_str());
    }
    Ok(out)
}

fn local_host() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    name.trim().to_owned()
}
