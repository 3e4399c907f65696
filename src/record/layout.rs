//! Where everything lies on a host. No other file puts these paths together.

use crate::fleet::Name;

/// Where sockets are, as containers of ours see it.
pub const RUN: &str = "/run/ostler";
/// The router's runtime socket, in [`RUN`].
pub const ROUTER_SOCKET: &str = "haproxy.sock";

/// The host's folder that is [`RUN`] in containers. Not below the root folder: there a customer can
/// take the last inode or block, and a router that cannot make its socket does not start. `/run` is
/// memory that customers have no part in; the engine makes the folder at every start of a container
/// that has it, also after a reboot.
pub fn run_on_host(fleet: &Name) -> String {
    format!("/run/ostler-{fleet}")
}

/// The tree below a host's root folder. Everything but what a customer writes belongs to root.
///
/// ```text
/// <root>/sites/<site>/          root 0711
///                     www/      uid  0755   what the site serves and may write
///                     logs/     uid  0750
///                     private/  root 0711   conf-<hash>/ root 0755; secrets/, uploads/ uid 0700
/// <root>/router/                haproxy.cfg, maps, pages, certificate list
/// <root>/certs/                 root 0700
/// <root>/state/                 root 0700   read whole, in one GET; applying-<run>.json while
///                                           an apply is under way
/// <root>/journal/               root 0700   one file per apply
/// ```
///
/// Sockets lie elsewhere: see [`run_on_host`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: String,
}

/// A folder that every host has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Absolute.
    pub path: String,
    /// Permissions.
    pub mode: u32,
}

