//! What there is to say about a host as a whole: containers that cannot be read, and applies that were
//! cut off. The plan says so, and notes that those are dealt with once it has brought everything they
//! touched to what the file says.

use std::collections::BTreeSet;

use super::draft::{Draft, Step};
use super::operation::{OperationId, OperationKind};
use super::wish::Wish;
use crate::fleet::Name;
use crate::observe::model::ObservedHost;
use crate::record::Applying;
use crate::text::printable;

/// Says who applies now, whose apply was cut off, and how far it came.
pub(crate) fn tell(wish: &Wish, seen: &ObservedHost, draft: &mut Draft) {
    let back = wish.options.takes_back.as_deref();
    for text in lines(seen, back, Some(wish.fleet_hash)) {
        draft.notice(None, text);
    }
}

/// The same for those who only look: a line each; nothing where nobody applies and nothing was cut
/// off.
pub fn told(seen: &ObservedHost) -> Vec<String> {
    lines(seen, None, None)
}

/// `back`: the apply that is being taken back; `hash`: of the fleet file planned with.
fn lines(seen: &ObservedHost, back: Option<&str>, hash: Option<&str>) -> Vec<String> {
    let unread = seen.unread.iter();
    let unread = unread.map(|(name, why)| {
        let name = printable(name);
        format!("the container {name} cannot be read: {why}")
    });
    let mut lines: Vec<String> = unread.collect();
    let noted = |run: &str| seen.applying().any(|n| n.run == run);
    if let Some(lock) = &seen.lock
        && (lock.is_stale() || !noted(&lock.run))
    {
        lines.push(match lock.is_stale() {
            true => format!("a lock is left by {lock}; the next apply takes it over"),
            false => format!("locked by {lock}; an apply waits for them"),
        });
    }
    for note in seen.applying() {
        let by = by(note);
        lines.push(if seen.is_running(note) {
            format!("{by} is applying since {}: {}", note.at, progress(note))
        } else if back == Some(note.run.as_str()) {
            format!("taken back: the apply of {by}, {}", how_far(note))
        } else if let Some(back) = &note.takes_back {
            format!(
                "taking back the apply {back} was cut off, {}: `ostler undo {back}` goes on with \
                 it, `ostler apply` brings everything to what the file says",
                how_far(note),
                back = printable(back)
            )
        } else {
            let version = match hash {
                Some(hash) if hash != note.fleet_hash => {
                    "; it was of another version of the fleet file than this"
                }
                _ => "",
            };
            format!(
                "the apply of {by} was cut off, {}{version}: `ostler apply` finishes it, \
                 `ostler undo {}` takes it back",
                how_far(note),
                printable(&note.run)
            )
        });
    }
    lines
}

/// Who applies, and from where.
pub fn by(note: &Applying) -> String {
    format!("{} at {}", printable(&note.who), printable(&note.whence))
}

/// When it began and how far it came.
fn how_far(note: &Applying) -> String {
    format!("begun {}: at least {}", note.at, progress(note))
}

fn progress(note: &Applying) -> String {
    let mut text = format!("{} of {} operations done", note.ended, note.operations);
    if !note.middle.is_empty() {
        let middle: Vec<String> = note.middle.iter().map(|id| printable(id)).collect();
        text.push_str(&format!(", in the middle of {}", middle.join(", ")));
    }
    text
}

/// Those that this plan deals with: all that they touched here is within it.
pub(crate) fn to_settle<'a>(wish: &Wish, seen: &'a ObservedHost) -> Vec<&'a Applying> {
    let within = |note: &&Applying| match (&wish.options.takes_back, &wish.options.only) {
        (Some(run), _) => *run == note.run || note.takes_back.as_ref() == Some(run),
        (None, None) => true,
        (None, Some(only)) => {
            let meant = wish.options.finishes.as_ref() == Some(&note.run);
            (meant || !note.sites.is_empty()) && note.sites.is_subset(only)
        }
    };
    seen.unfinished().filter(within).collect()
}

/// Adds what notes that they are dealt with: after everything that the plan does here for the host
/// itself and for the sites they touched, and only when nothing of that is in the way.
pub(crate) fn settle(wish: &Wish, notes: &[&Applying], draft: &mut Draft) {
    for note in notes {
        let concerns = |site: Option<&Name>| site.is_none_or(|site| note.sites.contains(site));
        if draft.problems.iter().any(|p| concerns(p.site.as_ref())) {
            continue;
        }
        let all = || draft.images.iter().chain(&draft.operations);
        let concerned = || all().filter(|o| concerns(o.site.as_ref()));
        let waited: BTreeSet<&OperationId> = concerned().flat_map(|o| &o.after).collect();
        let before: Vec<OperationId> = concerned()
            .map(|o| &o.id)
            .filter(|id| !waited.contains(id))
            .cloned()
            .collect();
        let undone = wish.options.takes_back.as_ref() == Some(&note.run);
        let kind = OperationKind::SettleRun {
            run: note.run.clone(),
            undone,
        };
        let cause = format!("the apply of {} was cut off", by(note));
        let id = format!("settle-{}", note.run);
        let step = Step::new(id, kind, &[]).because(cause);
        draft.push(step, &before.iter().map(Some).collect::<Vec<_>>());
    }
}
