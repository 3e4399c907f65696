//! Short names for contents.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::model::Fleet;

/// SHA-256, in hexadecimal, of what the fleet says: neither order nor comments matter.
pub fn hash(fleet: &Fleet) -> String {
    // A model of texts and numbers under text keys always has a JSON form.
    let value = serde_json::to_value(fleet).unwrap_or_default();
    let mut text = String::new();
    canonical(&value, &mut text);
    file_hash(text.as_bytes())
}

/// Hash of a fleet file's bytes, by which hosts and operators tell its versions apart: SHA-256, in
/// full, in hexadecimal.
pub fn file_hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// JSON without blanks, keys sorted, whatever features serde_json was built with.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::String(key.clone()));
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn order_and_comments_do_not_matter() {
        let load = |source: &str| hash(&crate::fleet::load(source, Path::new("f")).unwrap().fleet);
        let a = load("fleet: x\nhosts: { a: { engine: ssh://a }, b: { engine: ssh://b } }\n");
        let b = load("# c\nhosts:\n  b: { engine: ssh://b }\n  a: { engine: ssh://a }\nfleet: x\n");
        let c = load("fleet: x\nhosts: { a: { engine: ssh://a }, b: { engine: ssh://c } }\n");
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!(file_hash(b"").len(), 64);
        assert!(file_hash(b"abc").starts_with("ba7816bf"));
    }
}
