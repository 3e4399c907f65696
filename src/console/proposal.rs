//! A change that was worked out and not yet made: shown, then confirmed or left.

use std::collections::HashSet;
use std::sync::Arc;

use super::effect::Request;
use super::plan_lines::summary;
use super::planned::Planned;
use super::widget::input::Input;
use crate::fleet::DiffLine;
use crate::plan::{Class, Plan};

/// What a change would do.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// What was asked.
    pub request: Request,
    /// How the fleet file would change; empty when it does not.
    pub diff: Vec<DiffLine>,
    /// What would be done, ready to be shown.
    pub planned: Arc<Planned>,
    /// What there is to say about the fleet file in git.
    pub uncommitted: Option<String>,
    /// What was asked and would not be done, and why.
    pub left: Vec<String>,
}

/// How a proposal is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// By a key.
    Key,
    /// By typing this.
    Type(String),
}

/// A proposal on screen.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its number.
    pub id: u64,
    pub proposal: Box<Proposal>,
    /// What is asked for.
    pub confirm: Confirm,
    /// What is typed is how many sites it touches.
    pub counts: bool,
    /// What would be done, in one line.
    pub summary: String,
    /// What was typed.
    pub input: Input,
    /// First line on screen.
    pub top: usize,
    /// Since when it is on screen and no key came (milliseconds); none: it was not drawn yet.
    pub quiet_since: Option<i64>,
}

/// A proposal opens by itself, under a finger that may still be on the key that asked for it, and
/// the same key confirms. So that one counts only after this long without any key: longer than a
/// terminal takes to begin repeating one that is held (660 ms at most, unless set otherwise).
pub const UNREAD_MS: i64 = 800;

/// From how many sites on the number is asked for.
pub const MANY: usize = 5;

impl Proposal {
    /// What would be done.
    pub fn plan(&self) -> &Plan {
        &self.planned.plan
    }

    /// Whether there is nothing to write and nothing to do.
    pub fn is_empty(&self) -> bool {
        self.diff.is_empty() && self.plan().operations.is_empty()
    }

    /// How it wants to be confirmed: by the name when it stops or removes a site, by the number of
    /// sites when there are many.
    pub fn confirm(&self) -> Confirm {
        use super::effect::Wish;
        let stops = matches!(
            self.request.wish,
            Wish::State(crate::fleet::SiteState::Stopped | crate::fleet::SiteState::Archived)
        );
        let touched = self.touched();
        let dangerous = stops || self.stops_sites();
        match (&touched[..], dangerous) {
            (many, _) if many.len() > MANY => Confirm::Type(many.len().to_string()),
            ([one], true) => Confirm::Type(one.clone()),
            (many, true) if many.len() > 1 => Confirm::Type(many.len().to_string()),
            ([], true) => match self.request.named() {
                [one] => Confirm::Type(one.to_string()),
                many => Confirm::Type(many.len().to_string()),
            },
            _ => Confirm::Key,
        }
    }

    /// Names of the sites that operations touch, each once.
    pub fn touched(&self) -> Vec<String> {
        let mut met = HashSet::new();
        let sites = self.plan().operations.iter();
        let sites = sites.filter_map(|o| o.site.as_ref());
        sites
            .filter(|site| met.insert(*site))
            .map(ToString::to_string)
            .collect()
    }

    /// Whether a site is left without what it had: an operation that is destructive and lasting.
    fn stops_sites(&self) -> bool {
        self.plan().operations.iter().any(|o| {
            o.class == Class::Destructive && o.interrupts == crate::plan::Interruption::Lasting
        })
    }
}

impl Open {
    /// A proposal, to be shown.
    pub fn new(id: u64, proposal: Box<Proposal>) -> Open {
        let confirm = proposal.confirm();
        let number = matches!(&confirm, Confirm::Type(it) if it.parse::<usize>().is_ok());
        Open {
            id,
            counts: number && proposal.touched().len() > 1,
            summary: summary(proposal.plan()),
            confirm,
            proposal,
            input: Input::default(),
            top: 0,
            quiet_since: None,
        }
    }

    /// Whether it could be read: the confirming key counts.
    pub fn listens(&self, now_ms: i64) -> bool {
        self.quiet_since.is_some_and(|at| now_ms - at >= UNREAD_MS)
    }

    /// A key came: before it could be read the wait begins again.
    pub fn stirred(&mut self, now_ms: i64) {
        if !self.listens(now_ms)
            && let Some(since) = &mut self.quiet_since
        {
            *since = now_ms;
        }
    }

    /// Whether what was typed is what is asked for.
    pub fn confirmed(&self) -> bool {
        match &self.confirm {
            Confirm::Key => true,
            Confirm::Type(wanted) => self.input.text().trim() == wanted,
        }
    }
}
