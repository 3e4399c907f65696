//! From a container as planned to the engine's request. Pure.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, EndpointIpamConfig, EndpointSettings, HealthConfig,
    HostConfig, HostConfigLogConfig, NetworkingConfig, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};

use super::progress::Failure;
use crate::fleet::{Limits, Name};
use crate::record::spec::{NewContainer, SpecNetwork};
use crate::record::{Labelled, Layout};

/// Size of one log file of a container, and how many there are.
const LOG_SIZE: &str = "10m";
const LOG_FILES: &str = "3";

/// Stands for the folder of a spec's files in [`crate::record::spec::Bind::host`].
const CONF: &str = "{conf}";

/// The request that creates `container`. Everything that is not asked for is taken away: all
/// capabilities, new privileges, swap, health checks.
pub fn create(container: &NewContainer, layout: &Layout) -> Result<ContainerCreateBody, Failure> {
    let spec = &container.spec;
    let (network_mode, networking_config) = match &spec.network {
        SpecNetwork::Host => ("host".to_owned(), None),
        SpecNetwork::None => ("none".to_owned(), None),
        SpecNetwork::Own(name) => {
            let address = container.address.ok_or_else(|| {
                Failure::new(format!(
                    "{} is to be on the network {name} without an address of its own",
                    container.name
                ))
            })?;
            (name.clone(), Some(own_network(name, address.to_string())))
        }
    };
    let on_host = spec.network == SpecNetwork::Host;
    Ok(ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: spec.entrypoint.clone(),
        cmd: spec.command.clone(),
        user: spec.user.clone(),
        // A container on the host's network has the host's name: the engine refuses another.
        hostname: spec.hostname.clone().filter(|_| !on_host),
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        labels: Some(container.labels.clone().into_iter().collect()),
        healthcheck: Some(health(spec.health.as_deref())),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: Some(i64::from(spec.stop_grace_s)),
        host_config: Some(HostConfig {
            binds: Some(binds(container, layout)?),
            tmpfs: Some(spec.tmpfs.clone().into_iter().collect()),
            readonly_rootfs: Some(spec.read_only),
            network_mode: Some(network_mode),
            restart_policy: Some(policy(RestartPolicyNameEnum::ALWAYS)),
            log_config: Some(HostConfigLogConfig {
                typ: Some("json-file".into()),
                config: Some(HashMap::from([
                    ("max-size".to_owned(), LOG_SIZE.to_owned()),
                    ("max-file".to_owned(), LOG_FILES.to_owned()),
                ])),
            }),
            cap_drop: Some(vec!["ALL".into()]),
            cap_add: Some(spec.cap_add.clone()),
            security_opt: Some(vec!["no-new-privileges".into()]),
            memory: container.limits.memory.map(signed),
            memory_swap: container.limits.memory.map(signed),
            nano_cpus: container.limits.nano_cpus.map(signed),
            pids_limit: container.limits.pids.map(i64::from),
            cpu_shares: spec.cpu_weight.map(i64::from),
            ulimits: spec.open_files.map(open_files),
            ..HostConfig::default()
        }),
        networking_config,
        ..ContainerCreateBody::default()
    })
}

fn open_files(count: u32) -> Vec<ResourcesUlimits> {
    vec![ResourcesUlimits {
        name: Some("nofile".into()),
        soft: Some(i64::from(count)),
        hard: Some(i64::from(count)),
    }]
}

/// Only the restart policy, for what is there already.
///
/// Containers that should run have `always`, not `unless-stopped`: a daemon that was killed stops
/// its containers when it comes back and takes that for a stop by hand (seen with 20.10), and
/// `unless-stopped` then leaves every site down. What is stopped on purpose has `no`.
pub fn restart_policy(name: RestartPolicyNameEnum) -> ContainerUpdateBody {
    ContainerUpdateBody {
        restart_policy: Some(policy(name)),
        ..ContainerUpdateBody::default()
    }
}

fn policy(name: RestartPolicyNameEnum) -> RestartPolicy {
    RestartPolicy {
        name: Some(name),
        maximum_retry_count: None,
    }
}

fn own_network(name: &str, address: String) -> NetworkingConfig {
    NetworkingConfig {
        endpoints_config: Some(HashMap::from([(
            name.to_owned(),
            EndpointSettings {
                ipam_config: Some(EndpointIpamConfig {
                    ipv4_address: Some(address),
                    ..EndpointIpamConfig::default()
                }),
                ..EndpointSettings::default()
            },
        )])),
    }
}

fn health(command: Option<&[String]>) -> HealthConfig {
    let test = match command {
        None => vec!["NONE".to_owned()],
        Some(command) => std::iter::once("CMD".to_owned())
            .chain(command.iter().cloned())
            .collect(),
    };
    HealthConfig {
        test: Some(test),
        ..HealthConfig::default()
    }
}

