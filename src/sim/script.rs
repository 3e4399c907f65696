//! The toolbox's scripts, done to the simulated host. Each is known by its tag; `host::script`
//! says what it does.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Sim;
use super::behaviour::Answer;
use super::clock::SECOND;
use super::output::{done, failed};
use super::service;
use super::tree::{self, Kind, Node};
use super::world::World;
use crate::engine::ExecOutput;

/// Does a script in a container.
pub(super) async fn run(
    sim: &Sim,
    container: &str,
    tag: &str,
    args: &[String],
    stdin: &[u8],
) -> ExecOutput {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match (tag, args.as_slice()) {
        ("http", [address, port, path, domain, seconds]) => {
            http(sim, [address, port, path, domain], seconds).await
        }
        ("await-http", [address, port, path, domain, seconds, worst]) => {
            await_http(sim, [address, port, path, domain], seconds, worst).await
        }
        ("routes", [port, seconds, domains @ ..]) => {
            routes(sim, port, seconds, domains, !stdin.is_empty()).await
        }
        _ => sim.change(|world, now| at_once(world, now, container, tag, &args, stdin)),
    }
}

fn at_once(
    world: &mut World,
    now: i64,
    id: &str,
    tag: &str,
    args: &[&str],
    stdin: &[u8],
) -> ExecOutput {
    world.furnish(id);
    match (tag, args) {
        ("tree", args) => make_tree(world, now, id, args),
        ("publish", args) => publish(world, now, id, args),
        ("remove", paths) => {
            for path in paths {
                remove(world, id, path);
            }
            done("")
        }
        // A simulated host never has so many journals that old ones go.
        ("close", [note, _journals, _count, _bytes]) => {
            remove(world, id, note);
            done("")
        }
        ("keep-only", [dir, prefix, keep @ ..]) => keep_only(world, id, dir, prefix, keep),
        ("guarded" | "unguard", [_table]) => done(""),
        ("ports", []) => ports(world),
        ("routing", []) => done(
            "1\nIface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n",
        ),
        ("router", [name, dirs @ ..]) => ask_router(world, now, id, name, dirs, stdin),
        ("load-certificates", [_most, name, dirs @ ..]) => {
            let input = with_files(world, id, &String::from_utf8_lossy(stdin));
            ask_router(world, now, id, name, dirs, input.as_bytes())
        }
        ("public-certificates", [_most, files @ ..]) => public_certificates(world, id, files),
        ("disk", [path]) => match world.node(id, path, true) {
            Some(_) => {
                let (all, free) = world.machine.disk;
                done(format!("{all} {free}\n 13107200 12000000\n"))
            }
            None => failed(1, format!("df: {path}: No such file or directory")),
        },
        ("machine", [path]) => match world.node(id, path, true) {
            Some(_) => machine(world, now),
            None => failed(1, format!("df: {path}: No such file or directory")),
        },
        ("own", [owner, dir]) => own(world, id, owner, dir),
        ("digests", [dir]) => digests(world, id, dir),
        _ => service::answer(world, id, tag, args).unwrap_or_else(|| {
            let count = args.len();
            failed(
                127,
                format!("the simulation knows no script {tag} with {count} arguments"),
            )
        }),
    }
}

fn ask_router(
    world: &mut World,
    now: i64,
    id: &str,
    name: &str,
    dirs: &[&str],
    stdin: &[u8],
) -> ExecOutput {
    let input = String::from_utf8_lossy(stdin);
    let said = dirs.iter().find_map(|dir| {
        let place = world.locate(id, &format!("{dir}/{name}"), true)?;
        world.ask_socket(now, &place.path, &input)
    });
    match said {
        Some(output) => done(output),
        None => failed(
            1,
            format!("socat[1] E connect(5, AF=1 \"{name}\", 14): No such file or directory"),
        ),
    }
}

/// Commands, each that sets a certificate with the file that it names.
fn with_files(world: &World, id: &str, commands: &str) -> String {
    let mut input = String::new();
    for line in commands.lines() {
        input.push_str(line);
        input.push('\n');
        let file = line.strip_prefix("set ssl cert ");
        if let Some(file) = file.and_then(|rest| rest.strip_suffix(" <<")) {
            let pem = world.read_file(id, file).unwrap_or_default();
            for line in String::from_utf8_lossy(&pem)
                .lines()
                .filter(|line| !line.is_empty())
            {
                input.push_str(line);
                input.push('\n');
            }
            input.push('\n');
        }
    }
    input
}

fn public_certificates(world: &World, id: &str, files: &[&str]) -> ExecOutput {
    let mut text = String::new();
    for file in files {
        match world.read_file(id, file) {
            None => text.push_str("== missing\n"),
            Some(pem) if pem.is_empty() => text.push_str("== empty\n"),
            Some(pem) => {
                text.push_str("== ok\n");
                let mut inside = false;
                for line in String::from_utf8_lossy(&pem).lines() {
                    inside |= line.starts_with("-----BEGIN CERTIFICATE-----");
                    if inside {
                        text.push_str(line);
                        text.push('\n');
                    }
                    inside &= !line.starts_with("-----END CERTIFICATE-----");
                }
            }
        }
    }
    done(text)
}

