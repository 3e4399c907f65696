//! The life of a simulated container: start, stop, end, and what its limits do to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::clock::SECOND;
use super::container::{Container, Line, Phase};
use super::program::{Program, Server};
use super::random;
use super::world::{Due, Refusal, World, refuse};
use crate::engine::Out;

/// Lines of output that are remembered of one container.
const LINES: usize = 2000;
/// Runs that are remembered of one container.
const RUNS: usize = 16;
/// The most of a line that is one entry of a log.
const PIECE: usize = 16 * 1024;

impl World {
    /// The id that a name, an id or the beginning of one means.
    pub fn find(&self, name: &str) -> Result<String, Refusal> {
        let bare = name.strip_prefix('/').unwrap_or(name);
        if self.containers.contains_key(bare) {
            return Ok(bare.to_owned());
        }
        if let Some(id) = self.names.get(bare) {
            return Ok(id.clone());
        }
        let mut begins = self
            .containers
            .range(bare.to_owned()..)
            .take_while(|(id, _)| !bare.is_empty() && id.starts_with(bare));
        match (begins.next(), begins.next()) {
            (Some((id, _)), None) => Ok(id.clone()),
            _ => refuse(404, format!("No such container: {name}")),
        }
    }

    /// The names that containers have by those that link to them, by id.
    pub fn linked_names(&self) -> BTreeMap<String, Vec<String>> {
        let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for other in self.containers.values() {
            let links = other.host_config.get("Links").and_then(Value::as_array);
            let links = links.into_iter().flatten().filter_map(Value::as_str);
            for (to, alias) in links.filter_map(|link| link.split_once(':')) {
                if let (Ok(id), "bridge") = (self.find(to), other.network_mode()) {
                    let name = format!("/{}/{alias}", other.name);
                    names.entry(id).or_default().push(name);
                }
            }
        }
        names
    }

    /// Ids of the networks, by name.
    pub fn network_ids(&self) -> BTreeMap<String, String> {
        self.networks
            .iter()
            .map(|network| (network.name.clone(), network.id.clone()))
            .collect()
    }

    pub(super) fn admit(&mut self, container: Container) {
        self.names
            .insert(container.name.clone(), container.id.clone());
        self.containers.insert(container.id.clone(), container);
    }

    /// Refuses a name that is taken.
    pub fn check_name(&self, name: &str) -> Result<(), Refusal> {
        match self.names.get(name) {
            Some(id) => refuse(
                409,
                format!(
                    "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
                ),
            ),
            None => Ok(()),
        }
    }

    /// Starts a container; `false` when it runs already.
    pub fn start(&mut self, now: i64, name: &str) -> Result<bool, Refusal> {
        let id = self.find(name)?;
        let container = &self.containers[&id];
        if container.is_running() {
            return Ok(false);
        }
        if let Program::Missing(command) = &container.program {
            let message = format!(
                "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"{command}\": executable file not found in $PATH: unknown"
            );
            return refuse(400, message);
        }
        self.take_ports(&id)?;
        let addresses = self.take_addresses(&id)?;
        let Some(container) = self.containers.get_mut(&id) else {
            return Ok(false);
        };
        for (network, ip) in addresses {
            if let Some(endpoint) = container.endpoints.get_mut(&network) {
                endpoint.ip = Some(ip);
            }
        }
        container.phase = Phase::Running;
        container.run += 1;
        container.stopped_by_hand = false;
        container.oom_killed = false;
        container.hungry = false;
        if container.runs.len() == RUNS {
            container.runs.pop_front();
        }
        container.runs.push_back((now, None));
        let (run, program) = (container.run, container.program.clone());
        let fails = container
            .env("FAIL_START")
            .is_some_and(|value| !value.is_empty());
        if fails {
            // It ends before it listens.
            container.behaviour.ready_after = std::time::Duration::from_secs(3600);
        }
        let exits = container.behaviour.exits_after;
        self.emit_container(now, "start", &id, &[]);
        match program {
            Program::Steps(steps) => {
                for (after, stream, text) in steps.prints {
                    self.print(now + after, &id, stream, &text);
                }
                if let Some((after, code)) = steps.ends {
                    self.plan(now + after, Due::Exit { id, run, code });
                }
            }
            Program::Server(_) if fails => {
                for text in [
                    "serve: starting\n",
                    "serve: cannot read /etc/serve/settings: no such file\n",
                    "serve: giving up\n",
                ] {
                    self.print(now, &id, Out::Err, text.as_bytes());
                }
                self.plan(now + SECOND / 20, Due::Exit { id, run, code: 1 });
            }
            Program::Server(server) => {
                if server == Server::Router
                    && let Err(why) = self.start_router(now, &id)
                {
                    self.print(now, &id, Out::Err, why.as_bytes());
                    self.plan(now + SECOND / 20, Due::Exit { id, run, code: 1 });
                    return Ok(true);
                }
                if let Some(after) = exits {
                    let at = now + after.as_nanos() as i64;
                    self.plan(
                        at,
                        Due::Exit {
                            id: id.clone(),
                            run,
                            code: 1,
                        },
                    );
                }
                self.watch_hunger(now, &id);
            }
            // Whoever started it runs the script.
            Program::Script { .. } | Program::Missing(_) => {}
        }
        Ok(true)
    }

