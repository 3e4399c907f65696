//! Making a container from what a client asked for.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::behaviour::Behaviour;
use super::clock::SECOND;
use super::container::{Container, Endpoint, Mount, Phase};
use super::image::{Image, with_tag};
use super::program::{self, Program, Server, Steps};
use super::random;
use super::tree::{Node, Tree};
use super::world::{Refusal, World, refuse};

fn words(value: Option<&Value>) -> Option<Vec<String>> {
    match value? {
        Value::String(word) => Some(vec![word.clone()]),
        Value::Array(words) => Some(
            words
                .iter()
                .filter_map(|word| word.as_str().map(str::to_owned))
                .collect(),
        ),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let object = value.and_then(Value::as_object);
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    object.into_iter().flatten().filter_map(text).collect()
}

/// What a container's process is started with.
struct CommandLine {
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    argv: Vec<String>,
}

impl CommandLine {
    /// What was asked for comes before what the image has; an entrypoint that was asked for leaves
    /// the image's command out.
    fn of(image: &Image, config: &Map<String, Value>) -> Result<CommandLine, Refusal> {
        let own_entrypoint = words(config.get("Entrypoint"));
        let own_cmd = words(config.get("Cmd"));
        let cmd = match (own_cmd, &own_entrypoint) {
            (Some(cmd), _) => cmd,
            (None, Some(_)) => Vec::new(),
            (None, None) => image.cmd.clone(),
        };
        let entrypoint = own_entrypoint.unwrap_or_else(|| image.entrypoint.clone());
        let argv: Vec<String> = entrypoint
            .iter()
            .chain(&cmd)
            .filter(|word| !word.is_empty())
            .cloned()
            .collect();
        if argv.is_empty() {
            return refuse(400, "No command specified");
        }
        Ok(CommandLine {
            entrypoint,
            cmd,
            argv,
        })
    }
}

/// The image's environment and what was asked for, which counts more.
fn environment(image: &Image, config: &Map<String, Value>) -> Vec<String> {
    let mut env = image.env.clone();
    for line in words(config.get("Env")).unwrap_or_default() {
        let name = line.split('=').next().unwrap_or_default().to_owned();
        env.retain(|old| old.split('=').next() != Some(&name));
        env.push(line);
    }
    env
}

/// Puts into a configuration what the image adds to it, as an inspect shows it.
fn complete(
    config: &mut Map<String, Value>,
    reference: &str,
    image: &Image,
    entrypoint: &[String],
    cmd: &[String],
    env: &[String],
) {
    let entrypoint = match entrypoint {
        [] => Value::Null,
        words => json!(words),
    };
    for (key, value) in [
        ("Env", json!(env)),
        ("Cmd", json!(cmd)),
        ("Entrypoint", entrypoint),
        ("Image", json!(reference)),
    ] {
        config.insert(key.to_owned(), value);
    }
    for (key, default) in [
        ("StopSignal", image.stop_signal.clone()),
        ("User", Some(image.user.clone())),
    ] {
        let missing = config
            .get(key)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty);
        if let (true, Some(default)) = (missing, default) {
            config.insert(key.to_owned(), json!(default));
        }
    }
}

/// What a command line runs in a container of that image.
fn program(image: &Image, argv: &[String]) -> Program {
    // The router's own start script carries its configuration's path.
    if image.server == Some(Server::Router) {
        return Program::Server(Server::Router);
    }
    let unknown = |steps: &Steps| steps.ends.is_some_and(|(_, code)| code == 127);
    match (program::read(argv, b""), image.server) {
        (Program::Missing(_), Some(server)) => Program::Server(server),
        (Program::Steps(steps), Some(server)) if unknown(&steps) => Program::Server(server),
        // A shell without input is done at once.
        (Program::Missing(command), None) if command == "bash" => Program::Steps(Steps {
            ends: Some((0, 0)),
            ..Steps::default()
        }),
        (program, _) => program,
    }
}

