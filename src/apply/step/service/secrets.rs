//! Secrets as files.

use std::collections::BTreeMap;

use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure};
use crate::fleet::Name;
use crate::host::script::{KEEP_ONLY, TREE};
use crate::host::service::secrets;
use crate::host::state;
use crate::host::toolbox::NewFile;
use crate::plan::service::secrets::operation::SecretsOperation;
use crate::text::plain;

/// Does what the plan says about secrets.
pub(super) async fn perform(operation: &SecretsOperation, work: &HostWork) -> Answer {
    let SecretsOperation::WriteSecrets {
        site,
        uid,
        digests,
        keep,
    } = operation;
    write(work, site, *uid, digests, keep).await
}

/// Reads a site's secrets at their source and puts them where the site sees them.
async fn write(
    work: &HostWork,
    site: &Name,
    uid: u32,
    planned: &BTreeMap<String, String>,
    keep: &[String],
) -> Answer {
    let Some(wanted) = work.fleet.sites.get(site) else {
        return Err(Failure::new(format!("the fleet file does not name {site}")));
    };
    let bytes = secrets::read_all(work.secrets.as_ref(), wanted)
        .await
        .map_err(|e| Failure::new(plain(&e.to_string())))?;
    let host = state::read_host(&work.toolbox)
        .await?
        .ok_or_else(|| Failure::new("the host has no record yet").remedy("plan again"))?;
    let digests = secrets::digests(&host.digest_key, site, &bytes);
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
    let files: Vec<NewFile> = bytes
        .iter()
        .map(|(name, secret)| NewFile {
            path: format!("{folder}/{name}"),
            mode: 0o400,
            owner: uid,
            bytes: secret.0.clone(),
        })
        .collect();
    work.toolbox.replace(&files).await?;
    let mut args = vec![folder.as_str(), ""];
    args.extend(bytes.keys().map(String::as_str));
    args.extend(keep.iter().map(String::as_str));
    work.toolbox.run(&KEEP_ONLY, &args, None).await?;
    work.tell(site, move |record| record.secrets.clone_from(&digests));
    Ok(None)
}