    fn take_ports(&self, id: &str) -> Result<(), Refusal> {
        for (_, public, protocol) in self.containers[id].published() {
            let holder = self.containers.values().find(|other| {
                other.id != id
                    && other.is_running()
                    && other
                        .published()
                        .iter()
                        .any(|(_, port, of)| *port == public && *of == protocol)
            });
            if holder.is_some() || self.machine.ports.contains(&public) {
                return refuse(
                    500,
                    format!(
                        "driver failed programming external connectivity on endpoint {} ({id}): Bind for 0.0.0.0:{public} failed: port is already allocated",
                        self.containers[id].name
                    ),
                );
            }
        }
        Ok(())
    }

    /// Addresses for a container that starts.
    fn take_addresses(&self, id: &str) -> Result<Vec<(String, std::net::Ipv4Addr)>, Refusal> {
        let container = &self.containers[id];
        if let Some(other) = container.network_mode().strip_prefix("container:")
            && !self
                .containers
                .get(other)
                .is_some_and(Container::is_running)
        {
            let message = format!("cannot join network of a non running container: {other}");
            return refuse(409, message);
        }
        let mut taken = Vec::new();
        for (name, endpoint) in &container.endpoints {
            let Some(network) = self.networks.iter().find(|network| network.name == *name) else {
                return refuse(404, format!("network {name} not found"));
            };
            let Some(subnet) = network.subnet else {
                continue;
            };
            let used = |ip: std::net::Ipv4Addr| {
                self.containers.values().any(|other| {
                    other.id != id
                        && other
                            .endpoints
                            .get(name)
                            .is_some_and(|at| at.ip == Some(ip))
                })
            };
            let ip = match endpoint.asked {
                Some(ip) if !subnet.has(ip) => {
                    return refuse(
                        500,
                        format!(
                            "Invalid address {ip}: It does not belong to any of this network's subnets"
                        ),
                    );
                }
                Some(ip) if used(ip) => return refuse(403, "Address already in use"),
                Some(ip) => ip,
                None => match subnet.hosts().find(|ip| !used(*ip)) {
                    Some(ip) => ip,
                    None => {
                        return refuse(
                            500,
                            "no available IPv4 addresses on this network's address pools",
                        );
                    }
                },
            };
            taken.push((name.clone(), ip));
        }
        Ok(taken)
    }

