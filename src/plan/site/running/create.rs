//! A site's new container, next to what is there.

use super::super::step::retire;
use super::super::view::View;
use crate::fleet::Site;
use crate::observe::model::ObservedContainer;
use crate::plan::container::{free_name, planned};
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::ground::Ground;
use crate::plan::image;
use crate::plan::operation::{ContainerRef, OperationKind};
use crate::record::Role;
use crate::record::labels::Labels;
use crate::record::spec::{ContainerSpec, NewContainer};

pub(super) type Created<'a> = (ContainerRef, std::net::Ipv4Addr, Option<&'a str>);

#[expect(
    clippy::too_many_arguments,
    reason = "one caller; a struct would only rename them"
)]
pub(super) fn create<'a>(
    ground: &mut Ground<'a>,
    draft: &mut Draft,
    chain: &mut Chain,
    view: &View<'a>,
    spec: ContainerSpec,
    site: &Site,
    uid: u32,
    hash: &str,
    causes: &[String],
    serving: Option<&ObservedContainer>,
) -> Result<Created<'a>, (String, &'static str)> {
    let fleet = &ground.wish.fleet.name;
    let (name, spare) = free_name(
        &ground.index,
        fleet,
        &view.name,
        serving.map(|c| c.id.as_str()),
    )
    .map_err(|what| (what, "rename or remove that container"))?;
    let address = ground.addresses.take().map_err(|what| {
        (
            what,
            "move sites to another host, or remove containers that are not used",
        )
    })?;
    if name != view.name && ground.index.taken_by_other(&view.name, fleet).is_some() {
        draft.notice(
            Some(&site.name),
            format!(
                "a container named {} is there that is not ours: until it is gone the site's is \
                 called {name}",
                view.name
            ),
        );
    }
    if let Some(spare) = spare {
        retire(
            chain,
            view,
            spare,
            &["left half-way by an earlier apply".to_owned()],
            ground,
        );
    }
    if !spec.files.is_empty() {
        let kind = OperationKind::WriteConf {
            site: site.name.clone(),
            hash: hash.to_owned(),
            files: spec.files.clone(),
        };
        chain.push(Step::new("conf", kind, causes), &[ground.prepared.as_ref()]);
    }
    let image = image::need(draft, &ground.seen.images, &spec.image, site.name.as_str());
    let container = NewContainer {
        labels: Labels {
            fleet,
            role: Role::Site,
            site: Some(&site.name),
            hash,
            replaces: !view.containers.is_empty(),
            address: Some(address),
            limits: Some(&site.limits),
            uid: Some(uid),
            root: None,
        }
        .build(),
        name: name.clone(),
        spec,
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
    chain.push(step, &needs);
    Ok((
        planned(&name),
        address,
        spare.map(|spare| spare.id.as_str()),
    ))
}
