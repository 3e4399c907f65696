//! Certificates of a simulated HAProxy: which files it takes, and the commands by which they change
//! while it runs.

use std::collections::BTreeMap;
use std::fmt::Write;

use rcgen::KeyPair;
use sha1::{Digest, Sha1};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

/// What one running HAProxy has of certificates.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// The name of its list.
    pub(super) list: String,
    /// Files in the list, in their order, each with its number.
    entries: Vec<(String, usize)>,
    /// Contents of files, by their names; empty: nothing was put there yet.
    files: BTreeMap<String, Vec<u8>>,
    /// A change that was begun.
    open: Option<(String, Vec<u8>)>,
}

/// Why HAProxy does not take a file, in its words.
pub(super) fn unfit(file: &str, pem: &[u8]) -> Option<String> {
    let blocks: Vec<Pem> = Pem::iter_from_buffer(pem).flatten().collect();
    let first = blocks.iter().find(|block| block.label == "CERTIFICATE");
    let Some(leaf) = first.and_then(|block| block.parse_x509().ok()) else {
        return Some(format!(
            "unable to load certificate from file '{file}': no start line."
        ));
    };
    let text = String::from_utf8_lossy(pem);
    let key = text.find("PRIVATE KEY-----");
    let key = key.and_then(|at| text[..at].rfind("-----BEGIN ").map(|from| &text[from..]));
    let Some(key) = key else {
        return Some(format!("No Private Key found in '{file}.key'."));
    };
    // One of a kind that is not known here is taken for right.
    let other = KeyPair::from_pem(key)
        .is_ok_and(|key| key.public_key_raw() != &*leaf.public_key().subject_public_key.data);
    other.then(|| format!("inconsistencies between private key and certificate loaded '{file}'."))
}

impl Certificates {
    /// Those of a list at the start.
    pub(super) fn new(list: &str, files: Vec<(String, Vec<u8>)>) -> Certificates {
        let entries = files.iter().enumerate();
        Certificates {
            list: list.to_owned(),
            entries: entries
                .map(|(at, (file, _))| (file.clone(), at + 1))
                .collect(),
            files: files.into_iter().collect(),
            open: None,
        }
    }

    /// Whether a file whose path ends so is in its list.
    pub(super) fn lists(&self, end: &str) -> bool {
        self.entries.iter().any(|(file, _)| file.ends_with(end))
    }

    /// The file that is shown to who asks for a name: the one with the name itself, else the one with
    /// `*.` in its place, else the first.
    pub fn shown(&self, name: &str) -> Option<&[u8]> {
        let wild = name
            .split_once('.')
            .map(|(_, parent)| format!("*.{parent}"));
        let of = |wanted: &str| {
            self.entries.iter().find(|(file, _)| {
                let leaf = self.files.get(file).and_then(|pem| names(pem));
                leaf.is_some_and(|names| names.iter().any(|name| name == wanted))
            })
        };
        let found = of(name)
            .or_else(|| of(&wild?))
            .or_else(|| self.entries.first());
        found
            .and_then(|(file, _)| self.files.get(file))
            .map(Vec::as_slice)
    }

    /// Puts the bytes that follow `set ssl cert FILE <<`.
    pub(super) fn set(&mut self, file: &str, pem: &[u8]) -> String {
        if !self.files.contains_key(file) {
            return "Can't replace a certificate which is not referenced by the configuration!\nCan't update the certificate!\n".into();
        }
        if let Some((other, _)) = self.open.as_ref().filter(|(other, _)| other != file) {
            return format!(
                "The ongoing transaction is about '{other}' but you are trying to set '{file}'\nCan't update {file}!\n"
            );
        }
        let parts: Vec<Pem> = Pem::iter_from_buffer(pem).flatten().collect();
        if parts.is_empty() {
            return format!(
                "unable to load certificate from file '{file}': no start line.\nCan't load the payload\nCan't update {file}!\n"
            );
        }
        let word = if self.open.is_some() {
            "updated"
        } else {
            "created"
        };
        self.open = Some((file.to_owned(), pem.to_vec()));
        format!("Transaction {word} for certificate {file}!\n")
    }

    /// What a command about certificates does and says; `None`: it is another one.
    pub(super) fn command(&mut self, words: &[&str]) -> Option<String> {
        Some(match words {
            ["show", "ssl", "cert"] => self.show_files(),
            ["show", "ssl", "cert", file] => self.show(file),
            ["show", "ssl", "crt-list"] => format!("{}\n", self.list),
            ["show", "ssl", "crt-list", "-n", list] if *list == self.list => {
                let mut text = format!("# {list}\n");
                for (file, number) in &self.entries {
                    let _ = writeln!(text, "{file}:{number}");
                }
                text
            }
            ["show", "ssl", "crt-list", "-n", _] => "didn't find the specified filename\n".into(),
            ["new", "ssl", "cert", file] if self.files.contains_key(*file) => {
                format!("Certificate '{file}' already exists!\n")
            }
            ["new", "ssl", "cert", file] => {
                self.files.insert((*file).to_owned(), Vec::new());
                format!("New empty certificate store '{file}'!\n")
            }
            ["commit", "ssl", "cert", file] => self.commit(file),
            ["abort", "ssl", "cert", file] => match self.open.take() {
                Some((open, _)) if open == *file => {
                    format!("Transaction aborted for certificate '{file}'!\n")
                }
                other => {
                    self.open = other;
                    "No ongoing transaction!\n".into()
                }
            },
            ["add", "ssl", "crt-list", _, file] => {
                if self.files.get(*file).is_none_or(Vec::is_empty) {
                    return Some(format!(
                        "Can't edit the crt-list: certificate '{file}' is empty!\n"
                    ));
                }
                let last = self.entries.iter().map(|(_, number)| number).max();
                self.entries
                    .push(((*file).to_owned(), last.map_or(1, |last| last + 1)));
                let list = &self.list;
                format!("Inserting certificate '{file}' in crt-list '{list}'.\nSuccess!\n")
            }
            ["del", "ssl", "crt-list", _, entry] => self.leave(entry),
            ["del", "ssl", "cert", file] => {
                if self.entries.iter().any(|(listed, _)| listed == file) {
                    return Some(format!(
                        "Can't remove the certificate: certificate '{file}' in use, can't be deleted!\n"
                    ));
                }
                match self.files.remove(*file) {
                    Some(_) => format!("Certificate '{file}' deleted!\n"),
                    None => {
                        format!("Can't remove the certificate: certificate '{file}' not found!\n")
                    }
                }
            }
            _ => return None,
        })
    }

