//! Brings what is shown up to date with what is known, once per frame: rows of hosts that sent
//! something, their order when nobody types, and what the workers should read.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::certificates;
use super::effect::{Effect, Watch};
use super::model::filter::words;
use super::model::order;
use super::model::sites_list::Block;
use super::model::{Model, Overlay, QUIET_MS, Screen};
use super::proposal::UNREAD_MS;
use super::screen::logs;
use super::widget::list::List;
use crate::fleet::Name;
use crate::verdict::host::{ailing, alert, host_row};
use crate::verdict::site::rows_of_host;
use crate::verdict::{Due, Facts};
use crate::verdict::{HostData, HostRow, SiteRow};

/// Rows made between two frames, at least: a few milliseconds' work.
const ROWS_AT_ONCE: usize = 600;

/// Brings rows, order and wishes up to date. To be called before drawing.
pub fn settle(model: &mut Model) -> Vec<Effect> {
    // What was current gets old without any message.
    let now = model.now();
    for (host, at) in current(model) {
        if now >= at {
            model.stale_hosts.insert(host);
        }
    }
    for block in &model.blocks {
        if block.old_at.is_some_and(|at| at <= now) {
            model.stale_hosts.insert(block.host.clone());
        }
    }
    if !model.stale_hosts.is_empty() {
        rebuild(model);
        if certificates::are_shown(model) {
            certificates::collect(model);
        }
    }
    if model.certificates.order_old && model.now_ms - model.last_key_ms >= QUIET_MS {
        certificates::reorder(model);
    }
    if model.order_old && model.now_ms - model.last_key_ms >= QUIET_MS {
        reorder(model);
    }
    if model.hosts_old && model.now_ms - model.last_key_ms >= QUIET_MS {
        reorder_hosts(model);
    }
    let rows = model.body_lines().saturating_sub(1);
    model.sites.list.keep_visible(rows);
    model.host_list.keep_visible(rows);
    // The calendar has a line of its own.
    model.certificates.list.keep_visible(rows.saturating_sub(1));
    if model.note.as_ref().is_some_and(|n| n.2 <= model.now_ms) {
        model.note = None;
    }
    let mut effects = std::mem::take(&mut model.pending);
    effects.extend(logs::settle(model));
    effects.extend(model.on_screen(|screen, model| screen.asks(model)));
    let mut watch = Watch::default();
    if let Some(screen) = model.screen() {
        screen.watch(model, &mut watch);
    }
    if watch != model.watched {
        model.watched = watch.clone();
        effects.push(Effect::Watch(watch));
    }
    // Journals are read while they are looked at, and again when somebody applied.
    let shows_journal = model.screen().is_some_and(Screen::shows_journal);
    // The operator's own says how far one came that was cut off.
    let shows_journal = shows_journal || !model.cut_off().is_empty();
    if shows_journal && model.journal_old && !model.journal_asked && model.fleet.is_some() {
        model.journal_old = false;
        model.journal_asked = true;
        effects.push(Effect::Journal);
    }
    let usable = model.fleet.is_some() && model.fleet_broken.is_none();
    if model.plan_old && !model.planning && usable {
        model.plan_old = false;
        model.planning = true;
        effects.push(Effect::Plan);
    }
    effects
}

/// Hosts whose rows are current, and until when, if they are not read again.
fn current(model: &Model) -> Vec<(Name, i64)> {
    let rows = model.view.hosts.iter().filter(|row| !row.stale);
    let data = rows.filter_map(|row| model.data.get_key_value(row.name.as_str()));
    data.filter_map(|(host, data)| Some((host.clone(), data.old_at()?)))
        .collect()
}

