//! Looks for the way back from an apply that was cut off: the fleet file that was applied before it,
//! and what brings hosts back to that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::back::{BackError, CutOff, Way, cut_off, in_order};
use super::fleet_file::folder_of;
use super::lineage;
use super::look::{Closely, by_clients};
use super::trust::Trust;
use crate::engine::Client;
use crate::fleet::{self, Certificate, Finding, Fleet, Level, Name, SecretSpec, Site, file_hash};
use crate::host::service::secrets::SecretSource;
use crate::host::{Toolbox, state};
use crate::observe::model::Observed;
use crate::plan::{Notice, Operation, OperationId, Plan, PlanOptions, plan_with};
use crate::record::{Applying, Layout, RecordedState, names};
use crate::text::{printable, short};

/// What it takes to find the way.
pub struct Search<'a> {
    /// The operator's fleet file: how hosts are reached, and where its history is.
    pub path: &'a Path,
    pub fleet: &'a Fleet,
    /// What was found on the hosts.
    pub observed: &'a Observed,
    /// Connections to them.
    pub clients: &'a BTreeMap<Name, Client>,
    /// Where the bytes of secrets come from.
    pub secrets: &'a dyn SecretSource,
    /// What of them may be read.
    pub trust: &'a Trust,
    /// The operator's state directory: what was applied from here before.
    pub state: Option<&'a Path>,
}

/// A fleet file that is gone back to.
struct Former {
    text: String,
    /// The host that keeps it, unless this operator applied it or has it in git: that is all that is
    /// known of it then, and whoever rules that host may have written it.
    kept_by: Option<Name>,
}

