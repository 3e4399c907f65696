//! How a container was made, and what was set on it since, as flat fields: what a change by hand is
//! found by. Pure.
//!
//! Engines fill in defaults and tell the same thing in different ways, so these fields are only ever
//! compared with what the same engine told of the same container when it was applied, never with
//! what we asked for. What is not set (null, false, 0, empty) is left out.

use std::collections::BTreeMap;

use bollard::models::ContainerInspectResponse;
use serde_json::{Map, Value};

use crate::record::Fields;

/// What `docker update` changes in place, what ostler itself changes there, and what says nothing.
const HOST_ELSEWHERE: [&str; 14] = [
    "Memory",
    "MemorySwap",
    "NanoCpus",
    "PidsLimit",
    "RestartPolicy",
    "Binds",
    "Tmpfs",
    "CapAdd",
    "CapDrop",
    "ContainerIDFile",
    "ConsoleSize",
    "MaskedPaths",
    "ReadonlyPaths",
    "Annotations",
];
const CONFIG_ELSEWHERE: [&str; 8] = [
    "Env",
    "Labels",
    "OnBuild",
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    "MacAddress",
    "ArgsEscaped",
];

/// The word of a field whose name is not the engine's own in other letters.
const WORDS: [(&str, &str); 12] = [
    ("Cmd", "command"),
    ("ExposedPorts", "exposed_ports"),
    ("Healthcheck", "health"),
    ("StopTimeout", "stop_grace"),
    ("ReadonlyRootfs", "read_only"),
    ("PortBindings", "ports"),
    ("LogConfig", "log"),
    ("CpuShares", "cpu_shares"),
    ("CpusetCpus", "cpuset"),
    ("BlkioWeight", "io_weight"),
    ("ExtraHosts", "extra_hosts"),
    ("Dns", "dns"),
];

/// The field that says who told it: the form of these fields, and the engine's version. Another
/// version of either may tell the same container in other words, which is nobody's change.
const FORM: &str = "form";
/// To be raised whenever something is told that was not, or otherwise.
const VERSION: u32 = 1;

/// Whether two sets of fields can be compared.
pub fn alike(a: &Fields, b: &Fields) -> bool {
    a.get(FORM) == b.get(FORM)
}

/// Fields by path, such as `env.MODE`, `mounts./srv`, `network.ostler-x`, `cpu_shares`. `engine`:
/// its version.
pub fn made(answer: &ContainerInspectResponse, engine: &str) -> Fields {
    let mut fields = BTreeMap::from([(FORM.to_owned(), format!("{VERSION} {engine}"))]);
    let as_map = |value: Result<Value, serde_json::Error>| match value {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    };
    let config = as_map(serde_json::to_value(&answer.config));
    let host = as_map(serde_json::to_value(&answer.host_config));
    plain(&config, &CONFIG_ELSEWHERE, &mut fields);
    plain(&host, &HOST_ELSEWHERE, &mut fields);
    for line in texts(config.get("Env")) {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        fields.insert(format!("env.{name}"), value.to_owned());
    }
    for bind in texts(host.get("Binds")) {
        let mut parts = bind.splitn(3, ':');
        let (Some(from), Some(to)) = (parts.next(), parts.next()) else {
            continue;
        };
        let read_only = parts
            .next()
            .is_some_and(|options| options.split(',').any(|o| o == "ro"));
        fields.insert(format!("mounts.{to}"), mount(from, read_only));
    }
    for (path, options) in host
        .get("Tmpfs")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let options = options.as_str().unwrap_or_default().to_owned();
        fields.insert(format!("tmpfs.{path}"), options);
    }
    for (key, path) in [
        ("CapAdd", "capabilities"),
        ("CapDrop", "capabilities_dropped"),
    ] {
        let names = capabilities(texts(host.get(key)));
        if !names.is_empty() {
            fields.insert(path.to_owned(), names);
        }
    }
    let number = |key: &str| host.get(key).and_then(Value::as_i64).unwrap_or(0);
    let (memory, swap) = (number("Memory"), number("MemorySwap"));
    if memory > 0 && swap < 0 {
        fields.insert("swap".into(), "unlimited".into());
    } else if memory > 0 && swap > memory {
        let more = u64::try_from(swap - memory).unwrap_or(0);
        fields.insert("swap".into(), crate::fleet::value::format_size(more));
    }
    networks(answer, &mut fields);
    fields.into()
}

/// Where a folder of the host is seen, as a field's value.
pub fn mount(from: &str, read_only: bool) -> String {
    match read_only {
        true => format!("{from} (read-only)"),
        false => from.to_owned(),
    }
}

