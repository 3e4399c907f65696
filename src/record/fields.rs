//! Flat fields, path → value, as one piece of memory that copies share: a fleet has thousands of
//! containers, and of each a few dozen fields are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Between a path and its value, and after the value. No engine's text has it: what a process is
/// given cannot.
const END: char = '\0';

/// Fields in the order of their paths.
#[derive(Clone, PartialEq, Eq)]
pub struct Fields(Arc<str>);

impl Fields {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut parts = self.0.split_terminator(END);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// The value of a field.
    pub fn get(&self, path: &str) -> Option<&str> {
        let mut all = self.iter();
        all.find_map(|(p, value)| (p == path).then_some(value))
    }

    /// The same as a map, to be changed.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let all = self.iter();
        all.map(|(p, v)| (p.to_owned(), v.to_owned())).collect()
    }
}

impl Default for Fields {
    fn default() -> Self {
        Fields(Arc::from(""))
    }
}

impl From<BTreeMap<String, String>> for Fields {
    fn from(map: BTreeMap<String, String>) -> Self {
        let size = map.iter().map(|(p, v)| p.len() + v.len() + 2).sum();
        let mut all = String::with_capacity(size);
        for text in map.iter().flat_map(|(path, value)| [path, value]) {
            append(&mut all, text);
        }
        Fields(all.into())
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

/// Takes entries as they come, which is in order where we wrote them.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Fields;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("fields with their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut all = String::new();
        let mut last = String::new();
        while let Some((path, value)) = map.next_entry::<String, String>()? {
            if !all.is_empty() && path <= last {
                let before = Fields(all.into());
                let mut sorted = before.to_map();
                sorted.insert(path, value);
                while let Some((path, value)) = map.next_entry()? {
                    sorted.insert(path, value);
                }
                return Ok(sorted.into());
            }
            append(&mut all, &path);
            append(&mut all, &value);
            last = path;
        }
        Ok(Fields(all.into()))
    }
}

fn append(all: &mut String, text: &str) {
    all.extend(text.chars().filter(|c| *c != END));
    all.push(END);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let map: BTreeMap<String, String> = [("b", "2"), ("a", ""), ("c", "x=y\n")]
            .map(|(p, v)| (p.to_owned(), v.to_owned()))
            .into();
        let fields = Fields::from(map.clone());
        assert_eq!(fields.to_map(), map);
        assert_eq!(fields.get("a"), Some(""));
        assert_eq!(fields.get("d"), None);
        let json = serde_json::to_string(&fields).unwrap();
        assert_eq!(json, r#"{"a":"","b":"2","c":"x=y\n"}"#);
        assert_eq!(serde_json::from_str::<Fields>(&json).unwrap(), fields);
        let turned = r#"{"b":"2","a":"","c":"x=y\n"}"#;
        assert_eq!(serde_json::from_str::<Fields>(turned).unwrap(), fields);
        assert!(Fields::default().is_empty());
        assert_eq!(Fields::default().iter().count(), 0);
    }

    #[test]
    fn a_text_cannot_make_fields_of_its_own() {
        let map = BTreeMap::from([("a".to_owned(), "1\0b\x002".to_owned())]);
        let fields = Fields::from(map);
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("a", "1b2")]);
    }
}
