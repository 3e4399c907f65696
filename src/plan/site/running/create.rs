//! A site's new container, next to what is there.

use std::net::Ipv4Addr;

use super::super::stage::{Refused, Stage};
use crate::fleet::Site;
use crate::observe::model::ObservedContainer;
use crate::plan::container::{free_name, planned};
use crate::plan::draft::Step;
use crate::plan::image;
use crate::plan::operation::{ContainerRef, OperationKind};
use crate::record::Role;
use crate::record::labels::Labels;
use crate::record::spec::{ContainerSpec, NewContainer};

/// A container that the plan makes.
pub(super) struct Created<'a> {
    pub container: ContainerRef,
    pub address: Ipv4Addr,
    /// Id of the one that had to go for it.
    pub spare: Option<&'a str>,
}

pub(super) fn create<'a>(
    stage: &mut Stage<'_, 'a>,
    spec: &ContainerSpec,
    site: &Site,
    hash: &str,
    causes: &[String],
    serving: Option<&ObservedContainer>,
) -> Result<Created<'a>, Refused> {
    let fleet = stage.ground.fleet();
    let wanted = stage.view.name.clone();
    let serving = serving.map(|c| c.id.as_str());
    let (name, spare) = free_name(&stage.ground.index, fleet, &wanted, serving)
        .map_err(|what| stage.refuse(what, "rename or remove that container"))?;
    let address = stage.ground.addresses.take().map_err(|what| {
        let remedy = "move sites to another host, or remove containers that are not used";
        stage.refuse(what, remedy)
    })?;
    if name != wanted && stage.view.is_taken(stage.ground) {
        stage.notice(format!(
            "a container named {wanted} is there that is not ours: until it is gone the site's is \
             called {name}"
        ));
    }
    if let Some(spare) = spare {
        stage.retire(spare, &["left half-way by an earlier apply".to_owned()]);
    }
    if !spec.files.is_empty() {
        let kind = OperationKind::WriteConf {
            site: site.name.clone(),
            hash: hash.to_owned(),
            files: spec.files.clone(),
        };
        stage.push_prepared(Step::new("conf", kind, causes));
    }
    let ground = &*stage.ground;
    let image = image::need(stage.draft, ground, &spec.image, site.name.as_str());
    let container = NewContainer {
        labels: Labels {
            fleet,
            role: Role::Site,
            site: Some(&site.name),
            hash,
            replaces: !stage.view.containers.is_empty(),
            address: Some(address),
            limits: Some(&site.limits),
            uid: Some(stage.uid),
            root: None,
        }
        .build(),
        name: name.clone(),
        spec: spec.clone(),
        address: Some(address),
        limits: site.limits,
    };
    let kind = OperationKind::CreateContainer {
        container: Box::new(container),
    };
    let step = Step::new("create", kind, causes).undone_by(OperationKind::RemoveContainer {
        container: planned(&name),
        force: true,
    });
    let needs = [
        image.as_ref(),
        ground.network_ready.as_ref(),
        ground.prepared.as_ref(),
    ];
    stage.chain.push(step, &needs);
    Ok(Created {
        container: planned(&name),
        address,
        spare: spare.map(|spare| spare.id.as_str()),
    })
}
