//! What the other containers of a host tell Traefik: middlewares that one of them describes for all,
//! and whether it serves what does not ask for it. Pure.

use std::collections::BTreeSet;

use crate::observe::look;
use crate::observe::model::ObservedContainer;

/// Whether Traefik serves a container that does not say `traefik.enable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exposes {
    /// It was told to.
    All,
    /// It was told to leave those alone.
    Asked,
    /// It was told nothing on its command line or in its environment; a file may say it.
    Unsaid,
    /// There is no Traefik here that runs.
    Unknown,
}

/// The containers of a host as Traefik sees them.
pub(super) struct Around<'a> {
    pub exposes: Exposes,
    /// Its labels about middlewares, with names in lower case.
    middlewares: Vec<(String, &'a str)>,
}

impl<'a> Around<'a> {
    pub fn of(containers: &'a [ObservedContainer]) -> Around<'a> {
        let running = || containers.iter().filter(|c| c.is_running());
        let told: Vec<Option<bool>> = running().filter(|c| is_traefik(c)).map(exposes).collect();
        let exposes = match told.as_slice() {
            [] => Exposes::Unknown,
            all if all.iter().all(|told| *told == Some(false)) => Exposes::Asked,
            all if all.contains(&None) => Exposes::Unsaid,
            _ => Exposes::All,
        };
        // What it leaves alone describes nothing to it.
        let read = running().filter(|c| exposes != Exposes::Asked || asks(c));
        let middlewares = read.flat_map(look::traefik);
        let middlewares = middlewares
            .filter(|(key, _)| key.starts_with(MIDDLEWARES))
            .collect();
        Around {
            exposes,
            middlewares,
        }
    }

    /// The kinds of a middleware, by all that describe it; `None`: none does.
    pub fn kinds(&self, name: &str) -> Option<BTreeSet<&str>> {
        let name = name.to_lowercase();
        let own = on_containers(&name)?;
        let options = self.middlewares.iter().filter_map(|(key, _)| {
            let rest = key.strip_prefix(MIDDLEWARES)?;
            rest.strip_prefix(own)?.strip_prefix('.')
        });
        let kinds: BTreeSet<&str> = options.filter_map(|o| o.split('.').next()).collect();
        (!kinds.is_empty()).then_some(kinds)
    }
}

const MIDDLEWARES: &str = "traefik.http.middlewares.";

/// A name without its provider; `None` where that reads no containers.
pub(super) fn on_containers(name: &str) -> Option<&str> {
    match name.split_once('@') {
        None => Some(name),
        Some((own, "docker" | "swarm")) => Some(own),
        Some(_) => None,
    }
}

/// Whether it says that Traefik is to serve it.
pub(super) fn asks(container: &ObservedContainer) -> bool {
    let on = |value: &str| matches!(value.to_lowercase().as_str(), "true" | "t" | "1");
    let labels = look::traefik(container);
    labels.iter().any(|(k, v)| k == "traefik.enable" && on(v))
}

/// Whether Traefik runs in it: by its image, else by what it was told.
fn is_traefik(container: &ObservedContainer) -> bool {
    let name = container.image.split(['@']).next().unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.split(':').next() == Some("traefik")
        || options(container).any(|(key, _)| key.starts_with("providers.docker"))
}

/// What this Traefik was told of containers that do not ask.
fn exposes(container: &ObservedContainer) -> Option<bool> {
    let off = |value: &str| matches!(value, "false" | "f" | "0");
    let told = options(container).filter(|(key, _)| {
        matches!(
            key.as_str(),
            "providers.docker.exposedbydefault"
                | "providers.swarm.exposedbydefault"
                | "docker.exposedbydefault"
        )
    });
    told.map(|(_, value)| !off(&value)).last()
}

/// Options of its command line and its environment, in lower case: `providers.docker.network`.
fn options(container: &ObservedContainer) -> impl Iterator<Item = (String, String)> {
    let inspected = container.inspected.as_ref();
    let argv = ["entrypoint", "command"].into_iter().flat_map(move |key| {
        let text = inspected.and_then(|i| i.made.get(key)).unwrap_or_default();
        serde_json::from_str::<Vec<String>>(text).unwrap_or_default()
    });
    // A shell's words are in one argument.
    let words = argv.flat_map(|word| {
        let words = word.split_whitespace().map(str::to_lowercase);
        words.collect::<Vec<_>>()
    });
    let flags = words.filter_map(|word| {
        let (key, value) = word
            .strip_prefix("--")?
            .split_once('=')
            .unwrap_or((&word[2..], "true"));
        Some((key.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
    });
    let env = inspected.into_iter().flat_map(|i| &i.env);
    let env = env.filter_map(|(key, value)| {
        let key = key.to_lowercase();
        let key = key.strip_prefix("traefik_")?.replace('_', ".");
        Some((key, value.to_lowercase()))
    });
    flags.chain(env)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::model::{Inspected, RunState};

    fn traefik(image: &str, command: &[&str], env: &[(&str, &str)]) -> ObservedContainer {
        let command = serde_json::to_string(command).unwrap();
        let made = std::collections::BTreeMap::from([("command".to_owned(), command)]);
        let env = env.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        ObservedContainer {
            image: image.into(),
            run: RunState::Running,
            inspected: Some(Inspected {
                made: made.into(),
                env: env.collect(),
                ..Inspected::default()
            }),
            ..ObservedContainer::default()
        }
    }

    #[test]
    fn what_traefik_exposes_is_on_its_command_line_or_in_its_environment() {
        let off = "--providers.docker.exposedByDefault=false";
        let variable = "TRAEFIK_PROVIDERS_DOCKER_EXPOSEDBYDEFAULT";
        for (containers, exposes) in [
            (vec![], Exposes::Unknown),
            (vec![traefik("nginx:1.28", &[], &[])], Exposes::Unknown),
            (vec![traefik("traefik:v3.1", &[], &[])], Exposes::Unsaid),
            (vec![traefik("traefik", &[off], &[])], Exposes::Asked),
            (
                vec![traefik("ghcr.io/a/traefik@sha256:12", &[off], &[])],
                Exposes::Asked,
            ),
            (
                vec![traefik(
                    "sha256:12",
                    &["sh", "-c", &format!("exec traefik {off}")],
                    &[],
                )],
                Exposes::Asked,
            ),
            (
                vec![traefik("traefik:2", &["--docker.exposedbydefault=0"], &[])],
                Exposes::Asked,
            ),
            (
                vec![traefik("traefik:3", &[], &[(variable, "false")])],
                Exposes::Asked,
            ),
            (
                vec![traefik(
                    "traefik:3",
                    &["--providers.docker.exposedbydefault"],
                    &[],
                )],
                Exposes::All,
            ),
            // One of two is enough.
            (
                vec![
                    traefik("traefik", &[off], &[]),
                    traefik("traefik", &[], &[]),
                ],
                Exposes::Unsaid,
            ),
            (
                vec![traefik("a/traefik-exporter:1", &[], &[])],
                Exposes::Unknown,
            ),
        ] {
            let found = Around::of(&containers).exposes;
            assert_eq!(found, exposes, "{containers:?}");
        }
        let mut ended = traefik("traefik", &[off], &[]);
        ended.run = RunState::Exited;
        assert_eq!(Around::of(&[ended]).exposes, Exposes::Unknown);
    }
}
