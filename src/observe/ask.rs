//! Asking sites whether they answer: through the router of their host, as a visitor would.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tokio::sync::OnceCell;

use super::asked::{Probe, Road, SiteAnswer};
use super::model::{Observed, ObservedHost, sites_subnet};
use super::whose::{Whose, whose};
use crate::engine::{Client, Heard, Visited};
use crate::fleet::{Domain, EngineAddress, Fleet, Host, Name, Ports, SiteState};
use crate::host::router::probe;
use crate::record::route::{KNOWS_PROBES, RouteTarget, RouterConfig};
use crate::record::{Labelled, RouterRecord};

/// How long a site has to answer, and the way to it to open.
pub const WITHIN: Duration = Duration::from_secs(4);
/// Sites of one host that are asked at the same time.
pub const AT_ONCE: usize = 16;

/// Of a name that no site has, only a router of ours says that it knows none.
const NOBODYS: &str = "router.ostler.invalid";

/// The page by which it says so.
const UNKNOWN: &str = "unknown-domain";

/// What is asked of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub site: Name,
    domain: Domain,
    path: String,
}

/// What the sites of one host are asked, and the mark by which its router counts that as nobody's
/// visit.
#[derive(Debug, Clone, Default)]
pub struct Questions {
    pub all: Vec<Question>,
    mark: Option<String>,
    /// Where the router that runs listens; `None`: as the file says.
    ports: Option<Ports>,
    standing: Standing,
    /// That it is a router of ours which answers, once that is known.
    proof: Arc<OnceCell<()>>,
}

/// How sure it is that it is the host's router which is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    /// Nobody else can be at its port.
    #[default]
    Sure,
    /// Nobody else, but it may be away for a moment: somebody applies.
    Moving,
    /// Somebody else may be, and why.
    Doubtful(&'static str),
}

impl Standing {
    fn of(fleet: &Name, host: &Host, seen: &ObservedHost, record: &RouterRecord) -> Standing {
        if record.ports.is_none() {
            // An earlier version told it: the file's ports are its own where all of it is the same.
            let sites = sites_subnet(&seen.networks, fleet);
            let wanted = sites.map(|sites| RouterConfig::of(fleet, host, sites).hash());
            if wanted.is_none_or(|wanted| wanted != record.config_hash) {
                return Standing::Doubtful(
                    "the router listens as last applied, and may do so on other ports than the file's",
                );
            }
        }
        let unix = matches!(host.engine, EngineAddress::Unix { .. });
        let engine = &seen.engine;
        if unix && (engine.remapped_users || !is_this_machine(&engine.machine)) {
            return Standing::Doubtful(
                "the engine's socket is here, its machine may be another one",
            );
        }
        match &seen.lock {
            Some(lock) if !lock.is_stale() => Standing::Moving,
            _ => Standing::Sure,
        }
    }
}

/// Whether a machine that calls itself so is the one that this runs on.
fn is_this_machine(name: &str) -> bool {
    rustix::system::uname().nodename().to_bytes() == name.as_bytes()
}

/// Why it may not be a host's router that answers at its port, or not now.
pub(super) fn doubt(
    fleet: &Fleet,
    host: &Host,
    seen: &ObservedHost,
    record: &RouterRecord,
) -> Option<&'static str> {
    match Standing::of(&fleet.name, host, seen, record) {
        Standing::Sure => None,
        Standing::Moving => Some("somebody applies"),
        Standing::Doubtful(why) => Some(why),
    }
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
            let served = |domain: &&Domain| !entry.redirects.contains_key(domain.as_str());
            let mut served = entry.domains.iter().filter(served);
            let first = served.clone().next()?;
            let domain = served.find(|domain| !domain.is_wildcard()).unwrap_or(first);
            Some(Question {
                site: site.name.clone(),
                domain: domain.asked(),
                path: site.health.path.clone(),
            })
        });
        let all = all.collect();
        let standing = match fleet.hosts.get(host) {
            Some(host) => Standing::of(&fleet.name, host, seen, &state.router),
            None => Standing::default(),
        };
        // One that does not take the mark off would show it to the sites.
        let doubtful = matches!(standing, Standing::Doubtful(_));
        let knows = !doubtful && knows_probes(&fleet.name, seen);
        let key = state.host.as_ref().map(|host| host.digest_key.as_str());
        Questions {
            all,
            mark: key.filter(|_| knows).map(probe::mark),
            ports: state.router.ports,
            standing,
            proof: Arc::default(),
        }
    }

    /// The same, after others that were put by the same connection: who answers there is known.
    pub fn after(self, before: &Questions) -> Questions {
        let proof = match self.ports == before.ports && self.standing == before.standing {
            true => before.proof.clone(),
            false => self.proof,
        };
        Questions { proof, ..self }
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
        let host = Host {
            ports: self.ports.unwrap_or(host.ports),
            ..host.clone()
        };
        let what = (&question.domain, question.path.as_str());
        let visited = client
            .visit(&host, what, self.mark.as_deref(), WITHIN)
            .await;
        let took = begun.elapsed();
        let (answer, road) = match visited {
            Ok(visited) => self.judge(client, &host, visited).await,
            Err(refused) => (SiteAnswer::NotAsked(refused.to_string()), Road::Connection),
        };
        Probe::new(at, answer, road, took, before)
    }

    /// Believes what was heard, but for where somebody else may have said it.
    async fn judge(&self, client: &Client, host: &Host, visited: Visited) -> (SiteAnswer, Road) {
        let Visited { from_here, heard } = visited;
        let standing = match (self.standing, &from_here) {
            (Standing::Sure | Standing::Moving, Some(_)) => Standing::Doubtful("asked from here"),
            (standing, _) => standing,
        };
        let heard = match (&heard, standing) {
            (Heard::Answer { .. } | Heard::Silence(_), Standing::Doubtful(why)) => {
                let prove = || prove(client, host);
                match self.proof.get_or_try_init(prove).await {
                    Ok(()) => heard,
                    Err(other) => Heard::NoWay(format!("{why}: {other}")),
                }
            }
            _ => heard,
        };
        let road = from_here.map_or(Road::Connection, Road::Here);
        (told(heard, standing), road)
    }
}

