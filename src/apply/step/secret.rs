//! Secrets as files.

use std::collections::BTreeMap;

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure, plain};
use crate::fleet::Name;
use crate::host::script::{KEEP_ONLY, TREE};
use crate::host::toolbox::NewFile;
use crate::host::{secret, state};

/// Reads a site's secrets at their source and puts them where the site sees them.
pub async fn write(
    work: &HostWork,
    site: &Name,
    uid: u32,
    planned: &BTreeMap<String, String>,
    keep: &[String],
) -> Answer {
    let Some(wanted) = work.fleet.sites.get(site) else {
        return Err(Failure::new(format!("the fleet file does not name {site}")));
    };
    let secrets = secret::read_all(work.secrets.as_ref(), wanted)
        .await
        .map_err(|e| Failure::new(plain(&e.to_string())))?;
    let host = state::read_host(&work.toolbox)
        .await?
        .ok_or_else(|| Failure::new("the host has no record yet").remedy("plan again"))?;
    let digests = secret::digests(&host.digest_key, site, &secrets);
    // A plan made before the host had its key knows no digest.
    if let Some(name) = planned
        .iter()
        .filter(|(_, digest)| !digest.is_empty())
        .find(|(name, digest)| digests.get(*name) != Some(*digest))
        .map(|(name, _)| name)
    {
        return Err(Failure::new(format!(
            "the secret {name} is not what it was when this was planned"
        ))
        .remedy("plan again"));
    }
    let layout = &work.toolbox.layout;
    let folder = layout.secrets(site);
    let owner = format!("{uid}:{uid}");
    let private = layout.private(site);
    let args = ["711", "0:0", &private, "700", &owner, &folder];
    work.toolbox.run(&TREE, &args, None).await?;
    let files: Vec<NewFile> = secrets
        .iter()
        .map(|(name, bytes)| NewFile {
            path: format!("{folder}/{name}"),
            mode: 0o400,
            owner: uid,
            bytes: bytes.0.clone(),
        })
        .collect();
    work.toolbox.replace(&files).await?;
    let mut args = vec![folder.as_str(), ""];
    args.extend(secrets.keys().map(String::as_str));
    args.extend(keep.iter().map(String::as_str));
    work.toolbox.run(&KEEP_ONLY, &args, None).await?;
    if let Ok(mut written) = work.written.lock() {
        written.insert(site.clone(), digests);
    }
    Ok(None)
}
