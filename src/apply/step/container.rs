//! Containers: create, start, stop, rename, remove, limits.

use std::time::Duration;

use bollard::models::RestartPolicyNameEnum;

use crate::apply::body;
use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure};
use crate::engine;
use crate::fleet::Limits;
use crate::observe::whose::told;
use crate::plan::ContainerRef;
use crate::record::Labelled;
use crate::record::spec::{NewContainer, SpecNetwork};

/// Creates a container, unless this very one is there: an apply that was cut off made it.
pub async fn create(work: &HostWork, container: &NewContainer) -> Answer {
    let body = body::create(container, &work.toolbox.layout)?;
    let error = match work.client.create(&container.name, &body).await {
        Ok(_) => return Ok(left_behind(work, container).await),
        Err(e) if e.is_conflict() => e,
        Err(e) => return Err(e.into()),
    };
    let found = work.client.inspect(&container.name).await?;
    let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
    let same = container
        .labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value));
    if same && container.labels.spec_hash().is_some() {
        return Ok(Some("it was there already".into()));
    }
    Err(Failure::from(error).remedy("plan again: the host has changed since"))
}

/// A word on data that the image keeps outside of the site's folder: in a volume that belongs to one
/// container, and that the next one does not get.
async fn left_behind(work: &HostWork, container: &NewContainer) -> Option<String> {
    // The recipes that bring their own files keep nothing elsewhere.
    if !container.spec.files.is_empty() || container.spec.network == SpecNetwork::Host {
        return None;
    }
    let image = work.client.inspect_image(&container.spec.image).await;
    let volumes = image.ok()?.config?.volumes?;
    let kept = |path: &str| {
        let bound = container.spec.binds.iter().map(|bind| &bind.inside);
        bound.chain(container.spec.tmpfs.keys()).any(|p| p == path)
    };
    let lost: Vec<&str> = volumes
        .iter()
        .map(String::as_str)
        .filter(|path| !kept(path))
        .collect();
    let first = lost.first()?;
    Some(format!(
        "this image keeps data in {}: a container that replaces this one begins without it; \
         `mount: {first}` keeps it with the site's files",
        lost.join(", ")
    ))
}

/// Starts a container, and has the engine keep it up. One that runs is fine.
pub async fn start(work: &HostWork, container: &ContainerRef) -> Answer {
    // One that this plan creates has its policy from the start.
    if container.id.is_some() {
        let always = body::restart_policy(RestartPolicyNameEnum::ALWAYS);
        work.client.update(container.known_as(), &always).await?;
    }
    match work.client.start(container.known_as()).await {
        Ok(()) => Ok(None),
        Err(e)
            if e.to_string()
                .to_lowercase()
                .contains("address already in use") =>
        {
            Err(Failure::from(e).remedy(
                "something else has its address or port; plan again, and look at `ostler doctor`",
            ))
        }
        Err(e) if e.to_string().contains("task") && e.to_string().contains("already exists") => {
            let gone = remove_unborn(work, container).await?;
            Err(Failure::from(e).remedy(if gone {
                "Docker was killed while it started this container and cannot start it any more; it had never run and was removed: apply again makes it anew"
            } else {
                "Docker was killed while it started this container and cannot start it any more: remove it on the host with `docker rm -f`, and apply again; its files are kept"
            }))
        }
        Err(e) => Err(e.into()),
    }
}

/// Removes a container of this fleet that never ran. Whether it did.
async fn remove_unborn(work: &HostWork, container: &ContainerRef) -> Result<bool, Failure> {
    let Some(id) = ours(work, container.known_as()).await? else {
        return Ok(false);
    };
    let state = work.client.inspect(&id).await?.state;
    let started = state.and_then(|s| s.started_at).unwrap_or_default();
    // Go's zero time: never.
    if !started.is_empty() && !started.starts_with("0001-") {
        return Ok(false);
    }
    work.client.remove(&id, true).await?;
    Ok(true)
}