    fn show_files(&self) -> String {
        let mut text = String::new();
        if let Some((file, _)) = &self.open {
            let _ = writeln!(text, "# transaction\n*{file}");
        }
        text.push_str("# filename\n");
        for file in self.files.keys() {
            let _ = writeln!(text, "{file}");
        }
        text
    }

    fn commit(&mut self, file: &str) -> String {
        let Some((open, pem)) = self.open.take_if(|(open, _)| open == file) else {
            return format!("No ongoing transaction! !\nCan't commit {file}!\n");
        };
        match unfit(file, &pem) {
            None => {
                self.files.insert(open, pem);
                format!("Committing {file}\nSuccess!\n")
            }
            Some(why) => {
                let why = match why.starts_with("No Private Key") {
                    true => {
                        "The transaction must contain at least a certificate and a private key!"
                            .into()
                    }
                    false => why,
                };
                self.open = Some((open, pem));
                format!("{why}\nCan't commit {file}!\n")
            }
        }
    }

    fn leave(&mut self, entry: &str) -> String {
        let (file, number) = match entry.rsplit_once(':') {
            Some((file, number)) => (file, number.parse::<usize>().ok()),
            None => (entry, None),
        };
        let is = |it: &(String, usize)| it.0 == file && number.is_none_or(|number| it.1 == number);
        let list = &self.list;
        match self.entries.iter().position(is) {
            Some(at) => {
                self.entries.remove(at);
                format!("Entry '{file}' deleted in crtlist '{list}'!\n")
            }
            None => format!(
                "Can't delete the entry: certificate '{file}' can't be found in crt-list '{list}'!\n"
            ),
        }
    }

    fn show(&self, file: &str) -> String {
        let Some(pem) = self.files.get(file) else {
            return "Can't display the certificate: Not found or the certificate is a bundle!\n"
                .into();
        };
        let blocks: Vec<Pem> = Pem::iter_from_buffer(pem).flatten().collect();
        let ders = blocks.iter().filter(|block| block.label == "CERTIFICATE");
        let ders: Vec<&[u8]> = ders.map(|block| block.contents.as_slice()).collect();
        let read = ders
            .iter()
            .filter_map(|der| x509_parser::parse_x509_certificate(der).ok());
        let chain: Vec<X509Certificate> = read.map(|(_, it)| it).collect();
        let Some((leaf, above)) = chain.split_first() else {
            return format!("Filename: {file}\nStatus: Empty\nOCSP Response Key: \n");
        };
        let used = self.entries.iter().any(|(listed, _)| listed == file);
        let time = |at: i64| {
            let at = chrono::DateTime::from_timestamp(at, 0).unwrap_or_default();
            at.format("%b %e %H:%M:%S %Y GMT").to_string()
        };
        let sha1 = hex::encode_upper(Sha1::digest(ders[0]));
        let mut text = format!(
            "Filename: {file}\nStatus: {}\nSerial: {}\nnotBefore: {}\nnotAfter: {}\n",
            if used { "Used" } else { "Unused" },
            hex::encode_upper(leaf.raw_serial()),
            time(leaf.validity().not_before.timestamp()),
            time(leaf.validity().not_after.timestamp()),
        );
        let names = names(pem).unwrap_or_default();
        let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
        let _ = write!(
            text,
            "Subject Alternative Name: {}\nAlgorithm: EC256\nSHA1 FingerPrint: {sha1}\nSubject: /{}\nIssuer: /{}\n",
            names.join(", "),
            leaf.subject(),
            leaf.issuer(),
        );
        for one in above {
            let (subject, issuer) = (one.subject(), one.issuer());
            let _ = write!(text, "Chain Subject: /{subject}\nChain Issuer: /{issuer}\n");
        }
        text.push_str("OCSP Response Key: \n");
        text
    }
}

/// Host names of the first certificate in a file.
fn names(pem: &[u8]) -> Option<Vec<String>> {
    let block = Pem::iter_from_buffer(pem)
        .flatten()
        .find(|block| block.label == "CERTIFICATE")?;
    let leaf = block.parse_x509().ok()?;
    let mut names = Vec::new();
    for extension in leaf.extensions() {
        if let ParsedExtension::SubjectAlternativeName(found) = extension.parsed_extension() {
            names.extend(found.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                _ => None,
            }));
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_or_refused_as_by_haproxy() {
        let made = || rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap();
        let (one, other) = (made(), made());
        let pem = |certificate: &str, key: &str| format!("{certificate}{key}").into_bytes();
        let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        assert_eq!(unfit("f", &pem(&cert, &key)), None);
        let foreign = other.signing_key.serialize_pem();
        for (bytes, words) in [
            (pem("garbage", ""), "no start line"),
            (pem(&cert, ""), "No Private Key found in 'f.key'"),
            (pem(&cert, &foreign), "inconsistencies"),
        ] {
            assert!(unfit("f", &bytes).unwrap().contains(words), "{words}");
        }
    }
}