/// Names of capabilities in one order, without the prefix that newer engines put before them.
pub fn capabilities<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names
        .into_iter()
        .map(|name| {
            let name = name.to_ascii_uppercase();
            name.strip_prefix("CAP_").unwrap_or(&name).to_owned()
        })
        .collect();
    names.sort();
    names.join(" ")
}

/// The restart policy in one word.
pub fn restart(answer: &ContainerInspectResponse) -> Option<String> {
    let policy = answer.host_config.as_ref()?.restart_policy.as_ref()?;
    let name = policy.name.map(|name| name.to_string()).unwrap_or_default();
    Some(match name.as_str() {
        "" => "no".to_owned(),
        _ => name,
    })
}

fn plain(object: &Map<String, Value>, elsewhere: &[&str], fields: &mut BTreeMap<String, String>) {
    for (key, value) in object {
        if is_unset(value) || elsewhere.contains(&key.as_str()) {
            continue;
        }
        let path = WORDS
            .iter()
            .find(|(name, _)| name == key)
            .map_or_else(|| snake(key), |(_, word)| (*word).to_owned());
        fields.insert(path, text(value));
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_unset),
        Value::Bool(true) => false,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // Keys are in order: `serde_json` sorts them.
        other => other.to_string(),
    }
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

/// `CpuShares` → `cpu_shares`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut before = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && before {
            out.push('_');
        }
        before = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A place in a network is told by the address asked for: the one in use is gone while a container
/// is stopped.
fn networks(answer: &ContainerInspectResponse, fields: &mut BTreeMap<String, String>) {
    let settings = answer.network_settings.as_ref();
    let networks = settings.and_then(|s| s.networks.as_ref());
    for (name, endpoint) in networks.into_iter().flatten() {
        let asked = endpoint
            .ipam_config
            .as_ref()
            .and_then(|ipam| ipam.ipv4_address.clone())
            .filter(|address| !address.is_empty());
        let address = asked.unwrap_or_else(|| "any address".to_owned());
        fields.insert(format!("network.{name}"), address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> BTreeMap<String, String> {
        let mut map = made(&serde_json::from_str(json).unwrap(), "28.2.2").to_map();
        assert_eq!(map.remove(FORM).as_deref(), Some("1 28.2.2"));
        map
    }

    #[test]
    fn only_what_is_set_is_told_and_in_one_way() {
        let fields = read(
            r#"{"Config":{"Image":"nginx:1.28","User":"200000:200000","Env":["A=1","B=x=y"],"Cmd":["nginx"],
                "Tty":false,"Labels":{"ostler.site":"blog"},"StopTimeout":10},
                "HostConfig":{"Memory":134217728,"MemorySwap":134217728,"NanoCpus":5,"CpuShares":0,"Privileged":false,
                "Binds":["/a:/b:ro","/c:/d"],"CapAdd":["CAP_CHOWN","SETUID"],"NetworkMode":"ostler-x",
                "RestartPolicy":{"Name":"always","MaximumRetryCount":0},"Devices":[]},
                "NetworkSettings":{"Networks":{"ostler-x":{"IPAMConfig":{"IPv4Address":"10.90.0.10"},"IPAddress":"10.90.0.10"},
                "bridge":{"IPAMConfig":null,"IPAddress":"172.17.0.9"}}}}"#,
        );
        let lines: Vec<String> = fields.iter().map(|(k, v)| format!("{k} {v}")).collect();
        assert_eq!(
            lines,
            [
                "capabilities CHOWN SETUID",
                "command [\"nginx\"]",
                "env.A 1",
                "env.B x=y",
                "image nginx:1.28",
                "mounts./b /a (read-only)",
                "mounts./d /c",
                "network.bridge any address",
                "network.ostler-x 10.90.0.10",
                "network_mode ostler-x",
                "stop_grace 10",
                "user 200000:200000",
            ]
        );
    }

    #[test]
    fn swap_on_top_of_memory_is_told() {
        let swap = |swap: i64| {
            let json = format!(r#"{{"HostConfig":{{"Memory":1048576,"MemorySwap":{swap}}}}}"#);
            read(&json).get("swap").cloned()
        };
        assert_eq!(swap(1 << 20), None);
        assert_eq!(swap(3 << 20).as_deref(), Some("2M"));
        assert_eq!(swap(-1).as_deref(), Some("unlimited"));
        assert_eq!(
            read(r#"{"HostConfig":{"MemorySwap":-1}}"#).get("swap"),
            None
        );
    }

    #[test]
    fn what_was_added_by_hand_shows() {
        let before = read(r#"{"HostConfig":{"CpuShares":0}}"#);
        let after = read(r#"{"HostConfig":{"CpuShares":512,"Privileged":true}}"#);
        assert!(before.is_empty());
        assert_eq!(after["cpu_shares"], "512");
        assert_eq!(after["privileged"], "true");
    }
}
