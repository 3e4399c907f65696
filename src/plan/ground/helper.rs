//! A helper: a container of ours that serves a whole host. What keeps, starts, replaces, renames and
//! retires it is the same for all of them; each says what it is made of.

use crate::fleet::Limits;
use crate::observe::model::{ObservedContainer, RunState};
use crate::plan::container::{existing, free_name, is_active, planned, set_restart, settle, short};
use crate::plan::draft::{Draft, Step};
use crate::plan::image;
use crate::plan::operation::{ContainerRef, Interruption, OperationId, OperationKind};
use crate::plan::place::Place;
use crate::record::Role;
use crate::record::labels::Labels;
use crate::record::spec::{ContainerSpec, NewContainer};

/// Weight of what all sites go through, where processors are short: that of ten sites. Sites that
/// compute without end make it slow, and not as slow as themselves.
pub(super) const CPU_WEIGHT: u32 = 10 * 1024;

/// A helper as it should be.
pub(crate) struct Helper<'a> {
    /// Its word, in ids and in causes.
    pub word: &'static str,
    pub role: Role,
    pub name: String,
    pub spec: ContainerSpec,
    pub limits: Option<Limits>,
    /// The folder that it works in, for its label.
    pub root: Option<&'a str>,
    /// Seconds that what goes through the old one has to end once the new one answers. `None`:
    /// nothing goes through it, the old one is killed.
    pub overlap: Option<u32>,
}

/// Which of a helper's containers stays.
pub(crate) struct Settled<'a> {
    pub keep: Option<&'a ObservedContainer>,
    pub others: Vec<&'a ObservedContainer>,
    /// Why another is made, where more can be said than that this one will not do.
    pub why: Option<String>,
    hash: String,
}

impl<'a> Settled<'a> {
    /// Whether one is started.
    pub fn starts(&self) -> bool {
        self.keep.is_none_or(|keep| !is_active(keep))
    }

    /// The one that does the work while another takes its place.
    pub fn serving(&self) -> Option<&'a ObservedContainer> {
        self.others.iter().copied().find(|other| other.is_running())
    }
}

/// What has to be waited for before the others go.
pub(crate) struct Await<'a> {
    pub by: &'a dyn Fn(ContainerRef) -> OperationKind,
    pub because: &'static str,
}

