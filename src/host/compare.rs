//! Whether files that ostler wrote on a host, and the router's process, still are as recorded. Reads
//! only: the router's folder in one GET, the rest by two scripts in the toolbox, where commands can
//! be run at all.

use std::collections::BTreeMap;

use super::router::table::{Map, Maps};
use super::router::{self, config};
use super::script::DIGESTS;
use super::{Kind, Toolbox, ToolboxError, service};
use crate::engine;
use crate::fleet::{Name, SiteState, file_hash};
use crate::record::route::RouterConfig;
use crate::record::{Different, Differs, HostState, RecordedState};

/// What may be asked besides reading files.
#[derive(Debug, Clone, Copy)]
pub struct Reach {
    /// Commands may be run in the toolbox: it runs, and this is not on-call mode.
    pub commands: bool,
    /// The router runs.
    pub router: bool,
}

/// Compares. A router whose configuration is not `config`, or where none can be said, is compared by
/// its routes only.
///
/// # Errors
/// The engine does not answer; whatever else goes wrong is among what is not known.
pub async fn compare(
    toolbox: &Toolbox,
    config: Option<RouterConfig>,
    state: &HostState,
    reach: Reach,
) -> Result<Differs, engine::Error> {
    let mut differs = Differs::default();
    if state.host.is_none() {
        return Ok(differs);
    }
    let (files, process, conf, services) = futures_util::join!(
        Box::pin(router_files(toolbox, config, state)),
        Box::pin(process(toolbox, state, reach)),
        Box::pin(configuration(toolbox, state, reach)),
        Box::pin(services(toolbox, state, reach)),
    );
    let on_disk = take(files, "the router's files", &mut differs)?.unwrap_or_default();
    let running = take(process, "the router's process", &mut differs)?.unwrap_or_default();
    for (site, one) in on_disk.routes {
        add(&mut differs, site, one);
    }
    differs.router.extend(on_disk.files);
    differs.reload = on_disk.reload;
    for (site, one) in running {
        // What the files and the process agree on was said.
        let known = match &site {
            Some(site) => differs.sites.get(site).map(|d| &d.route),
            None => Some(&differs.router),
        };
        let said = |d: &Different| d.path == one.path && d.live == one.live;
        if known.is_some_and(|known| known.iter().any(said)) {
            continue;
        }
        let path = format!("{} in its process", one.path);
        add(&mut differs, site, Different { path, ..one });
    }
    for (site, found) in take(conf, "files that containers read", &mut differs)?.unwrap_or_default()
    {
        differs.sites.entry(site).or_default().conf = found;
    }
    for (name, found) in services {
        let what = format!("{name} on the host");
        for (site, found) in take(found, &what, &mut differs)?.unwrap_or_default() {
            let site = differs.sites.entry(site).or_default();
            site.services.insert(name, found);
        }
    }
    if !reach.commands {
        let services: Vec<&str> = service::ALL.iter().map(|service| service.name).collect();
        differs.unknown.push(format!(
            "without commands in the toolbox (on-call mode, or it does not run): files that containers read, \
             {}, the router's process",
            services.join(", ")
        ));
    }
    Ok(differs)
}

fn add(differs: &mut Differs, site: Option<Name>, one: Different) {
    match site {
        Some(site) => differs.sites.entry(site).or_default().route.push(one),
        None => differs.router.push(one),
    }
}

/// An engine that is gone is an error; all else is not known.
fn take<T>(
    result: Result<T, ToolboxError>,
    what: &str,
    differs: &mut Differs,
) -> Result<Option<T>, engine::Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(ToolboxError::Engine(e)) if e.is_unreachable() => Err(e),
        Err(e) => {
            differs.unknown.push(format!("{what}: {e}"));
            Ok(None)
        }
    }
}

/// Differences of lines of the router's maps, each with the site that it is about, if any.
type Lines = Vec<(Option<Name>, Different)>;

#[derive(Default)]
struct OnDisk {
    routes: Lines,
    files: Vec<Different>,
    reload: bool,
}

