//! Keys that DNS servers know their changers by, and what is signed with them (RFC 8945).

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::wire::{Cursor, put_name, put_short, put_sized};

/// How far clocks may be apart, seconds: what RFC 8945, 10 recommends.
const FUDGE: u16 = 300;
const TSIG: u16 = 250;
const ANY: u16 = 255;

/// How it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    const ALL: [(&'static str, Algorithm); 3] = [
        ("hmac-sha256", Algorithm::Sha256),
        ("hmac-sha384", Algorithm::Sha384),
        ("hmac-sha512", Algorithm::Sha512),
    ];

    fn name(self) -> &'static str {
        let found = Algorithm::ALL.iter().find(|(_, it)| *it == self);
        found.map_or("", |(name, _)| name)
    }
}

/// A key for changes of a zone.
#[derive(Clone)]
pub struct Key {
    /// As the server knows it.
    name: String,
    algorithm: Algorithm,
    secret: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, …)", self.name)
    }
}

impl Key {
    /// Reads a key file: as `tsig-keygen` writes it (`key "ostler" { algorithm hmac-sha256; secret
    /// "…"; };`), or as `nsupdate -y` takes it (`hmac-sha256:ostler:…`).
    ///
    /// # Errors
    /// What is wrong; its contents are not told.
    pub fn read(text: &str) -> Result<Key, String> {
        let text = text.trim();
        if !text.contains('{') {
            let parts: Vec<&str> = text.split(':').collect();
            return match parts[..] {
                [name, secret] => Key::new(name, "hmac-sha256", secret),
                [algorithm, name, secret] => Key::new(name, algorithm, secret),
                _ => Err("it is no TSIG key as tsig-keygen writes it".into()),
            };
        }
        let (mut name, mut algorithm, mut secret) = (None, None, None);
        let mut words = words(text);
        while let Some(word) = words.next() {
            let place = match word {
                "key" => &mut name,
                "algorithm" => &mut algorithm,
                "secret" => &mut secret,
                _ => continue,
            };
            if place.is_some() {
                return Err("there is more than one key in it".into());
            }
            *place = words.next();
        }
        match (name, algorithm, secret) {
            (Some(name), Some(algorithm), Some(secret)) => Key::new(name, algorithm, secret),
            _ => Err(
                "a key has a name, an algorithm and a secret, as tsig-keygen writes them".into(),
            ),
        }
    }