impl Helper<'_> {
    /// Which of `containers` stays. `reload`: the one that is as wanted has read what is not.
    pub fn settle<'c>(&self, containers: &[&'c ObservedContainer], reload: bool) -> Settled<'c> {
        let hash = self.spec.hash();
        let (keep, mut others) = settle(containers, &hash, &self.name);
        let keep = match keep {
            Some(spoiled) if reload => {
                others.insert(0, spoiled);
                None
            }
            keep => keep,
        };
        Settled {
            keep,
            others,
            why: None,
            hash,
        }
    }

    /// Has it run: the one that stays, or a new one. Begins after `last`,
    /// or else after `before`; returns what it is ready after. `None` when something is in the way,
    /// which is then among the problems.
    pub fn plan(
        self,
        place: &Place,
        settled: Settled,
        before: Option<&OperationId>,
        mut last: Option<OperationId>,
        answers: Option<Await>,
        draft: &mut Draft,
    ) -> Option<Option<OperationId>> {
        let (word, name) = (self.word, self.name.clone());
        let overlap = self.overlap;
        let starts = settled.starts();
        let mut removed = None;
        let current = match settled.keep {
            Some(keep) => {
                if let Some((id, kind, cause)) = again(word, keep) {
                    let step = Step::new(format!("{word}/{id}"), kind, &[]).because(cause);
                    last = Some(draft.push(step, &[last.as_ref().or(before)]));
                }
                existing(keep)
            }
            None => {
                let serving = settled.serving().filter(|_| overlap.is_some());
                let serving = serving.map(|serving| serving.id.as_str());
                let (free, spare) = match free_name(&place.index, place.fleet(), &name, serving) {
                    Ok(free) => free,
                    Err(what) => {
                        draft.problem(None, what, "rename or remove that container");
                        return None;
                    }
                };
                if let Some(spare) = spare {
                    let step = remove(word, spare, true).because(format!("a {word} left half-way"));
                    last = Some(draft.push(step, &[last.as_ref().or(before)]));
                    removed = Some(spare.id.as_str());
                }
                let after = last.or(before.cloned());
                last = Some(self.create(place, &settled, &free, after, draft));
                planned(&free)
            }
        };
        let others = settled.others.iter().copied();
        let others: Vec<_> = others.filter(|c| removed != Some(c.id.as_str())).collect();
        if let Some(answers) = answers
            && (starts || others.iter().any(|other| is_active(other)))
        {
            let kind = (answers.by)(current.clone());
            let step = Step::new(format!("{word}/await"), kind, &[]).because(answers.because);
            last = Some(draft.push(step, &[last.as_ref()]));
        }
        for other in others {
            last = retire(word, overlap, other, last, draft);
        }
        if current.name != name {
            let kind = OperationKind::RenameContainer {
                container: current,
                to: name,
            };
            let step =
                Step::new(format!("{word}/rename"), kind, &[]).because("the old one is gone");
            last = Some(draft.push(step, &[last.as_ref()]));
        }
        Some(last)
    }

    /// Creates and starts a new one under the name that is `free`.
    fn create(
        self,
        place: &Place,
        settled: &Settled,
        free: &str,
        after: Option<OperationId>,
        draft: &mut Draft,
    ) -> OperationId {
        let word = self.word;
        let cause = settled.why.clone();
        let cause = cause.unwrap_or_else(|| match settled.others.is_empty() {
            true => format!("the {word} is missing"),
            false => format!("the {word} is not as it should be"),
        });
        let image = image::need(draft, place, &self.spec.image, &format!("the {word}"));
        let container = NewContainer {
            labels: Labels {
                fleet: place.fleet(),
                role: self.role,
                site: None,
                hash: &settled.hash,
                replaces: !settled.others.is_empty(),
                address: None,
                limits: self.limits.as_ref(),
                uid: None,
                root: self.root,
            }
            .build(),
            name: free.to_owned(),
            spec: self.spec,
            address: None,
            limits: self.limits.unwrap_or_default(),
        };
        let kind = OperationKind::CreateContainer {
            container: Box::new(container),
        };
        let step = Step::new(format!("{word}/create"), kind, &[])
            .because(&*cause)
            .undone_by(OperationKind::RemoveContainer {
                container: planned(free),
                force: true,
            });
        let created = draft.push(step, &[after.as_ref(), image.as_ref()]);
        let kind = OperationKind::StartContainer {
            container: planned(free),
        };
        let step = Step::new(format!("{word}/start"), kind, &[]).because(cause);
        draft.push(step, &[Some(&created)])
    }
}

/// What the one that stays needs: to be started, or to be kept running by the engine.
fn again(word: &str, keep: &ObservedContainer) -> Option<(&'static str, OperationKind, String)> {
    let container = existing(keep);
    if keep.run == RunState::Paused {
        let kind = OperationKind::RestartContainer {
            container,
            grace_s: 1,
        };
        return Some(("start", kind, format!("the {word} is paused")));
    }
    if !is_active(keep) {
        let kind = OperationKind::StartContainer { container };
        return Some(("start", kind, format!("the {word} does not run")));
    }
    set_restart(keep, true).map(|(kind, cause)| ("restarts", kind, cause))
}

/// Takes away one that another takes the place of.
fn retire(
    word: &str,
    overlap: Option<u32>,
    other: &ObservedContainer,
    mut last: Option<OperationId>,
    draft: &mut Draft,
) -> Option<OperationId> {
    let cause = format!("another {word} takes its place");
    let Some(grace_s) = overlap else {
        let step = remove(word, other, true).because(cause);
        return Some(draft.push(step, &[last.as_ref()]));
    };
    if is_active(other) {
        let kind = OperationKind::StopContainer {
            container: existing(other),
            grace_s,
        };
        let step = Step::new(format!("{word}/stop-{}", short(&other.id)), kind, &[])
            .because(&*cause)
            .interrupts(Interruption::None)
            .undone_by(OperationKind::StartContainer {
                container: existing(other),
            });
        last = Some(draft.push(step, &[last.as_ref()]));
    }
    let step = remove(word, other, false)
        .because(cause)
        .no_way_back("the container is gone");
    Some(draft.push(step, &[last.as_ref()]))
}

fn remove(word: &str, container: &ObservedContainer, force: bool) -> Step {
    let id = format!("{word}/remove-{}", short(&container.id));
    let kind = OperationKind::RemoveContainer {
        container: existing(container),
        force,
    };
    Step::new(id, kind, &[])
}
