//! Certificates: what is planned of them, and that no site waits for one.

use std::sync::Arc;

use super::interpret::World;
use super::make::{domain, name};
use crate::fleet::*;
use crate::observe::model::HostObservation;
use crate::plan::service::certificate::operation::CertificateOperation;
use crate::plan::service::certificate::to_serve;
use crate::plan::service::operation::ServiceOperation;
use crate::plan::{Intent, OperationId, OperationKind, Plan, PlanOptions, plan_with};
use crate::record::certificate::{
    Attempt, CertificateFacts, CertificateRecord, Ending, Source, Stored,
};
use crate::record::{HostState, RecordedState};

const DAY: i64 = 86_400;

/// An authority that gives none to sites whose name begins with `b`.
pub fn authority() -> Option<Acme> {
    let authority = Authority {
        directory: "https://ca.example/dir".into(),
        ..Authority::default()
    };
    Some(Acme::On(Box::new(authority)))
}

/// What an operation does to what a host keeps.
pub fn run(state: &mut HostState, operation: &CertificateOperation, why: &OperationId) {
    let (CertificateOperation::ObtainCertificate { site, .. }
    | CertificateOperation::StoreCertificate { site, .. }
    | CertificateOperation::ServeCertificate { site, .. }
    | CertificateOperation::WithdrawCertificate { site }) = operation;
    let record = state.certificates.entry(site.clone());
    let record = record.or_insert_with(|| Arc::new(CertificateRecord::new(site)));
    let record = Arc::make_mut(record);
    match operation {
        CertificateOperation::ObtainCertificate {
            names, directory, ..
        } => {
            let served = state.sites.get(site);
            assert!(
                served.is_some_and(|it| it.state != RecordedState::Leftover),
                "{why}: for a site that is not there yet"
            );
            let fails = site.as_str().starts_with('b');
            let from = Source::Acme {
                directory: directory.clone(),
            };
            if !fails {
                record.stored = Some(stored(names, from));
            }
            record.attempt = Some(Attempt {
                at: 0,
                ended: if fails { Ending::Failed } else { Ending::Done },
                names: names.clone(),
                failures: u32::from(fails),
                not_before: if fails { 300 } else { 0 },
                words: Default::default(),
            });
        }
        CertificateOperation::StoreCertificate { fingerprint, .. } => {
            let mut own = stored(&[], Source::Own);
            own.facts.fingerprint.clone_from(fingerprint);
            record.stored = Some(own);
        }
        CertificateOperation::ServeCertificate { redirected, .. } => {
            let stored = record.stored.as_ref();
            record.served = stored.map(|stored| to_serve(stored, redirected));
        }
        CertificateOperation::WithdrawCertificate { .. } => record.served = None,
    }
}

fn stored(names: &[String], from: Source) -> Stored {
    Stored {
        facts: CertificateFacts {
            names: names.to_vec(),
            issuer: "Test CA".into(),
            serial: "01".into(),
            fingerprint: "ab".repeat(32),
            not_before: 0,
            not_after: 90 * DAY,
            chain: 2,
        },
        from,
        ari: None,
        at: 0,
    }
}

/// Ash is static, birch too, and has an authority that refuses it.
fn two() -> Fleet {
    let text = "fleet: lab\nhosts: { one: { engine: 'unix:///x' } }\nsites:\n  ash: { host: one, recipe: static, domains: [ash.example, www.ash.example] }\n  birch: { host: one, recipe: static, domains: [birch.example] }\n";
    let mut fleet = load(text, "fleet.yml".as_ref()).unwrap().fleet;
    fleet.acme = authority();
    fleet
}

fn planned(fleet: &Fleet, world: &World, now: i64, options: &PlanOptions) -> Plan {
    plan_with(fleet, "hash", &world.observe(fleet), &[], now, options)
}

fn words(plan: &Plan) -> Vec<String> {
    let of_certificates = plan.operations.iter().filter(|it| it.kind.facts().apart);
    of_certificates
        .map(|it| format!("{} {}", it.site.as_ref().unwrap(), it.kind.facts().word))
        .collect()
}

/// The fleet as it is once it was applied.
fn applied(fleet: &Fleet) -> World {
    let mut world = super::make::world(0);
    world.fleet = fleet.name.clone();
    world.lineage.ancestors.insert("hash".into());
    let plan = planned(fleet, &world, 0, &PlanOptions::default());
    assert_eq!(plan.problems, []);
    world.run_all(&plan);
    world
}

