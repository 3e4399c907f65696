//! A route to something that ostler does not own.

use super::step::{clean, retire, route, write_record};
use super::view::View;
use crate::fleet::{Limits, ProxyTarget, Site, SiteState};
use crate::plan::cause;
use crate::plan::draft::{Chain, Draft};
use crate::plan::ground::Ground;
use crate::plan::operation::Interruption;
use crate::plan::route as routes;
use crate::record::route::RouteTarget;
use crate::record::{RecordedState, SiteRecord};

pub(super) fn running(
    ground: &mut Ground,
    draft: &mut Draft,
    chain: &mut Chain,
    site: &Site,
    to: &ProxyTarget,
    view: &View,
) {
    let target = match routes::proxy_target(to, &ground.index) {
        Ok(target) => target,
        Err(what) => {
            draft.problem(
                Some(&site.name),
                what,
                "make it run with an address of its own, or change `to:`; its route stays as it is until then",
            );
            return;
        }
    };
    let uid = match view.record {
        Some(record) => record.uid,
        None => ground
            .uids
            .take(&site.name, ground.seen, ground.state, &ground.index),
    };
    let entry = routes::entry(&ground.wish.claims, site, target);
    let mut causes = cause::of_site(view.record, None);
    causes.extend(cause::of_route(view.routed, &entry));
    if let (true, Some(RouteTarget::Address { ip: was, .. }), RouteTarget::Address { ip: now, .. }) = (
        causes.is_empty(),
        view.routed.map(|entry| &entry.target),
        &entry.target,
    ) && was != now
    {
        causes.push(format!("what it leads to moved: {was} → {now}"));
    }
    if causes.is_empty() {
        causes.push("the router does not have its route".into());
    }
    route(chain, view, &entry, Interruption::None, &causes, ground);
    for container in &view.containers {
        retire(chain, view, container, &causes, ground);
    }
    let had_files = view
        .record
        .and_then(|record| record.spec.as_ref())
        .is_some_and(|spec| !spec.files.is_empty());
    if had_files {
        clean(chain, &site.name, None, ground);
    }
    let unchanged = view.record.is_some_and(|record| {
        record.spec.is_none()
            && record.route.as_ref() == Some(&entry)
            && record.state == RecordedState::Wanted(SiteState::Running)
    });
    if !unchanged {
        let record = SiteRecord {
            schema: 1,
            site: site.name.clone(),
            uid,
            spec: None,
            hash: None,
            limits: Limits::default(),
            address: None,
            route: Some(entry),
            secrets: view
                .record
                .map(|record| record.secrets.clone())
                .unwrap_or_default(),
            state: RecordedState::Wanted(SiteState::Running),
            image_id: None,
            made: None,
        };
        write_record(chain, record, &causes, ground);
    }
}
