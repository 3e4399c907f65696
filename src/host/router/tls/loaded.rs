//! What the running process has of certificates, as it tells.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;

use super::super::runtime::{Answer, word};
use super::super::{RouterError, ask};
use crate::fleet::Name;
use crate::host::toolbox::{Toolbox, ToolboxError};
use crate::record::certificate::{CertificateFacts, NAMES};
use crate::record::layout::{Layout, RUN};
use crate::text::{plain_line, short};

/// The list of certificates as the start command leaves it, in [`RUN`].
const LIST: &str = "certs.list";
/// Domains that are led to https, as the start command leaves them, in [`RUN`].
const HTTPS: &str = "https.map";
/// What the start command left out, in [`RUN`].
const LEFT_OUT: &str = "left-out";
/// Lines of it that are read, at most.
const LEFT_OUT_LINES: usize = 2000;

/// The command that names all files.
pub(super) const SHOW_FILES: &str = "show ssl cert";

/// A certificate that the process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedCertificate {
    /// Its path, as the process knows it.
    pub file: String,
    /// Whose it is; `None`: the one for names without one, or not ostler's.
    pub site: Option<Name>,
    /// It is shown to visitors.
    pub listed: bool,
    /// Hex, as in [`CertificateFacts`]; empty where the process has nothing behind the name.
    pub serial: String,
    /// SHA-1 of the certificate, hex.
    pub sha1: String,
    /// Unix seconds.
    pub not_before: i64,
    /// Unix seconds.
    pub not_after: i64,
    /// Host names, lower case, sorted.
    pub names: Vec<String>,
    /// Certificates in the chain, its own included.
    pub chain: usize,
}

impl LoadedCertificate {
    /// Whether it is this one.
    pub fn is(&self, facts: &CertificateFacts) -> bool {
        let bare = |serial: &str| serial.trim_start_matches('0').to_ascii_lowercase();
        !self.serial.is_empty()
            && bare(&self.serial) == bare(&facts.serial)
            && (self.not_before, self.not_after) == (facts.not_before, facts.not_after)
            && self.chain == facts.chain
    }
}

/// The command that shows one certificate.
pub(super) fn show(file: &str) -> String {
    format!("{SHOW_FILES} {}", word(file))
}

/// Names of the files that the process knows, and the one about which a change is open, from the answer
/// to [`SHOW_FILES`].
pub(super) fn files(answer: &str) -> (Vec<String>, Option<String>) {
    let names = answer.lines().filter(|line| !line.starts_with('#'));
    let (open, known): (Vec<&str>, Vec<&str>) = names
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with('*'));
    let open = open.first().map(|line| line[1..].to_owned());
    (known.into_iter().map(str::to_owned).collect(), open)
}

/// The names that the list of certificates may have in the process: the one that the start command made,
/// and the one of a router that an earlier version started.
pub(super) fn lists(layout: &Layout) -> [String; 2] {
    [
        format!("{RUN}/{LIST}"),
        format!("{}/{LIST}", layout.router()),
    ]
}

/// The names that the map of https may have, in the same way.
pub(super) fn maps(layout: &Layout) -> [String; 2] {
    [format!("{RUN}/{HTTPS}"), layout.map("https")]
}

/// The command that shows a list.
pub(super) fn show_list(list: &str) -> String {
    format!("show ssl crt-list -n {}", word(list))
}

/// Entries of a list, `FILE:NUMBER`; `None`: the process has no such list.
pub(super) fn list(answer: &str) -> Option<Vec<(String, String)>> {
    let mut lines = answer.lines();
    if !lines.next()?.starts_with('#') {
        return None;
    }
    let entry = |line: &str| {
        let line = line.split(' ').next()?;
        let (file, number) = line.rsplit_once(':')?;
        Some((file.to_owned(), number.to_owned()))
    };
    Some(lines.filter_map(entry).collect())
}

