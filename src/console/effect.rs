//! What the console asks of the world. `update` returns these; only the runtime carries them out.

use std::sync::Arc;

use crate::engine::Answer;
use crate::fleet::{Name, SiteState};

use super::form::site::NewSite;
use crate::verdict::SiteRow;

/// One wish to the outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Back to the shell until it brings us back.
    Suspend,
    /// Draw everything afresh.
    Redraw,
    /// Put a text into the terminal's clipboard.
    Copy(String),
    /// Compute the plan for what is known now.
    Plan,
    /// Work out what a change would do; changes nothing. Answered by `Proposed` with this number.
    Propose(u64, Request),
    /// Read the journals, the operator's own and the hosts'.
    Journal,
    /// Commit the fleet file to git with this message; told by steps of the apply with this number.
    Commit(u64, String),
    /// A proposal is not wanted any more.
    Forget(u64),
    /// Carry out the proposal with this number: write the file, apply.
    Apply(u64),
    /// These numbers are on screen now; others need not be read.
    Watch(Watch),
    /// Look at all hosts again, now; retry those that are away.
    Refresh,
    /// Answer a login's question.
    Answer(u64, Answer),
    /// See what the operator's own side sees of this site.
    Outside(Name),
    /// Read a container's last lines for a site's page.
    Tail {
        /// Answered under this key.
        key: Arc<str>,
        host: Name,
        /// Container's id.
        container: String,
    },
    /// Follow these logs too; their lines come as `Log` with this number.
    Follow(u64, Vec<Followed>),
    /// Follow them no longer.
    Unfollow(u64),
}

impl Effect {
    /// Whether carrying it out changes a host or the fleet file.
    pub fn changes(&self) -> bool {
        matches!(self, Effect::Apply(_))
    }
}

/// One container whose log is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// What its news carry: which of the screen's origins it is.
    pub at: usize,
    pub host: Name,
    /// Container's id.
    pub container: String,
}

/// Which numbers are on screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watch {
    /// Containers whose use is shown: (host, container id).
    pub usage: Vec<(String, String)>,
    /// Sites that are shown: (host, site).
    pub sites: Vec<(String, String)>,
    /// Hosts whose traffic is shown.
    pub traffic: Vec<String>,
    /// Hosts whose machine's numbers are shown: disk, memory, load.
    pub machines: Vec<String>,
    /// All certificates are shown.
    pub certificates: bool,
    /// The site whose certificate is shown: (host, site).
    pub certificate: Option<(String, String)>,
}

impl Watch {
    /// Adds what a row shows; what its container uses too, if that is on screen.
    pub fn row(&mut self, row: &SiteRow, usage: bool) {
        if row.stale {
            return;
        }
        if usage && let Some(container) = &row.container {
            self.usage.push((row.host.clone(), container.clone()));
        }
        if row.in_file {
            self.sites.push((row.host.clone(), row.name.clone()));
            if !self.traffic.contains(&row.host) {
                self.traffic.push(row.host.clone());
            }
        }
    }
}

/// A change to be worked out.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// In words, naming what it is bound to: `restart bob-shop on web2`.
    pub title: String,
    /// What is asked.
    pub wish: Wish,
    /// For which sites; `None`: all. None in the list: for the hosts themselves.
    pub sites: Option<Vec<Name>>,
}

impl Request {
    /// The sites that it names.
    pub fn named(&self) -> &[Name] {
        self.sites.as_deref().unwrap_or_default()
    }

    /// Whether it makes a site that was described in a form.
    pub fn is_creation(&self) -> bool {
        matches!(self.wish, Wish::Create(_))
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Make them match the file.
    Apply,
    /// Finish the apply with this name, which was cut off.
    Finish(String),
    /// Take back the apply with this name, which was cut off.
    Undo(String),
    /// Write what was changed by hand on them into the file.
    Adopt,
    /// Restart their containers.
    Restart,
    /// Replace their containers where these run an older image than their tag stands for.
    Update,
    /// Ask registries for newer images under their tags.
    Pull,
    /// Edit `state:`.
    State(SiteState),
    /// Add a site to the file.
    Create(Box<NewSite>),
}
