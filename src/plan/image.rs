//! Images that a host lacks, and other ones under the same name.

use std::collections::BTreeMap;

use super::container::short;
use super::draft::{Draft, Step};
use super::operation::{OperationId, OperationKind};
use super::place::Place;
use crate::fleet::Images;
use crate::observe::model::{ObservedContainer, ObservedHost};

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

/// The operation that brings `reference`, planned once per host; `None` when the host has it. The
/// default images of toolbox and guard are in no registry: they are built on the host.
pub(crate) fn need(
    draft: &mut Draft,
    place: &Place,
    reference: &str,
    whom: &str,
) -> Option<OperationId> {
    if find(&place.seen.images, reference).is_some() {
        return None;
    }
    if let Some(id) = draft.image_ids.get(reference) {
        return Some(id.clone());
    }
    let image = reference.to_owned();
    let base = &place.host.images.toolbox_base;
    // One that is named as its own base is a local image: the engine says that it is missing.
    let Images { toolbox, guard, .. } = Images::default();
    let ours = [(toolbox, "toolbox"), (guard, "guard")];
    let ours = ours.into_iter().find(|(built, _)| *built == image);
    let (id, kind, base) = if let Some((_, word)) = ours
        && *base != image
    {
        let base = base.clone();
        let brought = need(draft, place, &base, &format!("{whom}'s image"));
        let kind = OperationKind::BuildImage { image, base };
        (format!("build-{word}"), kind, brought)
    } else {
        let kind = OperationKind::PullImage { image, anew: false };
        (format!("pull/{reference}"), kind, None)
    };
    let cause = format!("the host lacks {reference}, which {whom} needs");
    let id = draft.push_image(Step::new(id, kind, &[cause]), &[base.as_ref()]);
    draft.image_ids.insert(reference.to_owned(), id.clone());
    Some(id)
}

/// Another image than the one a container was made from, under the same reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newer {
    /// The reference.
    pub image: String,
    /// Id of the image that the container runs.
    pub was: String,
    /// Id of the image that the reference stands for.
    pub now: String,
}

impl Newer {
    /// Why a container is replaced.
    pub fn cause(&self) -> String {
        let id = |id: &str| short(id.strip_prefix("sha256:").unwrap_or(id)).to_owned();
        format!(
            "newer {}: {} → {}",
            self.image,
            id(&self.was),
            id(&self.now)
        )
    }
}

/// Whether a container that was made from `reference` runs another image than the host has under
/// that by now.
pub(crate) fn newer(
    seen: &ObservedHost,
    container: &ObservedContainer,
    reference: &str,
) -> Option<Newer> {
    let now = find(&seen.images, reference)?;
    let was = &container.image_id;
    (!was.is_empty() && was != now).then(|| Newer {
        image: reference.to_owned(),
        was: was.clone(),
        now: now.to_owned(),
    })
}

/// Asks for images again that the host has.
pub(crate) fn again(draft: &mut Draft, seen: &ObservedHost, references: &[&str]) {
    for reference in references {
        if is_local(&seen.images, reference) {
            let text = format!("{reference} was built on the host: it is not asked for");
            draft.notice(None, text);
            continue;
        }
        let kind = OperationKind::PullImage {
            image: (*reference).to_owned(),
            anew: true,
        };
        let step = Step::new(format!("pull/{reference}"), kind, &[]);
        draft.push_image(step.because("asked for: is there a newer one?"), &[]);
    }
}

/// Whether an image that the host has came from no registry: none is known to have it.
fn is_local(images: &BTreeMap<String, String>, reference: &str) -> bool {
    let Some(id) = find(images, reference) else {
        return false;
    };
    !images
        .iter()
        .any(|(name, of)| of == id && name.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_built_on_the_host_is_told_from_what_was_pulled() {
        let images: BTreeMap<String, String> = [
            ("mine:1", "a"),
            ("php:8.4", "b"),
            ("php@sha256:ab", "b"),
            ("also:1", "b"),
        ]
        .iter()
        .map(|(name, id)| ((*name).to_owned(), (*id).to_owned()))
        .collect();
        assert!(is_local(&images, "mine:1"));
        assert!(!is_local(&images, "php:8.4") && !is_local(&images, "also:1"));
        assert!(!is_local(&images, "not-there:1"));
    }

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
