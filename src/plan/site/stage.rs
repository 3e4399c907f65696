//! One site while its part of the plan is made, and the steps that part is made of, whatever state
//! the site is to come to.

use super::view::View;
use crate::fleet::{Limits, Name, SiteState};
use crate::observe::model::ObservedContainer;
use crate::plan::container::{existing, is_active, planned, short};
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::ground::Ground;
use crate::plan::operation::{ContainerRef, Interruption, OperationId, OperationKind};
use crate::record::route::RouteEntry;
use crate::record::{RecordedState, SiteRecord, names};

/// Seconds that running requests have before a container that is no longer routed is stopped.
const DRAIN_S: u32 = 30;

/// A site that cannot be planned; why is among the problems.
pub(crate) struct Refused;

/// One site while its part of the plan is made.
pub(crate) struct Stage<'s, 'a> {
    pub ground: &'s mut Ground<'a>,
    pub draft: &'s mut Draft,
    pub chain: Chain,
    pub name: &'s Name,
    pub view: View<'a>,
    pub uid: u32,
    /// What will be recorded: what was, until someone says otherwise.
    pub record: SiteRecord,
}

impl<'s, 'a> Stage<'s, 'a> {
    pub fn of(
        ground: &'s mut Ground<'a>,
        draft: &'s mut Draft,
        name: &'s Name,
        view: View<'a>,
    ) -> Stage<'s, 'a> {
        let uid = ground.uid(name, view.record);
        let record = view.record.cloned().unwrap_or_else(|| SiteRecord {
            schema: 1,
            site: name.clone(),
            uid,
            spec: None,
            hash: None,
            limits: Limits::default(),
            address: None,
            route: None,
            secrets: Default::default(),
            services: Default::default(),
            state: RecordedState::Wanted(SiteState::Running),
            image_id: None,
            made: None,
        });
        Stage {
            chain: Chain::new(draft.host.clone(), name.clone()),
            ground,
            draft,
            name,
            view,
            uid,
            record,
        }
    }

    /// Puts the site's operations into the draft; returns the last of them.
    pub fn finish(self) -> Option<OperationId> {
        let last = self.chain.operations.last().map(|last| last.id.clone());
        self.draft.operations.extend(self.chain.operations);
        last
    }

    /// Nothing of this site is begun that could not be finished.
    pub fn refuse(&mut self, what: impl Into<String>, remedy: &str) -> Refused {
        self.chain.operations.clear();
        self.draft.problem(Some(self.name), what, remedy);
        Refused
    }

    pub fn notice(&mut self, text: impl Into<String>) {
        self.draft.notice(Some(self.name), text);
    }

    /// Not all of it could be compared.
    pub fn uncompared(&mut self, text: impl Into<String>) {
        self.draft.uncompared.insert(self.name.clone());
        self.notice(text);
    }

    /// A step that needs nothing of the host but its engine.
    pub fn push(&mut self, step: Step) {
        self.chain.push(step, &[]);
    }

    /// A step that the toolbox works at.
    pub fn push_prepared(&mut self, step: Step) {
        self.chain.push(step, &[self.ground.prepared.as_ref()]);
    }

    /// A step of a service, which its helper on the host works at too.
    pub fn push_service(&mut self, service: &str, step: Step) {
        let helper = self.ground.helpers.get(service);
        let needs = [self.ground.prepared.as_ref(), helper];
        self.chain.push(step, &needs);
    }

    fn push_routed(&mut self, step: Step) {
        let ground = &*self.ground;
        let needs = [ground.router_ready.as_ref(), ground.prepared.as_ref()];
        self.chain.push(step, &needs);
    }

    /// Lets a container's requests end and stops it.
    pub fn stop(&mut self, container: &ObservedContainer, tag: &str, cause: &[String]) {
        if container.is_running()
            && let Some(address) = self.view.address(container)
        {
            let kind = OperationKind::Drain {
                address,
                at_most_s: DRAIN_S,
            };
            self.push_routed(Step::new(format!("drain{tag}"), kind, cause));
        }
        if is_active(container) {
            let kind = OperationKind::StopContainer {
                container: existing(container),
                grace_s: DRAIN_S,
            };
            let start = OperationKind::StartContainer {
                container: existing(container),
            };
            self.push(Step::new(format!("stop{tag}"), kind, cause).undone_by(start));
        }
    }