fn digests(world: &World, id: &str, dir: &str) -> ExecOutput {
    use sha2::{Digest, Sha256};
    let Some(sites) = world.node(id, dir, true) else {
        return failed(1, format!("cd: {dir}: No such file or directory"));
    };
    let mut text = String::new();
    for (site, node) in sites.children().into_iter().flatten() {
        let private = node.children().and_then(|c| c.get("private"));
        let folders = private.and_then(Node::children).into_iter().flatten();
        for (name, node) in folders.filter(|(name, _)| name.starts_with("conf-")) {
            let mut found = Vec::new();
            node.files(&format!("./{site}/private/{name}"), &mut found);
            for (path, content) in found {
                let digest = hex::encode(Sha256::digest(&content));
                text.push_str(&format!("{digest}  {path}\n"));
            }
        }
    }
    done(text)
}

/// Memory follows from what the containers have, load from how many there are.
fn machine(world: &World, now: i64) -> ExecOutput {
    let machine = &world.machine;
    let (disk, free) = machine.disk;
    let running = || world.containers.values().filter(|c| c.is_running());
    let used: u64 = running().map(|c| c.behaviour.memory).sum();
    let all = machine.memory / 1024;
    let left = machine.memory.saturating_sub(used + machine.memory / 16) / 1024;
    let visits: f64 = running().map(|c| c.behaviour.rate).sum();
    let load = (visits * 0.01).min(f64::from(machine.cpus) * 2.0);
    let up = (now / SECOND) % 8_640_000;
    done(format!(
        "disk {disk} {free}\ninodes 13107200 12000000\nengine-disk {disk} {free}\nengine-inodes 13107200 12000000\nmemory {all} {left}\nswap 0 0\nload {load:.2} {load:.2} {load:.2}\nuptime {up}.00\n"
    ))
}

fn owner(text: &str) -> Option<(u32, u32)> {
    let (uid, gid) = text.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

fn put(world: &mut World, id: &str, path: &str, node: Node) -> bool {
    let Some(place) = world.locate(id, path, false) else {
        return false;
    };
    world
        .tree_mut(id, &place)
        .map(|tree| tree.put(&place.path, node))
        .is_some()
}

fn remove(world: &mut World, id: &str, path: &str) -> Option<Node> {
    let place = world.locate(id, path, false)?;
    world.tree_mut(id, &place)?.remove(&place.path)
}

fn change(world: &mut World, id: &str, path: &str, how: impl FnOnce(&mut Node)) -> bool {
    let Some(place) = world.locate(id, path, false) else {
        return false;
    };
    match world
        .tree_mut(id, &place)
        .and_then(|tree| tree.get_mut(&place.path))
    {
        Some(node) => {
            how(node);
            true
        }
        None => false,
    }
}

fn make_tree(world: &mut World, now: i64, id: &str, args: &[&str]) -> ExecOutput {
    for three in args.chunks_exact(3) {
        let (mode, ids, path) = (three[0], three[1], three[2]);
        let (Ok(mode), Some((uid, gid))) = (u32::from_str_radix(mode, 8), owner(ids)) else {
            return failed(1, format!("chown: invalid user: '{ids}'"));
        };
        match world.node(id, path, false).map(|node| node.kind) {
            Some(Kind::Link(_)) => return failed(1, format!("{path} is a symbolic link")),
            Some(Kind::File(_)) => {
                return failed(
                    1,
                    format!("mkdir: cannot create directory '{path}': File exists"),
                );
            }
            Some(Kind::Dir(_)) => {}
            None => {
                let above = tree::split(path)
                    .map(|(above, _)| above)
                    .unwrap_or_default();
                if world.node(id, &above, true).is_none() {
                    return failed(
                        1,
                        format!(
                            "mkdir: cannot create directory '{path}': No such file or directory"
                        ),
                    );
                }
                put(world, id, path, Node::dir(now / SECOND));
            }
        }
        change(world, id, path, |node| {
            (node.mode, node.uid, node.gid) = (mode, uid, gid)
        });
    }
    done("")
}

fn publish(world: &mut World, _now: i64, id: &str, args: &[&str]) -> ExecOutput {
    let mut output = String::new();
    for pair in args.chunks_exact(2) {
        let (from, to) = (pair[0], pair[1]);
        let there = world.node(id, to, false).is_some();
        match world.node(id, from, false) {
            Some(node) if node.is_dir() && there => {
                output.push_str(&format!("kept {to}\n"));
                remove(world, id, from);
            }
            Some(_) => {
                if let Some(node) = remove(world, id, from) {
                    put(world, id, to, node);
                }
            }
            None if there => {}
            None => {
                let mut failure = failed(1, format!("{from} is missing"));
                failure.stdout = output.into_bytes();
                return failure;
            }
        }
    }
    done(output)
}

fn keep_only(world: &mut World, id: &str, dir: &str, prefix: &str, keep: &[&str]) -> ExecOutput {
    let Some(node) = world.node(id, dir, true) else {
        return done("");
    };
    let names: Vec<String> = node
        .children()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.clone())
        .collect();
    let mut output = String::new();
    for name in names {
        if name.starts_with(prefix) && !keep.contains(&name.as_str()) {
            remove(world, id, &format!("{dir}/{name}"));
            output.push_str(&name);
            output.push('\n');
        }
    }
    done(output)
}

