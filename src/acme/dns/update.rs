//! Changes of a zone (RFC 2136).

use super::message::{IN, Type, text};
use super::wire::{put_name, put_short, put_sized};

/// How long others may keep a record, seconds: it is there for an order.
const TTL: u32 = 60;
const NONE: u16 = 254;
const SOA: u16 = 6;

/// A text to be put at a name, or taken from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) put: bool,
}

/// The message that asks for changes of a zone, not signed yet; `None` when a name cannot be one.
pub(super) fn update(id: u16, zone: &str, changes: &[Change]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let count = u16::try_from(changes.len()).ok()?;
    // Opcode 5; one zone, no conditions.
    for number in [id, 5 << 11, 1, 0, count, 0] {
        put_short(&mut out, number);
    }
    if !put_name(&mut out, zone) {
        return None;
    }
    put_short(&mut out, SOA);
    put_short(&mut out, IN);
    for change in changes {
        if !put_name(&mut out, &change.name) {
            return None;
        }
        let (class, ttl) = if change.put { (IN, TTL) } else { (NONE, 0) };
        put_short(&mut out, Type::Txt as u16);
        put_short(&mut out, class);
        out.extend(ttl.to_be_bytes());
        put_sized(&mut out, &text(change.text.as_bytes()));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_asked_for_in_the_bytes_of_rfc_2136() {
        let change = |put| Change {
            name: "_acme-challenge.zone.test".into(),
            text: "abc".into(),
            put,
        };
        let bytes = update(0x1234, "zone.test", &[change(false), change(true)]).unwrap();
        let name = b"\x0f_acme-challenge\x04zone\x04test\x00";
        let expected = [
            &b"\x12\x34\x28\x00\x00\x01\x00\x00\x00\x02\x00\x00\x04zone\x04test\x00\x00\x06\x00\x01"[..],
            name,
            b"\x00\x10\x00\xfe\x00\x00\x00\x00\x00\x04\x03abc",
            name,
            b"\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x04\x03abc",
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(update(1, "a..b", &[]), None);
    }
}