impl Layout {
    /// Below `root`, an absolute path.
    pub fn new(root: &str) -> Layout {
        let root = root.trim_end_matches('/').to_owned();
        Layout { root }
    }
    /// The root folder itself; the toolbox sees it under the same path.
    pub fn root(&self) -> &str {
        &self.root
    }
    fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.root)
    }
    /// `path` as seen from the root folder, without a leading slash; `None` when it lies elsewhere.
    pub fn relative<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(&self.root)?
            .strip_prefix('/')
            .filter(|rest| !rest.is_empty())
    }

    pub fn sites(&self) -> String {
        self.below("sites")
    }
    pub fn site(&self, site: &Name) -> String {
        self.below(&format!("sites/{site}"))
    }
    /// A new site's tree until it is complete. A name cannot begin with a dot.
    pub fn new_site(&self, site: &Name) -> String {
        self.below(&format!("sites/.new-{site}"))
    }
    /// What a site serves; the customer's.
    pub fn www(&self, site: &Name) -> String {
        format!("{}/www", self.site(site))
    }
    /// Log files of a site; the customer's.
    pub fn logs(&self, site: &Name) -> String {
        format!("{}/logs", self.site(site))
    }
    /// What ostler keeps for a site.
    pub fn private(&self, site: &Name) -> String {
        format!("{}/private", self.site(site))
    }
    /// Files of a container's spec, by the spec's hash.
    pub fn conf(&self, site: &Name, hash: &str) -> String {
        format!("{}/conf-{hash}", self.private(site))
    }
    /// Secrets, seen by the site as `/run/secrets`.
    pub fn secrets(&self, site: &Name) -> String {
        format!("{}/secrets", self.private(site))
    }

    /// Bodies of requests until the site has dealt with them.
    pub fn uploads(&self, site: &Name) -> String {
        format!("{}/uploads", self.private(site))
    }

    /// The router's files.
    pub fn router(&self) -> String {
        self.below("router")
    }
    /// The router's configuration.
    pub fn router_cfg(&self) -> String {
        self.below("router/haproxy.cfg")
    }
    /// The router's maps.
    pub fn maps(&self) -> String {
        self.below("router/maps")
    }
    /// One map of the router, such as `hosts`.
    pub fn map(&self, name: &str) -> String {
        self.below(&format!("router/maps/{name}.map"))
    }
    /// Pages that the router answers with by itself.
    pub fn pages(&self) -> String {
        self.below("router/pages")
    }
    /// Certificates with their keys.
    pub fn certs(&self) -> String {
        self.below("certs")
    }
    /// A site's certificate: its chain, then its key. One file, so that both are of one generation.
    pub fn certificate(&self, site: &Name) -> String {
        self.below(&format!("certs/site-{site}.pem"))
    }
    /// The account at the certificate authority.
    pub fn acme_account(&self) -> String {
        self.below("certs/acme-account.json")
    }
    /// Where a router that an earlier version made has its socket, which is [`ROUTER_SOCKET`] too.
    pub fn former_run(&self) -> String {
        self.below("run")
    }

    /// What ostler knows about the host.
    pub fn state(&self) -> String {
        self.below("state")
    }
    pub fn host_record(&self) -> String {
        self.below("state/host.json")
    }
    pub fn router_record(&self) -> String {
        self.below("state/router.json")
    }
    /// When a pass last came by.
    pub fn tended(&self) -> String {
        self.below("state/tended.json")
    }
    /// The fleet file last applied.
    pub fn fleet_copy(&self) -> String {
        self.below("state/fleet.yml")
    }
    /// The records of all sites.
    pub fn site_records(&self) -> String {
        self.below("state/sites")
    }
    pub fn site_record(&self, site: &Name) -> String {
        self.below(&format!("state/sites/{site}.json"))
    }
    /// What is known of the certificates of all sites.
    pub fn certificate_records(&self) -> String {
        self.below("state/certificates")
    }
    pub fn certificate_record(&self, site: &Name) -> String {
        self.below(&format!("state/certificates/{site}.json"))
    }
    /// The note of an apply that is under way; what is still there afterwards was cut off.
    pub fn applying(&self, run: &str) -> String {
        self.below(&format!("state/applying-{run}.json"))
    }
    /// One file per apply.
    pub fn journal(&self) -> String {
        self.below("journal")
    }
    /// The journal file of one apply.
    pub fn journal_file(&self, stem: &str) -> String {
        self.below(&format!("journal/{stem}.jsonl"))
    }

    /// All folders of a host, parents first. All belong to root.
    pub fn folders(&self) -> Vec<Folder> {
        [
            (self.root.clone(), 0o711),
            (self.sites(), 0o711),
            (self.router(), 0o755),
            (self.maps(), 0o755),
            (self.pages(), 0o755),
            (self.certs(), 0o700),
            (self.state(), 0o700),
            (self.site_records(), 0o700),
            (self.certificate_records(), 0o700),
            (self.journal(), 0o700),
        ]
        .into_iter()
        .map(|(path, mode)| Folder { path, mode })
        .collect()
    }
}

/// Name under which a file is prepared until it is complete: a neighbour of it, hidden.
pub fn temporary(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((dir, name)) => format!("{dir}/.new-{name}"),
        None => format!(".new-{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lie_below_the_root() {
        let layout = Layout::new("/srv/ostler/");
        let site: Name = "blog".parse().unwrap();
        assert_eq!(layout.www(&site), "/srv/ostler/sites/blog/www");
        assert_eq!(
            layout.conf(&site, "ab"),
            "/srv/ostler/sites/blog/private/conf-ab"
        );
        assert_eq!(
            layout.relative("/srv/ostler/state/host.json"),
            Some("state/host.json")
        );
        assert_eq!(layout.relative("/srv/ostlerx/state"), None);
        assert_eq!(layout.relative("/srv/ostler"), None);
    }

    #[test]
    fn parents_come_before_their_children() {
        let folders = Layout::new("/r").folders();
        for (at, folder) in folders.iter().enumerate().skip(1) {
            let parent = folder.path.rsplit_once('/').unwrap().0;
            assert!(folders[..at].iter().any(|f| f.path == parent), "{parent}");
        }
    }

    #[test]
    fn a_temporary_name_is_a_hidden_neighbour() {
        assert_eq!(temporary("/a/b.json"), "/a/.new-b.json");
    }
}
