//! What is the matter with a host that answers.

use super::state::State;
use crate::fleet::{Acme, Fleet, Host, Isolate};
use crate::observe::model::ObservedHost;
use crate::observe::whose::{Whose, whose};
use crate::record::StateRead;
use crate::text::{age_in_words, line};

/// The worst of it, on one line.
pub fn trouble(fleet: &Fleet, host: &Host, seen: &ObservedHost) -> Option<(State, String)> {
    if let StateRead::Damaged { why } = &seen.state {
        let why = format!("what ostler keeps there cannot be used: {}", line(why));
        return Some((State::Failing, why));
    }
    let open = unguarded(fleet, host, seen)?;
    Some((State::Warning, open.to_owned()))
}

/// Seconds after which somebody should have looked after certificates again: a day, and some room.
const OVERDUE: i64 = 26 * 3600;

/// That no pass came by for long, where passes ever did and the file wants certificates renewed.
pub fn untended(fleet: &Fleet, seen: &ObservedHost, now: i64) -> Option<String> {
    let renews = matches!(fleet.acme, Some(Acme::On(_)));
    let at = seen.state.read().filter(|_| renews)?.tended?;
    let ago = now.saturating_sub(at);
    (ago > OVERDUE).then(|| {
        let ago = age_in_words(ago);
        format!("not tended for {ago}: is the timer of `ostler tend` running?")
    })
}

/// Why sites reach what they are to be kept from; `None`: they do not, or may. A host that nothing
/// was applied on yet has no sites to keep from anything.
fn unguarded(fleet: &Fleet, host: &Host, seen: &ObservedHost) -> Option<&'static str> {
    let applied = seen.state.read().is_some_and(|state| state.host.is_some());
    if host.isolate != Isolate::Strict || !applied {
        return None;
    }
    let mut guards = seen
        .containers
        .iter()
        .filter(|c| whose(c, &fleet.name) == Some(Whose::Guard));
    (!guards.any(|guard| guard.is_running()))
        .then_some("its guard does not run: sites reach the host's own services")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::observe::model::{ObservedContainer, RunState};
    use crate::record::{HostRecord, HostState, labels};

    #[test]
    fn a_host_that_no_pass_comes_by_any_more_is_told() {
        let load = |acme: &str| {
            let text = format!(
                "fleet: x\n{acme}hosts: {{ a: {{ engine: \"unix:///x\" }} }}\nsites: {{}}\n"
            );
            crate::fleet::load(&text, Path::new("fleet.yml"))
                .unwrap()
                .fleet
        };
        let on = load("acme: { contact: [ops@example.net], terms: agreed }\n");
        let seen = |tended| ObservedHost {
            state: StateRead::Read(Arc::new(HostState {
                tended,
                ..HostState::default()
            })),
            ..ObservedHost::default()
        };
        let now = 1_000_000;
        let told = |fleet: &Fleet, tended| untended(fleet, &seen(tended), now).is_some();
        assert!(told(&on, Some(now - OVERDUE - 1)) && told(&on, Some(i64::MIN)));
        assert!(!told(&on, Some(now - OVERDUE)) && !told(&on, Some(i64::MAX)));
        // None ever did, or nothing is renewed.
        assert!(!told(&on, None) && !told(&load("acme: off\n"), Some(0)));
    }

    #[test]
    fn a_strict_host_is_guarded_by_a_guard_that_runs() {
        let text = |isolate: &str| {
            format!(
                "fleet: x\nhosts: {{ a: {{ engine: \"unix:///x\", isolate: {isolate} }} }}\nsites: {{}}\n"
            )
        };
        let load = |isolate| {
            let loaded = crate::fleet::load(&text(isolate), Path::new("fleet.yml"));
            loaded.unwrap().fleet
        };
        let (strict, usual) = (load("strict"), load("sites"));
        let mut guard = ObservedContainer {
            name: "ostler-x-guard".into(),
            labels: [(labels::FLEET, "x"), (labels::ROLE, "guard")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            run: RunState::Running,
            ..ObservedContainer::default()
        };
        let says = |fleet: &Fleet, containers: &[ObservedContainer], applied: bool| {
            let state = HostState {
                host: applied.then(HostRecord::default),
                ..HostState::default()
            };
            let seen = ObservedHost {
                containers: containers.to_vec(),
                state: StateRead::Read(Arc::new(state)),
                ..ObservedHost::default()
            };
            unguarded(fleet, &fleet.hosts[0], &seen).is_some()
        };
        assert!(!says(&strict, &[guard.clone()], true));
        assert!(!says(&strict, &[], false) && !says(&usual, &[], true));
        assert!(says(&strict, &[], true));
        guard.run = RunState::Exited;
        assert!(says(&strict, &[guard.clone()], true));
        // A copy with its labels guards nothing.
        (guard.run, guard.name) = (RunState::Running, "copy".into());
        assert!(says(&strict, &[guard], true));
        // What cannot be read is worse, and says nothing of guards.
        let seen = ObservedHost {
            state: StateRead::Damaged {
                why: "state/sites/blog.json:\u{202e} uid 0".into(),
            },
            ..ObservedHost::default()
        };
        let (state, why) = trouble(&strict, &strict.hosts[0], &seen).unwrap();
        assert_eq!(state, State::Failing);
        assert!(
            why.contains("blog.json") && !why.contains('\u{202e}'),
            "{why}"
        );
    }
}
