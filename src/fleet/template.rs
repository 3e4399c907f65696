//! The fleet file to begin with.

use super::address::{EngineAddress, Via};
use super::model::Ports;
use super::name::Name;
use super::service::{Acme, acme};
use super::yaml;

/// A commented fleet file for one engine, with one site that plans and answers without DNS. It
/// loads without warnings. `tls` and `insecure` of a `tcp://` engine and `via` of an `ssh://` one are written along.
/// `acme`: where certificates come from; none: that is left to be said.
pub fn init_template(
    fleet: &Name,
    host: &Name,
    engine: &EngineAddress,
    ports: Ports,
    acme: Option<&Acme>,
) -> String {
    let certificates = certificates(acme);
    let none = match acme {
        Some(Acme::On(_)) => "\n    certificate: none            # no authority knows localhost",
        _ => "",
    };
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

{certificates}
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
    memory: 64M{none}

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

/// What is said of certificates.
fn certificates(acme: Option<&Acme>) -> String {
    match acme {
        None => "# Certificates from Let's Encrypt, once you agree to its terms, which are at\n\
                 # https://letsencrypt.org/repository/\n\
                 # acme: { contact: [ops@example.net], terms: agreed }\n"
            .into(),
        Some(Acme::Off) => "# No certificates are obtained.\nacme: off\n".into(),
        Some(Acme::On(authority)) => {
            let said = acme::said(authority);
            format!(
                "# Certificates. `terms: agreed`: you agree to the terms of whoever issues them.\n{}\n",
                yaml::block("acme", &said, 0, 2, "\n")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fleet::Authority;

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
                for acme in [
                    None,
                    Some(Acme::Off),
                    Some(Acme::On(Box::default())),
                    Some(Acme::On(Box::new(Authority {
                        contact: vec!["o'ps@example.net".into()],
                        ..Authority::default()
                    }))),
                ] {
                    let name = |text: &str| text.parse::<Name>().unwrap();
                    let (fleet, host) = (name("chatons"), name("local"));
                    let text = init_template(&fleet, &host, &engine, ports, acme.as_ref());
                    let loaded = crate::fleet::load(&text, Path::new("fleet.yml"))
                        .unwrap_or_else(|f| panic!("{f:#?}\n{text}"));
                    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
                    assert_eq!(loaded.fleet.hosts["local"].engine, engine);
                    assert_eq!(loaded.fleet.hosts["local"].ports, ports);
                    let blog = &loaded.fleet.sites["blog"];
                    assert_eq!(blog.domains[0].as_str(), "blog.localhost");
                    let on = matches!(acme, Some(Acme::On(_)));
                    assert_eq!(blog.obtains(), !on);
                    assert_eq!(loaded.fleet.acme_unsaid().is_some(), acme.is_none());
                    assert_eq!(loaded.fleet.acme, acme);
                }
            }
        }
    }
}
