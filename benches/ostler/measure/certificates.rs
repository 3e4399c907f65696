//! One certificate more beside many, against having the router read all of them anew; and a start with
//! some that it refuses.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::Extent;
use super::program::say;
use super::row::{Row, median, ms};
use super::stage::Stage;
use ostler::cli::Failure;
use ostler::fleet::{Name, Ports};
use ostler::host::archive::Entry;
use ostler::host::router::tls::{self, Certificates};
use ostler::host::router::{self};
use ostler::host::script::{AWAIT_HTTP, Script};
use ostler::host::{NewFile, Toolbox};
use ostler::record::certificate::{Served, facts};
use ostler::record::layout::{ROUTER_SOCKET, RUN};
use ostler::record::{Layout, names};

/// How often each is measured.
const ROUNDS: usize = 11;

/// Tells the process of one certificate more, and takes it away again. Prints for each round how long
/// the first of these took, in nanoseconds.
const ONE_MORE: Script = Script {
    tag: "bench-one-more",
    text: r#"socket=$1 list=$2 file=$3 rounds=$4
tell() { socat -t 10 - "UNIX-CONNECT:$socket,shut-none"; }
while [ "$rounds" -gt 0 ]; do
  begun=$(date +%s%N)
  {
    printf 'prompt\nnew ssl cert %s\nset ssl cert %s <<\n' "$file" "$file"
    cat "$file"
    printf '\ncommit ssl cert %s\nadd ssl crt-list %s %s\nquit\n' "$file" "$list" "$file"
  } | tell | grep -q 'Inserting certificate' || exit 1
  echo $(($(date +%s%N) - begun))
  printf 'prompt\ndel ssl crt-list %s %s\ndel ssl cert %s\nquit\n' "$list" "$file" "$file" | tell >/dev/null
  rounds=$((rounds - 1))
done
"#,
    deadline: Duration::from_secs(60),
};

/// Waits until another process answers than PID (none: now). Prints the time and the process.
const OTHER: Script = Script {
    tag: "bench-other",
    text: r#"while :; do
  now=$(printf 'show info\n' | socat -t 2 - "UNIX-CONNECT:$1" 2>/dev/null | sed -n 's/^Pid: //p')
  if [ -n "$now" ] && [ "$now" != "${2:-}" ]; then echo "$(date +%s%N) $now"; exit; fi
done
"#,
    deadline: Duration::from_secs(60),
};

/// Measures, after having brought as many certificates there.
pub async fn measure(stage: &Stage, extent: Extent) -> Result<Vec<Row>, Failure> {
    let (count, rounds) = (extent.sites(1000), extent.pick(ROUNDS, 2));
    say("applying one site: toolbox, router, network");
    stage.write(1, "running")?;
    stage.ostler(&["apply", "--yes"]).await?;
    let fleet = name(&stage.fleet)?;
    let toolbox = Toolbox {
        client: stage.client.clone(),
        id: names::toolbox(&fleet),
        layout: Layout::new(&stage.root()),
    };
    say(&format!("making {count} certificates"));
    let mut all = Certificates::new();
    let mut files = Vec::new();
    for n in 0..count {
        let (site, pem) = (name(&format!("cert-{n}"))?, made(n)?);
        all.insert(site.clone(), served(&pem)?);
        let path = toolbox.layout.certificate(&site);
        let path = toolbox
            .layout
            .relative(&path)
            .unwrap_or_default()
            .to_owned();
        files.push(Entry::file(&path, 0o600, 0, pem.into_bytes()));
    }
    let put = toolbox.put(toolbox.layout.root(), &files).await;
    put.map_err(|e| Failure::of(&e))?;
    serve(&toolbox, &all, &BTreeSet::new(), count).await?;
    let ports = ports(stage)?;
    // So that a reload reads all of them.
    start(stage, &toolbox, &fleet, ports).await?;

    say("measuring");
    let more = name("one-more")?;
    let mut whole = Vec::new();
    for n in 0..rounds {
        let pem = made(count + n)?;
        all.insert(more.clone(), served(&pem)?);
        let start = Instant::now();
        let stored = tls::store(&toolbox, &more, pem.as_bytes()).await;
        stored.map_err(|e| Failure::of(&e))?;
        serve(&toolbox, &all, &[more.clone()].into(), 1).await?;
        whole.push(start.elapsed());
    }
    all.remove(&more);
    serve(&toolbox, &all, &BTreeSet::new(), 0).await?;
    let mut told = one_more(&toolbox, &more, rounds).await?;
    let mut reloads = Vec::new();
    for _ in 0..rounds.min(5) {
        reloads.push(reload(stage, &toolbox, &fleet).await?);
    }
    let mut shown = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let loaded = tls::loaded(&toolbox).await.map_err(|e| Failure::of(&e))?;
        shown.push(start.elapsed());
        if loaded.len() != count + 1 {
            return Err(Failure::new(format!("{} are loaded", loaded.len())));
        }
    }
    let (good, bad) = starts(stage, &toolbox, ports, &mut all, extent.pick(3, 1)).await?;

    let reload = median(&mut reloads);
    let against = format!("a reload of {count}");
    Ok(vec![
        Row::times(
            format!("one certificate more at {count}, told to the router"),
            median(&mut told),
            &against,
            reload,
        )
        .at_most(0.05),
        Row::times(
            "  stored, told and read back, through the engine",
            median(&mut whole),
            &against,
            reload,
        ),
        Row::new(format!("what it has of {count}"), ms(median(&mut shown))),
        Row::times(
            format!("a start with six bad ones beside {count}"),
            bad,
            "without them",
            good,
        ),
    ])
}