fn valid_name(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

impl World {
    /// Creates a container and returns its id.
    pub fn create(&mut self, now: i64, name: &str, body: &Value) -> Result<String, Refusal> {
        let reference = body
            .get("Image")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Some(image) = self.image(reference).cloned() else {
            return refuse(404, format!("No such image: {}", with_tag(reference)));
        };
        let serial = self.next_serial();
        let name = match name.trim_start_matches('/') {
            "" => format!("quiet_lodger{serial}"),
            name => name.to_owned(),
        };
        if !valid_name(&name) {
            return refuse(
                400,
                format!(
                    "Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
                ),
            );
        }
        self.check_name(&name)?;
        let mut host_config = body
            .get("HostConfig")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        check_memory(&mut host_config)?;
        let mut config = body.as_object().cloned().unwrap_or_default();
        config.remove("HostConfig");
        config.remove("NetworkingConfig");
        let CommandLine {
            entrypoint,
            cmd,
            argv,
        } = CommandLine::of(&image, &config)?;
        let env = environment(&image, &config);
        let mut labels = image.labels.clone();
        labels.extend(texts(config.get("Labels")));
        complete(&mut config, reference, &image, &entrypoint, &cmd, &env);
        let mounts = self.mounts(now, &host_config)?;
        let endpoints = self.endpoints(body, &mut host_config);
        let mut behaviour = Behaviour::default();
        behaviour.steer(
            labels
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            env.iter().map(String::as_str),
        );
        let mut container = Container {
            id: random::id(self.seed, "container", serial),
            name,
            serial,
            created: now,
            program: program(&image, &argv),
            config,
            host_config,
            endpoints,
            image: reference.to_owned(),
            image_id: image.id,
            labels,
            argv,
            mounts,
            phase: Phase::Created,
            run: 0,
            runs: VecDeque::new(),
            exit_code: 0,
            oom_killed: false,
            restarts: 0,
            stopped_by_hand: false,
            hungry: false,
            log: VecDeque::new(),
            files: Tree::default(),
            behaviour,
        };
        self.steer(&mut container);
        let id = container.id.clone();
        self.admit(container);
        self.emit_container(now, "create", &id, &[]);
        Ok(id)
    }

    /// As if a container had been created and started at that time, long ago.
    pub fn preload(&mut self, since: i64, name: &str, body: &Value) -> Result<String, Refusal> {
        let id = self.create(since, name, body)?;
        self.start(since, &id)?;
        Ok(id)
    }

    fn mounts(
        &mut self,
        now: i64,
        host_config: &Map<String, Value>,
    ) -> Result<Vec<Mount>, Refusal> {
        let mut mounts = Vec::new();
        for bind in words(host_config.get("Binds")).unwrap_or_default() {
            let parts: Vec<&str> = bind.split(':').collect();
            let (source, destination, options) = match parts.as_slice() {
                [source, destination] => (*source, *destination, ""),
                [source, destination, options] => (*source, *destination, *options),
                _ => return refuse(400, format!("invalid volume specification: '{bind}'")),
            };
            if !destination.starts_with('/') {
                return refuse(
                    400,
                    format!("invalid volume specification: '{bind}': invalid mount config"),
                );
            }
            mounts.push((
                source.to_owned(),
                destination.to_owned(),
                !options.split(',').any(|word| word == "ro"),
                true,
            ));
        }
        for mount in host_config
            .get("Mounts")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let text = |key: &str| {
                mount
                    .get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let kind = text("Type");
            if kind == "tmpfs" {
                continue;
            }
            let source = text("Source");
            if kind == "bind" && self.files.open(&source).is_none() {
                return refuse(
                    400,
                    format!(
                        "invalid mount config for type \"bind\": bind source path does not exist: {source}"
                    ),
                );
            }
            let read_only = mount
                .get("ReadOnly")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            mounts.push((source, text("Target"), !read_only, kind != "bind"));
        }
        let tmpfs = host_config.get("Tmpfs").and_then(Value::as_object);
        let tmpfs = tmpfs
            .into_iter()
            .flat_map(|folders| folders.keys().cloned());
        let mut places: Vec<String> = tmpfs.collect();
        let mut found = Vec::new();
        for (source, destination, writable, make) in mounts {
            // The kernel's own: the real engine says so at the start only.
            let within = |folder: &str| Path::new(&destination).starts_with(folder);
            if ["/dev", "/proc", "/sys"].into_iter().any(within) {
                return refuse(400, format!("cannot be mounted: {destination}"));
            }
            if places.contains(&destination) {
                return refuse(400, format!("Duplicate mount point: {destination}"));
            }
            places.push(destination.clone());
            let source = match source.starts_with('/') {
                true => source,
                false => format!("/var/lib/docker/volumes/{source}/_data"),
            };
            if make && self.files.open(&source).is_none() {
                self.files.put(&source, Node::dir(now / SECOND));
            }
            let source = self.files.resolve(&source, true).unwrap_or(source);
            found.push(Mount {
                source,
                destination,
                writable,
            });
        }
        Ok(found)
    }

    fn endpoints(
        &self,
        body: &Value,
        host_config: &mut Map<String, Value>,
    ) -> BTreeMap<String, Endpoint> {
        let mode = host_config
            .get("NetworkMode")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if let Some(other) = mode.strip_prefix("container:") {
            // One that is not there is missed at the start only.
            if let Ok(id) = self.find(other) {
                let mode = format!("container:{id}");
                host_config.insert("NetworkMode".to_owned(), json!(mode));
            }
            return BTreeMap::new();
        }
        let mode = match mode {
            "" | "default" => "bridge".to_owned(),
            mode => self
                .network(mode)
                .map_or_else(|_| mode.to_owned(), |network| network.name.clone()),
        };
        let mut endpoints = BTreeMap::from([(mode.clone(), Endpoint::default())]);
        let asked = body
            .pointer("/NetworkingConfig/EndpointsConfig")
            .and_then(Value::as_object);
        for (name, config) in asked.into_iter().flatten() {
            let name = self
                .network(name)
                .map_or_else(|_| name.clone(), |network| network.name.clone());
            let ip = config
                .pointer("/IPAMConfig/IPv4Address")
                .and_then(Value::as_str);
            endpoints.entry(name).or_default().asked = ip.and_then(|ip| ip.parse().ok());
        }
        host_config.insert("NetworkMode".to_owned(), json!(mode));
        endpoints
    }
}

fn check_memory(host_config: &mut Map<String, Value>) -> Result<(), Refusal> {
    let number = |name: &str| host_config.get(name).and_then(Value::as_i64).unwrap_or(0);
    let (memory, swap) = (number("Memory"), number("MemorySwap"));
    if memory > 0 && memory < 6 << 20 {
        return refuse(400, "Minimum memory limit allowed is 6MB");
    }
    if memory > 0 && swap > 0 && swap < memory {
        return refuse(
            400,
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        );
    }
    if memory > 0 && swap == 0 {
        host_config.insert("MemorySwap".to_owned(), json!(memory * 2));
    }
    Ok(())
}
