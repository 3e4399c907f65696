//! Bytes of DNS messages (RFC 1035, 4.1), read with a bound and written.

/// Bytes of a name at most, RFC 1035, 2.3.4.
const NAME: usize = 255;
/// How often a name may go on elsewhere: it has no more labels than that.
const HOPS: usize = 127;

/// Reads from the front; `None` when there is no more, or what is there cannot be.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    pub(super) fn long(&mut self) -> Option<u32> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// A name, lower case, without the dot at its end. A byte that is no plain character of a name
    /// stands as `\DDD`.
    pub(super) fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let (mut length, mut hops) = (0, 0);
        // Once it has gone back, it goes on from there, and only further back: no way is endless.
        let mut back: Option<Cursor<'a>> = None;
        loop {
            let here = back.as_mut().unwrap_or(self);
            let start = here.at;
            let first = here.byte()?;
            match first {
                0 => return Some(name),
                1..=63 => {
                    let label = here.take(usize::from(first))?;
                    length += label.len() + 1;
                    if length >= NAME {
                        return None;
                    }
                    if !name.is_empty() {
                        name.push('.');
                    }
                    for byte in label {
                        match byte {
                            b'.' | b'\\' | 0..=b' ' | 127.. => {
                                name.push_str(&format!("\\{byte:03}"))
                            }
                            byte => name.push(char::from(byte.to_ascii_lowercase())),
                        }
                    }
                }
                192.. => {
                    let to = usize::from(first & 63) << 8 | usize::from(here.byte()?);
                    hops += 1;
                    if to >= start || hops > HOPS {
                        return None;
                    }
                    back = Some(Cursor {
                        bytes: self.bytes,
                        at: to,
                    });
                }
                _ => return None,
            }
        }
    }
}

/// Writes a name, uncompressed; `false` when it cannot be one.
pub(super) fn put_name(out: &mut Vec<u8>, name: &str) -> bool {
    let start = out.len();
    let name = name.trim_end_matches('.');
    for label in name.split('.').filter(|_| !name.is_empty()) {
        let Some(length) = u8::try_from(label.len())
            .ok()
            .filter(|n| (1..=63).contains(n))
        else {
            return false;
        };
        if !label
            .bytes()
            .all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\')
        {
            return false;
        }
        out.push(length);
        out.extend(label.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    out.push(0);
    out.len() - start <= NAME
}

pub(super) fn put_short(out: &mut Vec<u8>, number: u16) {
    out.extend(number.to_be_bytes());
}

/// Something with its length before it, which is at most 65,535.
pub(super) fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_short(out, u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_through_what_was_said_before() {
        // RFC 1035, 4.1.4: F.ISI.ARPA at 20, FOO.F.ISI.ARPA at 40, ARPA at 64, the root at 92.
        let mut bytes = vec![0; 93];
        bytes[20..32].copy_from_slice(b"\x01F\x03ISI\x04ARPA\x00");
        bytes[40..46].copy_from_slice(b"\x03FOO\xc0\x14");
        bytes[64..66].copy_from_slice(b"\xc0\x1a");
        for (at, name, next) in [
            (20, "f.isi.arpa", 32),
            (40, "foo.f.isi.arpa", 46),
            (64, "arpa", 66),
            (92, "", 93),
        ] {
            let mut cursor = Cursor { bytes: &bytes, at };
            assert_eq!(cursor.name().as_deref(), Some(name));
            assert_eq!(cursor.at, next, "{name}");
        }
    }

    #[test]
    fn no_name_goes_in_circles_or_on_for_ever() {
        let long = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4);
        for bytes in [
            &b"\xc0\x00"[..],
            b"\x01a\xc0\x00",
            b"\x01a\xc0\x02",
            b"\x01a\xc0\xff",
            b"\x40a",
            b"\x05abc",
            b"\xc0",
            b"",
            &[&long[..], b"\x00"].concat(),
        ] {
            assert_eq!(Cursor::new(bytes).name(), None, "{bytes:?}");
        }
        assert_eq!(
            Cursor::new(b"\x03a.\xff\x00").name().as_deref(),
            Some("a\\046\\255")
        );
    }

    #[test]
    fn names_are_written_as_they_are_read() {
        let mut out = Vec::new();
        assert!(put_name(&mut out, "_acme-challenge.Shop.example."));
        assert_eq!(out, b"\x0f_acme-challenge\x04shop\x07example\x00");
        assert_eq!(
            Cursor::new(&out).name().as_deref(),
            Some("_acme-challenge.shop.example")
        );
        let labels = "abcdefg.".repeat(32);
        for name in ["a..b", ".a", &"x".repeat(64), "a b", "a\\.b", "ü", &labels] {
            assert!(!put_name(&mut Vec::new(), name), "{name}");
        }
    }
}
