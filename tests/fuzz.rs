//! What others write and ostler reads, fed with seeds, and with seeds that were cut, spliced and
//! changed. `fuzz/` feeds the same functions to a fuzzer, for as long as one likes.

#[path = "../fuzz/src/lib.rs"]
mod feed;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Changed seeds for each function.
const CASES: u32 = 2000;

/// A change to the bytes in hand: a place in thousandths of them, and what is done there.
#[derive(Debug, Clone)]
enum Change {
    /// Other bytes from here on.
    Overwrite(u16, Vec<u8>),
    /// Bytes put in.
    Insert(u16, Vec<u8>),
    /// So many bytes taken out.
    Remove(u16, u16),
    /// So many bytes from here put in again, so many times.
    Repeat(u16, u8, u8),
    /// The rest of another seed put in.
    Splice(u16, u16),
}

fn change() -> impl Strategy<Value = Change> {
    let at = || 0u16..1000;
    let words: Vec<Vec<u8>> = [
        "\n",
        "\0",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        "- ",
        "*a",
        "&a ",
        "!!",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{ffff}",
        "..",
        "/",
        "-1",
        "1e999",
        "18446744073709551616",
        "null",
        "\\u0000",
        "\r",
        "\t",
    ]
    .map(|word| word.as_bytes().to_vec())
    .into();
    let some = || {
        prop_oneof![
            prop::sample::select(words.clone()),
            prop::collection::vec(any::<u8>(), 1..6)
        ]
    };
    prop_oneof![
        (at(), some()).prop_map(|(at, some)| Change::Overwrite(at, some)),
        (at(), some()).prop_map(|(at, some)| Change::Insert(at, some)),
        (at(), 1u16..60).prop_map(|(at, count)| Change::Remove(at, count)),
        (at(), 1u8..40, 1u8..60).prop_map(|(at, count, times)| Change::Repeat(at, count, times)),
        (at(), at()).prop_map(|(at, from)| Change::Splice(at, from)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change, other: &[u8]) {
    let place = |at: u16, of: usize| of * usize::from(at) / 1000;
    match change {
        Change::Overwrite(at, some) => {
            let at = place(*at, bytes.len());
            let end = (at + some.len()).min(bytes.len());
            bytes.splice(at..end, some.iter().copied());
        }
        Change::Insert(at, some) => {
            let at = place(*at, bytes.len());
            bytes.splice(at..at, some.iter().copied());
        }
        Change::Remove(at, count) => {
            let at = place(*at, bytes.len());
            let end = (at + usize::from(*count)).min(bytes.len());
            bytes.drain(at..end);
        }
        Change::Repeat(at, count, times) => {
            let at = place(*at, bytes.len());
            let end = (at + usize::from(*count)).min(bytes.len());
            let again = bytes[at..end].repeat(usize::from(*times));
            bytes.splice(at..at, again);
        }
        Change::Splice(at, from) => {
            let (at, from) = (place(*at, bytes.len()), place(*from, other.len()));
            bytes.splice(at.., other[from..].iter().copied());
        }
    }
}

/// Bytes that can be read where a test fails.
#[derive(Clone)]
struct Seed(Vec<u8>);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

fn seeds(name: &str) -> Vec<Seed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![here.join("fuzz/seeds").join(name)];
    if name == "fleet_file" {
        folders.extend(
            [
                "fixtures/demo",
                "fixtures/fleets/valid",
                "fixtures/fleets/broken",
            ]
            .map(|f| here.join(f)),
        );
    }
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten())
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_none_or(|e| e != "snap"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no seeds for {name}");
    files
        .iter()
        .map(|file| Seed(std::fs::read(file).unwrap()))
        .collect()
}

fn feed(name: &str) {
    let (_, feed) = feed::ALL.iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    seeds.iter().for_each(|seed| feed(&seed.0));
    let seed = prop::sample::select(seeds.clone());
    let other = prop::sample::select(seeds);
    let changes = prop::collection::vec(change(), 1..8);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    };
    TestRunner::new(config)
        .run(&(seed, other, changes), |(mut seed, other, changes)| {
            for change in &changes {
                apply(&mut seed.0, change, &other.0);
            }
            feed(&seed.0);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

macro_rules! fed {
    ($($name:ident)*) => { $(#[test] fn $name() { feed(stringify!($name)); })* };
}

fed!(fleet_file saved_plan journal records engine_answers log_frames tar_answers dns_answers certificates);

/// A seed that is refused at its first line leads no further than that, whatever is changed in it.
#[test]
fn seeds_are_understood_as_they_are() {
    for Seed(plan) in seeds("saved_plan") {
        let read = ostler::walk::saved::Saved::from_bytes(&plan);
        assert!(read.is_ok(), "{read:?}");
    }
    for Seed(journal) in seeds("journal") {
        let entry = ostler::apply::journal::read(&journal);
        assert!(entry.is_some_and(|entry| entry.ended.is_some()));
    }
    for Seed(tar) in seeds("tar_answers") {
        let state = ostler::host::state::from_archive(tar.as_slice()).unwrap();
        assert!(
            state.read().is_some_and(|s| !s.sites.is_empty()),
            "{state:?}"
        );
    }
    for Seed(answer) in seeds("dns_answers") {
        assert!(ostler::acme::dns::message::read(&answer).is_some());
    }
    for (file, name) in [
        ("host", "host"),
        ("router", "router"),
        ("site", "sites/blog"),
    ] {
        let path = format!("fuzz/seeds/records/{file}.json");
        let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let read = ostler::host::state::from_file(&format!("{name}.json"), &bytes);
        assert!(read.is_ok(), "{read:?}");
    }
}

/// A function that nobody feeds is as good as none.
#[test]
fn every_function_is_fed_here_and_by_a_fuzzer() {
    let here = include_str!("fuzz.rs");
    let manifest = include_str!("../fuzz/Cargo.toml");
    for (name, _) in feed::ALL {
        let fed = here.lines().any(|line| {
            line.starts_with("fed!(") && line.split(['(', ')', ' ']).any(|word| word == name)
        });
        assert!(fed, "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
