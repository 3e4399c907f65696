//! A site's folders and the files of its container's spec.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure, Say};
use crate::fleet::Name;
use crate::host::script::{KEEP_ONLY, OWN, PUBLISH, REMOVE, TREE};
use crate::host::{Entry, Kind, NewFile};
use crate::observe::model::Owner;
use crate::record::check::{is_hash, is_within};
use crate::record::{Role, labels, names};
use crate::text::short;

/// What visitors see until the customer's own files are there.
const PLACEHOLDER: &str = include_str!("placeholder.html");

/// Makes a site's folders. A new site's are prepared aside and get their name when complete.
pub async fn create(work: &HostWork, site: &Name, uid: u32, placeholder: bool) -> Answer {
    let layout = &work.toolbox.layout;
    let www = layout.www(site);
    let found = work.toolbox.head(&www).await?;
    let mut note = None;
    match &found {
        Some(entry) if entry.kind != Kind::Folder => {
            return Err(Failure::new(format!("{www} is not a folder"))
                .remedy("move it away; what is in it belongs to somebody"));
        }
        Some(entry) if entry.uid != uid => {
            return Err(Failure::new(format!(
                "{www} belongs to {}:{} and not to the site's {uid}",
                entry.uid, entry.gid
            ))
            .remedy("plan again: the plan then says that its owner will be changed"));
        }
        Some(_) => note = Some("its files were there already".to_owned()),
        None if work.toolbox.head(&layout.site(site)).await?.is_some() => {
            // The rest is there, `www` is not: only that is made, in the same way.
            let parent = layout.site(site);
            let new = format!("{parent}/.new-www");
            clear(work, &new).await?;
            let entries = www_entries(".new-www", site, uid, placeholder);
            work.toolbox.put(&parent, &entries).await?;
            work.toolbox.run(&PUBLISH, &[&new, &www], None).await?;
        }
        None => {
            let new = layout.new_site(site);
            clear(work, &new).await?;
            let name = format!(".new-{site}");
            let mut entries = vec![
                Entry::folder(&name, 0o711, 0),
                Entry::folder(&format!("{name}/logs"), 0o750, uid),
                Entry::folder(&format!("{name}/private"), 0o711, 0),
                Entry::folder(&format!("{name}/private/secrets"), 0o700, uid),
                Entry::folder(&format!("{name}/private/uploads"), 0o700, uid),
            ];
            entries.extend(www_entries(&format!("{name}/www"), site, uid, placeholder));
            work.toolbox.put(&layout.sites(), &entries).await?;
            work.toolbox
                .run(&PUBLISH, &[&new, &layout.site(site)], None)
                .await?;
            return Ok(None);
        }
    }
    // Parents belong to root, so that nobody can put a link in the place of one of these.
    let owner = format!("{uid}:{uid}");
    let (folder, logs, private) = (layout.site(site), layout.logs(site), layout.private(site));
    let (secrets, uploads) = (layout.secrets(site), layout.uploads(site));
    let args = [
        "711", "0:0", &folder, "750", &owner, &logs, "711", "0:0", &private, "700", &owner,
        &secrets, "700", &owner, &uploads,
    ];
    work.toolbox.run(&TREE, &args, None).await?;
    Ok(note)
}

/// Removes what a run that was cut off left under a temporary name.
async fn clear(work: &HostWork, path: &str) -> Result<(), Failure> {
    if work.toolbox.head(path).await?.is_some() {
        work.toolbox.run(&REMOVE, &[path], None).await?;
    }
    Ok(())
}

fn www_entries(path: &str, site: &Name, uid: u32, placeholder: bool) -> Vec<Entry> {
    let mut entries = vec![Entry::folder(path, 0o755, uid)];
    if placeholder {
        let page = PLACEHOLDER.replace("{site}", site.as_str());
        entries.push(Entry::file(&format!("{path}/index.html"), 0o644, uid, page));
    }
    entries
}

