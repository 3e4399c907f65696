//! The operator's agent: which keys it holds.
//!
//! libssh2 lets it sign, but waits for it without a limit; so it is asked here first, with one.
//! Protocol: draft-ietf-sshm-ssh-agent, the two messages that list keys.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::key_file::string;
use super::line::one_line;

const LIMIT: Duration = Duration::from_secs(5);
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
/// Longest answer that is read.
const LARGEST: usize = 1 << 20;

/// A key in the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The public key, or certificate, in its wire format.
    pub key: Vec<u8>,
    /// What it is called, in one line.
    pub comment: String,
}

/// Lists the agent's keys.
///
/// # Errors
/// Why it cannot be asked, or that it does not answer like an agent.
pub fn identities(socket: &Path) -> Result<Vec<Identity>, String> {
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            format!("no answer within {} s", LIMIT.as_secs())
        }
        _ => error.to_string(),
    };
    let mut stream = UnixStream::connect(socket).map_err(io)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(io)?;
    stream.set_write_timeout(Some(LIMIT)).map_err(io)?;
    stream
        .write_all(&[0, 0, 0, 1, REQUEST_IDENTITIES])
        .map_err(io)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(io)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LARGEST {
        return Err("it does not answer like an agent".to_owned());
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).map_err(io)?;
    parse(&answer).ok_or_else(|| "it does not answer like an agent".to_owned())
}

fn parse(answer: &[u8]) -> Option<Vec<Identity>> {
    let rest = answer.strip_prefix(&[IDENTITIES_ANSWER])?;
    let (count, mut rest) = rest.split_at_checked(4)?;
    let count = u32::from_be_bytes(count.try_into().ok()?);
    let mut identities = Vec::new();
    for _ in 0..count {
        let key = string(&mut rest)?.to_vec();
        let comment = one_line(&String::from_utf8_lossy(string(&mut rest)?));
        identities.push(Identity { key, comment });
    }
    Some(identities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_answer() {
        let answer = b"\x0c\0\0\0\x02\0\0\0\x01a\0\0\0\x02me\0\0\0\x01b\0\0\0\x03\x1b[m";
        let list = parse(answer).unwrap();
        let of = |key: &[u8], comment: &str| Identity {
            key: key.into(),
            comment: comment.into(),
        };
        assert_eq!(list, [of(b"a", "me"), of(b"b", "[m")]);
        assert_eq!(parse(b"\x0c\0\0\0\0"), Some(vec![]));
        for wrong in [
            &b""[..],
            b"\x05",
            b"\x0c\0\0\0\x01",
            b"\x0c\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(parse(wrong), None);
        }
    }

    #[test]
    fn says_why_there_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("agent");
        assert!(identities(&socket).is_err());
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let hangs_up = std::thread::spawn(move || drop(listener.accept()));
        assert!(identities(&socket).is_err());
        hangs_up.join().unwrap();
    }
}
