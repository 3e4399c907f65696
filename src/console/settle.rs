//! Brings what is shown up to date with what is known, once per frame: rows of hosts that sent
//! something, their order when nobody types, and what the workers should read.

use std::collections::HashMap;
use std::sync::Arc;

use super::action::Place;
use super::effect::{Effect, Watch};
use super::fleet_view::{HostData, SiteRow};
use super::log::LogMessage;
use super::model::{Model, QUIET_MS, Screen};
use super::row::{Facts, host_row, rows_of_host};
use super::{order, screen, text};

/// Brings rows, order and wishes up to date. To be called before drawing.
pub fn settle(model: &mut Model) -> Vec<Effect> {
    if !model.stale_hosts.is_empty() {
        rebuild(model);
    }
    if model.order_old && model.now_ms - model.last_key_ms >= QUIET_MS {
        reorder(model);
    }
    let rows = model.body_lines().saturating_sub(1);
    model.sites.list.keep_visible(rows);
    model.host_list.keep_visible(rows);
    if model.note.as_ref().is_some_and(|n| n.2 <= model.now_ms) {
        model.note = None;
    }
    let mut effects = std::mem::take(&mut model.pending);
    let mut followed = false;
    for shown in &mut model.stack {
        if let Screen::Logs(logs) = shown {
            followed = true;
            if logs.screen.is_busy() {
                logs.screen.update(LogMessage::Tick);
            }
        }
    }
    if !followed && let Some(id) = model.following.take() {
        effects.push(Effect::Unfollow(id));
    }
    effects.extend(screen::logs::go_on(model));
    effects.extend(probes(model));
    let watch = watch(model);
    if watch != model.watched {
        model.watched = watch.clone();
        effects.push(Effect::Watch(watch));
    }
    if model.plan_old && !model.planning && model.fleet.is_some() {
        model.plan_old = false;
        model.planning = true;
        effects.push(Effect::Plan);
    }
    effects
}

/// When settling again would change something though no message came, in milliseconds.
pub fn due_ms(model: &Model) -> Option<i64> {
    let busy = |s: &Screen| matches!(s, Screen::Logs(logs) if logs.screen.is_busy());
    let work = model.stack.iter().any(busy).then_some(model.now_ms);
    let reorder = model.order_old.then_some(model.last_key_ms + QUIET_MS);
    let note = model
        .note
        .as_ref()
        .map(|n| n.2)
        .filter(|until| *until != i64::MAX);
    [work, reorder, note].into_iter().flatten().min()
}

fn rebuild(model: &mut Model) {
    let stale = std::mem::take(&mut model.stale_hosts);
    let facts = Facts {
        fleet: model.fleet.as_deref(),
        due: &model.due,
        probes: &model.probes,
        now: model.now_ms.div_euclid(1000),
    };
    let old = std::mem::take(&mut model.view.sites);
    let shown: Vec<Arc<str>> = model
        .sites
        .list
        .order
        .iter()
        .filter_map(|i| old.get(*i as usize).map(|r| r.key.clone()))
        .collect();
    let keys_before: Vec<Arc<str>> = old.iter().map(|r| r.key.clone()).collect();
    let mut by_host: HashMap<String, Vec<SiteRow>> = HashMap::new();
    for row in old {
        by_host.entry(row.host.clone()).or_default().push(row);
    }
    let nothing = HostData::default();
    let mut rows: Vec<SiteRow> = Vec::with_capacity(keys_before.len());
    for host in &model.hosts {
        match by_host.remove(host.name.as_str()) {
            Some(kept) if !stale.contains(&host.name) => rows.extend(kept),
            _ => {
                let data = model.data.get(&host.name).unwrap_or(&nothing);
                rows.extend(rows_of_host(&facts, &host.name, data));
            }
        }
    }
    model.view.hosts = model
        .hosts
        .iter()
        .map(|h| host_row(h, model.data.get(&h.name).unwrap_or(&nothing), &rows))
        .collect();
    let longest =
        |f: fn(&SiteRow) -> &str| rows.iter().map(|r| text::width(f(r))).max().unwrap_or(0) as u16;
    model.sites.name_width = longest(|r| &r.name).clamp(8, 28);
    model.sites.host_width = longest(|r| &r.host).clamp(4, 14);
    model.sites.has = (
        rows.iter().any(|r| !r.project.is_empty()),
        rows.iter().any(|r| !r.domains.is_empty()),
    );
    let same =
        rows.len() == keys_before.len() && rows.iter().zip(&keys_before).all(|(r, k)| r.key == *k);
    model.view.sites = rows;
    if !same {
        let places: HashMap<&str, u32> = model
            .view
            .sites
            .iter()
            .enumerate()
            .map(|(i, r)| (&*r.key, i as u32))
            .collect();
        let before: Vec<u32> = shown
            .iter()
            .filter_map(|k| places.get(&**k).copied())
            .collect();
        let order = order::order_kept(&model.sites, &model.view.sites, &before);
        model.sites.marks.retain(|k| places.contains_key(&**k));
        let rows = &model.view.sites;
        model.sites.list.set(order, |i| &rows[i as usize].key);
    }
    let hosts = (0..model.view.hosts.len() as u32).collect();
    model.host_list.order = hosts;
    model.host_list.cursor = model
        .host_list
        .cursor
        .min(model.view.hosts.len().saturating_sub(1));
    model.order_old = true;
}