/// One certificate, as the process shows it; `None`: the process does not know the file, or has
/// nothing behind its name.
pub fn read_shown(file: &str, answer: &str) -> Result<Option<LoadedCertificate>, Answer> {
    let garbled = |line: &str| Answer::Garbled {
        command: show(file),
        line: short(line, 80),
    };
    let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
    let mut chain = 1;
    for line in answer.lines() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        chain += usize::from(key == "Chain Subject");
        fields.entry(key).or_insert(value.trim());
    }
    match fields.get("Status") {
        Some(&"Empty") => return Ok(None),
        Some(_) => {}
        None if answer.contains("Not found") => return Ok(None),
        None => return Err(garbled(answer.lines().next().unwrap_or_default())),
    }
    let text = |key: &str| fields.get(key).copied().ok_or_else(|| garbled(key));
    let time = |key: &str| {
        let text = text(key)?;
        let read = NaiveDateTime::parse_from_str(text, "%b %e %H:%M:%S %Y GMT");
        read.map(|time| time.and_utc().timestamp())
            .map_err(|_| garbled(text))
    };
    let names = fields
        .get("Subject Alternative Name")
        .copied()
        .unwrap_or_default();
    let names = names
        .split(", ")
        .filter_map(|name| name.strip_prefix("DNS:"));
    let mut names: Vec<String> = names
        .take(NAMES)
        .map(|name| short(&plain_line(name), 253).to_ascii_lowercase())
        .collect();
    names.sort();
    let hex = |text: &str| short(&plain_line(text), 64).to_ascii_lowercase();
    Ok(Some(LoadedCertificate {
        file: file.to_owned(),
        site: None,
        listed: false,
        serial: hex(text("Serial")?),
        sha1: hex(fields.get("SHA1 FingerPrint").copied().unwrap_or_default()),
        not_before: time("notBefore")?,
        not_after: time("notAfter")?,
        names,
        chain,
    }))
}

/// The site that a file of ours is for.
pub(super) fn site(layout: &Layout, file: &str) -> Option<Name> {
    let name = file.strip_prefix(&format!("{}/site-", layout.certs()))?;
    name.strip_suffix(".pem")?.parse().ok()
}

/// All certificates of the running process, in the order of its list; those that nobody is shown come
/// last. Two questions, however many there are.
pub async fn loaded(toolbox: &Toolbox) -> Result<Vec<LoadedCertificate>, RouterError> {
    let lists = lists(&toolbox.layout);
    let mut commands = vec![SHOW_FILES.to_owned()];
    commands.extend(lists.iter().map(|list| show_list(list)));
    let answers = ask(toolbox, &commands).await?;
    let (known, _) = files(&answers[0]);
    let entries = answers[1..].iter().find_map(|answer| list(answer));
    let mut order: Vec<String> = Vec::new();
    for (file, _) in entries.unwrap_or_default() {
        if !order.contains(&file) {
            order.push(file);
        }
    }
    let listed = order.len();
    order.extend(
        known
            .into_iter()
            .filter(|file| !order.contains(file))
            .collect::<Vec<_>>(),
    );
    let commands: Vec<String> = order.iter().map(|file| show(file)).collect();
    let answers = ask(toolbox, &commands).await?;
    let mut all = Vec::new();
    for (at, (file, answer)) in order.iter().zip(&answers).enumerate() {
        if let Some(found) = read_shown(file, answer)? {
            all.push(LoadedCertificate {
                site: site(&toolbox.layout, file),
                listed: at < listed,
                ..found
            });
        }
    }
    Ok(all)
}

/// A certificate that the router left out at its last start, as HAProxy refuses it. It may have been
/// mended and loaded since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path, or whatever stood in the list.
    pub file: String,
    /// Whose it is, where it is a site's.
    pub site: Option<Name>,
    /// Why, in HAProxy's words.
    pub why: String,
}

/// What the router left out at its last start. Read from a file: also where no command can be run.
pub async fn left_out(toolbox: &Toolbox) -> Result<Vec<LeftOut>, ToolboxError> {
    let bytes = toolbox.read(&format!("{RUN}/{LEFT_OUT}")).await?;
    let text = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Ok(read_left_out(&toolbox.layout, &text))
}

