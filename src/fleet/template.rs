//! The fleet file to begin with.

use super::address::{EngineAddress, Via};
use super::model::Ports;
use super::name::Name;

/// A commented fleet file for one engine, with one site that plans and answers without DNS. It
/// loads without warnings. `tls` and `insecure` of a `tcp://` engine and `via` of an `ssh://` one are written along.
pub fn init_template(fleet: &Name, host: &Name, engine: &EngineAddress, ports: Ports) -> String {
    let mut beside = String::new();
    if let EngineAddress::Tcp { tls, insecure, .. } = engine {
        if let Some(tls) = tls {
            let tls = serde_json::Value::String(tls.clone());
            beside.push_str(&format!(
                "\n    tls: {tls}                  # ca.pem, cert.pem, key.pem"
            ));
        }
        if *insecure {
            beside.push_str("\n    insecure: true               # whoever reaches this port is root on the host");
        }
    }
    if let EngineAddress::Ssh {
        via: Via::OpenSsh, ..
    } = engine
    {
        beside
            .push_str("\n    via: openssh                 # the system's ssh forwards the socket");
    }
    if ports != Ports::default() {
        beside.push_str(&format!(
            "\n    ports: {{ http: {}, https: {} }}  # 80 and 443 unless said otherwise",
            ports.http, ports.https
        ));
    }
    let at = match ports.http {
        80 => String::new(),
        port => format!(":{port}"),
    };
    format!(
        r#"# What should run where. After a change:
#   ostler check    is it right?
#   ostler plan     what would be done?
#   ostler apply    do it
fleet: {fleet}

# What holds for every site that says nothing else.
defaults:
  memory: 256M

# Docker Engines: unix:///path, ssh://user@host or tcp://host:2376 with `tls: FOLDER`.
hosts:
  {host}:
    engine: "{engine}"{beside}

# Customers, by name. A site says `account: NAME`.
accounts: {{}}

# Web sites. The name is a DNS label; it is also login and folder.
# recipe: static | php | proxy | image
sites:
  blog:
    host: {host}
    recipe: static
    domains: [blog.localhost]     # curl http://blog.localhost{at}/
    memory: 64M

#  shop:
#    host: {host}
#    recipe: php
#    php: "8.4"
#    domains: [shop.example.net, www.shop.example.net]
#    redirect_www: to-bare
#    env: {{ APP_MODE: production }}                           # for what may be seen
#    secrets: {{ DB_PASSWORD: {{ file: secrets/shop-db }} }}     # read in /run/secrets/DB_PASSWORD
#    state: running                                          # or stopped, archived
"#
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn loads_without_a_word() {
        let tls = EngineAddress::Tcp {
            host: "10.0.0.1".into(),
            port: 2376,
            tls: Some("~/my \"tls\"".into()),
            insecure: false,
        };
        let unix = EngineAddress::Unix {
            path: "/var/run/docker.sock".into(),
        };
        let ssh = "ssh://ops@web1.example.net:2222/run/d.sock"
            .parse()
            .unwrap();
        let mut other: EngineAddress = "ssh://web1".parse().unwrap();
        if let EngineAddress::Ssh { via, .. } = &mut other {
            *via = Via::OpenSsh;
        }
        for engine in [tls, unix, ssh, other] {
            for ports in [
                Ports::default(),
                Ports {
                    http: 8080,
                    https: 8443,
                },
            ] {
                let name = |text: &str| text.parse::<Name>().unwrap();
                let text = init_template(&name("chatons"), &name("local"), &engine, ports);
                let loaded = crate::fleet::load(&text, Path::new("fleet.yml"))
                    .unwrap_or_else(|f| panic!("{f:#?}\n{text}"));
                assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
                assert_eq!(loaded.fleet.hosts["local"].engine, engine);
                assert_eq!(loaded.fleet.hosts["local"].ports, ports);
                assert_eq!(
                    loaded.fleet.sites["blog"].domains[0].as_str(),
                    "blog.localhost"
                );
            }
        }
    }
}