    /// Removes a container that another one replaced or that is no longer wanted.
    pub fn retire(&mut self, container: &ObservedContainer, cause: &[String]) {
        let tag = format!("-{}", short(&container.id));
        self.stop(container, &tag, cause);
        let kind = OperationKind::RemoveContainer {
            container: existing(container),
            force: false,
        };
        let step = Step::new(format!("remove{tag}"), kind, cause)
            .no_way_back("the container is gone; files and state stay");
        self.push(step);
    }

    /// Gives the container that stays its final name.
    pub fn rename(&mut self, current: &ContainerRef) {
        let name = &self.view.name;
        if current.name == *name || self.view.is_taken(self.ground) {
            return;
        }
        let kind = OperationKind::RenameContainer {
            container: current.clone(),
            to: name.clone(),
        };
        let by_hand = !names::is_site(self.ground.fleet(), self.name.as_str(), &current.name);
        let why = match by_hand {
            true => "it was renamed by hand",
            false => "it is the only one now",
        };
        let step =
            Step::new("rename", kind, &[])
                .because(why)
                .undone_by(OperationKind::RenameContainer {
                    container: planned(name),
                    to: current.name.clone(),
                });
        self.push(step);
    }

    /// Tells the router where the site is, unless it knows.
    pub fn route(&mut self, entry: &RouteEntry, interrupts: Interruption, cause: &[String]) {
        let edited = self.ground.differs(self.name);
        let edited = edited.map_or(&[][..], |differs| &differs.route);
        let is_there = self.view.routed == Some(entry);
        if is_there && edited.is_empty() {
            return;
        }
        let by_hand: Vec<String> = edited
            .iter()
            .map(|one| format!("{} in the router changed by hand", one.path))
            .collect();
        let cause = if is_there { &by_hand } else { cause };
        let kind = OperationKind::Route {
            entry: entry.clone(),
        };
        let undo = match self.view.way_back() {
            Some(was) => OperationKind::Route { entry: was.clone() },
            None => OperationKind::Unroute {
                site: entry.site.clone(),
            },
        };
        let step = Step::new("route", kind, cause);
        self.push_routed(step.interrupts(interrupts).undone_by(undo));
    }

    /// Takes the site's routes away, unless there are none.
    pub fn unroute(&mut self, cause: &[String]) {
        if self.view.routed.is_none() {
            return;
        }
        let kind = OperationKind::Unroute {
            site: self.name.clone(),
        };
        let step = Step::new("unroute", kind, cause).interrupts(Interruption::Lasting);
        self.push_routed(match self.view.way_back() {
            Some(was) => step.undone_by(OperationKind::Route { entry: was.clone() }),
            None => step.no_way_back("it did not lead to a container of this site"),
        });
    }

    /// Makes the site's folders, after taking over files that were there before it.
    pub fn folders(&mut self, placeholder: bool, cause: &[String]) {
        let uid = self.uid;
        if let Some(from) = self.ground.seen.folders.get(self.name)
            && (from.uid != uid || from.gid != uid)
        {
            let kind = OperationKind::TakeOwnership {
                site: self.name.clone(),
                from: *from,
                uid,
            };
            let step = Step::new("own", kind, &[])
                .because(format!(
                    "owner of its files: {}:{} → {uid}:{uid}",
                    from.uid, from.gid
                ))
                .no_way_back("whose each file was is not kept");
            self.push_prepared(step);
        }
        let kind = OperationKind::CreateFolders {
            site: self.name.clone(),
            uid,
            placeholder,
        };
        self.push_prepared(Step::new("folders", kind, cause));
    }

    /// Removes configuration that no container uses any more.
    pub fn clean(&mut self, keep: Option<String>) {
        let kind = OperationKind::CleanConf {
            site: self.name.clone(),
            keep,
        };
        let step =
            Step::new("clean", kind, &[]).because("no container reads the old configuration");
        self.push_prepared(step);
    }

    /// Whether the record will say something else than it does.
    pub fn is_told_anew(&self) -> bool {
        self.view.record != Some(&self.record)
    }

    /// Writes the record where it says something else.
    pub fn write_record(&mut self, cause: &[String]) {
        if self.is_told_anew() {
            let kind = OperationKind::WriteRecord {
                record: Box::new(self.record.clone()),
            };
            self.push_prepared(Step::new("record", kind, cause));
        }
    }
}
