//! What changes hosts or the file: each is worked out, shown and asked for first.

use std::collections::BTreeSet;

use crate::console::action::Place;
use crate::console::activity::Commit;
use crate::console::effect::{Effect, Request, Wish};
use crate::console::form::site::{self, Like};
use crate::console::model::{Model, Overlay};
use crate::console::tone::Tone;
use crate::fleet::Name;
use crate::plan::unfinished::by;
use crate::text::count;
use crate::verdict::SiteRow;

/// Describes a new site, like the one that is on screen; goes on with one that was described and
/// is not in the file.
pub(super) fn create(model: &mut Model) -> Vec<Effect> {
    if model.resume_draft() {
        return Vec::new();
    }
    let subject = model.subject();
    let site = subject.filter(|r| !r.is_host && !r.foreign);
    let host = subject
        .map(|r| r.host.as_str())
        .or_else(|| model.host_here().map(|h| h.name.as_str()));
    if let Some(fleet) = &model.fleet {
        let like = Like {
            site: site.map(|r| r.name.as_str()),
            host,
            account: site.map(|r| r.account.as_str()),
            recipe: site.map(|r| r.recipe.as_str()),
        };
        let form = site::new(fleet, like);
        model.overlay = Some(Overlay::Form(Box::new(form)));
    }
    Vec::new()
}

/// Asks for the plan of the whole fleet.
pub(super) fn apply_all(model: &mut Model) -> Vec<Effect> {
    let request = Request {
        title: format!("apply {}", model.view.name),
        wish: Wish::Apply,
        sites: None,
    };
    propose(model, request)
}

/// Asks for the plan that replaces whatever runs an older image than its tag stands for.
pub(super) fn update_all(model: &mut Model) -> Vec<Effect> {
    let request = Request {
        title: format!("update {}", model.view.name),
        wish: Wish::Update,
        sites: None,
    };
    propose(model, request)
}

/// Asks for a change of the marked sites, or of the one on screen.
pub(super) fn sites(model: &mut Model, verb: &str, wish: Wish) -> Vec<Effect> {
    let rows = model.chosen();
    if rows.is_empty() {
        // A plan without a subject is the whole fleet's.
        if wish == Wish::Apply && model.place() == Place::Plan {
            return apply_all(model);
        }
        model.say(Tone::Plain, format!("{verb}: no site is chosen"));
        return Vec::new();
    }
    if let Some(why) = rows.iter().find_map(|row| refused(row, verb)) {
        model.say(Tone::Bad, why);
        return Vec::new();
    }
    let sites = rows.iter().filter_map(|r| r.name.parse().ok()).collect();
    let title = match &rows[..] {
        [one] => format!("{verb} {} on {}", one.name, one.host),
        many => format!("{verb} {}", count(many.len(), "site")),
    };
    let sites = Some(sites);
    propose(model, Request { title, wish, sites })
}

/// The newest apply that was cut off: its name, its sites, and who began it.
fn newest_cut_off(model: &mut Model) -> Option<(String, Vec<Name>, String)> {
    let found = model.cut_off();
    let Some((run, notes)) = found.first() else {
        model.say(Tone::Plain, "no apply was cut off, as far as hosts answer");
        return None;
    };
    let sites: BTreeSet<&Name> = notes.iter().flat_map(|(_, note)| &note.sites).collect();
    let by = notes.first().map(|(_, note)| by(note)).unwrap_or_default();
    Some((run.clone(), sites.into_iter().cloned().collect(), by))
}

/// Asks for the plan that finishes an apply that was cut off: the usual one, for what it touched.
pub(super) fn finish(model: &mut Model) -> Vec<Effect> {
    let Some((run, sites, by)) = newest_cut_off(model) else {
        return Vec::new();
    };
    let request = Request {
        title: format!("finish the apply of {by}"),
        wish: Wish::Finish(run),
        sites: Some(sites),
    };
    propose(model, request)
}

/// Asks for the plan that takes it back.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let Some((run, sites, by)) = newest_cut_off(model) else {
        return Vec::new();
    };
    let request = Request {
        title: format!("take back the apply of {by}"),
        wish: Wish::Undo(run),
        sites: Some(sites),
    };
    propose(model, request)
}

/// Commits the fleet file that the newest apply wrote.
pub(super) fn commit(model: &mut Model) -> Vec<Effect> {
    let offered = model
        .runs
        .iter_mut()
        .rev()
        .find_map(|run| match run.commit.clone() {
            Some(Commit::Offered(message)) => Some((run, message)),
            _ => None,
        });
    let Some((run, message)) = offered else {
        model.say(
            Tone::Plain,
            "no change of the fleet file waits to be committed",
        );
        return Vec::new();
    };
    run.commit = Some(Commit::Running);
    vec![Effect::Commit(run.id, message)]
}

/// Why a row cannot be changed.
fn refused(row: &SiteRow, verb: &str) -> Option<String> {
    if row.is_host {
        let name = &row.name;
        return Some(format!("{verb}: {name} is a host; choose one of its sites"));
    }
    if row.foreign {
        return Some(format!("{} is not ostler's: it is never changed", row.name));
    }
    if row.stale {
        return Some(format!("{verb} {}: {}", row.name, row.why));
    }
    if row.name.parse::<Name>().is_err() {
        let name = &row.name;
        return Some(format!("{verb}: {name} is not what a site can be called"));
    }
    if !row.in_file && verb != "apply" {
        return Some(format!("{} is not in the fleet file any more", row.name));
    }
    None
}

/// Has a change worked out.
pub fn propose(model: &mut Model, request: Request) -> Vec<Effect> {
    if model.is_applying() {
        model.say(Tone::Bad, "something is being applied: wait for its end");
        return Vec::new();
    }
    let id = model.next_id;
    model.next_id += 1;
    model.overlay = Some(Overlay::Working(id, request.clone()));
    vec![Effect::Propose(id, request)]
}