    /// A running container's program ended.
    pub fn end(&mut self, now: i64, id: &str, code: i64) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if !container.is_running() {
            return;
        }
        container.phase = Phase::Exited;
        container.exit_code = code;
        if let Some(run) = container.runs.back_mut() {
            run.1 = Some(now);
        }
        for endpoint in container.endpoints.values_mut() {
            endpoint.ip = None;
        }
        // What it would have printed later it never prints.
        container.log.retain(|line| line.at <= now);
        let policy = container
            .host_config
            .get("RestartPolicy")
            .and_then(|policy| policy.get("Name"));
        let again = match policy.and_then(Value::as_str) {
            Some("always" | "unless-stopped") => true,
            Some("on-failure") => code != 0,
            _ => false,
        };
        let again = again && !container.stopped_by_hand;
        if again {
            container.phase = Phase::Restarting;
            container.restarts += 1;
        }
        let (run, restarts) = (container.run, container.restarts);
        self.routers.remove(id);
        self.emit_container(now, "die", id, &[("exitCode", code.to_string())]);
        if again {
            let wait = ((SECOND / 10) << restarts.min(10)).min(60 * SECOND);
            self.plan(
                now + wait,
                Due::Restart {
                    id: id.to_owned(),
                    run,
                },
            );
        }
    }

    /// Asks a container to stop, and sees to it that it does within `grace`. `false` when it does
    /// not run. Its end may come later.
    pub fn stop(&mut self, now: i64, name: &str, grace: i64) -> Result<bool, Refusal> {
        let id = self.find(name)?;
        let Some(container) = self.containers.get_mut(&id) else {
            return Ok(false);
        };
        container.stopped_by_hand = true;
        if container.phase == Phase::Restarting {
            container.phase = Phase::Exited;
            container.run += 1;
            return Ok(true);
        }
        if !container.is_running() {
            return Ok(false);
        }
        let signal = stop_signal(container);
        let run = container.run;
        let listens = answer_to(&container.program, signal);
        self.emit_container(now, "kill", &id, &[("signal", signal.to_string())]);
        match listens {
            Some(code) => self.end(now, &id, code),
            None => self.plan(now + grace, Due::Exit { id, run, code: 137 }),
        }
        Ok(true)
    }

    /// Sends a signal.
    pub fn kill(&mut self, now: i64, name: &str, signal: i64) -> Result<(), Refusal> {
        let id = self.find(name)?;
        let Some(container) = self.containers.get_mut(&id) else {
            return Ok(());
        };
        if !container.is_running() {
            return refuse(
                409,
                format!("Cannot kill container: {name}: Container {id} is not running"),
            );
        }
        let ends = match signal {
            9 => Some(137),
            signal => answer_to(&container.program, signal),
        };
        if signal == 9 || signal == stop_signal(container) {
            container.stopped_by_hand = true;
        }
        self.emit_container(now, "kill", &id, &[("signal", signal.to_string())]);
        if let Some(code) = ends {
            self.end(now, &id, code);
        }
        Ok(())
    }

    /// Gives a container another name.
    pub fn rename(&mut self, now: i64, name: &str, new: &str) -> Result<(), Refusal> {
        let id = self.find(name)?;
        if self.containers[&id].name == new {
            return refuse(
                400,
                "Renaming a container with the same name as its current name",
            );
        }
        if let Err(taken) = self.check_name(new) {
            return refuse(
                taken.status,
                format!("Error when allocating new name: {}", taken.message),
            );
        }
        let Some(container) = self.containers.get_mut(&id) else {
            return Ok(());
        };
        let old = std::mem::replace(&mut container.name, new.to_owned());
        self.names.remove(&old);
        self.names.insert(new.to_owned(), id.clone());
        self.emit_container(now, "rename", &id, &[("oldName", format!("/{old}"))]);
        Ok(())
    }

    /// Removes a container.
    pub fn remove(&mut self, now: i64, name: &str, force: bool) -> Result<(), Refusal> {
        let id = self.find(name)?;
        if self.containers[&id].is_running() {
            if !force {
                return refuse(
                    409,
                    format!(
                        "You cannot remove a running container {id}. Stop the container before attempting removal or force remove"
                    ),
                );
            }
            self.kill(now, &id, 9)?;
        }
        self.emit_container(now, "destroy", &id, &[]);
        if let Some(container) = self.containers.remove(&id) {
            self.names.remove(&container.name);
        }
        self.routers.remove(&id);
        self.execs.retain(|_, exec| exec.container != id);
        Ok(())
    }

    /// Changes limits.
    pub fn update(
        &mut self,
        now: i64,
        name: &str,
        changes: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        const LEAST: i64 = 6 << 20;
        let id = self.find(name)?;
        let number = |name: &str| changes.get(name).and_then(Value::as_i64).unwrap_or(0);
        let (memory, swap) = (number("Memory"), number("MemorySwap"));
        if memory > 0 && memory < LEAST {
            return refuse(400, "Minimum memory limit allowed is 6MB");
        }
        let Some(container) = self.containers.get_mut(&id) else {
            return Ok(());
        };
        let held = container.limit("MemorySwap");
        let message = if memory > 0 && swap > 0 && memory > swap {
            Some("Minimum memoryswap limit should be larger than memory limit, see usage")
        } else if memory > 0 && swap == 0 && held > 0 && memory > held {
            Some(
                "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
            )
        } else {
            None
        };
        if let Some(message) = message {
            return refuse(409, format!("Cannot update container {id}: {message}"));
        }
        for (name, value) in changes {
            // Zero means unchanged, for everything but the number of processes.
            let unchanged = value.is_null() || (value.as_i64() == Some(0) && name != "PidsLimit");
            if !unchanged {
                container.host_config.insert(name.clone(), value.clone());
            }
        }
        self.emit_container(now, "update", &id, &[]);
        self.watch_hunger(now, &id);
        Ok(())
    }

    /// Notes lines of output.
    pub fn print(&mut self, at: i64, id: &str, stream: Out, text: &[u8]) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        let lines = text.split_inclusive(|byte| *byte == b'\n');
        for line in lines.flat_map(pieces) {
            if container.log.len() == LINES {
                container.log.pop_front();
            }
            container.log.push_back(Line {
                at,
                stream,
                text: line.to_vec(),
            });
        }
    }

    fn watch_hunger(&mut self, now: i64, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if container.hungry || !container.is_running() || !container.starves() {
            return;
        }
        container.hungry = true;
        let run = container.run;
        self.plan(
            now + SECOND / 5,
            Due::Hunger {
                id: id.to_owned(),
                run,
            },
        );
    }

    pub(super) fn starve(&mut self, now: i64, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if !container.is_running() || !container.starves() {
            container.hungry = false;
            return;
        }
        let run = container.run;
        let wait = 2 + random::number(self.seed, id, now as u64) % 20;
        let pid = 20 + random::number(self.seed, id, now as u64 + 1) % 400;
        self.emit_container(now, "oom", id, &[]);
        let date = chrono::DateTime::from_timestamp_nanos(now).format("%a %b %d %H:%M:%S%.6f %Y");
        let line = format!(
            "[{date}] [core:notice] [pid 1] AH00051: child pid {pid} exit signal Killed (9)\n"
        );
        self.print(now, id, Out::Err, line.as_bytes());
        self.plan(
            now + wait as i64 * SECOND,
            Due::Hunger {
                id: id.to_owned(),
                run,
            },
        );
    }

    /// A setting for all containers with that label, now and later.
    pub fn behave(&mut self, now: i64, label: &str, value: &str, setting: &str, to: &str) {
        self.behaviours
            .retain(|(l, v, s, _)| (l.as_str(), v.as_str(), s.as_str()) != (label, value, setting));
        self.behaviours.push((
            label.to_owned(),
            value.to_owned(),
            setting.to_owned(),
            to.to_owned(),
        ));
        let mut touched = Vec::new();
        for container in self.containers.values_mut() {
            if container.labels.get(label).is_some_and(|is| is == value) {
                container.behaviour.set(setting, to);
                touched.push(container.id.clone());
            }
        }
        for id in touched {
            self.watch_hunger(now, &id);
        }
    }

    /// Gives a new container the settings that its labels name.
    pub(super) fn steer(&self, container: &mut Container) {
        for (label, value, setting, to) in &self.behaviours {
            if container.labels.get(label) == Some(value) {
                container.behaviour.set(setting, to);
            }
        }
    }
}