/// Gives everything in `www` to the site's uid: in a container that sees nothing else, so that no
/// link in there leads anywhere.
pub async fn own(work: &HostWork, site: &Name, from: Owner, uid: u32, say: &Say) -> Answer {
    let www = work.toolbox.layout.www(site);
    match work.toolbox.head(&www).await? {
        Some(entry) if entry.kind == Kind::Folder && entry.uid == uid => {
            // Done before, or the group alone differs: once more is no harm.
        }
        Some(entry) if entry.kind == Kind::Folder && entry.uid == from.uid => {}
        Some(entry) => {
            return Err(Failure::new(format!(
                "{www} belongs to {}:{} now and not to {}:{} as when this was planned",
                entry.uid, entry.gid, from.uid, from.gid
            ))
            .remedy("plan again"));
        }
        None => return Err(Failure::new(format!("{www} is gone")).remedy("plan again")),
    }
    let helper = Helper::start(work, site, &www).await?;
    say.step(format!("changing the owner of everything in {www}"));
    let owner = format!("{uid}:{uid}");
    let name = OWN.name();
    let argv = OWN.argv(&name, &[&owner, "/www"]);
    let result = work
        .client
        .exec(&helper.name, &argv, None, OWN.deadline)
        .await;
    helper.remove(work).await;
    let out = result?;
    if out.code != 0 {
        let words = String::from_utf8_lossy(&out.stderr);
        let lines = words.lines().take(20).map(|line| short(line, 300));
        let lines: Vec<String> = lines.collect();
        return Err(Failure {
            lines,
            ..Failure::new(format!("not everything in {www} could be given to {uid}"))
        });
    }
    Ok(None)
}

/// A throw-away container that mounts the `www` of one site and nothing else.
struct Helper {
    name: String,
}

/// Seconds after which a helper ends and is gone, whatever became of us.
const HELPER_S: u64 = 3600;

