//! What sites reach of their own host and of the cloud it runs in. Pure.

use super::facts::{Facts, subnets, whose};
use super::finding::{Finding, Mark, line};
use crate::fleet::{Isolate, Ports, Subnet};
use crate::observe::whose::Whose;
use crate::record::guard::METADATA;

const CHECK: &str = "reach";
/// Where a machine is logged in to: open to everybody as a rule.
const SSH: u16 = 22;
/// Name servers.
const DNS: u16 = 53;
/// A Docker API without TLS: a check of its own.
const API: u16 = 2375;
/// How many services are named.
const NAMED: usize = 4;

/// One line for the guard where there is to be one; else what an operator may not know to be open.
pub(super) fn found(facts: &Facts) -> Vec<Finding> {
    match facts.isolate {
        Isolate::Strict => vec![guard(facts)],
        Isolate::Sites => [metadata(facts), services(facts)]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn guard(facts: &Facts) -> Finding {
    let fleet = facts.fleet.as_deref();
    let runs = facts
        .containers
        .iter()
        .any(|c| whose(c, fleet) == Some(Whose::Guard) && c.state == "running");
    match runs {
        true => line(
            CHECK,
            Mark::Ok,
            "the guard runs: sites reach the router and nothing else of this host",
        ),
        false => line(
            CHECK,
            Mark::Fail,
            "the guard that `isolate: strict` asks for does not run: sites reach this host's services",
        )
        .remedy("`ostler apply` makes it"),
    }
}

fn metadata(facts: &Facts) -> Option<Finding> {
    let local = facts.local.as_ref().ok()?;
    let subnet = subnet(facts);
    let [addresses, ..] = METADATA;
    (local.metadata == Some(true)).then(|| {
        line(
            CHECK,
            Mark::Warn,
            "the cloud's metadata address 169.254.169.254 answers here, and so it does to sites unless a \
             rule of the firewall keeps them from it: credentials of this machine may be had there",
        )
        .remedy(format!(
            "say `isolate: strict` for this host; or by hand: iptables -I DOCKER-USER -s {subnet} \
             -d {addresses} -p tcp ! --dport {DNS} -j REJECT"
        ))
    })
}

fn services(facts: &Facts) -> Option<Finding> {
    let local = facts.local.as_ref().ok()?;
    let Ports { http, https } = facts.ports;
    let usual = [http, https, SSH, DNS, API];
    let mut open: Vec<(u16, &str)> = local
        .listening
        .iter()
        .filter(|l| !l.address.is_loopback() && !usual.contains(&l.port))
        .map(|l| (l.port, l.process.as_deref().unwrap_or_default()))
        .collect();
    open.sort_unstable();
    open.dedup_by_key(|(port, _)| *port);
    let mut words: Vec<String> = open
        .iter()
        .take(NAMED)
        .map(|(port, process)| match process.split(' ').next() {
            Some(process) if !process.is_empty() => format!("{port} ({process})"),
            _ => port.to_string(),
        })
        .collect();
    if words.is_empty() {
        return None;
    }
    if open.len() > NAMED {
        words.push(format!("{} more", open.len() - NAMED));
    }
    let subnet = subnet(facts);
    let listed = words.join(", ");
    Some(
        line(
            CHECK,
            Mark::Warn,
            format!(
                "unless a rule of the firewall keeps them from it, sites reach what listens on this \
                 host's port {listed}"
            ),
        )
        .remedy(format!(
            "say `isolate: strict` for this host; or by hand: iptables -I INPUT -s {subnet} -p tcp \
             -m multiport ! --dports {DNS},{http},{https} -m conntrack --ctstate NEW -j REJECT"
        )),
    )
}

/// The sites' network: as it is there, else as it is to be.
fn subnet(facts: &Facts) -> Subnet {
    let name = facts
        .fleet
        .as_deref()
        .map(|fleet| format!("ostler-{fleet}"));
    let there = facts
        .networks
        .iter()
        .find(|n| n.name.is_some() && n.name == name)
        .and_then(|n| subnets(n).next());
    there.or(facts.subnet).unwrap_or(Subnet::FIRST)
}
