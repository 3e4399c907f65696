//! Answers without an end: events and logs.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Call, Reply, nanos, streamed};
use crate::sim::Sim;
use crate::sim::clock::SECOND;
use crate::sim::log::frames;
use crate::sim::world::Event;

/// How often a log that is followed is looked at for visitors.
const GLANCE: Duration = Duration::from_millis(200);
/// As long as anyone sleeps without a reason to wake.
const LONG: Duration = Duration::from_secs(3600);

struct Filter {
    wanted: Vec<(&'static str, Vec<String>)>,
}

impl Filter {
    fn new(call: &Call) -> Self {
        let names = ["type", "event", "container", "image", "network", "label"];
        let wanted = names
            .into_iter()
            .map(|name| (name, call.filter(name)))
            .filter(|(_, values)| !values.is_empty());
        Filter {
            wanted: wanted.collect(),
        }
    }

    fn fits(&self, event: &Event) -> bool {
        let name = |event: &Event| event.attributes.get("name").cloned().unwrap_or_default();
        self.wanted.iter().all(|(filter, values)| {
            values.iter().any(|value| match *filter {
                "type" => event.kind == value,
                // `exec_create` stands for `exec_create: sh …`.
                "event" => event.action == *value || event.action.split(':').next() == Some(value),
                "label" => match value.split_once('=') {
                    Some((label, value)) => {
                        event.attributes.get(label).is_some_and(|is| is == value)
                    }
                    None => event.attributes.contains_key(value),
                },
                kind => {
                    event.kind == kind
                        && (event.id.starts_with(value.as_str()) || name(event) == *value)
                }
            })
        })
    }
}

fn line(event: &Event) -> Bytes {
    let mut value = json!({
        "Type": event.kind,
        "Action": event.action,
        "Actor": { "ID": event.id, "Attributes": event.attributes },
        "scope": "local",
        "time": event.at / SECOND,
        "timeNano": event.at,
    });
    if event.kind == "container"
        && let Some(object) = value.as_object_mut()
    {
        object.insert("status".to_owned(), json!(event.action));
        object.insert("id".to_owned(), json!(event.id));
        object.insert(
            "from".to_owned(),
            event
                .attributes
                .get("image")
                .map_or(Value::Null, |image| json!(image)),
        );
    }
    format!("{value}\n").into()
}

pub(super) fn events(sim: &Sim, call: &Call) -> Reply {
    struct State {
        sim: Sim,
        filter: Filter,
        changed: watch::Receiver<u64>,
        seen: u64,
        until: Option<i64>,
        ready: VecDeque<Bytes>,
    }
    let since = nanos(call.text("since"));
    let changed = sim.shared.changed.subscribe();
    let seen = sim.look(|world, _| match since {
        None => world.last_event(),
        Some(since) => match world.events.iter().find(|event| event.at >= since) {
            Some(event) => event.number - 1,
            None => world.last_event(),
        },
    });
    let state = State {
        sim: sim.clone(),
        filter: Filter::new(call),
        changed,
        seen,
        until: nanos(call.text("until")),
        ready: VecDeque::new(),
    };
    let pieces = stream::unfold(state, |mut state| async move {
        loop {
            if let Some(line) = state.ready.pop_front() {
                return Some((line, state));
            }
            let (fresh, now) = state.sim.look(|world, now| {
                let number = state.seen;
                let fresh: Vec<Event> = world
                    .events
                    .iter()
                    .filter(|event| event.number > number)
                    .cloned()
                    .collect();
                (fresh, now)
            });
            for event in fresh {
                state.seen = event.number;
                if state.filter.fits(&event) {
                    state.ready.push_back(line(&event));
                }
            }
            if !state.ready.is_empty() {
                continue;
            }
            let mut at_most = LONG;
            if let Some(until) = state.until {
                if now >= until {
                    return None;
                }
                at_most = Duration::from_nanos((until - now) as u64);
            }
            state.sim.ripen(&mut state.changed, at_most).await;
        }
    });
    Ok(streamed("application/json", pieces))
}

pub(super) fn logs(sim: &Sim, name: &str, call: &Call) -> Reply {
    struct State {
        sim: Sim,
        id: String,
        changed: watch::Receiver<u64>,
        cursor: i64,
        tail: Option<usize>,
        until: i64,
        follow: bool,
        out: bool,
        err: bool,
        timestamps: bool,
    }
    let id = sim.look(|world, _| world.find(name))?;
    let state = State {
        sim: sim.clone(),
        id,
        changed: sim.shared.changed.subscribe(),
        cursor: nanos(call.text("since")).map_or(i64::MIN, |since| since - 1),
        tail: call.text("tail").parse().ok(),
        until: nanos(call.text("until"))
            .filter(|until| *until > 0)
            .unwrap_or(i64::MAX),
        follow: call.flag("follow"),
        out: call.flag("stdout"),
        err: call.flag("stderr"),
        timestamps: call.flag("timestamps"),
    };
    if !state.out && !state.err {
        return crate::sim::world::refuse(
            400,
            "Bad parameters: you must choose at least one stream",
        );
    }
    let pieces = stream::unfold(Some(state), |state| async move {
        let mut state = state?;
        loop {
            let look = state.sim.look(|world, now| {
                let container = world.containers.get(&state.id)?;
                let lines = world.lines(container, state.cursor, now.min(state.until), state.tail);
                Some((
                    lines,
                    now,
                    container.is_running(),
                    world.is_visited(container),
                ))
            });
            let (lines, now, running, visited) = look?;
            state.cursor = now;
            state.tail = None;
            let bytes = frames(&lines, state.out, state.err, state.timestamps);
            if !state.follow || !running {
                return Some((bytes.into(), None));
            }
            if !bytes.is_empty() {
                return Some((bytes.into(), Some(state)));
            }
            state
                .sim
                .ripen(
                    &mut state.changed,
                    if visited {
                        GLANCE
                    } else {
                        next_line(&state.sim, &state.id)
                    },
                )
                .await;
        }
    });
    // From API 1.42 on the engine says that there are frames.
    Ok(streamed(
        "application/vnd.docker.multiplexed-stream",
        pieces,
    ))
}

/// How long until the next line that is known already.
fn next_line(sim: &Sim, id: &str) -> Duration {
    sim.look(|world, now| {
        let lines = world
            .containers
            .get(id)
            .map(|container| container.log.iter());
        let next = lines
            .into_iter()
            .flatten()
            .map(|line| line.at)
            .filter(|at| *at > now)
            .min();
        next.map_or(LONG, |at| Duration::from_nanos((at - now) as u64))
    })
}