fn binds(container: &NewContainer, layout: &Layout) -> Result<Vec<String>, Failure> {
    let spec = &container.spec;
    let conf = || -> Result<String, Failure> {
        let site: Name = container
            .labels
            .site()
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| {
                Failure::new(format!(
                    "{} has files of its own but belongs to no site",
                    container.name
                ))
            })?;
        Ok(layout.conf(&site, &spec.hash()))
    };
    let mut binds = Vec::new();
    for bind in &spec.binds {
        let host = match bind.host.strip_prefix(CONF) {
            Some(rest) => format!("{}{rest}", conf()?),
            None => bind.host.clone(),
        };
        binds.push((host, bind.inside.as_str(), bind.read_only));
    }
    if let Some(at) = &spec.files_at
        && !spec.files.is_empty()
        && !binds.iter().any(|(_, inside, _)| inside == at)
    {
        binds.push((conf()?, at, true));
    }
    binds
        .into_iter()
        .map(|(host, inside, read_only)| {
            // The engine separates the parts by colons.
            if host.contains(':') || inside.contains(':') {
                return Err(Failure::new(format!(
                    "{host} cannot be mounted at {inside}: a path has a colon"
                )));
            }
            let mode = if read_only { "ro" } else { "rw" };
            Ok(format!("{host}:{inside}:{mode}"))
        })
        .collect()
}

/// The request that changes limits in place: only what differs. Memory goes together with swap.
pub fn limits(limits: &Limits, was: &Limits) -> Result<ContainerUpdateBody, Failure> {
    let mut body = ContainerUpdateBody::default();
    if limits.memory != was.memory {
        let memory = limits.memory.map(signed).ok_or_else(|| kept("memory"))?;
        body.memory = Some(memory);
        body.memory_swap = Some(memory);
    }
    if limits.nano_cpus != was.nano_cpus {
        body.nano_cpus = Some(limits.nano_cpus.map(signed).ok_or_else(|| kept("cpus"))?);
    }
    if limits.pids != was.pids {
        body.pids_limit = Some(limits.pids.map_or(-1, i64::from));
    }
    Ok(body)
}

fn kept(what: &str) -> Failure {
    Failure::new(format!(
        "the {what} limit of a container cannot be removed in place; it needs a new container"
    ))
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::spec::{Bind, ContainerSpec};
    use std::collections::BTreeMap;

    fn site() -> NewContainer {
        NewContainer {
            name: "ostler-x-1234567890".into(),
            spec: ContainerSpec {
                image: "nginx:1.28".into(),
                user: Some("200000:200000".into()),
                network: SpecNetwork::Own("ostler-x".into()),
                binds: vec![
                    Bind {
                        host: "/srv/ostler/sites/blog/www".into(),
                        inside: "/usr/share/nginx/html".into(),
                        read_only: true,
                    },
                    Bind {
                        host: "{conf}".into(),
                        inside: "/etc/nginx/conf.d".into(),
                        read_only: true,
                    },
                ],
                files: BTreeMap::from([("a.conf".to_owned(), String::new())]),
                files_at: Some("/etc/nginx/conf.d".into()),
                stop_grace_s: 30,
                ..ContainerSpec::default()
            },
            address: Some([10, 90, 0, 10].into()),
            limits: Limits {
                memory: Some(128 << 20),
                nano_cpus: None,
                pids: Some(64),
            },
            labels: BTreeMap::from([("ostler.site".to_owned(), "blog".to_owned())]),
        }
    }

    #[test]
    fn a_site_is_locked_up() {
        let site = site();
        let body = create(&site, &Layout::new("/srv/ostler")).unwrap();
        let host = body.host_config.unwrap();
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(
            host.security_opt,
            Some(vec!["no-new-privileges".to_owned()])
        );
        assert_eq!(
            (host.memory, host.memory_swap),
            (Some(128 << 20), Some(128 << 20))
        );
        assert_eq!((host.nano_cpus, host.pids_limit), (None, Some(64)));
        assert_eq!(
            host.binds.unwrap(),
            vec![
                "/srv/ostler/sites/blog/www:/usr/share/nginx/html:ro".to_owned(),
                format!(
                    "/srv/ostler/sites/blog/private/conf-{}:/etc/nginx/conf.d:ro",
                    site.spec.hash()
                ),
            ]
        );
        let health = body.healthcheck.unwrap();
        assert_eq!(health.test, Some(vec!["NONE".to_owned()]));
        let networks = body.networking_config.unwrap().endpoints_config.unwrap();
        let ipam = networks["ostler-x"].ipam_config.as_ref().unwrap();
        assert_eq!(ipam.ipv4_address.as_deref(), Some("10.90.0.10"));
    }

    #[test]
    fn nothing_joins_the_network_without_an_address() {
        let mut site = site();
        site.address = None;
        assert!(create(&site, &Layout::new("/srv/ostler")).is_err());
        let mut colon = super::tests::site();
        colon.spec.binds[0].host = "/srv/a:b".into();
        assert!(create(&colon, &Layout::new("/srv/ostler")).is_err());
    }

    #[test]
    fn only_changed_limits_are_sent() {
        let was = Limits {
            memory: Some(1),
            nano_cpus: Some(2),
            pids: Some(3),
        };
        let body = limits(
            &Limits {
                memory: Some(9),
                ..was
            },
            &was,
        )
        .unwrap();
        assert_eq!((body.memory, body.memory_swap), (Some(9), Some(9)));
        assert_eq!((body.nano_cpus, body.pids_limit), (None, None));
        let body = limits(&Limits { pids: None, ..was }, &was).unwrap();
        assert_eq!(body.pids_limit, Some(-1));
        assert!(
            limits(
                &Limits {
                    memory: None,
                    ..was
                },
                &was
            )
            .is_err()
        );
        assert!(
            limits(
                &Limits {
                    nano_cpus: None,
                    ..was
                },
                &was
            )
            .is_err()
        );
    }
}
