//! On the list of sites: what it shows, in which order, and what is marked.

use crate::console::action::Place;
use crate::console::effect::Effect;
use crate::console::model::Model;
use crate::console::model::motion::Motion;
use crate::console::settle;
use crate::console::tone::Tone;

/// Only what is not well, or all.
pub(super) fn broken(model: &mut Model) -> Vec<Effect> {
    model.sites.broken = !model.sites.broken;
    settle::reorder(model);
    Vec::new()
}

/// Containers that are not ostler's too, or not.
pub(super) fn foreign(model: &mut Model) -> Vec<Effect> {
    model.sites.foreign = !model.sites.foreign;
    // Columns are as wide as what is listed.
    let hosts = model.hosts.iter().map(|host| host.name.clone());
    model.stale_hosts.extend(hosts);
    settle::reorder(model);
    Vec::new()
}

/// The next order.
pub(super) fn sort(model: &mut Model) -> Vec<Effect> {
    let word = if model.place() == Place::Hosts {
        model.host_sort = model.host_sort.next(&model.view.hosts);
        settle::reorder_hosts(model);
        model.host_sort.word()
    } else {
        model.sites.sort = model.sites.sort.next();
        settle::reorder(model);
        model.sites.sort.word()
    };
    model.say(Tone::Plain, format!("ordered by {word}"));
    Vec::new()
}

/// Marks the site under the cursor, or takes its mark away, and goes on to the next.
pub(super) fn mark(model: &mut Model) -> Vec<Effect> {
    let Some(row) = model.subject() else {
        return Vec::new();
    };
    if !row.is_host {
        let key = row.key.clone();
        if !model.sites.marks.remove(&key) {
            model.sites.marks.insert(key);
        }
    }
    model.go(Motion::By(1));
    Vec::new()
}

/// Takes all marks away.
pub(super) fn unmark(model: &mut Model) -> Vec<Effect> {
    model.sites.marks.clear();
    Vec::new()
}
