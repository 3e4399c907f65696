//! What others write and ostler reads, one function each: bytes go in, and whatever they are, nothing
//! panics, nothing grows without end, and what was understood is told without harm. Fuzzers and
//! `tests/fuzz.rs` feed them.

use std::collections::BTreeMap;
use std::path::Path;

use bollard::models::{ContainerInspectResponse, Network, SystemInfo};
use ostler::acme::dns::{Key, message};
use ostler::apply::journal;
use ostler::console::log::{clean, level, short};
use ostler::engine::decode::joined::Joined;
use ostler::engine::decode::{Frames, Lines, event, lenient};
use ostler::engine::{ListedContainer, ListedImage};
use ostler::fleet;
use ostler::host::router::tls;
use ostler::host::{archive, lock, state};
use ostler::observe::convert;
use ostler::record::{Labelled, Layout, certificate};
use ostler::walk::saved::Saved;

/// A function that is fed.
pub type Feed = fn(&[u8]);

/// All of them, by name.
pub const ALL: [(&str, Feed); 9] = [
    ("fleet_file", fleet_file),
    ("saved_plan", saved_plan),
    ("journal", journal),
    ("records", records),
    ("engine_answers", engine_answers),
    ("log_frames", log_frames),
    ("tar_answers", tar_answers),
    ("dns_answers", dns_answers),
    ("certificates", certificates),
];

/// No text that is shown may move the cursor, switch colours or turn the direction of writing.
fn harmless(text: &str) {
    let harmful = |c: char| {
        !matches!(c, '\n' | '\t') && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c))
    };
    assert!(!text.contains(harmful), "{text:?}");
}

/// The fleet file: what is read is written and read again alike; what is refused is told.
pub fn fleet_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let path = Path::new("fleet.yml");
    match fleet::load(text, path) {
        Ok(loaded) => {
            let written = fleet::to_yaml(&loaded.fleet);
            match fleet::load(&written, path) {
                Ok(again) => assert_eq!(again.fleet, loaded.fleet, "{written}"),
                Err(findings) => panic!("{findings:?}\n{written}"),
            }
        }
        Err(findings) => {
            assert!(!findings.is_empty());
            harmless(&fleet::render(&findings, text, path, false));
        }
    }
}

/// A plan kept in a file.
pub fn saved_plan(bytes: &[u8]) {
    match Saved::from_bytes(bytes) {
        Ok(saved) => {
            let written = saved.to_bytes().expect("a plan can be written");
            assert_eq!(Saved::from_bytes(&written).expect("and read"), saved);
            assert!(saved.moved(&saved.plan, &saved.made_from).is_empty());
        }
        Err(error) => harmless(&error.to_string()),
    }
}

/// A journal, the operator's own or a host's.
pub fn journal(bytes: &[u8]) {
    if let Some(entry) = journal::read(bytes) {
        assert!(entry.operations.len() <= bytes.len());
    }
}

/// What ostler keeps on a host: the records of a host, of its router, of a site, the note of an
/// apply; and the labels of a lock.
pub fn records(bytes: &[u8]) {
    for name in [
        "host",
        "router",
        "sites/blog",
        "applying-20260101T000000Z-1",
    ] {
        if let Err(why) = state::from_file(&format!("{name}.json"), bytes) {
            harmless(&why);
        }
    }
    lock::beat(bytes);
    if let Ok(labels) = serde_json::from_slice::<BTreeMap<String, String>>(bytes) {
        lock::holder(&labels, Some(i64::MIN), Some(i64::MAX));
    }
}

/// What an engine answers: the list, an inspect, networks, images, what it says of itself.
pub fn engine_answers(bytes: &[u8]) {
    if let Ok(rows) = serde_json::from_slice::<Vec<ListedContainer>>(bytes) {
        for row in rows {
            let container = convert::container(row);
            let _ = (container.role(), container.asked_address());
        }
    }
    if let Ok(answer) = lenient::answer::<ContainerInspectResponse>(bytes) {
        convert::inspected(&answer, "28.0", false);
    }
    let _ = event::read(bytes);
    if let Ok(rows) = serde_json::from_slice::<Vec<Network>>(bytes) {
        for row in rows {
            convert::network(row);
        }
    }
    if let Ok(rows) = serde_json::from_slice::<Vec<ListedImage>>(bytes) {
        convert::images(rows);
    }
    let _ = lenient::answer::<SystemInfo>(bytes);
}