/// The number of the signal that stops a container.
/// A line as an engine keeps it: what is longer than 16 KiB in several entries.
fn pieces(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (text, end) = match line.strip_suffix(b"\n") {
        Some(text) => (text, 1),
        None => (line, 0),
    };
    let count = text.len() / PIECE + usize::from(end == 1 || !text.len().is_multiple_of(PIECE));
    (0..count).map(move |at| match at + 1 == count {
        true => &line[at * PIECE..],
        false => &line[at * PIECE..(at + 1) * PIECE],
    })
}

fn stop_signal(container: &Container) -> i64 {
    container
        .config
        .get("StopSignal")
        .and_then(Value::as_str)
        .and_then(signal)
        .unwrap_or(15)
}

/// The exit code with which a program answers a signal; `None` when it goes on.
fn answer_to(program: &Program, signal: i64) -> Option<i64> {
    match (program, signal) {
        (_, 9) => Some(137),
        (Program::Server(Server::Quiet), _) => Some(0),
        (Program::Server(_), 15 | 28 | 3 | 2) => Some(0),
        (Program::Server(Server::Router), 10) => Some(0),
        (Program::Steps(steps), 15) => steps.on_stop,
        _ => None,
    }
}

/// The number of a signal by name or number.
pub fn signal(name: &str) -> Option<i64> {
    let bare = name.strip_prefix("SIG").unwrap_or(name);
    Some(match bare {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "KILL" => 9,
        "USR1" => 10,
        "USR2" => 12,
        "TERM" => 15,
        "WINCH" => 28,
        number => number
            .parse()
            .ok()
            .filter(|number| (1..65).contains(number))?,
    })
}