/// Whether every router that runs for a fleet on a host knows our own questions.
pub fn knows_probes(fleet: &Name, seen: &ObservedHost) -> bool {
    let mut routers = seen.containers.iter().filter(|container| {
        container.is_running() && whose(container, fleet) == Some(Whose::Router)
    });
    routers.all(|router| router.template() >= KNOWS_PROBES)
}

/// Asks whoever answers at the router's port for what only a router of ours says.
async fn prove(client: &Client, host: &Host) -> Result<(), String> {
    let nobodys: Domain = NOBODYS.parse().map_err(|_| "no such domain".to_owned())?;
    let visited = client.visit(host, (&nobodys, "/"), None, WITHIN).await;
    match visited.map_err(|refused| refused.to_string())?.heard {
        Heard::Answer {
            page: Some(page), ..
        } if page == UNKNOWN => Ok(()),
        _ => Err(format!(
            "no router of ostler's answers at port {}",
            host.ports.http
        )),
    }
}

fn told(heard: Heard, standing: Standing) -> SiteAnswer {
    let doubt = match standing {
        Standing::Doubtful(why) => Some(why),
        Standing::Moving => Some("somebody applies"),
        Standing::Sure => None,
    };
    match (heard, doubt) {
        (Heard::Answer { status, page: None }, _) => SiteAnswer::Site(status),
        // What it says of whoever asks too much is nothing of the site.
        (
            Heard::Answer {
                page: Some(page), ..
            },
            _,
        ) if page == "too-many" => {
            SiteAnswer::NotAsked("its router takes no more of us now".into())
        }
        (
            Heard::Answer {
                page: Some(page), ..
            },
            Some(why),
        ) if page == UNKNOWN => SiteAnswer::NotAsked(format!(
            "{why}: the router that answers there does not know its domain"
        )),
        (
            Heard::Answer {
                status,
                page: Some(page),
            },
            _,
        ) => SiteAnswer::Router { status, page },
        (Heard::Silence(after), _) => {
            SiteAnswer::Silent(after.as_secs().try_into().unwrap_or(u32::MAX))
        }
        // It may be somebody else, or anything between.
        (Heard::Nobody(said), Some(why)) => SiteAnswer::NotAsked(format!("{why}: {said}")),
        (Heard::Nobody(said), None) => SiteAnswer::NoRouter(said),
        (Heard::NoWay(why), _) => SiteAnswer::NotAsked(why),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "fleet: x\nhosts: { a: { engine: \"ENGINE\", ports: { http: 8080 } } }\nsites: {}\n";

    fn fleet(engine: &str) -> Fleet {
        let text = FILE.replace("ENGINE", engine);
        let loaded = crate::fleet::load(&text, std::path::Path::new("fleet.yml"));
        loaded.unwrap().fleet
    }

    fn standing(engine: &str, machine: &str, record: &RouterRecord) -> Standing {
        let fleet = fleet(engine);
        let mut seen = ObservedHost::default();
        seen.engine.machine = machine.into();
        Standing::of(&fleet.name, &fleet.hosts[0], &seen, record)
    }

    fn here() -> String {
        let uname = rustix::system::uname();
        uname.nodename().to_string_lossy().into_owned()
    }

    #[test]
    fn a_router_is_asked_where_it_listens_and_not_where_the_file_says_it_is_to() {
        let told = RouterRecord {
            ports: Some(Ports {
                http: 80,
                https: 443,
            }),
            ..RouterRecord::default()
        };
        assert_eq!(standing("ssh://a", "", &told), Standing::Sure);
        // An earlier version did not write where.
        let before = RouterRecord::default();
        let doubtful = standing("ssh://a", "", &before);
        assert!(matches!(doubtful, Standing::Doubtful(why) if why.contains("as last applied")));
        for heard in [
            Heard::Nobody("refused".into()),
            Heard::Answer {
                status: 404,
                page: Some(UNKNOWN.into()),
            },
        ] {
            let answer = super::told(heard, doubtful);
            assert!(matches!(answer, SiteAnswer::NotAsked(_)), "{answer:?}");
        }
    }

    #[test]
    fn a_socket_that_is_here_is_no_proof_that_its_machine_is() {
        let record = RouterRecord {
            ports: Some(Ports::default()),
            ..RouterRecord::default()
        };
        let unix = "unix:///var/run/docker.sock";
        assert_eq!(standing(unix, &here(), &record), Standing::Sure);
        let other = standing(unix, "docker-desktop", &record);
        let refused = || Heard::Nobody("127.0.0.1:80: connection refused".into());
        let answer = told(refused(), other);
        assert!(
            matches!(&answer, SiteAnswer::NotAsked(why) if why.contains("another one")),
            "{answer:?}"
        );
        let answer = told(refused(), Standing::Sure);
        assert!(matches!(answer, SiteAnswer::NoRouter(_)));
        let answer = told(refused(), Standing::Moving);
        assert!(matches!(answer, SiteAnswer::NotAsked(_)));
    }
}