    fn new(name: &str, algorithm: &str, secret: &str) -> Result<Key, String> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name.is_empty() || !put_name(&mut Vec::new(), &name) {
            return Err("the name of the TSIG key is no name of DNS".into());
        }
        let wanted = algorithm.trim_end_matches('.').to_ascii_lowercase();
        let found = Algorithm::ALL.iter().find(|(name, _)| *name == wanted);
        let Some((_, algorithm)) = found else {
            let known = Algorithm::ALL.map(|(name, _)| name).join(", ");
            return Err(format!("the algorithm of the TSIG key is none of {known}"));
        };
        match BASE64_STANDARD.decode(secret) {
            Ok(secret) if !secret.is_empty() => Ok(Key {
                name,
                algorithm: *algorithm,
                secret: Zeroizing::new(secret),
            }),
            _ => Err("the secret of the TSIG key is not base64".into()),
        }
    }

    /// As the server knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn mac(&self, parts: &[&[u8]]) -> Vec<u8> {
        macro_rules! mac {
            ($hash:ty) => {
                // A key of any length does.
                match Hmac::<$hash>::new_from_slice(&self.secret) {
                    Ok(mut mac) => {
                        parts.iter().for_each(|part| mac.update(part));
                        mac.finalize().into_bytes().to_vec()
                    }
                    Err(_) => Vec::new(),
                }
            };
        }
        match self.algorithm {
            Algorithm::Sha256 => mac!(Sha256),
            Algorithm::Sha384 => mac!(Sha384),
            Algorithm::Sha512 => mac!(Sha512),
        }
    }

    /// What is signed beside the message: RFC 8945, 4.3.3.
    fn variables(&self, time: u64, fudge: u16, error: u16, other: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put_name(&mut out, &self.name);
        put_short(&mut out, ANY);
        out.extend(0u32.to_be_bytes());
        put_name(&mut out, self.algorithm.name());
        out.extend(&time.to_be_bytes()[2..]);
        put_short(&mut out, fudge);
        put_short(&mut out, error);
        put_sized(&mut out, other);
        out
    }

    /// Signs a message at `now`, unix seconds: the record is put at its end. Yields the signature,
    /// which an answer takes up.
    pub(super) fn sign(&self, message: &mut Vec<u8>, now: u64) -> Vec<u8> {
        let variables = self.variables(now, FUDGE, 0, &[]);
        let mac = self.mac(&[message, &variables]);
        let id = [message[0], message[1]];
        put_name(message, &self.name);
        put_short(message, TSIG);
        put_short(message, ANY);
        message.extend(0u32.to_be_bytes());
        let mut data = Vec::new();
        put_name(&mut data, self.algorithm.name());
        data.extend(&now.to_be_bytes()[2..]);
        put_short(&mut data, FUDGE);
        put_sized(&mut data, &mac);
        data.extend(id);
        // No error, nothing else.
        data.extend([0; 4]);
        put_sized(message, &data);
        let more = u16::from_be_bytes([message[10], message[11]]) + 1;
        message[10..12].copy_from_slice(&more.to_be_bytes());
        mac
    }

    /// Whether an answer to what was signed with `mac` is the server's.
    ///
    /// # Errors
    /// Why it cannot be told, in words.
    pub fn verify(&self, answer: &[u8], mac: &[u8], now: u64) -> Result<(), String> {
        let unsigned = || "its answer is not signed".to_owned();
        let signed = Signed::read(answer).ok_or_else(unsigned)?;
        match signed.error {
            0 => {}
            16 => {
                return Err(format!(
                    "it finds our signature with the key {} wrong: is the secret the same?",
                    self.name
                ));
            }
            17 => {
                return Err(format!(
                    "it does not know the key {} with this algorithm",
                    self.name
                ));
            }
            18 => {
                return Err(format!(
                    "its clock differs from this machine's by more than {FUDGE} s"
                ));
            }
            error => return Err(format!("it does not take our signature (error {error})")),
        }
        let length = u16::try_from(mac.len()).unwrap_or(u16::MAX).to_be_bytes();
        let variables = self.variables(signed.time, signed.fudge, signed.error, signed.other);
        let expected = self.mac(&[&length, mac, &signed.message, &variables]);
        let ours = signed.name == self.name && signed.algorithm == self.algorithm.name();
        if !ours || !same(&expected, signed.mac) {
            return Err(
                "the signature of its answer is wrong: somebody else may have answered".into(),
            );
        }
        match signed.time.abs_diff(now) <= u64::from(signed.fudge) {
            true => Ok(()),
            false => {
                Err("its answer is of another time: its clock or this machine's is wrong".into())
            }
        }
    }
}

/// Without telling by the time it takes how much is alike.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differ = one
        .iter()
        .zip(other)
        .fold(0, |differ, (a, b)| differ | (a ^ b));
    one.len() == other.len() && differ == 0
}

/// An answer, taken apart at its signature.
struct Signed<'a> {
    /// As it was signed: without the signature, which it does not count either.
    message: Vec<u8>,
    name: String,
    algorithm: String,
    time: u64,
    fudge: u16,
    mac: &'a [u8],
    error: u16,
    other: &'a [u8],
}

