//! A route to something that ostler does not own.

use super::stage::Stage;
use super::view::View;
use crate::fleet::{Limits, ProxyTarget, Site, SiteState};
use crate::plan::cause;
use crate::plan::draft::Draft;
use crate::plan::ground::Ground;
use crate::plan::operation::Interruption;
use crate::plan::route as routes;
use crate::plan::service;
use crate::record::RecordedState;
use crate::record::route::RouteTarget;

pub(super) fn running<'a>(
    ground: &mut Ground<'a>,
    draft: &mut Draft,
    site: &Site,
    to: &ProxyTarget,
    view: View<'a>,
) {
    let target = match routes::proxy_target(to, ground.host.ports, &ground.index) {
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
    let mut stage = Stage::of(ground, draft, &site.name, view);
    if service::before(site, &mut stage).is_err() {
        return;
    }
    stage.route(&entry, Interruption::None, &causes);
    for container in stage.view.containers.clone() {
        stage.retire(container, &causes);
    }
    service::after(site, &mut stage);
    let was = stage.view.record.and_then(|record| record.spec.as_ref());
    if was.is_some_and(|spec| !spec.files.is_empty()) {
        stage.clean(None);
    }
    let record = &mut stage.record;
    record.spec = None;
    record.hash = None;
    record.limits = Limits::default();
    record.address = None;
    record.route = Some(entry);
    record.state = RecordedState::Wanted(SiteState::Running);
    record.image_id = None;
    record.made = None;
    stage.write_record(&causes);
    stage.finish();
}