/// A log's stream, cut where the network cuts it: the same comes out however it is cut, and no line
/// of it can do anything to a terminal.
pub fn log_frames(bytes: &[u8]) {
    for (framed, stamped) in [
        (None, true),
        (Some(true), false),
        (Some(true), true),
        (Some(false), true),
    ] {
        let whole = output(framed, stamped, [bytes]);
        let cut = bytes.first().map_or(1, |first| usize::from(first % 17) + 1);
        let again = output(framed, stamped, bytes.chunks(cut));
        assert_eq!(whole, again, "{framed:?} {stamped}");
        for line in whole.0.split(|b| *b == b'\n') {
            harmless(&clean::plain(line));
            let pieces = short(line).map_or(Vec::new(), |short| short.pieces);
            for piece in pieces {
                harmless(&clean::plain(piece.text.as_bytes()));
            }
            level(line);
        }
    }
    let mut lines = Lines::default();
    lines.push(bytes);
    while let Ok(Some(line)) = lines.next_line() {
        assert!(!line.contains(&b'\n'));
    }
}

/// All that was written to either stream, and whether it could be understood to its end.
fn output<'a>(
    framed: Option<bool>,
    stamped: bool,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<u8>, bool) {
    let mut frames = Frames::new(framed);
    let mut joined = Joined::new(stamped);
    let mut all = Vec::new();
    for piece in pieces {
        frames.push(piece);
        loop {
            match frames.next_chunk() {
                Ok(Some(chunk)) => all.extend_from_slice(&match frames.is_raw() {
                    true => joined.terminal(chunk.bytes),
                    false => {
                        let (begins, ends) = (frames.began(), !frames.is_inside());
                        joined.frame(chunk.stream, chunk.bytes, begins, ends)
                    }
                }),
                Ok(None) => break,
                Err(_) => return (all, false),
            }
        }
    }
    all.extend_from_slice(&joined.rest());
    (all, true)
}

/// An archive, as an engine answers with one.
pub fn tar_answers(bytes: &[u8]) {
    if let Ok(entries) = archive::unpack(bytes) {
        let content: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
        assert!(content <= bytes.len());
    }
    let _ = archive::header(bytes);
    let _ = state::from_archive(bytes);
    let _ = journal::from_archive(bytes);
}

/// What DNS servers answer, questions and changes alike.
pub fn dns_answers(bytes: &[u8]) {
    if let Some(message) = message::read(bytes) {
        // Each takes eleven bytes at least, and names are told in plain characters.
        assert!(message.answers.len() * 11 <= bytes.len());
        for record in &message.answers {
            let told = match &record.data {
                message::Data::Cname(to) | message::Data::Ns(to) => to,
                _ => &record.name,
            };
            assert!(told.bytes().all(|byte| byte.is_ascii_graphic()), "{told:?}");
        }
    }
    let key = Key::read("hmac-sha256:ostler:c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBvc3RsZXI=");
    let key = key.expect("a key");
    // Nobody who does not know the secret can have answered to this.
    let refused = key
        .verify(bytes, &[7; 32], 0)
        .expect_err("not signed by us");
    harmless(&refused);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(why) = Key::read(text)
    {
        harmless(&why);
    }
}

/// Certificates: as files of others have them, as a router's process shows them, and what its start noted
/// of those that it left out.
pub fn certificates(bytes: &[u8]) {
    match certificate::facts(bytes) {
        Ok(facts) => {
            harmless(&facts.issuer);
            assert!(facts.names.len() <= certificate::NAMES);
            facts.names.iter().for_each(|name| harmless(name));
        }
        Err(why) => harmless(&why),
    }
    let text = String::from_utf8_lossy(bytes);
    match tls::read_shown("/r/certs/site-a.pem", &text) {
        Ok(shown) => {
            if let Some(shown) = shown {
                harmless(&format!("{} {}", shown.serial, shown.sha1));
                shown.names.iter().for_each(|name| harmless(name));
            }
        }
        Err(why) => harmless(&why.to_string()),
    }
    for left_out in tls::read_left_out(&Layout::new("/r"), &text) {
        harmless(&format!("{} {}", left_out.file, left_out.why));
    }
}
