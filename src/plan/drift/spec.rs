//! A spec as flat fields, in the words of [`crate::observe::made`], so that a change of the file and
//! a change by hand of the same thing meet.

use std::collections::BTreeMap;

use crate::observe::made::{capabilities, mount};
use crate::record::spec::{ContainerSpec, short_hash};

/// The file whose lines are told one by one.
const INI: &str = "php/20-site.ini";

/// Fields by path, while they are worked with.
pub(crate) type Map = BTreeMap<String, String>;

/// All of a spec.
pub(crate) fn fields(spec: &ContainerSpec) -> Map {
    let mut fields = BTreeMap::new();
    let mut put = |path: &str, value: String| {
        fields.insert(path.to_owned(), value);
    };
    put("image", spec.image.clone());
    let words = |words: &Vec<String>| serde_json::to_string(words).unwrap_or_default();
    if let Some(command) = &spec.command {
        put("command", words(command));
    }
    if let Some(entrypoint) = &spec.entrypoint {
        put("entrypoint", words(entrypoint));
    }
    if let Some(user) = &spec.user {
        put("user", user.clone());
    }
    if let Some(hostname) = &spec.hostname {
        put("hostname", hostname.clone());
    }
    if spec.read_only {
        put("read_only", "true".into());
    }
    if !spec.cap_add.is_empty() {
        let names = spec.cap_add.iter().map(String::as_str);
        put("capabilities", capabilities(names));
    }
    if let Some(signal) = &spec.stop_signal {
        put("stop_signal", signal.clone());
    }
    put("stop_grace", spec.stop_grace_s.to_string());
    if let Some(health) = &spec.health {
        put("health", words(health));
    }
    for (name, value) in &spec.env {
        put(&format!("env.{name}"), value.clone());
    }
    for bind in &spec.binds {
        let value = mount(&bind.host, bind.read_only);
        put(&format!("mounts.{}", bind.inside), value);
    }
    for (path, options) in &spec.tmpfs {
        put(&format!("tmpfs.{path}"), options.clone());
    }
    for (path, text) in &spec.files {
        if path != INI {
            let digest = short_hash(text.as_bytes());
            put(&format!("configuration.{path}"), digest[..8].to_owned());
            continue;
        }
        for line in text.lines() {
            let (key, value) = line.split_once(" = ").unwrap_or((line, ""));
            put(&format!("ini.{key}"), value.to_owned());
        }
    }
    fields
}