/// When settling again would change something though no message came, in milliseconds.
pub fn due_ms(model: &Model) -> Option<i64> {
    let work = (!model.stale_hosts.is_empty()).then_some(model.now_ms);
    let unordered = model.order_old || model.hosts_old || model.certificates.order_old;
    let reorder = unordered.then_some(model.last_key_ms + QUIET_MS);
    let note = model
        .note
        .as_ref()
        .map(|n| n.2)
        .filter(|until| *until != i64::MAX);
    let again = logs::due_ms(model);
    let aged = model.blocks.iter().filter_map(|b| b.old_at).min();
    let aged = aged.map(|at| at * 1000);
    let listens = match &model.overlay {
        Some(Overlay::Proposal(open)) if !open.listens(model.now_ms) => {
            open.quiet_since.map(|at| at + UNREAD_MS)
        }
        _ => None,
    };
    let old = current(model).into_iter().map(|(_, at)| at * 1000).min();
    let asks = model.screen().and_then(|screen| screen.due_ms(model));
    let all = [work, reorder, note, again, listens, old, aged, asks];
    all.into_iter().flatten().min()
}

/// Makes the rows of hosts that something is new about, and only those. Where a host still has the
/// rows it had, they stay in their places.
fn rebuild(model: &mut Model) {
    let known = model.blocks.iter().map(|b| &b.host);
    let same_hosts = known.eq(model.hosts.iter().map(|h| &h.name));
    let stale = match same_hosts {
        true => some_stale(model),
        false => std::mem::take(&mut model.stale_hosts),
    };
    let nothing_due = Due::default();
    let facts = Facts {
        fleet: model.fleet.as_deref(),
        due: model.planned.as_ref().map_or(&nothing_due, |p| &p.due),
        probes: &model.probes,
        now: model.now_ms.div_euclid(1000),
    };
    let words = words(&model.sites.filter);
    // The rows on screen, by key: taken down before the first of them moves.
    let keys = |list: &List, sites: &[SiteRow]| -> Vec<Arc<str>> {
        let rows = list.order.iter().filter_map(|i| sites.get(*i as usize));
        rows.map(|r| r.key.clone()).collect()
    };
    let mut shown: Option<Vec<Arc<str>>> = None;
    if !same_hosts {
        shown = Some(keys(&model.sites.list, &model.view.sites));
        align(
            model.hosts.iter().map(|h| &h.name),
            &mut model.blocks,
            &mut model.view.sites,
        );
        model.view.hosts = vec![HostRow::default(); model.hosts.len()];
    }
    let mut moved = !same_hosts;
    let nothing = HostData::default();
    let mut start = 0;
    for (at, host) in model.hosts.iter().enumerate() {
        let block = &mut model.blocks[at];
        let place = start..start + block.len;
        if !stale.contains(&host.name) && same_hosts {
            start = place.end;
            continue;
        }
        let data = model.data.get(&host.name).unwrap_or(&nothing);
        let mut rows = rows_of_host(&facts, &host.name, data);
        model.view.hosts[at] = host_row(facts.fleet, host, data, &rows, facts.now);
        let ailing = || ailing(facts.fleet?, host, data);
        if let Some(alert) = alert(&host.name, data, &rows, facts.now).or_else(ailing) {
            rows.insert(0, alert);
        }
        *block = Block::of(host.name.clone(), &rows, model.sites.foreign);
        start += rows.len();
        let before = &mut model.view.sites[place.clone()];
        let same = before.len() == rows.len()
            && before.iter().zip(&rows).all(|(was, is)| was.key == is.key);
        if same {
            for (was, is) in before.iter_mut().zip(rows) {
                model.order_old = model.order_old || order::moves(&model.sites, &words, was, &is);
                *was = is;
            }
            continue;
        }
        moved = true;
        shown.get_or_insert_with(|| keys(&model.sites.list, &model.view.sites));
        model.view.sites.splice(place, rows);
    }
    let widest = |f: fn(&Block) -> u16| model.blocks.iter().map(f).max().unwrap_or(0);
    model.sites.name_width = widest(|b| b.name_width).clamp(8, 28);
    model.sites.host_width = widest(|b| b.host_width).clamp(4, 14);
    model.sites.domains_width = widest(|b| b.domains_width);
    model.sites.has_projects = model.blocks.iter().any(|b| b.projects);
    // Where there is one host only, its sites stand in nobody's way.
    let away = model.blocks.iter().filter(|b| b.away);
    let folded: BTreeSet<String> = match model.blocks.len() {
        0 | 1 => BTreeSet::new(),
        _ => away.map(|b| b.host.to_string()).collect(),
    };
    model.order_old |= folded != model.sites.folded;
    model.sites.folded = folded;
    if moved {
        let places: HashMap<&str, u32> = model
            .view
            .sites
            .iter()
            .enumerate()
            .map(|(i, r)| (&*r.key, i as u32))
            .collect();
        let shown = shown.unwrap_or_default();
        let before: Vec<u32> = shown
            .iter()
            .filter_map(|k| places.get(&**k).copied())
            .collect();
        let order = order::order_kept(&model.sites, &model.view.sites, &before);
        model.sites.marks.retain(|k| places.contains_key(&**k));
        model.tails.retain(|k, _| places.contains_key(&**k));
        let rows = &model.view.sites;
        model.sites.list.set(order, |i| &rows[i as usize].key);
        model.order_old = true;
    }
    if model.host_list.order.len() != model.view.hosts.len() {
        let hosts = &model.view.hosts;
        let all = (0..hosts.len() as u32).collect();
        model.host_list.set(all, |i| &hosts[i as usize].key);
        model.hosts_old = true;
    }
    let order = order::order_hosts(&model.view.hosts, model.host_sort);
    model.hosts_old |= order != model.host_list.order;
}

