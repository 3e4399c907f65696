//! What reaches the console: keys, time, and what workers found. Nothing else changes the model.

use std::sync::Arc;

use bytes::Bytes;
use crossterm::event::KeyEvent;

use super::activity::Step;
use super::log::Stream;
use super::planned::Planned;
use super::proposal::Proposal;
use crate::engine::Question;
use crate::fleet::{Fleet, Name};
use crate::observe::greet::BySite;
use crate::observe::model::ObservedHost;
use crate::observe::served::Watched;
use crate::record::Machine;
use crate::verdict::due::{DriftBySite, drift_of};
use crate::verdict::{Link, Outside, Probe, Pulse, Traffic, Usage};
use crate::walk::FleetFileError;
use crate::walk::past::Told;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Message {
    /// The time: milliseconds since 1970.
    Clock(i64),
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has this size now.
    Resize(u16, u16),
    /// The fleet file was read again: after an edit, or because it changed on disk.
    Fleet(Arc<Fleet>),
    /// The fleet file on disk cannot be used; what was read before is shown still.
    FleetBroken(Broken),
    /// Something about a host.
    Host(Name, HostNews),
    /// The plan for what is known now.
    Planned(Result<Arc<Planned>, String>),
    /// What was applied, as far as journals tell.
    Journal(Arc<Told>),
    /// The answer to [`super::Effect::Propose`].
    Proposed(u64, Result<Box<Proposal>, String>),
    /// A step of the apply with this number.
    Step(u64, Step),
    /// What the operator's own side sees of a site.
    Outside(Name, Outside),
    /// The last lines of a container, by the row and its id, for a site's page.
    Tail(Arc<str>, String, Result<Vec<String>, String>),
    /// Something of the logs followed under this number.
    Log(u64, LogNews),
    /// A login asks something; the number goes with the answer.
    Asked(u64, Question),
    /// Asked to end by a signal.
    Terminate,
}

/// What is wrong with the fleet file on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The first of it with its place, on one line.
    pub brief: String,
    /// All of it, with the lines of the file that it is about.
    pub lines: Vec<String>,
}

impl Broken {
    /// In words that can drive no terminal.
    pub fn of(error: &FleetFileError) -> Broken {
        let clean = |text: &String| crate::text::clean(text).into_owned();
        Broken {
            brief: clean(&error.brief()),
            lines: error.lines().iter().map(clean).collect(),
        }
    }
}

/// Something of a followed log. The first number says which of the containers asked for.
#[derive(Debug, Clone)]
pub enum LogNews {
    /// Bytes, cut anywhere.
    Bytes(usize, Stream, Bytes),
    /// It ended, or was lost, in a few words.
    Ended(usize, String),
    /// This container's log cannot be read, now or later, in a few words.
    Never(usize, String),
}

/// Something about a host.
#[derive(Debug, Clone)]
pub enum HostNews {
    /// Whether it answers; why not, and when the next attempt is made (unix seconds).
    Link {
        /// State.
        link: Link,
        /// Why not.
        why: String,
        /// Next attempt; none while it is away: only when asked to.
        retry_at: Option<i64>,
    },
    /// It was looked at.
    Observed(Seen),
    /// Looking at it failed, though it may answer otherwise: what was seen before is not current.
    Unread,
    /// Another machine goes by its name from now on: nothing that was known of it counts.
    Replaced,
    /// The file says something else now; what differs from what was last seen.
    Drift(Arc<DriftBySite>),
    /// How far away it is.
    Pulse(Pulse),
    /// Its machine's numbers, or why they are not known.
    Machine(Result<Machine, String>),
    /// The router's numbers, by site.
    Traffic(Vec<(Name, Traffic)>),
    /// What came of asking its sites ourselves.
    Probed(Vec<(Name, Probe)>),
    /// What was found of its sites' certificates.
    Certificates(Watched),
    /// What is shown for the names of some of its sites.
    Shown(BySite),
    /// A container's numbers.
    Usage(String, Usage),
    /// A container did something.
    Event(ContainerEvent),
}

/// A host as it was found.
#[derive(Debug, Clone)]
pub struct Seen {
    /// All that is there.
    pub host: Arc<ObservedHost>,
    /// What of it differs.
    pub drift: Arc<DriftBySite>,
}

impl Seen {
    /// Compares what was found with what was applied and what the file says, which takes a while:
    /// a few milliseconds for a hundred sites. Without a fleet nothing differs.
    pub fn of(fleet: Option<&Fleet>, name: &Name, host: Arc<ObservedHost>) -> Seen {
        let drift = Arc::new(drift_of(fleet, name, &host));
        Seen { host, drift }
    }
}

/// What a container did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// When, unix seconds.
    pub at: i64,
    pub container: String,
    pub name: String,
    /// Its site, where it carries our label.
    pub site: Option<String>,
    /// What, in the engine's word: `start`, `die`, `oom`, …
    pub action: String,
    /// More: an exit code, a health state.
    pub detail: String,
}