#[test]
fn what_could_not_be_had_rests_and_is_told_and_all_else_is_as_it_should_be() {
    let fleet = two();
    let world = applied(&fleet);
    let all = PlanOptions::default();
    let plan = planned(&fleet, &world, 10, &all);
    assert!(plan.operations.is_empty(), "{:?}", plan.operations);
    let told = plan
        .notices
        .iter()
        .find(|it| it.site == Some(name("birch")));
    let told = &told.unwrap().text;
    assert!(
        told.contains("not tried again before 1970-01-01 00:05"),
        "{told}"
    );
    let plan = planned(&fleet, &world, 301, &all);
    assert_eq!(
        words(&plan),
        ["birch obtain_certificate", "birch serve_certificate"]
    );
    let state = world.hosts[&name("one")].disk.as_ref().unwrap();
    let served = state.certificates[&name("ash")].served.as_ref().unwrap();
    assert_eq!(
        served.redirected.iter().collect::<Vec<_>>(),
        ["ash.example", "www.ash.example"]
    );
}

#[test]
fn a_certificate_waits_for_its_site_and_no_site_for_its_certificate() {
    let fleet = two();
    let plan = planned(&fleet, &super::make::world(0), 0, &PlanOptions::default());
    let record = plan
        .operations
        .iter()
        .find(|it| it.site == Some(name("ash")) && it.kind.facts().word == "write_record");
    let record = &record.unwrap().id;
    let obtain = plan.operations.iter();
    let obtain: Vec<_> = obtain
        .filter(|it| it.kind.facts().word == "obtain_certificate")
        .collect();
    assert!(obtain[0].after.contains(record), "{:?}", obtain[0].after);
    let waits = |id: &OperationId| {
        plan.operations
            .iter()
            .any(|it| !it.kind.facts().apart && it.site.is_some() && it.after.contains(id))
    };
    assert!(!obtain.iter().any(|it| waits(&it.id)));
}

#[test]
fn only_what_is_due_is_tended() {
    let mut fleet = two();
    let world = applied(&fleet);
    let upkeep = PlanOptions {
        upkeep: true,
        ..PlanOptions::default()
    };
    assert!(planned(&fleet, &world, 10, &upkeep).operations.is_empty());
    let plan = planned(&fleet, &world, 61 * DAY, &upkeep);
    assert_eq!(plan.operations.len(), 4, "{:?}", words(&plan));
    // What else an apply would change of a site is left to it, and keeps no renewal up.
    let ash = fleet.sites.get_mut(&name("ash")).unwrap();
    ash.limits.memory = Some(64 << 20);
    let plan = planned(&fleet, &world, 61 * DAY, &upkeep);
    assert_eq!(plan.operations.len(), 4, "{:?}", words(&plan));
}

#[test]
fn domains_modes_and_states_lead_to_what_they_say() {
    let fleet = two();
    let world = applied(&fleet);
    let with = |how: &dyn Fn(&mut Site)| {
        let mut fleet = fleet.clone();
        how(fleet.sites.get_mut(&name("ash")).unwrap());
        let mut world = world.clone();
        let plan = planned(&fleet, &world, 10, &PlanOptions::default());
        let words = words(&plan);
        world.run_all(&plan);
        let again = planned(&fleet, &world, 10, &PlanOptions::default());
        assert!(again.operations.is_empty(), "{words:?}");
        words
    };
    let (got, served) = ("ash obtain_certificate", "ash serve_certificate");
    assert_eq!(
        with(&|site| site.domains.push(domain("shop.example"))),
        [got, served]
    );
    assert_eq!(with(&|site| drop(site.domains.pop())), [served]);
    assert_eq!(with(&|site| site.https = Some(Https::Both)), [served]);
    let gone = ["ash withdraw_certificate"];
    assert_eq!(
        with(&|site| site.certificate = Some(Certificate::None)),
        gone
    );
    assert_eq!(with(&|site| site.state = SiteState::Archived), gone);
    assert_eq!(with(&|site| site.state = SiteState::Stopped), [""; 0]);
    let mut off = fleet.clone();
    off.acme = Some(Acme::Off);
    let plan = planned(&off, &world, 61 * DAY, &PlanOptions::default());
    assert_eq!(words(&plan), [""; 0], "what there is is served on");
}