impl Search<'_> {
    /// The way back from `run`: as a rule one; several where hosts had different fleet files before.
    ///
    /// # Errors
    /// On any of its hosts the way is not open: then it is not gone on the others either.
    pub async fn ways(&self, run: &str) -> Result<Vec<Way>, BackError> {
        let notes = cut_off(self.observed)
            .remove(run)
            .ok_or_else(|| BackError::Unknown(run.to_owned()))?;
        let mut groups: BTreeMap<&str, BTreeSet<&Name>> = BTreeMap::new();
        for (host, note) in &notes {
            self.check(host, note)?;
            groups.entry(&note.before).or_default().insert(host);
        }
        let mut ways = Vec::new();
        for (before, hosts) in groups {
            let former = match before {
                "" => Former {
                    text: String::new(),
                    kept_by: None,
                },
                hash => self.file(hash, &hosts).await?,
            };
            // On the heap: what looks at hosts is too large for the stack of a thread.
            ways.push(Box::pin(self.way(run, former, &hosts, &notes)).await?);
        }
        let mut ways = in_order(ways)?;
        if let Some(first) = ways.first_mut() {
            first.plan.notices.extend(elsewhere(&notes));
        }
        Ok(ways)
    }

    /// Whether nobody applied anything else there meanwhile.
    fn check(&self, host: &Name, note: &Applying) -> Result<(), BackError> {
        if !self.fleet.hosts.contains_key(host) {
            return Err(BackError::NoHost { host: host.clone() });
        }
        let record = self.record(host);
        let now = record.map_or("", |r| r.fleet_hash.as_str());
        if now == note.before || now == note.fleet_hash {
            return Ok(());
        }
        let by = record.and_then(|r| r.applied_by.as_deref());
        Err(BackError::AppliedSince {
            host: host.clone(),
            by: format!("by {}", printable(by.unwrap_or("somebody"))),
        })
    }

    fn record(&self, host: &Name) -> Option<&crate::record::HostRecord> {
        let seen = self.observed.hosts.get(host)?.reached()?;
        seen.state.read()?.host.as_ref()
    }

    /// The fleet file with this hash: from git, else from a host that keeps it.
    async fn file(&self, hash: &str, hosts: &BTreeSet<&Name>) -> Result<Former, BackError> {
        let no_file = |host: Option<&Name>, why: &str| BackError::NoFile {
            host: host.or(hosts.first().copied()).cloned().unwrap_or_default(),
            why: why.into(),
        };
        let former = |bytes: Vec<u8>, kept_by: Option<Name>| match String::from_utf8(bytes) {
            Ok(text) => Ok(Former { text, kept_by }),
            Err(_) => Err(no_file(kept_by.as_ref(), "it is not UTF-8")),
        };
        if let Some(bytes) = lineage::version(self.path, hash).await {
            return former(bytes, None);
        }
        let applied = self.state.map(|state| lineage::recall(state, self.path));
        let own = applied.is_some_and(|applied| applied.hashes.iter().any(|h| h == hash));
        for (name, client) in self.clients {
            let keeps = self.record(name).is_some_and(|r| r.fleet_hash == hash);
            let Some(host) = self.fleet.hosts.get(name).filter(|_| keeps) else {
                continue;
            };
            let toolbox = Toolbox {
                client: client.clone(),
                id: names::toolbox(&self.fleet.name),
                layout: Layout::new(&host.root),
            };
            let copy = state::read_fleet_copy(&toolbox).await;
            if let Ok(Some(bytes)) = copy
                && file_hash(&bytes) == hash
            {
                return former(bytes, Some(name.clone()).filter(|_| !own));
            }
        }
        Err(no_file(
            None,
            "no host keeps it any more, and your git history does not have it",
        ))
    }

    async fn way(
        &self,
        run: &str,
        former: Former,
        hosts: &BTreeSet<&Name>,
        notes: &CutOff,
    ) -> Result<Way, BackError> {
        let source = former.text;
        let mut fleet = match source.as_str() {
            // Nothing was applied before: nothing was wished for.
            "" => Fleet {
                sites: Default::default(),
                ..self.fleet.clone()
            },
            text => {
                fleet::load(text, self.path)
                    .map_err(|findings| BackError::NoFile {
                        host: hosts.first().map(|h| (*h).clone()).unwrap_or_default(),
                        why: wrong(&findings),
                    })?
                    .fleet
            }
        };
        if former.kept_by.is_some() {
            withhold(&mut fleet, self.fleet);
        }
        fleet.hosts.retain(|name, _| hosts.contains(name));
        for name in hosts {
            let Some(mine) = self.fleet.hosts.get(*name) else {
                continue;
            };
            let host = fleet.hosts.entry((*name).clone());
            let host = host.or_insert_with(|| mine.clone());
            // Where it is, is what the operator's file says now: there its note was found.
            host.engine = mine.engine.clone();
            host.root.clone_from(&mine.root);
        }
        let hash = match source.as_str() {
            "" => String::new(),
            text => file_hash(text.as_bytes()),
        };
        // A file of earlier may name commands that were not said yes to yet. Where nobody answers they
        // are not run, which the plan says.
        let touched = notes.values().flat_map(|note| &note.sites);
        let touched = touched.filter_map(|site| fleet.sites.get(site));
        let _ = self
            .trust
            .settle(
                self.path,
                &folder_of(self.path),
                touched.flat_map(Site::sources),
            )
            .await;
        let mut observed = self.look(&fleet).await;
        observed.lineage.ancestors.insert(hash.clone());
        let here = || notes.iter().filter(|(host, _)| hosts.contains(host));
        let touched: BTreeSet<Name> = here().flat_map(|(_, n)| n.sites.clone()).collect();
        let gone = self.moved_for_good(notes);
        let (stays, touched): (BTreeSet<Name>, _) = touched.into_iter().partition(|site| {
            let here = fleet.sites.get(site).map(|site| &site.host);
            gone.contains_key(site) && here.is_none_or(|host| !hosts.contains(host))
        });
        observed.lineage.known_sites.extend(touched.iter().cloned());
        let options = PlanOptions {
            only: Some(touched),
            stop_unknown: true,
            takes_back: Some(run.to_owned()),
            ..PlanOptions::default()
        };
        let now = chrono::Utc::now().timestamp();
        let mut plan = plan_with(&fleet, &hash, &observed, &[], now, &options);
        leave_untouched(&mut plan, notes);
        plan.notices.extend(stays.into_iter().filter_map(|site| {
            let host = here().find(|(_, note)| note.sites.contains(&site))?.0;
            let from = gone.get(&site)?;
            Some(Notice {
                host: host.clone(),
                text: format!(
                    "stays here: that apply moved it from {from} and came to its end there"
                ),
                site: Some(site),
            })
        }));
        if let Some(keeper) = &former.kept_by {
            let text = format!(
                "the fleet file that this goes back to is what {keeper} keeps: you neither applied it \
                 nor have it in git, and whoever rules {keeper} may have written it"
            );
            plan.notices.extend(hosts.iter().map(|host| Notice {
                host: (*host).clone(),
                site: None,
                text: text.clone(),
            }));
        }
        for (host, note) in here() {
            let secrets = note.secrets.iter().filter(|site| {
                let site = fleet.sites.get(site.as_str());
                let known = |site: &fleet::Site| !site.secrets.values().any(is_kept);
                site.is_some_and(|site| !site.secrets.is_empty() && known(site))
            });
            plan.notices.extend(secrets.map(|site| Notice {
                host: host.clone(),
                site: Some(site.clone()),
                text: "its secrets become what their sources say now: what they were is kept nowhere"
                    .into(),
            }));
        }
        Ok(Way {
            source,
            kept_by: former.kept_by,
            fleet,
            plan,
            observed,
            after: BTreeSet::new(),
        })
    }

    /// Sites that it moved away from a host on which it came to its end, with that host: there they
    /// are not brought back, so they have to stay where they are now.
    fn moved_for_good(&self, notes: &CutOff) -> BTreeMap<Name, Name> {
        let hosts: BTreeSet<&Name> = notes.values().flat_map(|note| &note.hosts).collect();
        let ended = hosts.into_iter().filter(|host| !notes.contains_key(*host));
        let mut moved = BTreeMap::new();
        for host in ended {
            let seen = self.observed.hosts.get(host).and_then(|h| h.reached());
            for (site, record) in seen
                .and_then(|s| s.state.read())
                .iter()
                .flat_map(|s| &s.sites)
            {
                if record.state == RecordedState::Leftover {
                    moved.insert(site.clone(), host.clone());
                }
            }
        }
        moved
    }

    /// Looks closely at the hosts of `fleet`, as they are for that file.
    async fn look(&self, fleet: &Fleet) -> Observed {
        let closely = Closely::to_plan(self.secrets);
        let found = by_clients(fleet, fleet.hosts.values(), self.clients, closely).await;
        let mut observed = self.observed.clone();
        observed.hosts.extend(found);
        observed
    }
}