impl Signed<'_> {
    fn read(bytes: &[u8]) -> Option<Signed<'_>> {
        let mut cursor = Cursor::new(bytes);
        cursor.take(4)?;
        let counts = [
            cursor.short()?,
            cursor.short()?,
            cursor.short()?,
            cursor.short()?,
        ];
        for _ in 0..counts[0] {
            cursor.name()?;
            cursor.take(4)?;
        }
        let records = counts[1..].iter().map(|n| u32::from(*n)).sum::<u32>();
        for _ in 0..records.checked_sub(1)? {
            cursor.name()?;
            cursor.take(8)?;
            let length = usize::from(cursor.short()?);
            cursor.take(length)?;
        }
        let end = cursor.at;
        let name = cursor.name()?;
        if (cursor.short()?, cursor.short()?) != (TSIG, ANY) || counts[3] == 0 {
            return None;
        }
        if cursor.long()? != 0 {
            return None;
        }
        let length = usize::from(cursor.short()?);
        if cursor.at + length != bytes.len() {
            return None;
        }
        let algorithm = cursor.name()?;
        let high = cursor.short()?;
        let time = u64::from(high) << 32 | u64::from(cursor.long()?);
        let fudge = cursor.short()?;
        let length = usize::from(cursor.short()?);
        let mac = cursor.take(length)?;
        let id = cursor.take(2)?;
        let error = cursor.short()?;
        let length = usize::from(cursor.short()?);
        let other = cursor.take(length)?;
        if cursor.at != bytes.len() {
            return None;
        }
        let mut message = bytes[..end].to_vec();
        message[..2].copy_from_slice(id);
        message[10..12].copy_from_slice(&(counts[3] - 1).to_be_bytes());
        Some(Signed {
            message,
            name,
            algorithm,
            time,
            fudge,
            mac,
            error,
            other,
        })
    }
}