fn name(text: &str) -> Result<Name, Failure> {
    text.parse::<Name>().map_err(|e| Failure::of(&e))
}

/// A certificate with its key.
fn made(n: usize) -> Result<String, Failure> {
    let names = vec![format!("cert-{n}.example")];
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|e| Failure::caused("no certificate could be made", &e))?;
    let key = made.signing_key.serialize_pem();
    Ok(format!("{}{key}", made.cert.pem()))
}

fn served(pem: &str) -> Result<Served, Failure> {
    let facts = facts(pem.as_bytes()).map_err(Failure::new)?;
    Ok(Served {
        fingerprint: facts.fingerprint,
        ..Served::default()
    })
}

async fn serve(
    toolbox: &Toolbox,
    all: &Certificates,
    changed: &BTreeSet<Name>,
    loads: usize,
) -> Result<(), Failure> {
    let told = tls::serve(toolbox, all, changed).await;
    let told = told.map_err(|e| Failure::of(&e))?;
    match (told.loaded.len() == loads, told.refused.first()) {
        (true, None) => Ok(()),
        (_, Some(refused)) => Err(Failure::new(refused.words.clone())),
        _ => Err(Failure::new(format!(
            "{} were loaded, not {loads}",
            told.loaded.len()
        ))),
    }
}

async fn one_more(toolbox: &Toolbox, site: &Name, rounds: usize) -> Result<Vec<Duration>, Failure> {
    let (socket, list) = (
        format!("{RUN}/{ROUTER_SOCKET}"),
        format!("{RUN}/certs.list"),
    );
    let (file, rounds) = (toolbox.layout.certificate(site), rounds.to_string());
    let args = [socket.as_str(), &list, &file, &rounds];
    let output = toolbox.run(&ONE_MORE, &args, None).await;
    let output = output.map_err(|e| Failure::of(&e))?;
    let text = String::from_utf8_lossy(&output);
    let times = text.lines().filter_map(|line| line.parse().ok());
    Ok(times.map(Duration::from_nanos).collect())
}

/// How long it takes until a new process has read everything and answers.
async fn reload(stage: &Stage, toolbox: &Toolbox, fleet: &Name) -> Result<Duration, Failure> {
    let socket = format!("{RUN}/{ROUTER_SOCKET}");
    let (begun, old) = other(toolbox, &[&socket]).await?;
    stage.client.kill(&names::router(fleet), "SIGUSR2").await?;
    let (ended, _) = other(toolbox, &[&socket, &old]).await?;
    Ok(Duration::from_nanos(ended.saturating_sub(begun)))
}

