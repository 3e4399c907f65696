//! What is compared, and what is found, before any of it is shown.

use super::hand;
use crate::fleet::{Fleet, Host, Name};
use crate::observe::model::{ObservedContainer, ObservedHost};
use crate::observe::whose;
use crate::plan::index::Index;
use crate::plan::route::Claims;
use crate::record::{Different, HostState, SiteDiffers, SiteRecord};

/// A host and what it is compared with.
pub(crate) struct Look<'a> {
    pub fleet: &'a Fleet,
    /// Which domain is whose, by the file.
    pub claims: Claims<'a>,
    pub host: &'a Host,
    pub seen: &'a ObservedHost,
    pub state: &'a HostState,
    pub index: Index<'a>,
}

/// A field with its values as they are, before any is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw {
    pub path: String,
    pub applied: Option<String>,
    pub live: Option<String>,
    pub wanted: Option<String>,
    /// An apply of ours brought it to what it is, without a record of it here.
    pub ours: bool,
}

impl Raw {
    /// Whether the host was changed behind our back.
    pub fn by_hand(&self) -> bool {
        self.applied != self.live && !self.ours
    }
}

/// Fields while they are found; what is the same in all three is left out.
#[derive(Default)]
pub(crate) struct Found(pub Vec<Raw>);

impl Found {
    pub fn add(
        &mut self,
        path: impl Into<String>,
        applied: Option<String>,
        live: Option<String>,
        wanted: Option<String>,
    ) {
        if applied != live || applied != wanted {
            self.0.push(Raw {
                path: path.into(),
                applied,
                live,
                wanted,
                ours: false,
            });
        }
    }
    /// Only the host was changed.
    pub fn by_hand(&mut self, path: impl Into<String>, applied: Option<&str>, live: Option<&str>) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        self.add(path, own(applied), own(live), own(applied));
    }
    /// Only the file was changed.
    pub fn by_file(
        &mut self,
        path: impl Into<String>,
        applied: Option<&str>,
        wanted: Option<&str>,
    ) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        self.add(path, own(applied), own(applied), own(wanted));
    }
    pub fn differences(&mut self, prefix: &str, different: &[Different]) {
        for one in different {
            let path = match prefix {
                "" => one.path.clone(),
                prefix => format!("{prefix}.{}", one.path),
            };
            self.by_hand(path, one.applied.as_deref(), one.live.as_deref());
        }
    }
}

impl<'a> Look<'a> {
    pub fn at(
        fleet: &'a Fleet,
        host: &'a Host,
        seen: &'a ObservedHost,
        state: &'a HostState,
    ) -> Look<'a> {
        Look {
            fleet,
            claims: Claims::of(fleet),
            host,
            seen,
            state,
            index: Index::of(seen, &fleet.name),
        }
    }

    /// Whether there was an apply before whose state cannot be read.
    pub fn is_blind(&self) -> bool {
        self.seen.state.read().is_none() && !self.index.nothing_of_ours()
    }

    pub fn fleet_name(&self) -> &'a Name {
        &self.fleet.name
    }

    pub fn differs(&self, site: &Name) -> Option<&'a SiteDiffers> {
        self.seen.differs.as_ref()?.sites.get(site)
    }

    /// The container that a record is about; else the one that serves.
    pub fn container(&self, record: &SiteRecord) -> Option<&'a ObservedContainer> {
        let all = self.index.sites.get(record.site.as_str())?;
        let about: Vec<&ObservedContainer> = all
            .iter()
            .copied()
            .filter(|c| hand::is_about(record, c))
            .collect();
        let these = if about.is_empty() { all } else { &about };
        let (fleet, site) = (self.fleet_name(), record.site.as_str());
        whose::serving(these, fleet, site, Some(self.state))
    }
}
