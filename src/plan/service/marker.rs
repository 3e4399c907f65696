//! A tiny service that only tests know, the second one: a site with `OSTLER_MARKER` in its
//! environment has a file of that text, which it sees in `/run/marker` until it is archived.

pub mod operation;

use super::operation::ServiceOperation;
use super::seam::Service;
use crate::fleet::{Site, SiteState};
use crate::plan::draft::Step;
use crate::plan::drift::raw::{Found, Look};
use crate::plan::operation::OperationKind;
use crate::plan::recipe::base::Setting;
use crate::plan::site::stage::{Refused, Stage};
use crate::record::spec::{Bind, ContainerSpec};
use crate::record::{RecordedState, SiteRecord};
use operation::MarkerOperation;

pub(super) struct Marker;

impl Service for Marker {
    fn name(&self) -> &'static str {
        "marker"
    }

    fn mounts(&self, site: &Site, setting: &Setting, spec: &mut ContainerSpec) {
        if wanted(site).is_some() {
            spec.binds.push(Bind {
                host: format!("{}/marker", setting.layout.private(&site.name)),
                inside: "/run/marker".into(),
                read_only: true,
            });
        }
    }

    fn before(&self, site: &Site, stage: &mut Stage) -> Result<(), Refused> {
        let Some(text) = wanted(site) else {
            return Ok(());
        };
        let kept = stage.record.services.insert("marker".into(), text.into());
        let differs = stage.ground.differs(stage.name);
        let edited = differs.is_some_and(|d| !d.service(self.name()).is_empty());
        if edited || kept.is_none_or(|kept| kept != text) {
            let operation = MarkerOperation::WriteMarker {
                site: site.name.clone(),
                text: text.to_owned(),
            };
            push(stage, "marker", operation);
        }
        Ok(())
    }

    fn after(&self, site: &Site, stage: &mut Stage) {
        if wanted(site).is_none() {
            remove(stage);
        }
    }

    fn halted(&self, stage: &mut Stage, state: RecordedState) {
        if state == RecordedState::Wanted(SiteState::Archived) {
            remove(stage);
        }
    }

    fn differs(&self, look: &Look, site: &Site, record: &SiteRecord, found: &mut Found) {
        let kept = record.services.get("marker");
        let kept = kept.and_then(|kept| kept.as_str());
        if site.state == SiteState::Running && kept != wanted(site) {
            found.by_file("marker", kept, wanted(site));
        }
        if let Some(differs) = look.differs(&site.name) {
            found.differences("", differs.service(self.name()));
        }
    }
}

fn wanted(site: &Site) -> Option<&str> {
    site.env.get("OSTLER_MARKER").map(String::as_str)
}

fn remove(stage: &mut Stage) {
    if stage.record.services.remove("marker").is_some() {
        let site = stage.name.clone();
        push(stage, "marker-gone", MarkerOperation::RemoveMarker { site });
    }
}

fn push(stage: &mut Stage, id: &str, operation: MarkerOperation) {
    let kind = OperationKind::Service(ServiceOperation::Marker(operation));
    let step = Step::new(id, kind, &[]).because("the marker is not as it should be");
    stage.push_service("marker", step);
}
