//! From the model to YAML: for files that ostler writes itself.

use super::address::{EngineAddress, Via};
use super::keys;
use super::model::{
    Fleet, Health, Host, Images, ProxyTarget, Recipe, RedirectWww, Site, SiteState,
};
use super::service::secrets;
use super::value::{format_cpus, format_size};
use super::yaml::{self, Value, field};

type Fields = Vec<(String, Value)>;

/// The whole fleet as a file. What equals a built-in default is left out; reading it again gives
/// the same fleet.
pub fn to_yaml(fleet: &Fleet) -> String {
    let mut text = format!("{}\n", block("fleet", &fleet.name.as_str().into()));
    let mut section = |key: &str, entries: Fields| {
        if !entries.is_empty() {
            text.push_str(&block(key, &Value::Mapping(entries)));
            text.push('\n');
        }
    };
    let hosts = fleet.hosts.values();
    section(
        "hosts",
        hosts
            .map(|h| (h.name.to_string(), mapping(host_fields(h))))
            .collect(),
    );
    let accounts = fleet.accounts.values().map(|account| {
        let email = account
            .email
            .iter()
            .map(|email| field("email", email.as_str()));
        (account.name.to_string(), mapping(email.collect()))
    });
    section("accounts", accounts.collect());
    let sites = fleet.sites.values();
    section(
        "sites",
        sites
            .map(|s| (s.name.to_string(), mapping(site_fields(s))))
            .collect(),
    );
    text
}

/// `key: value` at the left margin, in the usual manner: blocks, two spaces.
fn block(key: &str, value: &Value) -> String {
    yaml::block(key, value, 0, 2, "\n")
}

fn mapping(fields: Fields) -> Value {
    Value::Mapping(fields)
}

fn bare(text: impl ToString) -> Value {
    Value::Bare(text.to_string())
}

fn host_fields(host: &Host) -> Fields {
    let mut fields = vec![field("engine", host.engine.to_string())];
    if let EngineAddress::Tcp { tls, insecure, .. } = &host.engine {
        fields.extend(tls.as_deref().map(|tls| field("tls", tls)));
        if *insecure {
            fields.push(field("insecure", true));
        }
    }
    if let EngineAddress::Ssh {
        via: Via::OpenSsh, ..
    } = &host.engine
    {
        fields.push(field("via", "openssh"));
    }
    if host.ports != Default::default() {
        let ports = vec![
            field("http", u32::from(host.ports.http)),
            field("https", u32::from(host.ports.https)),
        ];
        fields.push(field("ports", mapping(ports)));
    }
    if host.root != "/srv/ostler" {
        fields.push(field("root", host.root.as_str()));
    }
    fields.extend(
        host.subnet
            .map(|subnet| field("subnet", subnet.to_string())),
    );
    let (is, usual) = (&host.images, Images::default());
    let images = [
        ("router", &is.router, &usual.router),
        ("toolbox", &is.toolbox, &usual.toolbox),
        ("toolbox_base", &is.toolbox_base, &usual.toolbox_base),
        ("static", &is.static_, &usual.static_),
        ("php", &is.php, &usual.php),
    ];
    let images = images.iter().filter(|(_, is, usual)| is != usual);
    let images: Fields = images.map(|(key, is, _)| field(key, is.as_str())).collect();
    if !images.is_empty() {
        fields.push(field("images", mapping(images)));
    }
    fields
}

/// A site's entry as it would stand below `sites:`, two spaces in.
pub fn site_block(site: &Site) -> String {
    let text = block(site.name.as_str(), &mapping(site_fields(site)));
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// The keys of a site as it would be written, in the usual order: for a new entry.
pub fn site_fields(site: &Site) -> Fields {
    let mut fields = Vec::new();
    fields.extend(
        site.account
            .as_ref()
            .map(|account| field("account", account.as_str())),
    );
    fields.push(field("host", site.host.as_str()));
    fields.push(field("recipe", site.recipe.word()));
    let domains: Vec<Value> = site
        .domains
        .iter()
        .map(|domain| domain.as_str().into())
        .collect();
    fields.push(field("domains", Value::List(domains)));
    if !matches!(site.recipe, Recipe::Proxy { .. }) {
        limits(site, &mut fields);
    }
    if site.connections != keys::DEFAULT_CONNECTIONS {
        fields.push(field("connections", site.connections));
    }
    let texts = |map: &std::collections::BTreeMap<String, String>| {
        mapping(
            map.iter()
                .map(|(name, text)| field(name, text.as_str()))
                .collect(),
        )
    };
    if !site.env.is_empty() {
        fields.push(field("env", texts(&site.env)));
    }
    fields.extend(secrets::write(&site.secrets).map(|secrets| field("secrets", secrets)));
    match &site.recipe {
        Recipe::Static => {}
        Recipe::Php { php, ini } => {
            fields.push(field("php", php.as_str()));
            if !ini.is_empty() {
                fields.push(field("ini", texts(ini)));
            }
        }
        Recipe::Proxy { to } => fields.push(field("to", target(to))),
        Recipe::Image {
            image,
            port,
            root,
            mount,
        } => {
            fields.push(field("image", image.as_str()));
            fields.push(field("port", u32::from(*port)));
            if *root {
                fields.push(field("root", true));
            }
            fields.extend(mount.as_deref().map(|mount| field("mount", mount)));
        }
    }
    let health = health(&site.health);
    if !health.is_empty() {
        fields.push(field("health", mapping(health)));
    }
    fields.extend(site.redirect_www.map(|www| {
        let word = match www {
            RedirectWww::ToWww => "to-www",
            RedirectWww::ToBare => "to-bare",
        };
        field("redirect_www", word)
    }));
    if !site.redirects.is_empty() {
        let redirects = site
            .redirects
            .iter()
            .map(|(from, to)| field(from.as_str(), to.as_str()));
        fields.push(field("redirects", mapping(redirects.collect())));
    }
    if site.state != SiteState::Running {
        fields.push(field("state", site.state.word()));
    }
    fields
}

fn limits(site: &Site, fields: &mut Fields) {
    let none = || Value::from("none");
    match site.limits.memory {
        Some(keys::DEFAULT_MEMORY) => {}
        memory => {
            let value = memory.map_or_else(none, size);
            fields.push(("memory".into(), value));
        }
    }
    fields.extend(
        site.limits
            .nano_cpus
            .map(|nano| field("cpus", bare(format_cpus(nano)))),
    );
    match site.limits.pids {
        Some(keys::DEFAULT_PIDS) => {}
        pids => fields.push(("pids".into(), pids.map_or_else(none, Value::from))),
    }
}

fn size(bytes: u64) -> Value {
    let text = format_size(bytes);
    // Without a unit it is a number.
    if text.bytes().all(|b| b.is_ascii_digit()) {
        bare(text)
    } else {
        text.into()
    }
}

fn target(to: &ProxyTarget) -> String {
    match to {
        ProxyTarget::Container { name, port } => format!("{name}:{port}"),
        ProxyTarget::Http { host, port } if host.contains(':') => format!("http://[{host}]:{port}"),
        ProxyTarget::Http { host, port } => format!("http://{host}:{port}"),
    }
}

fn health(health: &Health) -> Fields {
    let usual = Health::default();
    let mut fields = Vec::new();
    if health.path != usual.path {
        fields.push(field("path", health.path.as_str()));
    }
    if health.timeout_s != usual.timeout_s {
        fields.push(field("timeout", health.timeout_s));
    }
    fields.extend(health.command.as_ref().map(|words| {
        field(
            "command",
            Value::List(words.iter().map(|word| word.as_str().into()).collect()),
        )
    }));
    fields
}
