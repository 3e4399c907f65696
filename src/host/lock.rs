//! The lock of a host as anybody can read it: who holds it, since when, and whether they live.

use std::collections::{BTreeMap, HashMap};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::archive::unpack;
use crate::engine::{self, Client};
use crate::record::labels::{self, Labelled, Role};
use crate::record::lock::Holder;
use crate::text::printable;

/// The heartbeat's file in the lock: seconds on the daemon's clock.
pub const HEARTBEAT: &str = "/heartbeat";

/// The labels of a lock that is taken now.
pub fn labels(
    fleet: &str,
    who: &str,
    whence: &str,
    run: &str,
    now: i64,
) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        (labels::FLEET.to_owned(), fleet.to_owned()),
        (labels::ROLE.to_owned(), Role::Lock.word().to_owned()),
        (labels::WHO.to_owned(), who.to_owned()),
        (labels::WHENCE.to_owned(), whence.to_owned()),
        (labels::SINCE.to_owned(), now.to_string()),
        (labels::RUN.to_owned(), run.to_owned()),
    ]);
    if let Some(process) = Process::of(std::process::id()) {
        labels.insert(labels::PROCESS.to_owned(), process.to_string());
    }
    labels
}

/// Bytes that the archive of a heartbeat has, at most.
const BEAT: usize = 64 << 10;

/// Reads the heartbeat of a lock whose labels are known; `None`: it is being taken away.
pub async fn read(
    client: &Client,
    id: &str,
    labels: &BTreeMap<String, String>,
) -> engine::Result<Option<Holder>> {
    let beat = match client.archive_get_up_to(id, HEARTBEAT, BEAT).await {
        Ok(tar) => beat(&tar),
        // Not yet, or gone meanwhile: the two read alike.
        Err(e) if e.is_not_found() => None,
        Err(e) if e.is_unreachable() => return Err(e),
        // Docker 20.10 answers 500 for a container that it is removing at this moment.
        Err(_) => return Ok(None),
    };
    Ok(Some(holder(labels, beat, client.daemon_now())))
}

/// When the holder of a lock last gave a sign of life, out of the heartbeat's archive: seconds on the
/// daemon's clock.
pub fn beat(tar: &[u8]) -> Option<i64> {
    let entries = unpack(tar).ok()?;
    let text = std::str::from_utf8(&entries.first()?.bytes).ok()?;
    text.trim().parse().ok()
}

/// Who holds a lock with these labels. `beat`: the last sign of life, `now`: the moment, both on the
/// daemon's clock, in seconds, where they are known.
pub fn holder(labels: &BTreeMap<String, String>, beat: Option<i64>, now: Option<i64>) -> Holder {
    let since: i64 = labels
        .label(labels::SINCE)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    Holder {
        who: printable(labels.label(labels::WHO).unwrap_or("somebody")),
        whence: printable(labels.label(labels::WHENCE).unwrap_or("somewhere")),
        since,
        // Both are what somebody wrote.
        silent_s: now.unwrap_or(since).saturating_sub(beat.unwrap_or(since)),
        run: printable(labels.label(labels::RUN).unwrap_or_default()),
        dead: labels
            .label(labels::PROCESS)
            .and_then(|text| text.parse::<Process>().ok())
            .is_some_and(|process| process.is_dead()),
    }
}

/// A process, named so that no other can be taken for it: not one on another machine, not one
/// after a reboot, not one in another container, not a later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    boot: String,
    space: String,
    id: u32,
    /// Clock ticks between boot and its start.
    started: u64,
}

impl Process {
    fn of(id: u32) -> Option<Process> {
        let (boot, space) = machine()?;
        Some(Process {
            boot,
            space,
            id,
            started: match sign(&stat(id)?) {
                Sign::Since(started) => started,
                Sign::Ended | Sign::Unclear => return None,
            },
        })
    }

    /// Only what is certain: a process of another machine is never dead.
    fn is_dead(&self) -> bool {
        machine().is_some_and(|(boot, space)| boot == self.boot && space == self.space)
            && self.has_ended(stat(self.id).as_deref(), || is_gone(self.id))
    }

    /// `stat`: what the kernel tells of whoever has its number; `None` where that cannot be read,
    /// as with processes of other users where `/proc` hides them. Then only `gone` counts.
    fn has_ended(&self, stat: Option<&str>, gone: impl FnOnce() -> bool) -> bool {
        match stat.map(sign) {
            Some(Sign::Since(started)) => started != self.started,
            Some(Sign::Ended) => true,
            Some(Sign::Unclear) | None => gone(),
        }
    }
}

