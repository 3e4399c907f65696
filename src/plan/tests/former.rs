//! Sites as an earlier version left them.

use std::sync::Arc;

use super::make::{Draw, fleet, name, world};
use super::text::text;
use crate::plan::{OperationKind, plan};
use crate::record::Labelled;

#[test]
fn a_site_gets_its_folder_for_uploads_before_the_container_that_shows_it() {
    let fleet = fleet(&[Some(Draw {
        host: 0,
        recipe: 3,
        domains: 0,
        memory: 1,
        cpus: 0,
        env: 0,
        secrets: 0,
        www: 0,
        state: 0,
    })]);
    let mut world = world(0);
    world.lineage.ancestors.insert("hash".into());
    let planned =
        |world: &super::interpret::World| plan(&fleet, "hash", &world.observe(&fleet), &[], 0);
    let first = planned(&world);
    world.run_all(&first);

    let host = world.hosts.get_mut(&name("one")).unwrap();
    let records = &mut host.disk.as_mut().unwrap().sites;
    let record = Arc::make_mut(records.get_mut(&name("ash")).unwrap());
    let spec = record.spec.as_mut().unwrap();
    spec.binds.retain(|bind| !bind.host.ends_with("/uploads"));
    record.hash = Some(spec.hash());
    for container in host.containers.iter_mut().filter(|c| c.site().is_some()) {
        container.labels.insert("ostler.hash".into(), spec.hash());
    }
    let again = planned(&world);
    let place = |wanted: fn(&OperationKind) -> bool| {
        let found = again.operations.iter().position(|o| wanted(&o.kind));
        found.unwrap_or_else(|| panic!("{}", text(&again)))
    };
    let folders = place(|kind| matches!(kind, OperationKind::CreateFolders { .. }));
    let created = place(|kind| matches!(kind, OperationKind::CreateContainer { .. }));
    assert!(folders < created, "{}", text(&again));
    world.run_all(&again);
    assert!(planned(&world).is_empty(), "{}", text(&planned(&world)));
}