fn own(world: &mut World, id: &str, ids: &str, dir: &str) -> ExecOutput {
    fn all(node: &mut Node, uid: u32, gid: u32) {
        (node.uid, node.gid) = (uid, gid);
        for child in node
            .children_mut()
            .into_iter()
            .flat_map(|children| children.values_mut())
        {
            all(child, uid, gid);
        }
    }
    let Some((uid, gid)) = owner(ids) else {
        return failed(1, format!("chown: invalid user: '{ids}'"));
    };
    if change(world, id, dir, |node| all(node, uid, gid)) {
        done("")
    } else {
        failed(
            1,
            format!("chown: cannot access '{dir}': No such file or directory"),
        )
    }
}

/// Lines as in `/proc/net/tcp`.
fn ports(world: &World) -> ExecOutput {
    let mut ports: Vec<u16> = world.machine.ports.clone();
    for container in world
        .containers
        .values()
        .filter(|container| container.is_running())
    {
        ports.extend(container.published().iter().map(|(_, public, _)| public));
        if container.on_host_network() {
            ports.extend(container.port());
        }
    }
    ports.extend(world.routers.values().flat_map(|router| router.listens()));
    ports.sort_unstable();
    ports.dedup();
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    let mut text = head.to_owned();
    for (at, port) in ports.iter().enumerate() {
        text.push_str(&format!(
            "{at:4}: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {} 1 0000000000000000 100 0 0 10 0\n",
            10_000 + at
        ));
    }
    done(text)
}

/// One request, with curl's exit codes: 7 refused, 28 too late, 52 nothing.
async fn once(sim: &Sim, to: [&str; 4], within: Duration) -> (u16, i64) {
    let [address, port, path, domain] = to;
    let (Ok(address), Ok(port)) = (address.parse::<Ipv4Addr>(), port.parse::<u16>()) else {
        return (0, 6);
    };
    let answer = sim.change(|world, now| match address.is_loopback() {
        true => world.ask_host(now, port, domain, path, false).answer(),
        false => world.ask_address(now, address, port, path),
    });
    match answer {
        Answer::Refused => (0, 7),
        Answer::Closed => (0, 52),
        Answer::Status(status, after) if after <= within => {
            tokio::time::sleep(after).await;
            (status, 0)
        }
        Answer::Silence | Answer::Status(..) => {
            tokio::time::sleep(within).await;
            (0, 28)
        }
    }
}

fn seconds(text: &str) -> Duration {
    Duration::try_from_secs_f64(text.parse().unwrap_or(5.0)).unwrap_or_default()
}

async fn http(sim: &Sim, to: [&str; 4], within: &str) -> ExecOutput {
    let (status, code) = once(sim, to, seconds(within)).await;
    let words = match code {
        0 => "",
        7 => "curl: (7) Failed to connect: Connection refused\n",
        28 => "curl: (28) Operation timed out\n",
        52 => "curl: (52) Empty reply from server\n",
        _ => "curl: (6) Could not resolve host\n",
    };
    ExecOutput {
        code,
        stdout: format!("{status:03}\n").into(),
        stderr: words.into(),
    }
}

async fn await_http(sim: &Sim, to: [&str; 4], within: &str, worst: &str) -> ExecOutput {
    let worst: u16 = worst.parse().unwrap_or(499);
    let until = tokio::time::Instant::now() + seconds(within);
    loop {
        let (status, _) = once(sim, to, Duration::from_secs(5)).await;
        if status != 0 && status <= worst {
            return done(format!("{status:03}\n"));
        }
        if tokio::time::Instant::now() >= until {
            return ExecOutput {
                code: 1,
                stdout: format!("{status:03}\n").into(),
                stderr: Vec::new(),
            };
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn routes(sim: &Sim, port: &str, within: &str, domains: &[&str], probe: bool) -> ExecOutput {
    let within = seconds(within);
    let mut output = String::new();
    let mut longest = Duration::ZERO;
    for domain in domains {
        let port = port.parse().unwrap_or(80);
        let routed = sim.change(|world, now| world.ask_host(now, port, domain, "/", probe));
        let late = routed.after > within;
        longest = longest.max(routed.after.min(within));
        let (status, mark) = if late {
            (0, "")
        } else {
            (routed.status, routed.mark)
        };
        output.push_str(&format!("{status:03} {mark} http://{domain}/\n"));
    }
    tokio::time::sleep(longest).await;
    done(output)
}