async fn router_files(
    toolbox: &Toolbox,
    config: Option<RouterConfig>,
    state: &HostState,
) -> Result<OnDisk, ToolboxError> {
    let record = &state.router;
    if record.config_hash.is_empty() {
        return Ok(OnDisk::default());
    }
    let layout = &toolbox.layout;
    let entries = match toolbox.get(&layout.router()).await {
        Ok(entries) => entries,
        Err(ToolboxError::Engine(e)) if e.is_not_found() => Vec::new(),
        Err(e) => return Err(e),
    };
    let found: BTreeMap<&str, &[u8]> = entries
        .iter()
        .filter(|e| e.kind == Kind::File)
        .map(|e| (e.path.trim_start_matches("./"), e.bytes.as_slice()))
        .collect();
    let unfit = |e: router::Unfit| ToolboxError::Garbled {
        what: "the recorded routes".into(),
        why: e.to_string(),
    };
    let maps = router::table::maps(&record.routes, &record.proxies).map_err(unfit)?;
    let mut live = Maps::default();
    for (map, into) in [
        (Map::Domains, &mut live.domains),
        (Map::Routes, &mut live.routes),
        (Map::Redirects, &mut live.redirects),
        (Map::Headers, &mut live.headers),
        (Map::Proxies, &mut live.proxies),
    ] {
        let path = format!("router/maps/{}.map", map.word());
        let text = String::from_utf8_lossy(found.get(path.as_str()).copied().unwrap_or_default());
        for line in text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            // The router takes the first of several.
            into.entry(key.to_owned())
                .or_insert_with(|| value.trim().to_owned());
        }
    }
    let mut on_disk = OnDisk {
        routes: lines(&maps, &live, state),
        ..OnDisk::default()
    };
    if let Some(config) = config.filter(|it| it.hash() == record.config_hash) {
        let key = state.host.as_ref().map_or("", |host| &host.digest_key);
        let served = router::tls::recorded(state);
        let written = config::files(&config, layout.root(), key, &record.routes, &served);
        let written = written.map_err(unfit)?;
        // What is told to the process while it runs, besides the routes.
        let told = ["router/certs.list", "router/maps/https.map"];
        let compared = |path: &str| !path.starts_with("router/maps/") || told.contains(&path);
        for (path, bytes) in written.iter().filter(|(path, _)| compared(path)) {
            let live = match found.get(path.as_str()) {
                Some(there) if *there == bytes.as_slice() => continue,
                Some(_) => Some("edited".to_owned()),
                None => None,
            };
            on_disk.reload |= !told.contains(&path.as_str());
            on_disk.files.push(Different {
                path: path.trim_start_matches("router/").to_owned(),
                applied: Some("as written".to_owned()),
                live,
            });
        }
    }
    Ok(on_disk)
}

/// What differs between maps, line by line.
fn lines(wanted: &Maps, live: &Maps, state: &HostState) -> Lines {
    let mut lines = Lines::new();
    let site = |text: Option<&String>| -> Option<Name> {
        let name: Name = text?.parse().ok()?;
        state.router.routes.contains_key(&name).then_some(name)
    };
    for map in Map::ALL {
        let (was, is) = (wanted.get(map), live.get(map));
        let keys = was
            .keys()
            .chain(is.keys().filter(|k| !was.contains_key(*k)));
        for key in keys {
            if was.get(key) == is.get(key) {
                continue;
            }
            let (about, path) = match map {
                Map::Routes => (site(Some(key)), "route".to_owned()),
                Map::Domains => (
                    site(was.get(key)).or_else(|| site(is.get(key))),
                    format!("domains.{key}"),
                ),
                Map::Proxies => (None, format!("trusted_proxies.{key}")),
                Map::Headers => {
                    let (owner, name) = key.split_once('|').unwrap_or((key, ""));
                    (site(Some(&owner.to_owned())), format!("headers.{name}"))
                }
                Map::Redirects => (
                    site(wanted.domains.get(key)).or_else(|| site(live.domains.get(key))),
                    format!("redirects.{key}"),
                ),
            };
            let path = match (&about, map) {
                (None, Map::Routes) => format!("route.{key}"),
                _ => path,
            };
            lines.push((
                about,
                Different {
                    path,
                    applied: was.get(key).cloned(),
                    live: is.get(key).cloned(),
                },
            ));
        }
    }
    lines
}

