//! Asking sites whether they answer: through the router of their host, as a visitor would.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use super::asked::{Probe, Road, SiteAnswer};
use super::model::{Observed, ObservedHost};
use super::whose::{Whose, whose};
use crate::engine::{Client, Heard, Visited};
use crate::fleet::{Domain, Fleet, Host, Name, SiteState};
use crate::host::router::probe;
use crate::record::Labelled;
use crate::record::route::{KNOWS_PROBES, RouteTarget};

/// How long a site has to answer, and the way to it to open.
pub const WITHIN: Duration = Duration::from_secs(4);
/// Sites of one host that are asked at the same time.
pub const AT_ONCE: usize = 16;

/// What is asked of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub site: Name,
    domain: Domain,
    path: String,
}

/// What the sites of one host are asked, and the mark by which its router counts that as nobody's
/// visit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Questions {
    pub all: Vec<Question>,
    mark: Option<String>,
}

impl Questions {
    /// Those for the sites that should answer: they are to run, and are routed somewhere.
    pub fn of(fleet: &Fleet, host: &Name, seen: &ObservedHost) -> Questions {
        let Some(state) = seen.state.read() else {
            return Questions::default();
        };
        let running = fleet
            .sites_on(host)
            .filter(|site| site.state == SiteState::Running);
        let all = running.filter_map(|site| {
            let entry = state.router.routes.get(&site.name)?;
            if entry.target == RouteTarget::Stopped {
                return None;
            }
            // The router itself answers the others.
            let mut served = entry.domains.iter();
            let domain = served.find(|domain| !entry.redirects.contains_key(domain.as_str()))?;
            Some(Question {
                site: site.name.clone(),
                domain: domain.clone(),
                path: site.health.path.clone(),
            })
        });
        let all = all.collect();
        // One that does not take the mark off would show it to the sites.
        let knows = knows_probes(&fleet.name, seen);
        let key = state.host.as_ref().map(|host| host.digest_key.as_str());
        Questions {
            all,
            mark: key.filter(|_| knows).map(probe::mark),
        }
    }

    /// Asks one of them. `before`: what came of asking that site the last time.
    pub async fn ask(
        &self,
        client: &Client,
        host: &Host,
        question: &Question,
        before: Option<&Probe>,
    ) -> Probe {
        let at = chrono::Utc::now().timestamp();
        let begun = Instant::now();
        let what = (&question.domain, question.path.as_str());
        let visited = client.visit(host, what, self.mark.as_deref(), WITHIN).await;
        let (answer, road) = match visited {
            Ok(visited) => told(visited),
            Err(refused) => (SiteAnswer::NotAsked(refused.to_string()), Road::Connection),
        };
        Probe::new(at, answer, road, begun.elapsed(), before)
    }
}

/// Whether every router that runs for a fleet on a host knows our own questions.
pub fn knows_probes(fleet: &Name, seen: &ObservedHost) -> bool {
    let mut routers = seen.containers.iter().filter(|container| {
        container.is_running() && whose(container, fleet) == Some(Whose::Router)
    });
    routers.all(|router| router.template() >= KNOWS_PROBES)
}

fn told(visited: Visited) -> (SiteAnswer, Road) {
    let here = visited.from_here;
    let answer = match visited.heard {
        Heard::Answer { status, page: None } => SiteAnswer::Site(status),
        Heard::Answer {
            status,
            page: Some(page),
        } => SiteAnswer::Router { status, page },
        Heard::Silence(after) => SiteAnswer::Silent(after.as_secs().try_into().unwrap_or(u32::MAX)),
        // From here it may be anything between.
        Heard::Nobody(why) if here.is_some() => SiteAnswer::NotAsked(why),
        Heard::Nobody(why) => SiteAnswer::NoRouter(why),
        Heard::NoWay(why) => SiteAnswer::NotAsked(why),
    };
    (answer, here.map_or(Road::Connection, Road::Here))
}

/// Asks all sites of these hosts that should answer, once, all hosts at the same time, in `at_most`
/// altogether: what was not answered by then is not among the answers. Costs no request to an engine.
pub async fn ask_all(
    fleet: &Fleet,
    observed: &Observed,
    clients: &BTreeMap<Name, Client>,
    at_most: Duration,
) -> HashMap<Name, Probe> {
    let asking: Vec<_> = fleet
        .hosts
        .values()
        .filter_map(|host| {
            let seen = observed.hosts.get(&host.name)?.reached()?;
            let client = clients.get(&host.name)?;
            Some((client, host, Questions::of(fleet, &host.name, seen)))
        })
        .collect();
    let hosts = asking.iter().map(|(client, host, questions)| {
        let answers = questions.all.iter().map(move |question| async move {
            let probe = questions.ask(client, host, question, None).await;
            (question.site.clone(), probe)
        });
        stream::iter(answers).buffer_unordered(AT_ONCE)
    });
    let mut answers = stream::select_all(hosts.map(Box::pin));
    let mut found = HashMap::new();
    let end = tokio::time::Instant::now() + at_most;
    while let Ok(Some((site, probe))) = tokio::time::timeout_at(end, answers.next()).await {
        found.insert(site, probe);
    }
    found
}
