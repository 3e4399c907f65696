//! Images that a host lacks.

use std::collections::BTreeMap;

use super::draft::{Draft, Step};
use super::operation::{OperationId, OperationKind};
use crate::fleet::{Host, Images};

/// The image id that `reference` stands for on a host, however it is spelt.
pub(crate) fn find<'a>(images: &'a BTreeMap<String, String>, reference: &str) -> Option<&'a str> {
    images
        .get(reference)
        .or_else(|| images.get(&normal(reference)))
        .map(String::as_str)
}

/// As the engine lists it: `docker.io/library/nginx` → `nginx:latest`.
fn normal(reference: &str) -> String {
    let short = reference
        .strip_prefix("docker.io/library/")
        .or_else(|| reference.strip_prefix("docker.io/"))
        .or_else(|| reference.strip_prefix("library/"))
        .unwrap_or(reference);
    if let Some((name, digest)) = short.split_once('@') {
        // With both a tag and a digest the digest decides.
        let (path, last) = name.rsplit_once('/').map_or(("", name), |(p, l)| (p, l));
        let last = last.split(':').next().unwrap_or(last);
        let slash = if path.is_empty() { "" } else { "/" };
        return format!("{path}{slash}{last}@{digest}");
    }
    let last = short.rsplit('/').next().unwrap_or(short);
    if last.contains(':') {
        short.to_owned()
    } else {
        format!("{short}:latest")
    }
}

/// The operation that brings `reference`, planned once per host; `None` when the host has it.
pub(crate) fn need(
    draft: &mut Draft,
    images: &BTreeMap<String, String>,
    reference: &str,
    whom: &str,
) -> Option<OperationId> {
    if find(images, reference).is_some() {
        return None;
    }
    if let Some(id) = draft.image_ids.get(reference) {
        return Some(id.clone());
    }
    let step = Step::new(
        format!("pull/{reference}"),
        OperationKind::PullImage {
            image: reference.to_owned(),
        },
        &[format!("the host lacks {reference}, which {whom} needs")],
    );
    let id = draft.push_image(step, &[]);
    draft.image_ids.insert(reference.to_owned(), id.clone());
    Some(id)
}

/// Like [`need`] for the toolbox: its default image is in no registry, it is built on the host.
pub(crate) fn need_toolbox(
    draft: &mut Draft,
    images: &BTreeMap<String, String>,
    host: &Host,
) -> Option<OperationId> {
    let image = &host.images.toolbox;
    if find(images, image).is_some() {
        return None;
    }
    if *image != Images::default().toolbox {
        return need(draft, images, image, "the toolbox");
    }
    let base = &host.images.toolbox_base;
    let base_id = need(draft, images, base, "the toolbox's image");
    let step = Step::new(
        "build-toolbox",
        OperationKind::BuildToolbox {
            image: image.clone(),
            base: base.clone(),
        },
        &[format!("the host lacks {image}, which the toolbox needs")],
    );
    Some(draft.push_image(step, &[base_id.as_ref()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_however_they_are_spelt() {
        let images: BTreeMap<String, String> = [
            "nginx:1.28",
            "busybox:latest",
            "r.example:5000/a/b:2",
            "nginx@sha256:ab",
        ]
        .iter()
        .map(|name| ((*name).to_owned(), "id".to_owned()))
        .collect();
        for found in [
            "nginx:1.28",
            "docker.io/library/nginx:1.28",
            "busybox",
            "library/busybox",
            "r.example:5000/a/b:2",
            "nginx:1.28@sha256:ab",
        ] {
            assert!(find(&images, found).is_some(), "{found}");
        }
        for missing in [
            "nginx",
            "nginx:1.29",
            "r.example:5000/a/b",
            "nginx@sha256:cd",
        ] {
            assert!(find(&images, missing).is_none(), "{missing}");
        }
    }
}
