//! Hosts in memory, and what each operation does to them. Whatever an engine or a host would
//! refuse, and whatever would hurt a visitor, is a panic.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::fleet::{Domain, Fleet, Name};
use crate::observe::model::*;
use crate::plan::service::operation::ServiceOperation;
use crate::plan::service::secrets::operation::SecretsOperation;
use crate::plan::{ContainerRef, Operation, OperationId, OperationKind, Plan, Undo};
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::spec::SpecNetwork;
use crate::record::*;
use crate::record::{Labelled, Role, labels};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct World {
    pub fleet: Name,
    pub hosts: BTreeMap<Name, WorldHost>,
    pub lineage: Lineage,
    /// What secrets are at their sources now.
    pub secret_version: u32,
    pub ids: u32,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct WorldHost {
    pub containers: Vec<ObservedContainer>,
    pub networks: Vec<ObservedNetwork>,
    pub images: BTreeMap<String, String>,
    /// What the root folder holds; `None` before it is made.
    pub disk: Option<HostState>,
    pub folders: BTreeMap<Name, Owner>,
    pub conf: BTreeMap<Name, BTreeSet<String>>,
    pub secrets: BTreeMap<Name, BTreeMap<String, String>>,
    /// Where files were edited by hand.
    pub edited: Differs,
}

impl World {
    /// Everything a real look would find.
    pub fn observe(&self, fleet: &Fleet) -> Observed {
        let mut observed = Observed {
            lineage: self.lineage.clone(),
            ..Observed::default()
        };
        for name in fleet.hosts.keys() {
            let host = self.hosts.get(name).cloned().unwrap_or_default();
            let toolbox = host.role(&self.fleet, Role::Toolbox).next().is_some();
            let read = toolbox.then(|| host.disk.clone().unwrap_or_default());
            let mut secret_digests = BTreeMap::new();
            if read.as_ref().is_some_and(|state| state.host.is_some()) {
                for site in fleet.sites_on(name) {
                    let digests = site
                        .secrets
                        .keys()
                        .map(|secret| (secret.clone(), self.digest(&site.name, secret)));
                    secret_digests.insert(site.name.clone(), digests.collect());
                }
            }
            let folders = host
                .folders
                .iter()
                .filter(|(site, _)| {
                    fleet.sites.contains_key(site.as_str())
                        && read
                            .as_ref()
                            .is_none_or(|state| !state.sites.contains_key(site.as_str()))
                })
                .map(|(site, owner)| (site.clone(), *owner))
                .collect();
            let seen = ObservedHost {
                containers: host.containers,
                networks: host.networks,
                images: host.images,
                state: match read {
                    Some(state) => StateRead::Read(std::sync::Arc::new(state)),
                    None => StateRead::NoToolbox,
                },
                folders,
                secret_digests,
                differs: Some(host.edited),
                ..ObservedHost::default()
            };
            observed.hosts.insert(
                name.clone(),
                HostObservation::Reached(std::sync::Arc::new(seen)),
            );
        }
        observed
    }

    pub fn digest(&self, site: &Name, secret: &str) -> String {
        format!("{site}-{secret}-{}", self.secret_version)
    }

    /// Some images come to be others under the same tag: every one whose place is set in `which`.
    pub fn rebuild(&mut self, which: u8) {
        for host in self.hosts.values_mut() {
            for (at, id) in host.images.values_mut().enumerate() {
                if which & (1 << (at % 8)) != 0 {
                    id.push_str(", newer");
                }
            }
        }
    }

    /// All operations, in the plan's own order.
    pub fn run_all(&mut self, plan: &Plan) {
        let mut done = BTreeSet::new();
        for operation in &plan.operations {
            self.run(operation, &mut done);
        }
    }

    /// One operation. What it waits for must be done.
    pub fn run(&mut self, operation: &Operation, done: &mut BTreeSet<OperationId>) {
        for before in &operation.after {
            assert!(
                done.contains(before),
                "{} ran before {before}",
                operation.id
            );
        }
        self.ids += 1;
        let (id, version, fleet) = (self.ids, self.secret_version, self.fleet.clone());
        let host = self.hosts.entry(operation.host.clone()).or_default();
        host.run(&fleet, &operation.kind, id, version, &operation.id);
        done.insert(operation.id.clone());
    }

    /// Takes back what was done of a site that failed before its route was switched.
    pub fn undo(&mut self, operations: &[&Operation]) {
        for operation in operations.iter().rev() {
            if let Undo::By(kind) = &operation.undo {
                self.ids += 1;
                let (id, version, fleet) = (self.ids, self.secret_version, self.fleet.clone());
                let host = self.hosts.entry(operation.host.clone()).or_default();
                host.run(&fleet, kind, id, version, &operation.id);
            }
        }
    }
}

/// How an engine tells what a container was made from.
fn made(new: &crate::record::spec::NewContainer) -> crate::record::Fields {
    let mut made = crate::plan::drift::spec_fields(&new.spec);
    made.retain(|path, _| !path.starts_with("configuration.") && !path.starts_with("ini."));
    made.insert("env.PATH".into(), "/bin".into());
    if let (SpecNetwork::Own(network), Some(address)) = (&new.spec.network, new.address) {
        made.insert(format!("network.{network}"), address.to_string());
    }
    made.into()
}

impl WorldHost {
    /// Every domain that leads somewhere.
    pub fn domains(&self) -> BTreeSet<String> {
        let routes = self
            .disk
            .iter()
            .flat_map(|state| state.router.routes.values());
        routes
            .flat_map(|entry| entry.domains.iter().chain(entry.redirects.keys()))
            .map(ToString::to_string)
            .collect()
    }

    pub fn role<'a>(
        &'a self,
        fleet: &'a Name,
        role: Role,
    ) -> impl Iterator<Item = &'a ObservedContainer> + 'a {
        self.containers
            .iter()
            .filter(move |c| c.is_of(fleet) && c.role() == Some(role))
    }

    fn state(&mut self) -> &mut HostState {
        self.disk.as_mut().expect("no folders on the host yet")
    }

    fn find(
        &mut self,
        fleet: &Name,
        wanted: &ContainerRef,
        why: &OperationId,
    ) -> &mut ObservedContainer {
        let found = self
            .containers
            .iter_mut()
            .find(|c| match &wanted.id {
                Some(id) => c.id == *id,
                None => c.name == wanted.name,
            })
            .unwrap_or_else(|| panic!("{why}: no container {wanted:?}"));
        assert_eq!(
            found.fleet(),
            Some(fleet.as_str()),
            "{why}: {} is foreign",
            found.name
        );
        found
    }

    fn need(&self, fleet: &Name, role: Role, why: &OperationId) {
        assert!(
            self.role(fleet, role).any(ObservedContainer::is_running),
            "{why}: no {role:?} runs"
        );
    }

    fn holder(&self, ip: Ipv4Addr) -> Option<&ObservedContainer> {
        self.containers
            .iter()
            .find(|c| c.is_running() && c.addresses.values().any(|address| *address == ip))
    }

    fn routes_to(&self, container: &ObservedContainer) -> bool {
        let Some(state) = &self.disk else {
            return false;
        };
        state.router.routes.values().any(|entry| {
            matches!(entry.target, RouteTarget::Address { ip, .. }
                if container.addresses.values().any(|address| *address == ip))
        })
    }

    fn route(&mut self, entry: &RouteEntry, why: &OperationId) {
        if let RouteTarget::Address { ip, .. } = entry.target {
            let ours = ip.octets()[0] == 10;
            assert!(
                !ours || self.holder(ip).is_some(),
                "{why}: routes to {ip}, where nobody is"
            );
        }
        for domain in &entry.domains {
            assert!(
                !entry.redirects.contains_key(domain),
                "{why}: {domain} twice"
            );
        }
        // As on a real host: a domain is taken from whoever had it.
        let routes = &mut self.state().router.routes;
        let claims = |d: &Domain| entry.domains.contains(d) || entry.redirects.contains_key(d);
        for other in routes.values_mut().filter(|other| other.site != entry.site) {
            other.domains.retain(|domain| !claims(domain));
            other.redirects.retain(|domain, _| !claims(domain));
        }
        routes.insert(entry.site.clone(), entry.clone());
    }

    #[expect(clippy::too_many_lines, reason = "one arm per kind of operation")]
    fn run(
        &mut self,
        fleet: &Name,
        kind: &OperationKind,
        id: u32,
        secret_version: u32,
        why: &OperationId,
    ) {
        use OperationKind as K;
        match kind {
            K::PullImage { image, .. } => {
                self.images
                    .insert(image.clone(), format!("image of {image}"));
            }
            K::BuildImage { image, base } => {
                assert!(self.images.contains_key(base), "{why}: base is missing");
                self.images
                    .insert(image.clone(), format!("image of {image}"));
            }
            K::CreateNetwork {
                name,
                subnet,
                labels,
            } => {
                for other in &self.networks {
                    assert_ne!(other.name, *name, "{why}");
                    assert!(!other.subnets.iter().any(|o| o.overlaps(subnet)), "{why}");
                }
                self.networks.push(ObservedNetwork {
                    id: format!("network-{id}"),
                    name: name.clone(),
                    labels: labels.clone(),
                    subnets: vec![*subnet],
                    icc: false,
                    ipv6: false,
                });
            }
            K::AwaitGuard { .. } | K::OpenGuard { .. } => self.need(fleet, Role::Guard, why),
            K::PrepareHost {
                toolbox,
                expect_empty,
            } => {
                self.need(fleet, Role::Toolbox, why);
                assert!(self.containers.iter().any(|c| c.name == *toolbox), "{why}");
                let was = self.disk.take().unwrap_or_default();
                assert!(!expect_empty || was == HostState::default(), "{why}");
                self.disk = Some(HostState {
                    host: Some(HostRecord {
                        schema: 1,
                        fleet: fleet.to_string(),
                        digest_key: "key".into(),
                        ..HostRecord::default()
                    }),
                    ..was
                });
            }
            K::CheckPorts { .. } => {
                self.need(fleet, Role::Toolbox, why);
                assert!(
                    !self.role(fleet, Role::Router).any(|c| c.is_running()),
                    "{why}: our own router listens"
                );
            }
            K::WriteRouter { hash, config } => {
                self.need(fleet, Role::Toolbox, why);
                self.state().router.proxies.clone_from(&config.proxies);
                self.state().router.config_hash.clone_from(hash);
                self.edited.router.clear();
                self.tell_router();
            }
            K::CreateFolders { site, uid, .. } => {
                self.need(fleet, Role::Toolbox, why);
                let owner = Owner {
                    uid: *uid,
                    gid: *uid,
                };
                let found = self.folders.entry(site.clone()).or_insert(owner);
                assert_eq!(*found, owner, "{why}: the folder is someone else's");
            }
            K::TakeOwnership { site, from, uid } => {
                let found = self.folders.get_mut(site).expect("no such folder");
                assert_eq!(found, from, "{why}");
                *found = Owner {
                    uid: *uid,
                    gid: *uid,
                };
            }
            K::WriteConf { site, hash, .. } => {
                self.need(fleet, Role::Toolbox, why);
                assert!(self.folders.contains_key(site), "{why}: no folder");
                self.conf
                    .entry(site.clone())
                    .or_default()
                    .insert(hash.clone());
                self.edited
                    .sites
                    .entry(site.clone())
                    .or_default()
                    .conf
                    .clear();
            }
            K::CleanConf { site, keep } => {
                self.need(fleet, Role::Toolbox, why);
                let left = self.conf.entry(site.clone()).or_default();
                left.retain(|hash| Some(hash) == keep.as_ref());
                let left = left.clone();
                for container in self.site_containers(fleet, site) {
                    let hash = &container.labels[labels::HASH];
                    let has_files = container.labels.contains_key("test.files");
                    assert!(
                        !has_files || left.contains(hash),
                        "{why}: {} reads it",
                        container.name
                    );
                }
            }
            K::Service(ServiceOperation::Secrets(SecretsOperation::WriteSecrets {
                site,
                uid,
                digests,
                keep,
            })) => {
                self.need(fleet, Role::Toolbox, why);
                assert_eq!(self.folders.get(site).map(|o| o.uid), Some(*uid), "{why}");
                let found = digests.iter().map(|(name, digest)| {
                    let now = format!("{site}-{name}-{secret_version}");
                    assert!(
                        digest.is_empty() || *digest == now,
                        "{why}: the source moved"
                    );
                    (name.clone(), now)
                });
                let mut found: BTreeMap<_, _> = found.collect();
                self.edited
                    .sites
                    .entry(site.clone())
                    .or_default()
                    .services
                    .remove("secrets");
                let before = self.secrets.remove(site).unwrap_or_default();
                found.extend(before.into_iter().filter(|(name, _)| keep.contains(name)));
                self.secrets.insert(site.clone(), found);
            }
            K::CreateContainer { container } => self.create(container, id, why),
            K::StartContainer { container } => {
                let found = self.find(fleet, container, why).clone();
                for address in found.addresses.values() {
                    let other = self.holder(*address).filter(|other| other.id != found.id);
                    assert!(other.is_none(), "{why}: {address} is taken");
                }
                assert_ne!(found.run, RunState::Paused, "{why}: it is paused");
                let found = self.find(fleet, container, why);
                found.run = RunState::Running;
                if container.id.is_some() {
                    found.inspected.get_or_insert_default().restart = Some("always".into());
                }
            }
            K::RestartContainer { container, .. } => {
                self.find(fleet, container, why).run = RunState::Running;
            }
            K::AwaitReady {
                container, address, ..
            } => {
                self.need(fleet, Role::Toolbox, why);
                let found = self.find(fleet, container, why);
                assert!(
                    found.is_running() || found.run == RunState::Restarting,
                    "{why}"
                );
                assert!(found.addresses.values().any(|a| a == address), "{why}");
            }
            K::AwaitRouter { container, .. } => {
                self.need(fleet, Role::Toolbox, why);
                assert!(self.find(fleet, container, why).is_running(), "{why}");
            }
            K::Route { entry } => {
                self.need(fleet, Role::Toolbox, why);
                self.need(fleet, Role::Router, why);
                self.route(entry, why);
                self.tell_router();
            }
            K::Unroute { site } => {
                self.need(fleet, Role::Router, why);
                self.state().router.routes.remove(site);
            }
            K::Drain { address, .. } => {
                let routed = self.state().router.routes.values().any(
                    |entry| matches!(entry.target, RouteTarget::Address { ip, .. } if ip == *address),
                );
                assert!(!routed, "{why}: {address} is still routed");
            }
            K::StopContainer { container, .. } => {
                let found = self.find(fleet, container, why).clone();
                assert!(!self.routes_to(&found), "{why}: it is still routed");
                let found = self.find(fleet, container, why);
                found.run = RunState::Exited;
                found.inspected.get_or_insert_default().restart = Some("no".into());
            }
            K::RemoveContainer { container, force } => {
                let found = self.find(fleet, container, why).clone();
                assert!(!self.routes_to(&found), "{why}: it is still routed");
                let active = crate::plan::container::is_active(&found);
                assert!(*force || !active, "{why}: it runs");
                self.containers.retain(|c| c.id != found.id);
            }
            K::RenameContainer { container, to } => {
                assert!(
                    !self.containers.iter().any(|c| c.name == *to),
                    "{why}: taken"
                );
                self.find(fleet, container, why).name.clone_from(to);
            }
            K::SetLimits {
                container,
                limits,
                was,
            } => {
                assert!(crate::plan::limits::in_place(was, limits), "{why}");
                let found = self.find(fleet, container, why);
                let inspected = found.inspected.get_or_insert_default();
                if was.memory != limits.memory {
                    super::drift::unset(inspected, "swap");
                }
                inspected.limits = *limits;
            }
            K::SetRestart { container, always } => {
                let found = self.find(fleet, container, why);
                let word = if *always { "always" } else { "no" };
                found.inspected.get_or_insert_default().restart = Some(word.into());
            }
            K::WriteRecord { record } => {
                self.need(fleet, Role::Toolbox, why);
                let mut record = (**record).clone();
                if let Some(secrets) = self.secrets.get(&record.site) {
                    for (name, digest) in &mut record.secrets {
                        if digest.is_empty() {
                            digest.clone_from(&secrets[name]);
                        }
                    }
                }
                if record.made.is_none() {
                    let about = self.site_containers(fleet, &record.site).find(|c| {
                        record.address.is_some() && crate::plan::drift::hand::is_about(&record, c)
                    });
                    record.made = about.and_then(|c| Some(c.inspected.as_ref()?.made.clone()));
                }
                self.state()
                    .sites
                    .insert(record.site.clone(), record.into());
            }
            K::SettleRun { run, .. } => {
                self.state().applying.retain(|note| note.run != *run);
            }
            K::RecordFleet { hash } => {
                let host = self.state().host.as_mut().expect("not prepared");
                host.fleet_hash.clone_from(hash);
            }
            K::Service(ServiceOperation::Certificate(operation)) => {
                self.need(fleet, Role::Toolbox, why);
                self.need(fleet, Role::Router, why);
                super::certificate::run(self.state(), operation, why);
            }
            // No site that is drawn here has one.
            K::Service(ServiceOperation::Marker(_)) => unreachable!("{why}"),
        }
    }

    /// The router's files and its process are as recorded again.
    fn tell_router(&mut self) {
        for site in self.edited.sites.values_mut() {
            site.route.clear();
        }
    }

    pub fn site_containers<'a>(
        &'a self,
        fleet: &'a Name,
        site: &'a Name,
    ) -> impl Iterator<Item = &'a ObservedContainer> + 'a {
        self.role(fleet, Role::Site)
            .filter(move |c| c.site() == Some(site.as_str()))
    }

    fn create(&mut self, new: &crate::record::spec::NewContainer, id: u32, why: &OperationId) {
        assert!(
            !self.containers.iter().any(|c| c.name == new.name),
            "{why}: name taken"
        );
        let image_id = self.images.get(&new.spec.image);
        let image_id = image_id
            .unwrap_or_else(|| panic!("{why}: no image"))
            .clone();
        assert_eq!(new.labels[labels::HASH], new.spec.hash(), "{why}");
        let mut labels = new.labels.clone();
        let mut addresses = BTreeMap::new();
        if let SpecNetwork::Own(network) = &new.spec.network {
            let address = new.address.expect("an address of its own");
            let found = self.networks.iter().find(|n| n.name == *network);
            let found = found.unwrap_or_else(|| panic!("{why}: no network"));
            assert!(found.subnets[0].contains(address), "{why}");
            for other in &self.containers {
                let taken = other.addresses.values().any(|a| *a == address);
                assert!(!taken, "{why}: {address} is {}'s", other.name);
            }
            addresses.insert(network.clone(), address);
            let site: Name = new.labels[labels::SITE].parse().unwrap();
            assert!(self.folders.contains_key(&site), "{why}: no folder");
            if !new.spec.files.is_empty() {
                assert!(
                    self.conf[&site].contains(&new.labels[labels::HASH]),
                    "{why}: no conf"
                );
                labels.insert("test.files".into(), String::new());
            }
            if new
                .spec
                .binds
                .iter()
                .any(|bind| bind.inside == "/run/secrets")
            {
                assert!(self.secrets.contains_key(&site), "{why}: no secrets");
            }
        }
        self.containers.push(ObservedContainer {
            id: format!("{id:08x}{:056}", 0),
            name: new.name.clone(),
            image: new.spec.image.clone(),
            image_id,
            labels,
            run: RunState::Created,
            inspected: Some(Inspected {
                limits: new.limits,
                restart: Some("always".into()),
                made: made(new),
                ..Inspected::default()
            }),
            addresses,
            ..ObservedContainer::default()
        });
    }
}