/// Stops a container with its own signal, to stay stopped when the daemon restarts.
pub async fn stop(work: &HostWork, container: &ContainerRef, grace_s: u32) -> Answer {
    let no = body::restart_policy(RestartPolicyNameEnum::NO);
    gone_is_fine(work.client.update(container.known_as(), &no).await)?;
    let grace = Duration::from_secs(u64::from(grace_s));
    gone_is_fine(work.client.stop(container.known_as(), grace).await)
}

/// Restarts a container in place.
pub async fn restart(work: &HostWork, container: &ContainerRef, grace_s: u32) -> Answer {
    let grace = Duration::from_secs(u64::from(grace_s));
    work.client.restart(container.known_as(), grace).await?;
    Ok(None)
}

/// Removes a container. One that is known by name only is removed where it is this fleet's: the
/// name may have gone to somebody else's before ours could be made.
pub async fn remove(work: &HostWork, container: &ContainerRef, force: bool) -> Answer {
    let found;
    let id = match &container.id {
        Some(id) => id.as_str(),
        None => match ours(work, &container.name).await? {
            Some(id) => {
                found = id;
                &found
            }
            None => return Ok(Some(format!("{} is not ours", container.name))),
        },
    };
    match work.client.remove(id, force).await {
        // Somebody's removal is under way, ours of a cut-off apply perhaps.
        Err(e)
            if e.is_conflict()
                && work
                    .client
                    .inspect(id)
                    .await
                    .is_err_and(|e| e.is_not_found()) =>
        {
            Ok(None)
        }
        result => gone_is_fine(result),
    }
}

/// The id of the container of this name or id, if it is this fleet's.
pub async fn ours(work: &HostWork, name: &str) -> Result<Option<String>, Failure> {
    let found = match work.client.inspect(name).await {
        Ok(found) => found,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
    let called = found.name.as_deref().unwrap_or(name);
    let called = called.strip_prefix('/').unwrap_or(called);
    let ours = told(&labels, called, &work.fleet.name).is_some();
    Ok(found.id.filter(|_| ours))
}

/// Renames a container.
pub async fn rename(work: &HostWork, container: &ContainerRef, to: &str) -> Answer {
    let id = container.known_as();
    let Err(error) = work.client.rename(id, to).await else {
        return Ok(None);
    };
    // The engine refuses to give a container the name it has, and one of a cut-off apply has it.
    if let Ok(holder) = work.client.inspect(to).await {
        let holder_id = holder.id.unwrap_or_default();
        let renamed = match &container.id {
            Some(id) => *id == holder_id,
            None => work
                .client
                .inspect(id)
                .await
                .is_err_and(|e| e.is_not_found()),
        };
        if renamed {
            return Ok(Some("it had the name already".into()));
        }
    }
    Err(error.into())
}

/// Has the engine start a container again when it ends, or not.
pub async fn set_restart(work: &HostWork, container: &ContainerRef, always: bool) -> Answer {
    let name = match always {
        true => RestartPolicyNameEnum::ALWAYS,
        false => RestartPolicyNameEnum::NO,
    };
    let body = body::restart_policy(name);
    work.client.update(container.known_as(), &body).await?;
    Ok(None)
}

/// Changes limits in place.
pub async fn set_limits(
    work: &HostWork,
    container: &ContainerRef,
    limits: &Limits,
    was: &Limits,
) -> Answer {
    let body = body::limits(limits, was)?;
    match work.client.update(container.known_as(), &body).await {
        Ok(()) => Ok(None),
        Err(e) => {
            let failure = Failure::from(e);
            Err(match limits.memory < was.memory {
                true => failure.remedy(
                    "the site may be using more than the new limit: restart it, then apply again",
                ),
                false => failure,
            })
        }
    }
}

/// What is not there any more needs not be done.
fn gone_is_fine(result: Result<(), engine::Error>) -> Answer {
    match result {
        Ok(()) => Ok(None),
        Err(e) if e.is_not_found() => Ok(Some("it was gone already".into())),
        Err(e) => Err(e.into()),
    }
}
