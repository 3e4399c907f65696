//! Containers that somebody renamed by hand.

use super::make::{Draw, fleet, name, world};
use super::properties::{settle, settle_after};
use crate::fleet::{Fleet, SiteState};
use crate::observe::model::RunState;
use crate::plan::plan;
use crate::record::{Labelled, Role};

/// Whatever the file comes to say of the site, and wherever an apply is cut off or whatever the
/// container does: the next apply ends it with one container and none forgotten.
#[test]
fn one_that_was_renamed_is_never_lost_half_way() {
    let site = Draw {
        host: 0,
        recipe: 5,
        domains: 0,
        memory: 1,
        cpus: 0,
        env: 0,
        secrets: 0,
        www: 0,
        state: 0,
    };
    let before = fleet(&[Some(site)]);
    let mut world = world(0);
    world.lineage.ancestors.insert("hash".into());
    settle(&before, &mut world, 1);
    let host = world.hosts.get_mut(&name("one")).unwrap();
    let mut ours = host.containers.iter_mut();
    let mine = ours.find(|c| c.role() == Some(Role::Site));
    mine.unwrap().name = "mine".into();

    let changed = |change: fn(&mut Fleet)| {
        let mut fleet = before.clone();
        change(&mut fleet);
        fleet
    };
    for after in [
        changed(|fleet| fleet.sites["ash"].state = SiteState::Stopped),
        changed(|fleet| fleet.sites["ash"].state = SiteState::Archived),
        changed(|fleet| drop(fleet.sites["ash"].env.insert("MODE".into(), "live".into()))),
        changed(|fleet| drop(fleet.sites.shift_remove("ash"))),
    ] {
        let first = plan(&after, "hash", &world.observe(&after), &[], 0);
        for cut in 0..=first.operations.len() {
            let mut world = world.clone();
            let mut done = Default::default();
            for operation in &first.operations[..cut] {
                world.run(operation, &mut done);
            }
            settle_after(&after, &mut world, 1, 1);
        }
    }
    for run in [RunState::Restarting, RunState::Paused, RunState::Exited] {
        let mut world = world.clone();
        let host = world.hosts.get_mut(&name("one")).unwrap();
        let mine = host.containers.iter_mut().find(|c| c.name == "mine");
        mine.unwrap().run = run;
        settle(&before, &mut world, 1);
    }
}
