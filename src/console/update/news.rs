//! What workers found.

use std::sync::Arc;

use crate::console::activity::{Run, Step};
use crate::console::effect::Effect;
use crate::console::form::{Form, site};
use crate::console::message::{Broken, ContainerEvent, HostNews};
use crate::console::model::{EVENTS_KEPT, Model, Overlay};
use crate::console::planned::Planned;
use crate::console::tone::Tone;
use crate::fleet::{Fleet, Name};
use crate::observe::model::ObservedHost;
use crate::verdict::HostData;

pub(super) fn host(model: &mut Model, name: Name, news: HostNews) -> Vec<Effect> {
    let now = model.now();
    let Some(data) = model.data.get_mut(&name) else {
        // A host that was taken out of the file since.
        return Vec::new();
    };
    match news {
        HostNews::Link {
            link,
            why,
            retry_at,
        } => {
            model.plan_old |= data.set_link(now, link, why, retry_at);
        }
        HostNews::Observed(seen) => {
            let observed = seen.host;
            // Somebody began, ended or was cut off: the journals tell more.
            if data.observed.as_deref().map(applied) != Some(applied(&observed)) {
                model.journal_old = true;
            }
            data.observed = Some(observed);
            data.drift = seen.drift;
            data.observed_at = Some(now);
            data.listening.get_or_insert(now);
            data.unread_since = None;
            forget_gone(data);
            model.plan_old = true;
        }
        HostNews::Unread => {
            data.unread_since.get_or_insert(now);
        }
        HostNews::Replaced => {
            *data = HostData::connecting(now);
            let fleet = model.fleet.clone();
            let here = |site: &Name| {
                let site = fleet.as_ref().and_then(|fleet| fleet.sites.get(site));
                site.is_some_and(|site| site.host == name)
            };
            model.probes.retain(|site, _| !here(site));
            model.plan_old = true;
        }
        HostNews::Drift(drift) => data.drift = drift,
        HostNews::Pulse(pulse) => data.pulse = Some(pulse),
        HostNews::Machine(Ok(machine)) => {
            data.machine = Some((machine, now));
            data.machine_why.clear();
        }
        HostNews::Machine(Err(why)) => data.machine_why = why,
        HostNews::Traffic(numbers) => data.set_traffic(numbers),
        HostNews::Probed(found) => model.probes.extend(found),
        HostNews::Certificates(found) => data.certificates = Arc::new(found),
        HostNews::Shown(names) => Arc::make_mut(&mut data.certificates).take(names),
        HostNews::Usage(container, usage) => {
            data.stats.insert(container, usage);
        }
        HostNews::Event(event) => {
            note_event(data, &event);
            for tail in model.tails.values_mut() {
                tail.touch(&event.container);
            }
            model.events.push_front((name.to_string(), event));
            model.events.truncate(EVENTS_KEPT);
        }
    }
    model.stale_hosts.insert(name);
    Vec::new()
}

/// What of a host changes with every apply.
fn applied(observed: &ObservedHost) -> (Option<&str>, Vec<&str>, Option<&str>) {
    let record = observed.state.read().and_then(|s| s.host.as_ref());
    (
        record.and_then(|r| r.applied_by.as_deref()),
        observed.applying().map(|note| note.run.as_str()).collect(),
        observed.lock.as_ref().map(|lock| lock.run.as_str()),
    )
}

/// Numbers of containers that are gone are not kept.
fn forget_gone(data: &mut HostData) {
    let Some(observed) = &data.observed else {
        return;
    };
    let alive: std::collections::HashSet<&str> =
        observed.containers.iter().map(|c| c.id.as_str()).collect();
    data.stats.retain(|id, _| alive.contains(id.as_str()));
    data.history.retain(|id, _| alive.contains(id.as_str()));
}

fn note_event(data: &mut HostData, event: &ContainerEvent) {
    let history = data.history.entry(event.container.clone()).or_default();
    history.take(event.at, &event.action, &event.detail);
    if event.action == "destroy" && event.site.is_some() {
        data.removed.insert(event.name.clone(), event.at);
    }
}

/// The fleet file was read again: hosts may come and go.
pub(super) fn fleet(model: &mut Model, fleet: Arc<Fleet>) {
    let now = model.now();
    let before = std::mem::replace(&mut model.hosts, fleet.hosts.values().cloned().collect());
    // A host that is reached elsewhere now is another machine: what is known is of the old one.
    let same = |name: &Name| {
        let was = before.iter().find(|host| host.name == *name);
        was.zip(fleet.hosts.get(name))
            .is_some_and(|(was, is)| is.is_where(was))
    };
    model.data.retain(|name, _| same(name));
    for host in fleet.hosts.keys() {
        let entry = model.data.entry(host.clone());
        entry.or_insert_with(|| HostData::connecting(now));
    }
    // One that moves is asked anew where it is then.
    let was = model.fleet.clone();
    let stays = |site: &Name| {
        let was = was.as_ref().and_then(|was| was.sites.get(site));
        let is = fleet.sites.get(site);
        is.is_some() && is.map(|site| &site.host) == was.map(|site| &site.host)
    };
    model.probes.retain(|site, _| stays(site));
    model
        .outside
        .retain(|site, _| fleet.sites.contains_key(site));
    // What was described is there now.
    let name = |form: &mut Box<Form<site::Id>>| fleet.sites.contains_key(site::name(form));
    model.draft.take_if(name);
    model.view.name = fleet.name.to_string();
    model.stale_hosts.extend(fleet.hosts.keys().cloned());
    model.fleet = Some(fleet);
    if model.fleet_broken.take().is_some() {
        model.say(Tone::Good, "the fleet file is right again");
    }
    model.plan_old = true;
}

/// The fleet file cannot be used any more: what is about to be done by it is not.
pub(super) fn fleet_broken(model: &mut Model, why: Broken) -> Vec<Effect> {
    let left = match model.overlay.take() {
        Some(Overlay::Proposal(open)) => Some((open.id, open.proposal.request.title)),
        Some(Overlay::Working(id, request)) => Some((id, request.title)),
        other => {
            model.overlay = other;
            None
        }
    };
    let effects = match left {
        Some((id, title)) => {
            model.say(Tone::Bad, format!("{title}: left: {}", why.brief));
            vec![Effect::Forget(id)]
        }
        None => Vec::new(),
    };
    model.fleet_broken = Some(why);
    effects
}

pub(super) fn planned(model: &mut Model, plan: Result<Arc<Planned>, String>) {
    model.planning = false;
    match plan {
        Ok(plan) => {
            model.planned = Some(plan);
            model.plan_error = None;
            model.stale_hosts.extend(model.data.keys().cloned());
        }
        Err(why) => model.plan_error = Some(why),
    }
}

pub(super) fn step(model: &mut Model, id: u64, step: Step) {
    let now = model.now_ms;
    let said = match &step {
        Step::Ended(outcome) => Some((outcome.exit, outcome.text.clone())),
        _ => None,
    };
    if let Some(run) = model.runs.iter_mut().find(|r: &&mut Run| r.id == id) {
        run.step(step, now);
    }
    if let Some((exit, text)) = said {
        let tone = if exit == 0 { Tone::Good } else { Tone::Bad };
        model.say(tone, text);
        model.plan_old = true;
        model.journal_old = true;
    }
}