/// What is wrong with a fleet file that was applied before: as the operator's own is read, so is it.
fn wrong(findings: &[Finding]) -> String {
    let mut errors = findings.iter().filter(|f| f.level == Level::Error);
    let first = errors.next().map(|f| short(&f.message, 200));
    let first = first.unwrap_or_default();
    match errors.count() {
        0 => format!("this ostler finds an error in it: {first}"),
        more => format!(
            "this ostler finds {} errors in it, first: {first}",
            more + 1
        ),
    }
}

/// Leaves out what would be done to sites that the apply did not touch on their host: what a host's
/// note says holds for that host, and for no other.
fn leave_untouched(plan: &mut Plan, notes: &CutOff) {
    let touched = |o: &Operation| {
        let note = notes.get(&o.host);
        let site = o.site.as_ref();
        site.is_none_or(|site| note.is_some_and(|note| note.sites.contains(site)))
    };
    let left = plan.operations.extract_if(.., |o| !touched(o));
    let left: BTreeSet<OperationId> = left.map(|o| o.id).collect();
    for operation in &mut plan.operations {
        operation.after.retain(|id| !left.contains(id));
    }
}

/// Takes what is named on the operator's machine out of a fleet file that is not known to be the
/// operator's: files and commands. What the operator's own file has as well stays, for the same host
/// only: no host is to be given the secrets of another. What is for no site is as the own file has it.
fn withhold(former: &mut Fleet, mine: &Fleet) {
    former.acme.clone_from(&mine.acme);
    former.dns.clone_from(&mine.dns);
    former.notify.clone_from(&mine.notify);
    for (site, it) in &mut former.sites {
        let mine = mine.sites.get(site).filter(|mine| mine.host == it.host);
        let known = mine.map(|site| &site.secrets);
        for (name, spec) in &mut it.secrets {
            if known.and_then(|known| known.get(name)) != Some(&*spec) {
                *spec = SecretSpec::Kept;
            }
        }
        let own = matches!(it.certificate(), Certificate::Own { .. });
        if own && mine.map(Site::certificate) != Some(it.certificate()) {
            it.certificate = Some(Certificate::Kept);
        }
    }
}

fn is_kept(spec: &SecretSpec) -> bool {
    *spec == SecretSpec::Kept
}

/// What is not taken back: hosts on which it came to its end, and hosts that do not answer.
fn elsewhere(notes: &CutOff) -> Vec<Notice> {
    let all: BTreeSet<&Name> = notes.values().flat_map(|note| &note.hosts).collect();
    all.into_iter()
        .filter(|host| !notes.contains_key(host.as_str()))
        .map(|host| Notice {
            host: host.clone(),
            site: None,
            text:
                "that apply came to its end here, or this host does not answer: it stays as it is"
                    .into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_nothing_on_the_operators_machine() {
        let load = |top: &str, sites: &str| {
            let text = format!(
                "fleet: x\n{top}\nhosts: {{ one: {{ engine: 'ssh://one' }}, two: {{ engine: 'ssh://two' }} }}\n\
                 defaults: {{ recipe: static, certificate: {{ file: a.pem, key: a.key }} }}\nsites:\n{sites}"
            );
            fleet::load(&text, Path::new("fleet.yml")).unwrap().fleet
        };
        let site = |name: &str, host: &str, more: &str| {
            format!("  {name}: {{ host: {host}, domains: [{name}.test]{more} }}\n")
        };
        let other = ", certificate: { file: b.pem, key: /etc/ssl/b.key }";
        let mut former = load(
            "acme: { terms: agreed, directory: 'https://evil.test', ca: /etc/passwd }\n\
             dns: { zone: x.test, server: evil.test, key: { command: [steal] } }\n\
             notify: { command: [steal] }",
            &[
                site("same", "one", ""),
                site("moved", "one", ""),
                site("other", "one", other),
                site("new", "one", ""),
                site("none", "one", ", certificate: none"),
            ]
            .concat(),
        );
        let mine = load(
            "acme: { terms: agreed }",
            &[
                site("same", "one", ""),
                site("moved", "two", ""),
                site("other", "one", ""),
                site("none", "one", ""),
            ]
            .concat(),
        );
        withhold(&mut former, &mine);
        assert_eq!(former.acme, mine.acme);
        assert!(former.dns.is_empty() && former.notify.is_empty());
        let of = |site: &str| former.sites[site].certificate();
        assert_eq!(of("same"), mine.sites["same"].certificate());
        for site in ["moved", "other", "new"] {
            assert_eq!(of(site), &Certificate::Kept, "{site}");
        }
        assert_eq!(of("none"), &Certificate::None);
    }
}