/// Words of a file in the manner of named.conf: comments left out, quotes taken off.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(|line| {
        let end = line
            .find('#')
            .or(line.find("//"))
            .filter(|at| !line[..*at].contains('"'));
        &line[..end.unwrap_or(line.len())]
    });
    let between = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '"');
    lines
        .flat_map(move |line| line.split(between))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An update of `zone.test`, and what dnspython made of it with the key `ostler.key` at this
    /// second, and of an empty answer one second later.
    const NOW: u64 = 1_764_500_000;
    const PLAIN: &str = "123428000001000000010000047a6f6e65047465737400000600010f5f61636d652d6368616c6c656e67650473686f70c00c001000010000003c000403616263";
    const SIGNED: [(&str, &str, &str); 2] = [
        (
            "hmac-sha256",
            "066f73746c6572036b65790000fa00ff00000000003d0b686d61632d736861323536000000692c2220012c0020ecfabd813b82fa663dfe7e137b8015cdeea019d722342f237a73e870042cc422123400000000",
            "1234a8000000000000000001066f73746c6572036b65790000fa00ff00000000003d0b686d61632d736861323536000000692c2221012c0020ed08e3ade9ad9ca14e2be18d42e04529352bfc8bebf899455a6db42f88235599123400000000",
        ),
        (
            "hmac-sha512",
            "066f73746c6572036b65790000fa00ff00000000005d0b686d61632d736861353132000000692c2220012c004059428c9e6588b9c1473f82f5da30b202d13d1b286802903de048ec222e2dc8932794825bbfe6d9636bc696e13330887f708c71a6dfe551b4e0630700828c11c3123400000000",
            "1234a8000000000000000001066f73746c6572036b65790000fa00ff00000000005d0b686d61632d736861353132000000692c2221012c00408ee5d21244e26af1298622ca5f07dd895b831c9ecf2f84d228899c559c16b3463590d4262ce880024bf38654a485dd5c06ca4edd627690636d911c8ca92a263d123400000000",
        ),
    ];
    const SECRET: &str = "b3N0bGVyIHRlc3RzIHRoaXMgc2VjcmV0LCBubyBvdGhlcg==";

    #[test]
    fn messages_are_signed_as_others_sign_them() {
        for (algorithm, signature, answer) in SIGNED {
            let key = Key::new("Ostler.Key.", algorithm, SECRET).unwrap();
            let mut message = hex::decode(PLAIN).unwrap();
            let mac = key.sign(&mut message, NOW);
            let counted = PLAIN.replacen("00000000010000", "00000000010001", 1);
            let counted = counted.replacen("000000010000047a", "000000010001047a", 1);
            assert_eq!(hex::encode(&message), format!("{counted}{signature}"));

            let answer = hex::decode(answer).unwrap();
            key.verify(&answer, &mac, NOW).unwrap();
            for at in 0..answer.len() {
                let mut other = answer.clone();
                other[at] ^= 1;
                // The header's id stands twice, and what counts is the signed one.
                if at > 1 {
                    assert!(key.verify(&other, &mac, NOW).is_err(), "{at}");
                }
                assert!(key.verify(&answer[..at], &mac, NOW).is_err(), "{at}");
            }
            assert!(key.verify(&answer, &mac[1..], NOW).is_err());
            let late = key.verify(&answer, &mac, NOW + 400).unwrap_err();
            assert!(late.contains("clock"), "{late}");
        }
    }

    #[test]
    fn a_server_s_own_words_about_a_key_are_told() {
        let key = Key::new("ostler.key", "hmac-sha256", SECRET).unwrap();
        // As bind answers: not authorized, an empty signature, and the error in it.
        for (error, part) in [
            (16u8, "is the secret the same"),
            (17, "does not know the key"),
            (18, "clock"),
        ] {
            let mut answer = hex::decode("1234a8090000000000000001066f73746c6572036b65790000fa00ff00000000001d0b686d61632d736861323536000000692c2221012c0000123400000000").unwrap();
            let at = answer.len() - 3;
            answer[at] = error;
            let why = key.verify(&answer, b"", NOW).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        let unsigned = hex::decode("1234a8050000000000000000").unwrap();
        let why = key.verify(&unsigned, b"", NOW).unwrap_err();
        assert!(why.contains("not signed"), "{why}");
    }

    #[test]
    fn keys_are_read_as_tools_write_them_and_not_told() {
        let file = format!(
            "# made by tsig-keygen\nkey \"Ostler.Key\" {{\n\talgorithm hmac-sha384; // fine\n\tsecret \"{SECRET}\";\n}};\n"
        );
        for text in [
            file.as_str(),
            &format!("hmac-sha384:ostler.key:{SECRET}\n"),
            &format!("key ostler.key. {{ secret {SECRET}; algorithm HMAC-SHA384; }};"),
        ] {
            let key = Key::read(text).unwrap();
            assert_eq!(key.name(), "ostler.key");
            assert_eq!(key.algorithm, Algorithm::Sha384);
            assert_eq!(*key.secret, b"ostler tests this secret, no other");
            assert_eq!(format!("{key:?}"), "Key(\"ostler.key\", …)");
        }
        let key = Key::read(&format!("ostler.key:{SECRET}")).unwrap();
        assert_eq!(key.algorithm, Algorithm::Sha256);
        for (text, part) in [
            ("", "tsig-keygen"),
            ("geheim", "tsig-keygen"),
            (
                "key \"a\" { algorithm hmac-md5; secret \"geheim=\"; };",
                "hmac-sha256",
            ),
            (
                "key \"a\" { algorithm hmac-sha256; secret \"geheim!\"; };",
                "base64",
            ),
            (
                "key \"a\" { algorithm hmac-sha256; };",
                "a name, an algorithm and a secret",
            ),
            (
                "key \"a..b\" { algorithm hmac-sha256; secret \"geheim==\"; };",
                "no name",
            ),
            (&file.repeat(2), "more than one"),
        ] {
            let why = Key::read(text).unwrap_err();
            assert!(why.contains(part) && !why.contains("geheim"), "{why}");
        }
    }
}