/// Puts the rows in their order now.
pub fn reorder(model: &mut Model) {
    let order = order::order(&model.sites, &model.view.sites);
    let rows = &model.view.sites;
    let untouched = model.last_key_ms < 0;
    model.sites.list.set(order, |i| &rows[i as usize].key);
    if untouched {
        // Nobody has chosen a row yet: the cursor stays on the most urgent one.
        model.sites.list.go_to(0, |i| &rows[i as usize].key);
    }
    model.order_old = false;
}

/// What is on screen and has to be read for it.
fn watch(model: &Model) -> Watch {
    let mut watch = Watch::default();
    let mut add = |row: &SiteRow, usage: bool| {
        if row.stale {
            return;
        }
        if usage && let Some(container) = &row.container {
            watch.usage.push((row.host.clone(), container.clone()));
        }
        if row.in_file && !watch.traffic.contains(&row.host) {
            watch.traffic.push(row.host.clone());
        }
    };
    match (model.place(), model.screen()) {
        (Place::Sites, _) => {
            let usage = screen::sites::shows_usage(model);
            let list = &model.sites.list;
            let rows = model.body_lines().saturating_sub(1);
            for at in list.order.iter().skip(list.offset).take(rows) {
                if let Some(row) = model.view.sites.get(*at as usize) {
                    add(row, usage);
                }
            }
        }
        (_, Screen::Site(key, _)) => {
            if let Some(row) = model.row(key) {
                add(row, true);
            }
        }
        (Place::Hosts, _) => {
            for host in &model.view.hosts {
                watch.traffic.push(host.name.clone());
            }
        }
        _ => {}
    }
    watch
}

/// Requests to sites on screen that no other source tells the HTTP status of: once per container.
fn probes(model: &mut Model) -> Vec<Effect> {
    if model.place() != Place::Sites {
        return Vec::new();
    }
    let list = &model.sites.list;
    let rows = model.body_lines().saturating_sub(1);
    let silent: Vec<(Arc<str>, String)> = list
        .order
        .iter()
        .skip(list.offset)
        .take(rows)
        .filter_map(|at| model.view.sites.get(*at as usize))
        .filter(|row| {
            let answers = row.wanted == Some(crate::fleet::SiteState::Running);
            row.in_file && answers && !row.stale && row.http.is_none() && row.since.is_some()
        })
        .map(|row| {
            let container = row.container.clone().unwrap_or_default();
            (row.key.clone(), format!("{container} {:?}", row.since))
        })
        .collect();
    let mut effects = Vec::new();
    for (key, life) in silent {
        // What was probed in this life of its container is not probed again by itself.
        if model.probed.get(&key) == Some(&life) {
            continue;
        }
        model.probed.insert(key.clone(), life);
        let name = model.row(&key).and_then(|r| r.name.parse().ok());
        effects.extend(name.map(Effect::Probe));
    }
    effects
}