impl Helper {
    async fn start(work: &HostWork, site: &Name, www: &str) -> Result<Helper, Failure> {
        let name = names::helper(&work.fleet.name, site.as_str());
        let body = ContainerCreateBody {
            image: Some(work.host.images.toolbox.clone()),
            entrypoint: Some(Vec::new()),
            cmd: Some(vec!["sleep".into(), HELPER_S.to_string()]),
            user: Some("0:0".into()),
            labels: Some(HashMap::from([
                (labels::FLEET.to_owned(), work.fleet.name.to_string()),
                (labels::ROLE.to_owned(), Role::Helper.word().to_owned()),
            ])),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{www}:/www:rw")]),
                network_mode: Some("none".into()),
                auto_remove: Some(true),
                readonly_rootfs: Some(true),
                cap_drop: Some(vec!["ALL".into()]),
                cap_add: Some(vec!["CHOWN".into(), "DAC_OVERRIDE".into(), "FOWNER".into()]),
                security_opt: Some(vec!["no-new-privileges".into()]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let helper = Helper { name };
        if let Err(e) = work.client.create(&helper.name, &body).await {
            if !e.is_conflict() {
                return Err(e.into());
            }
            // Left by a run that was cut off, if it is ours at all.
            if super::container::ours(work, &helper.name).await?.is_none() {
                return Err(Failure::from(e).remedy("rename or remove that container"));
            }
            helper.remove(work).await;
            work.client.create(&helper.name, &body).await?;
        }
        if let Err(e) = work.client.start(&helper.name).await {
            helper.remove(work).await;
            return Err(e.into());
        }
        Ok(helper)
    }

    async fn remove(&self, work: &HostWork) {
        // It ends and goes by itself when this fails.
        let _ = tokio::time::timeout(
            Duration::from_secs(30),
            work.client.remove(&self.name, true),
        )
        .await;
    }
}

/// Writes the files of a spec into a folder that is named by the spec's hash.
pub async fn write_conf(
    work: &HostWork,
    site: &Name,
    hash: &str,
    files: &BTreeMap<String, String>,
) -> Answer {
    if !is_hash(hash) {
        return Err(Failure::new(
            "the folder of its configuration has no hash of ours",
        ));
    }
    if let Some(path) = files.keys().find(|path| !is_within(path)) {
        return Err(Failure::new(format!(
            "{path} is not a path within a folder"
        )));
    }
    let layout = &work.toolbox.layout;
    let conf = layout.conf(site, hash);
    if work.toolbox.head(&conf).await?.is_some() {
        return restore_conf(work, &conf, files).await;
    }
    let new = crate::record::layout::temporary(&conf);
    let name = format!(".new-conf-{hash}");
    let mut folders = BTreeSet::new();
    for path in files.keys() {
        let mut at = path.as_str();
        while let Some((parent, _)) = at.rsplit_once('/') {
            folders.insert(parent.to_owned());
            at = parent;
        }
    }
    let mut entries = vec![Entry::folder(&name, 0o755, 0)];
    // In order of their names parents come first.
    entries.extend(
        folders
            .iter()
            .map(|f| Entry::folder(&format!("{name}/{f}"), 0o755, 0)),
    );
    entries.extend(
        files
            .iter()
            .map(|(path, text)| Entry::file(&format!("{name}/{path}"), 0o644, 0, text.as_bytes())),
    );
    clear(work, &new).await?;
    work.toolbox.put(&layout.private(site), &entries).await?;
    work.toolbox.run(&PUBLISH, &[&new, &conf], None).await?;
    Ok(None)
}

/// Puts right what was edited in a folder that is there: each file in one step, so that a container
/// that starts meanwhile reads a whole one.
async fn restore_conf(work: &HostWork, conf: &str, files: &BTreeMap<String, String>) -> Answer {
    let found = work.toolbox.get(conf).await?;
    let name = conf.rsplit('/').next().unwrap_or(conf);
    let below = |entry: &Entry| -> Option<String> {
        let path = entry.path.trim_start_matches("./").trim_end_matches('/');
        path.strip_prefix(name)?
            .strip_prefix('/')
            .map(str::to_owned)
    };
    let mut there = BTreeMap::new();
    let mut strange = Vec::new();
    for entry in &found {
        let Some(path) = below(entry) else { continue };
        let is_parent = || files.keys().any(|f| f.starts_with(&format!("{path}/")));
        match entry.kind {
            Kind::File if files.contains_key(&path) => {
                there.insert(path, entry);
            }
            Kind::Folder if is_parent() => {}
            _ => strange.push(format!("{conf}/{path}")),
        }
    }
    let wrong: Vec<(&String, &String)> = files
        .iter()
        .filter(|(path, text)| {
            there.get(*path).is_none_or(|entry| {
                entry.bytes != text.as_bytes() || entry.uid != 0 || entry.mode & 0o777 != 0o644
            })
        })
        .collect();
    if wrong.is_empty() && strange.is_empty() {
        return Ok(Some("it was there already".into()));
    }
    if !strange.is_empty() {
        let strange: Vec<&str> = strange.iter().map(String::as_str).collect();
        work.toolbox.run(&REMOVE, &strange, None).await?;
    }
    let mut folders: BTreeSet<String> = BTreeSet::new();
    for (path, _) in &wrong {
        let mut at = path.as_str();
        while let Some((parent, _)) = at.rsplit_once('/') {
            folders.insert(format!("{conf}/{parent}"));
            at = parent;
        }
    }
    // In order of their names parents come first.
    let args: Vec<&str> = folders
        .iter()
        .flat_map(|f| ["755", "0:0", f.as_str()])
        .collect();
    if !args.is_empty() {
        work.toolbox.run(&TREE, &args, None).await?;
    }
    let new: Vec<NewFile> = wrong
        .into_iter()
        .map(|(path, text)| NewFile::new(format!("{conf}/{path}"), 0o644, text.as_bytes()))
        .collect();
    work.toolbox.replace(&new).await?;
    Ok(None)
}

/// Removes the files of specs that are not used any more.
pub async fn clean_conf(work: &HostWork, site: &Name, keep: Option<&str>) -> Answer {
    let private = work.toolbox.layout.private(site);
    let keep = keep.map(|hash| format!("conf-{hash}"));
    for prefix in ["conf-", ".new-conf-"] {
        let mut args = vec![private.as_str(), prefix];
        args.extend(keep.as_deref());
        work.toolbox.run(&KEEP_ONLY, &args, None).await?;
    }
    Ok(None)
}