async fn other(toolbox: &Toolbox, args: &[&str]) -> Result<(u64, String), Failure> {
    let output = toolbox.run(&OTHER, args, None).await;
    let output = output.map_err(|e| Failure::of(&e))?;
    let text = String::from_utf8_lossy(&output);
    let told = text.trim().split_once(' ');
    let told = told.and_then(|(at, process)| Some((at.parse().ok()?, process.to_owned())));
    told.ok_or_else(|| Failure::new("the router does not say which process it is"))
}

fn ports(stage: &Stage) -> Result<Ports, Failure> {
    let text = std::fs::read_to_string(stage.file());
    let text = text.map_err(|e| Failure::caused("the fleet file is gone", &e))?;
    let loaded = ostler::fleet::load(&text, &stage.file());
    let loaded = loaded.map_err(|_| Failure::new("the fleet file of this benchmark is wrong"))?;
    let host = loaded.fleet.hosts.values().next();
    host.map(|host| host.ports)
        .ok_or_else(|| Failure::new("the fleet has no host"))
}

/// Starts with good ones only, and with six bad ones among them.
async fn starts(
    stage: &Stage,
    toolbox: &Toolbox,
    ports: Ports,
    all: &mut Certificates,
    rounds: usize,
) -> Result<(Duration, Duration), Failure> {
    let fleet = &name(&stage.fleet)?;
    let mut times: [Vec<Duration>; 2] = Default::default();
    for _ in 0..rounds {
        times[0].push(start(stage, toolbox, fleet, ports).await?);
    }
    let (one, other) = (made(0)?, made(1)?);
    let key = |pem: &str| pem.find("-----BEGIN PRIVATE").unwrap_or(pem.len());
    let bad = [
        ("bad-garbage", "garbage\n".to_owned()),
        ("bad-empty", String::new()),
        ("bad-truncated", one.chars().take(300).collect()),
        (
            "bad-mismatch",
            format!("{}{}", &one[..key(&one)], &other[key(&other)..]),
        ),
        ("bad-keyless", one[..key(&one)].to_owned()),
    ];
    let mut files = Vec::new();
    for (site, content) in bad {
        let site = name(site)?;
        let path = toolbox.layout.certificate(&site);
        files.push(NewFile::new(path, 0o600, content));
        all.insert(site, Served::default());
    }
    all.insert(name("bad-missing")?, Served::default());
    toolbox.replace(&files).await.map_err(|e| Failure::of(&e))?;
    let list = tls::files(&toolbox.layout, all).map_err(|e| Failure::of(&e))?;
    let root = toolbox.layout.root();
    let files = list
        .into_iter()
        .map(|(path, bytes)| NewFile::new(format!("{root}/{path}"), 0o644, bytes));
    let files: Vec<NewFile> = files.collect();
    toolbox.replace(&files).await.map_err(|e| Failure::of(&e))?;
    for _ in 0..rounds {
        times[1].push(start(stage, toolbox, fleet, ports).await?);
    }
    let left_out = tls::left_out(toolbox).await.map_err(|e| Failure::of(&e))?;
    if left_out.len() != 6 {
        return Err(Failure::new(format!(
            "{} were left out, not six",
            left_out.len()
        )));
    }
    router::info(toolbox).await.map_err(|e| Failure::of(&e))?;
    let [mut good, mut bad] = times;
    Ok((median(&mut good), median(&mut bad)))
}

/// From the start of the router's container to its first answer.
async fn start(
    stage: &Stage,
    toolbox: &Toolbox,
    fleet: &Name,
    ports: Ports,
) -> Result<Duration, Failure> {
    let router = names::router(fleet);
    stage.client.stop(&router, Duration::from_secs(1)).await?;
    let port = ports.http.to_string();
    let start = Instant::now();
    stage.client.start(&router).await?;
    let args = ["127.0.0.1", &port, "/", "nobody.invalid", "30", "499"];
    let answer = toolbox.run(&AWAIT_HTTP, &args, None).await;
    answer.map_err(|e| Failure::of(&e))?;
    Ok(start.elapsed())
}