/// The same of what the router's process has loaded.
async fn process(
    toolbox: &Toolbox,
    state: &HostState,
    reach: Reach,
) -> Result<Lines, ToolboxError> {
    if !reach.commands || !reach.router || state.router.config_hash.is_empty() {
        return Ok(Lines::new());
    }
    let garbled = |e: router::RouterError| match e {
        router::RouterError::Toolbox(e) => e,
        other => ToolboxError::Garbled {
            what: "what the router's process says".into(),
            why: other.to_string(),
        },
    };
    let loaded = router::loaded(toolbox).await.map_err(garbled)?;
    let record = &state.router;
    let wanted = router::table::maps(&record.routes, &record.proxies);
    let wanted = wanted.map_err(|e| garbled(e.into()))?;
    let of = |map: Map| {
        let mut entries = BTreeMap::new();
        for (key, value) in loaded.get(map) {
            entries.entry(key.clone()).or_insert_with(|| value.clone());
        }
        entries
    };
    let live = Maps {
        domains: of(Map::Domains),
        routes: of(Map::Routes),
        redirects: of(Map::Redirects),
        headers: of(Map::Headers),
        proxies: of(Map::Proxies),
    };
    Ok(lines(&wanted, &live, state))
}

/// Files of containers' specs against the recorded specs.
async fn configuration(
    toolbox: &Toolbox,
    state: &HostState,
    reach: Reach,
) -> Result<BTreeMap<Name, Vec<Different>>, ToolboxError> {
    let mut differ = BTreeMap::new();
    let with_files: Vec<_> = state
        .sites
        .values()
        .filter(|record| {
            matches!(
                record.state,
                RecordedState::Wanted(SiteState::Running | SiteState::Stopped)
            ) && record.address.is_some()
        })
        .filter_map(|record| {
            let spec = record.spec.as_ref().filter(|spec| !spec.files.is_empty())?;
            Some((&record.site, spec, record.hash.as_deref()?))
        })
        .collect();
    if !reach.commands || with_files.is_empty() {
        return Ok(differ);
    }
    let sites = toolbox.layout.sites();
    let output = toolbox.run(&DIGESTS, &[&sites], None).await?;
    let text = String::from_utf8_lossy(&output);
    // Folder → path in it → digest.
    let mut found: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for line in text.lines() {
        let Some((digest, path)) = line.split_once("  ./") else {
            continue;
        };
        let mut slashes = path.match_indices('/').map(|(at, _)| at);
        if let Some(at) = slashes.nth(2) {
            found
                .entry(&path[..at])
                .or_default()
                .insert(&path[at + 1..], digest);
        }
    }
    for (site, spec, hash) in with_files {
        let folder = format!("{site}/private/conf-{hash}");
        let there = found.get(folder.as_str());
        let live = |path: &str| there.and_then(|there| there.get(path)).copied();
        let mut different: Vec<Different> = Vec::new();
        for (path, content) in &spec.files {
            let digest = file_hash(content.as_bytes());
            let live = match live(path) {
                Some(live) if live == digest => continue,
                Some(_) => Some("edited".to_owned()),
                None => None,
            };
            different.push(Different {
                path: path.clone(),
                applied: Some("as written".to_owned()),
                live,
            });
        }
        for path in there.into_iter().flat_map(BTreeMap::keys) {
            if !spec.files.contains_key(*path) {
                different.push(Different {
                    path: (*path).to_owned(),
                    applied: None,
                    live: Some("added".to_owned()),
                });
            }
        }
        if !different.is_empty() {
            differ.insert(site.clone(), different);
        }
    }
    Ok(differ)
}

/// What services wrote, each looked at in its own way, by the service's name.
async fn services(
    toolbox: &Toolbox,
    state: &HostState,
    reach: Reach,
) -> Vec<(&'static str, Result<service::BySite, ToolboxError>)> {
    let asked = service::ALL.iter().filter(|_| reach.commands);
    let asked = asked.map(async |one| (one.name, (one.compare)(toolbox, state).await));
    futures_util::future::join_all(asked).await
}