/// A timer brings nothing to hosts that was never applied there, and lets nothing expire.
#[test]
fn what_was_not_applied_is_left_to_an_apply_and_renewals_are_not() {
    let fleet = two();
    let world = applied(&fleet);
    let upkeep = PlanOptions {
        upkeep: true,
        ..PlanOptions::default()
    };
    let tended = |fleet: &Fleet, now| {
        let observed = world.observe(fleet);
        words(&plan_with(fleet, "edited", &observed, &[], now, &upkeep))
    };
    let with = |how: &dyn Fn(&mut Fleet)| {
        let mut fleet = fleet.clone();
        how(&mut fleet);
        fleet
    };
    let ash = name("ash");
    let other = with(&|fleet| {
        let authority = Authority {
            directory: "https://staging.example/dir".into(),
            ..Authority::default()
        };
        fleet.acme = Some(Acme::On(Box::new(authority)));
    });
    let none = with(&|fleet| fleet.sites[&ash].certificate = Some(Certificate::None));
    let both = with(&|fleet| fleet.sites[&ash].https = Some(Https::Both));
    let more = with(&|fleet| fleet.sites[&ash].domains.push(domain("new.example")));
    for fleet in [&other, &none, &both, &more] {
        assert_eq!(tended(fleet, 10), [""; 0]);
    }
    let renewed = ["ash obtain_certificate", "ash serve_certificate"];
    // Whatever else of the site or the host is left to an apply.
    let edited = with(&|fleet| {
        fleet.sites[&ash].limits.memory = Some(64 << 20);
        fleet.hosts[0].ports.http = 8080;
    });
    assert_eq!(tended(&edited, 61 * DAY), renewed);
    let plan = plan_with(
        &both,
        "edited",
        &world.observe(&both),
        &[],
        61 * DAY,
        &upkeep,
    );
    let serve = plan.operations.iter().find_map(|it| match &it.kind {
        OperationKind::Service(ServiceOperation::Certificate(
            CertificateOperation::ServeCertificate { redirected, .. },
        )) => Some(redirected.len()),
        _ => None,
    });
    assert_eq!(serve, Some(2), "as it was applied");
}

#[test]
fn a_site_that_stays_up_elsewhere_is_served_on() {
    let mut fleet = two();
    let text =
        "fleet: lab\nhosts: { one: { engine: 'unix:///x' }, two: { engine: 'unix:///y' } }\n";
    fleet.hosts = load(text, "fleet.yml".as_ref()).unwrap().fleet.hosts;
    let world = applied(&fleet);
    fleet.sites[&name("ash")].host = name("two");
    let mut observed = world.observe(&fleet);
    let away = HostObservation::Unreachable { why: "away".into() };
    observed.hosts.insert(name("two"), away);
    let all = PlanOptions::default();
    let plan = plan_with(&fleet, "hash", &observed, &[], 10, &all);
    assert_eq!(words(&plan), [""; 0], "{:?}", plan.notices);
    // Once it is elsewhere it goes from here.
    let plan = planned(&fleet, &world, 10, &all);
    assert!(words(&plan).contains(&"ash withdraw_certificate".to_owned()));
}

#[test]
fn a_name_below_a_wildcard_of_the_same_site_is_not_asked_for() {
    let mut fleet = two();
    let ash = &mut fleet.sites[&name("ash")];
    ash.domains = ["shop.example", "www.shop.example", "*.shop.example"]
        .map(domain)
        .into();
    let plan = planned(&fleet, &super::make::world(0), 0, &PlanOptions::default());
    let names = plan.operations.iter().find_map(|it| match &it.kind {
        OperationKind::Service(ServiceOperation::Certificate(
            CertificateOperation::ObtainCertificate { site, names, .. },
        )) if site.as_str() == "ash" => Some(names.clone()),
        _ => None,
    });
    assert_eq!(names.unwrap(), ["*.shop.example", "shop.example"]);
}

#[test]
fn one_that_is_asked_for_is_had_before_it_is_due() {
    let fleet = two();
    let world = applied(&fleet);
    let renew = |site: &str| Intent::Renew { site: name(site) };
    let asked = |fleet: &Fleet, site: &str| {
        let options = PlanOptions {
            only: Some([name(site)].into()),
            upkeep: true,
            ..PlanOptions::default()
        };
        let observed = world.observe(fleet);
        plan_with(fleet, "hash", &observed, &[renew(site)], 10, &options)
    };
    assert_eq!(
        words(&asked(&fleet, "ash")),
        ["ash obtain_certificate", "ash serve_certificate"]
    );
    let mut none = fleet.clone();
    none.acme = None;
    let plan = asked(&none, "ash");
    assert!(
        plan.problems[0].what.contains("no `acme:`"),
        "{:?}",
        plan.problems
    );
}