/// What the start command noted.
pub fn read_left_out(layout: &Layout, text: &str) -> Vec<LeftOut> {
    let lines = text.lines().take(LEFT_OUT_LINES);
    let one = |line: &str| {
        let (file, why) = line.split_once('\t').unwrap_or((line, ""));
        LeftOut {
            site: site(layout, file),
            file: short(&plain_line(file), 500),
            why: short(&plain_line(reason(why)), 200),
        }
    };
    lines.filter(|line| !line.is_empty()).map(one).collect()
}

/// What matters of a line of HAProxy's.
fn reason(line: &str) -> &str {
    let line = line
        .rsplit_once("'crt-list' : ")
        .map_or(line, |(_, rest)| rest);
    match line.split_once("' : ") {
        Some((place, rest)) if place.starts_with("error processing line") => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "Filename: /r/certs/site-shop.pem\nStatus: Used\nSerial: 03C3A28A01476AC53795892A02EC5338861DA822\nnotBefore: Nov  3 10:11:30 2026 GMT\nnotAfter: Dec 10 10:11:30 2026 GMT\nSubject Alternative Name: DNS:leaf.example, DNS:*.leaf.example, \nAlgorithm: RSA2048\nSHA1 FingerPrint: 044CFE50CC17B05B5C67864A6E7996FCF8F33F71\nSubject: /CN=leaf\nIssuer: /CN=inter\nChain Subject: /CN=inter\nChain Issuer: /O=CA/CN=Root\nOCSP Response Key: ";

    #[test]
    fn a_certificate_is_read_from_what_is_shown() {
        let file = "/r/certs/site-shop.pem";
        let found = read_shown(file, SHOWN).unwrap().unwrap();
        assert_eq!((found.chain, found.names.len()), (2, 2));
        assert_eq!(found.not_after - found.not_before, 37 * 86_400);
        let mut facts = CertificateFacts {
            names: found.names.clone(),
            issuer: "inter".into(),
            serial: "3c3a28a01476ac53795892a02ec5338861da822".into(),
            fingerprint: String::new(),
            not_before: found.not_before,
            not_after: found.not_after,
            chain: 2,
        };
        assert!(found.is(&facts));
        facts.chain = 1;
        assert!(!found.is(&facts));
        let none = "Can't display the certificate: Not found or the certificate is a bundle!";
        assert_eq!(read_shown(file, none), Ok(None));
        let empty = "Filename: /r/x.pem\nStatus: Empty\nOCSP Response Key: ";
        assert_eq!(read_shown(file, empty), Ok(None));
        assert!(read_shown(file, "Unknown command").is_err());
        assert!(read_shown(file, &SHOWN.replace("Nov", "Nix")).is_err());
    }

    #[test]
    fn lists_are_read() {
        let answer = "# /r/router/certs.list\n/r/certs/default.pem:1\n/r/certs/site-a.pem:2 [x] y";
        let entries = list(answer).unwrap();
        assert_eq!(entries[1], ("/r/certs/site-a.pem".into(), "2".into()));
        assert_eq!(list("didn't find the specified filename"), None);
        let answer = "# transaction\n*/r/certs/site-b.pem\n# filename\n/r/certs/default.pem";
        let (known, open) = files(answer);
        assert_eq!(known, ["/r/certs/default.pem"]);
        assert_eq!(open.as_deref(), Some("/r/certs/site-b.pem"));
    }

    #[test]
    fn what_was_left_out_is_told_with_its_site() {
        let layout = Layout::new("/r");
        let told = read_left_out(
            &layout,
            "/r/certs/site-a.pem\tno start \x1b[2Jline\n/elsewhere\tgone\n",
        );
        assert_eq!(told[0].site, Some("a".parse().unwrap()));
        assert!(!told[0].why.contains('\x1b'));
        let line = "[ALERT]    (8) : config : parsing [/r/haproxy.cfg:11] : 'bind *:1' in section 'frontend' : 'crt-list' : error processing line 2 in file '/x' : unable to load certificate from file '/a.pem': no start line.";
        assert_eq!(
            reason(line),
            "unable to load certificate from file '/a.pem': no start line."
        );
        assert_eq!((told[1].site.clone(), told[1].why.as_str()), (None, "gone"));
    }
}
