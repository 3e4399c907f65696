//! `image`: any image that serves HTTP on one port.

use super::base::{Setting, Wanted, base, www};
use crate::fleet::Site;

/// What images that insist on root commonly need to drop to a user of their own.
const ROOT_NEEDS: [&str; 6] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "SETGID",
    "SETUID",
];

pub(super) fn container(
    site: &Site,
    uid: u32,
    setting: &Setting,
    image: &str,
    port: u16,
    root: bool,
    mount: Option<&str>,
) -> Wanted {
    let mut spec = base(site, uid, setting, image.to_owned());
    if root {
        spec.user = None;
        spec.root = true;
        spec.cap_add = ROOT_NEEDS.iter().map(|cap| (*cap).to_owned()).collect();
    }
    if let Some(inside) = mount {
        spec.binds.push(www(site, setting, inside, false));
    }
    Wanted {
        spec,
        port,
        https: None,
        serves_www: mount.is_some(),
    }
}
