//! Questions and answers of DNS (RFC 1035).

use std::net::IpAddr;

use super::wire::{Cursor, put_name, put_short};

/// Records of one section that are read; answers have a few.
const RECORDS: usize = 512;

/// What may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    A = 1,
    Ns = 2,
    Cname = 5,
    Txt = 16,
    Aaaa = 28,
    Caa = 257,
}

pub(super) const IN: u16 = 1;

/// What a record says, as far as it is understood here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Address(IpAddr),
    Cname(String),
    Ns(String),
    /// Its parts, one after the other.
    Txt(Vec<u8>),
    Caa {
        critical: bool,
        /// Lower case.
        tag: String,
        value: Vec<u8>,
    },
    Other,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Lower case, without the dot at its end.
    pub name: String,
    pub data: Data,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub id: u16,
    /// 0: no error; 3: there is no such name.
    pub code: u8,
    /// More than fitted.
    pub truncated: bool,
    /// What was asked: name, type, class.
    pub question: Option<(String, u16, u16)>,
    pub answers: Vec<Record>,
}

/// A question; `None` when the name cannot be one.
pub(super) fn query(id: u16, name: &str, kind: Type) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    // Recursion desired; one question.
    for number in [id, 0x0100, 1, 0, 0, 0] {
        put_short(&mut out, number);
    }
    if !put_name(&mut out, name) {
        return None;
    }
    put_short(&mut out, kind as u16);
    put_short(&mut out, IN);
    Some(out)
}

/// Reads an answer; `None` when it is none.
pub fn read(bytes: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(bytes);
    let id = cursor.short()?;
    let flags = cursor.short()?;
    if flags & 0x8000 == 0 {
        return None;
    }
    let questions = cursor.short()?;
    let answers = usize::from(cursor.short()?);
    cursor.take(4)?;
    let mut question = None;
    for _ in 0..questions.min(4) {
        let name = cursor.name()?;
        question = Some((name, cursor.short()?, cursor.short()?));
    }
    let truncated = flags & 0x0200 != 0;
    let mut read = Vec::new();
    for _ in 0..answers.min(RECORDS) {
        match record(&mut cursor, bytes) {
            Some(found) => read.extend(found),
            // Cut off in the middle: what is missing comes by TCP.
            None if truncated => break,
            None => return None,
        }
    }
    Some(Message {
        id,
        code: (flags & 15) as u8,
        truncated,
        question,
        answers: read,
    })
}

/// One record; `Some(None)` for one of another class.
fn record(cursor: &mut Cursor<'_>, bytes: &[u8]) -> Option<Option<Record>> {
    let name = cursor.name()?;
    let kind = cursor.short()?;
    let class = cursor.short()?;
    cursor.long()?;
    let length = usize::from(cursor.short()?);
    let start = cursor.at;
    let raw = cursor.take(length)?;
    if class != IN {
        return Some(None);
    }
    // Names in it may point to before it.
    let mut inner = Cursor::new(bytes.get(..start + length)?);
    inner.at = start;
    let data = match kind {
        1 => Data::Address(<[u8; 4]>::try_from(raw).ok()?.into()),
        28 => Data::Address(<[u8; 16]>::try_from(raw).ok()?.into()),
        2 => Data::Ns(inner.name()?),
        5 => Data::Cname(inner.name()?),
        16 => Data::Txt(texts(raw)?),
        257 => {
            let critical = inner.byte()? & 128 != 0;
            let length = usize::from(inner.byte()?);
            let tag = inner.take(length)?;
            let tag = String::from_utf8_lossy(tag).to_ascii_lowercase();
            let value = raw.get(2 + length..)?.to_vec();
            Data::Caa {
                critical,
                tag,
                value,
            }
        }
        _ => Data::Other,
    };
    Some(Some(Record { name, data }))
}

fn texts(raw: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor::new(raw);
    let mut all = Vec::new();
    while cursor.at < raw.len() {
        let length = usize::from(cursor.byte()?);
        all.extend(cursor.take(length)?);
    }
    Some(all)
}

/// A text as a record says it: in parts of at most 255 bytes.
pub(super) fn text(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in text.chunks(255) {
        out.push(part.len() as u8);
        out.extend(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_asked_in_the_bytes_of_rfc_1035() {
        let bytes = query(0xabcd, "shop.example", Type::Caa).unwrap();
        let expected = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04shop\x07example\x00\x01\x01\x00\x01";
        assert_eq!(bytes, expected);
        assert_eq!(query(1, "a..b", Type::A), None);
    }

    /// An answer to `shop.example` with records that each have a type and data, and the name of the
    /// question.
    fn answer(flags: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [7, flags, 1, records.len() as u16, 0, 0] {
            put_short(&mut bytes, number);
        }
        bytes.extend(b"\x04shop\x07example\x00\x00\x01\x00\x01");
        for (kind, data) in records {
            bytes.extend(b"\xc0\x0c");
            put_short(&mut bytes, *kind);
            bytes.extend(b"\x00\x01\x00\x00\x00\x3c");
            super::super::wire::put_sized(&mut bytes, data);
        }
        bytes
    }

    #[test]
    fn answers_are_read() {
        let six = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let bytes = answer(
            0x8180,
            &[
                (5, b"\x03www\xc0\x0c"),
                (1, &[192, 0, 2, 7]),
                (28, &six),
                (16, b"\x03abc\x02de"),
                (257, b"\x80\x05Issueca.example; a=b"),
                (99, b"\xff\xff"),
            ],
        );
        let message = read(&bytes).unwrap();
        assert_eq!((message.id, message.code, message.truncated), (7, 0, false));
        assert_eq!(message.question, Some(("shop.example".into(), 1, 1)));
        let data: Vec<Data> = message.answers.into_iter().map(|it| it.data).collect();
        let expected = [
            Data::Cname("www.shop.example".into()),
            Data::Address("192.0.2.7".parse().unwrap()),
            Data::Address("2001:db8::1".parse().unwrap()),
            Data::Txt(b"abcde".to_vec()),
            Data::Caa {
                critical: true,
                tag: "issue".into(),
                value: b"ca.example; a=b".to_vec(),
            },
            Data::Other,
        ];
        assert_eq!(data, expected);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let good = answer(0x8180, &[(1, &[192, 0, 2, 7])]);
        for cut in 0..good.len() {
            assert_eq!(read(&good[..cut]), None, "{cut}");
        }
        // A question is no answer.
        assert_eq!(read(&query(7, "shop.example", Type::A).unwrap()), None);
        for (kind, data) in [
            (1, &b"\x01"[..]),
            (28, b"\x01"),
            (5, b"\xc0\xff"),
            (16, b"\x05ab"),
            (257, b"\x00"),
            (257, b"\x00\x09issue"),
        ] {
            assert_eq!(read(&answer(0x8180, &[(kind, data)])), None, "{kind}");
        }
        let cut = answer(0x8380, &[(1, &[192, 0, 2, 7])]);
        let cut = read(&cut[..cut.len() - 3]).unwrap();
        assert!(cut.truncated && cut.answers.is_empty());
    }

    #[test]
    fn long_texts_are_said_in_parts() {
        let long = [b'x'; 300];
        let said = text(&long);
        assert_eq!((said.len(), said[0], said[256]), (302, 255, 45));
        assert_eq!(texts(&said).unwrap(), long);
    }
}