/// Takes as many of the hosts that something is new about as can be made between two frames; the
/// others follow with the next, each in its turn.
fn some_stale(model: &mut Model) -> BTreeSet<Name> {
    let last = model.rebuilt.take();
    let after = |name: &Name| last.as_ref().is_none_or(|last| name > last);
    let mut waiting: Vec<&Name> = model.stale_hosts.iter().collect();
    waiting.sort_by_key(|name| !after(name));
    let sizes: HashMap<&Name, usize> = model.blocks.iter().map(|b| (&b.host, b.len)).collect();
    let mut rows = 0;
    let mut taken = BTreeSet::new();
    for name in waiting {
        if rows >= ROWS_AT_ONCE {
            break;
        }
        rows += sizes.get(name).copied().unwrap_or_default();
        taken.insert(name.clone());
        model.rebuilt = Some(name.clone());
    }
    model.stale_hosts.retain(|name| !taken.contains(name));
    taken
}

/// Puts blocks and rows of hosts into a new order of hosts; those of hosts that are no more go.
fn align<'a>(
    hosts: impl Iterator<Item = &'a Name>,
    blocks: &mut Vec<Block>,
    sites: &mut Vec<SiteRow>,
) {
    let mut kept: HashMap<Name, (Block, Vec<SiteRow>)> = HashMap::new();
    let mut rows = std::mem::take(sites).into_iter();
    for block in std::mem::take(blocks) {
        let mine = rows.by_ref().take(block.len).collect();
        kept.insert(block.host.clone(), (block, mine));
    }
    for host in hosts {
        let (block, mine) = kept
            .remove(host)
            .unwrap_or_else(|| (Block::of(host.clone(), &[], false), Vec::new()));
        blocks.push(block);
        sites.extend(mine);
    }
}

/// Puts the rows in their order now.
pub fn reorder(model: &mut Model) {
    let order = order::order(&model.sites, &model.view.sites, &model.sites.list.order);
    let rows = &model.view.sites;
    let untouched = model.last_key_ms < 0;
    // Where a host's line stands for the row under the cursor, the cursor goes to that line.
    let here = model.sites.list.here().and_then(|at| rows.get(at));
    if let Some(row) = here.filter(|row| order::is_folded(&model.sites, row))
        && !order.iter().any(|at| rows[*at as usize].key == row.key)
    {
        model.sites.list.at = Some(row.host.as_str().into());
    }
    model.sites.list.set(order, |i| &rows[i as usize].key);
    if untouched {
        // Nobody has chosen a row yet: the cursor stays on the most urgent one.
        model.sites.list.go_to(0, |i| &rows[i as usize].key);
    }
    model.order_old = false;
}

/// Puts the hosts in their order now.
pub fn reorder_hosts(model: &mut Model) {
    let hosts = &model.view.hosts;
    let untouched = model.last_key_ms < 0;
    let order = order::order_hosts(hosts, model.host_sort);
    model.host_list.set(order, |i| &hosts[i as usize].key);
    if untouched {
        model.host_list.go_to(0, |i| &hosts[i as usize].key);
    }
    model.hosts_old = false;
}
