//! A simulated HAProxy by itself: maps that are read from files at its start and changed through its
//! socket.

use std::collections::BTreeMap;

use super::certificate::Certificates;

/// A map's entries, in their order; a key may be there twice.
pub(super) type Map = Vec<(String, String)>;

/// One running HAProxy.
#[derive(Debug, Clone)]
pub struct Router {
    /// Unix nanoseconds.
    pub(super) started: i64,
    /// Ports for plain HTTP and TLS, as its configuration names them.
    pub(super) ports: Vec<u16>,
    /// Path of its runtime socket on the host.
    pub(super) socket: String,
    /// Maps by their file.
    pub(super) maps: BTreeMap<String, Map>,
    /// What it has of certificates.
    pub(super) certificates: Certificates,
    /// Requests asked of it on purpose.
    pub(super) requests: u64,
}

impl Router {
    pub(super) fn map(&self, name: &str) -> &[(String, String)] {
        let end = format!("/{name}.map");
        self.maps
            .iter()
            .find(|(file, _)| file.ends_with(&end))
            .map_or(&[], |(_, map)| map)
    }

    /// What a command of its runtime socket about maps does and says; `None`: it is another one.
    pub(super) fn map_command(&mut self, words: &[&str]) -> Option<String> {
        let [verb, "map", file, rest @ ..] = words else {
            return None;
        };
        let Some(map) = self.maps.get_mut(*file) else {
            return Some("Unknown map identifier. Please use #<id> or <file>.\n".to_owned());
        };
        let or = |done: bool, words: &str| if done { "" } else { words }.to_owned();
        Some(match (*verb, rest) {
            ("show", []) => map
                .iter()
                .enumerate()
                .map(|(at, (key, value))| format!("0x{:x} {key} {value}\n", 0x7f00_0000 + at * 64))
                .collect(),
            ("add", [key, value]) => {
                map.push(((*key).to_owned(), (*value).to_owned()));
                String::new()
            }
            ("set", [key, value]) => {
                let mut found = false;
                for entry in map.iter_mut().filter(|entry| entry.0 == *key) {
                    entry.1 = (*value).to_owned();
                    found = true;
                }
                or(found, "entry not found.\n")
            }
            ("del", [key]) => {
                let before = map.len();
                map.retain(|entry| entry.0 != *key);
                or(map.len() < before, "Key not found.\n")
            }
            ("clear", []) => {
                map.clear();
                String::new()
            }
            _ => return None,
        })
    }

    /// The ports that it holds.
    pub fn listens(&self) -> impl Iterator<Item = u16> {
        self.ports.iter().copied()
    }

    /// The key of a map by which a name is known: itself, else `*.` in place of its first label.
    pub(super) fn known(&self, domain: &str) -> String {
        let wild = domain
            .split_once('.')
            .map(|(_, parent)| format!("*.{parent}"));
        let wild = wild.filter(|wild| self.find("domains", wild).is_some());
        match (self.find("domains", domain), wild) {
            (None, Some(wild)) => wild,
            _ => domain.to_owned(),
        }
    }

    pub(super) fn find(&self, name: &str, key: &str) -> Option<&str> {
        self.map(name)
            .iter()
            .find(|entry| entry.0 == key)
            .map(|entry| entry.1.as_str())
    }
}

/// A map's file.
pub(super) fn read_map(text: &str) -> Map {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            (key.to_owned(), value.trim().to_owned())
        })
        .collect()
}