/// Whether no process has this number. One that is hidden from us is there all the same.
fn is_gone(id: u32) -> bool {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    id.is_some_and(|id| test_kill_process(id) == Err(Errno::SRCH))
}

fn stat(id: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{id}/stat")).ok()
}

/// What a `stat` says of a process.
enum Sign {
    /// It started at this tick.
    Since(u64),
    /// It has ended and only waits to be noticed.
    Ended,
    /// Nothing that is understood.
    Unclear,
}

/// This boot of this machine, and the space of process numbers we are in.
fn machine() -> Option<(String, String)> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let word = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect()
    };
    Some((word(&boot), word(&space.to_string_lossy())))
}

fn sign(stat: &str) -> Sign {
    // The second field is the program's name and may contain anything, blanks and brackets too.
    let Some((_, rest)) = stat.rsplit_once(") ") else {
        return Sign::Unclear;
    };
    let mut fields = rest.split_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return Sign::Ended;
    }
    match fields.nth(18).and_then(|ticks| ticks.parse().ok()) {
        Some(ticks) => Sign::Since(ticks),
        None => Sign::Unclear,
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.boot, self.space, self.id, self.started
        )
    }
}

impl std::str::FromStr for Process {
    type Err = ();

    fn from_str(text: &str) -> Result<Process, ()> {
        let mut words = text.split(' ');
        let mut next = || words.next().ok_or(());
        Ok(Process {
            boot: next()?.to_owned(),
            space: next()?.to_owned(),
            id: next()?.parse().map_err(|_| ())?,
            started: next()?.parse().map_err(|_| ())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::archive::{Entry, pack};

    #[test]
    fn a_process_is_dead_only_when_that_is_certain() {
        let me = Process::of(std::process::id()).unwrap();
        assert_eq!(me.to_string().parse(), Ok(me.clone()));
        assert!(!me.is_dead());
        let later = Process {
            started: me.started + 1,
            ..me.clone()
        };
        assert!(later.is_dead(), "the number was given to another process");
        for other in [
            Process {
                boot: "another".into(),
                ..later.clone()
            },
            Process {
                space: "another".into(),
                ..later.clone()
            },
        ] {
            assert!(!other.is_dead(), "{other:?}");
        }
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let it = Process::of(child.id()).unwrap();
        assert!(!it.is_dead());
        child.kill().unwrap();
        // Killed and not waited for: nothing is behind it any more.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while !it.is_dead() && std::time::Instant::now() < end {
            std::thread::yield_now();
        }
        assert!(it.is_dead());
        child.wait().unwrap();
        assert!(it.is_dead());
    }

    #[test]
    fn a_process_that_is_hidden_is_not_dead() {
        let me = Process::of(std::process::id()).unwrap();
        let stat = stat(me.id).unwrap();
        let (there, gone) = (|| false, || true);
        assert!(!me.has_ended(None, there), "/proc hides it");
        assert!(!me.has_ended(Some("garbled"), there));
        assert!(me.has_ended(None, gone));
        // What was read counts, whatever has the number now.
        assert!(!me.has_ended(Some(&stat), gone));
        assert!(me.has_ended(Some("7 (a) b) Z 1 7"), there));
        // Number 1 belongs to somebody else, unless these tests run as root; it is there in both.
        assert!(!is_gone(1));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let id = child.id();
        assert!(!is_gone(id), "also one that nobody waited for");
        child.wait().unwrap();
        assert!(is_gone(id));
    }

    #[test]
    fn whatever_the_labels_say_there_is_a_holder() {
        let said = |since: &str| BTreeMap::from([(labels::SINCE.to_owned(), since.to_owned())]);
        for since in ["", "x", "-9223372036854775808", "9223372036854775807"] {
            for beat in [None, Some(i64::MIN), Some(i64::MAX)] {
                for now in [None, Some(i64::MIN), Some(i64::MAX)] {
                    let holder = holder(&said(since), beat, now);
                    assert_eq!(holder.who, "somebody");
                    assert!(!holder.to_string().is_empty());
                }
            }
        }
        let tar = |text: &str| pack(&[Entry::file("heartbeat", 0o600, 0, text)]).unwrap();
        assert_eq!(beat(&tar("1700000000\n")), Some(1_700_000_000));
        assert_eq!(beat(&tar("soon")), None);
        assert_eq!(beat(b"nonsense"), None);
        let silent = holder(&said("100"), Some(130), Some(200));
        assert_eq!((silent.since, silent.silent_s), (100, 70));
    }

    #[test]
    fn labels_cannot_drive_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\nd"), "a[2Jbcd");
        assert_eq!(printable(&"x".repeat(500)).len(), 120);
    }
}
