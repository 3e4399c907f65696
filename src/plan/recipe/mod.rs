//! From a site to the container that runs it. One file per recipe.

pub mod base;
mod image;
mod php;
mod static_;

use base::{Setting, Wanted};

use super::service;
use crate::fleet::{Images, Recipe, Site};

/// The image that a site's container is made from; `None` for a recipe that has none.
pub fn image(site: &Site, images: &Images) -> Option<String> {
    match &site.recipe {
        Recipe::Proxy { .. } => None,
        Recipe::Static => Some(images.static_.clone()),
        Recipe::Php { php, .. } => Some(php::image(images, php)),
        Recipe::Image { image, .. } => Some(image.clone()),
    }
}

/// The container of `site`; `None` for a recipe that has none.
pub fn container(site: &Site, uid: u32, setting: &Setting) -> Option<Wanted> {
    let mut wanted = match &site.recipe {
        Recipe::Proxy { .. } => return None,
        Recipe::Static => static_::container(site, uid, setting),
        Recipe::Php { php, ini } => php::container(site, uid, setting, php, ini),
        Recipe::Image {
            image,
            port,
            root,
            mount,
        } => image::container(site, uid, setting, image, *port, *root, mount.as_deref()),
    };
    wanted.spec.env.extend(site.env.clone());
    for service in service::ALL {
        service.mounts(site, setting, &mut wanted.spec);
    }
    wanted.spec.health.clone_from(&site.health.command);
    Some(wanted)
}
