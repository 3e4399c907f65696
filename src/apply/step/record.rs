//! What was applied, written down on the host: last of all that is done for a site or a host.

use chrono::{SecondsFormat, Utc};

use crate::apply::host_work::HostWork;
use crate::apply::journal;
use crate::apply::progress::{Answer, Failure};
use crate::fleet::{Name, file_hash};
use crate::host::script::REMOVE;
use crate::host::state;
use crate::observe::made;
use crate::record::check::is_run;
use crate::record::{Fields, Labelled, SiteRecord, names};

/// Writes a site's record. What the plan could not know is filled in: what services have to tell, the
/// id of an image that was brought by this plan.
pub async fn write(work: &HostWork, site: Option<&Name>, record: &SiteRecord) -> Answer {
    let mut record = record.clone();
    if let Some(site) = site {
        work.say_in(site, &mut record);
    }
    if record.image_id.is_none()
        && let Some(spec) = &record.spec
    {
        match work.client.inspect_image(&spec.image).await {
            Ok(image) => record.image_id = image.id,
            // Removed meanwhile: the container goes on without it, and so does the record.
            Err(e) if e.is_not_found() => {}
            Err(e) => return Err(e.into()),
        }
    }
    if record.made.is_none() && record.address.is_some() {
        record.made = made(work, &record).await?;
    }
    state::write_site(&work.toolbox, &record).await?;
    Ok(None)
}

/// What the engine tells of the container that a record is about: later changes by hand are found
/// by it.
async fn made(work: &HostWork, record: &SiteRecord) -> Result<Option<Fields>, Failure> {
    let name = names::site(&work.fleet.name, record.site.as_str());
    for name in [name.clone(), names::next(&name)] {
        let found = match work.client.inspect(&name).await {
            Ok(found) => found,
            Err(e) if e.is_not_found() => continue,
            Err(e) => return Err(e.into()),
        };
        let labels = found.config.as_ref().and_then(|c| c.labels.as_ref());
        let hash = labels.and_then(|l| l.spec_hash());
        let address = labels.and_then(|l| l.asked_address());
        if hash == record.hash.as_deref() && address == record.address {
            let engine = &work.client.version().version;
            return Ok(Some(made::made(&found, engine)));
        }
    }
    Ok(None)
}

/// Writes into the journal of an apply that was cut off what became of it, and takes its note away.
pub async fn settle(work: &HostWork, run: &str, undone: bool) -> Answer {
    if !is_run(run) {
        return Err(Failure::new("what was cut off has no name of an apply"));
    }
    journal::settle(&work.toolbox, run, &work.run, undone).await?;
    let note = work.toolbox.layout.applying(run);
    work.toolbox.run(&REMOVE, &[&note], None).await?;
    Ok(None)
}

/// Keeps the fleet file applied, and who applied it.
pub async fn fleet(work: &HostWork, hash: &str) -> Answer {
    let found = file_hash(&work.fleet_bytes);
    if found != hash {
        return Err(
            Failure::new("the plan was made from another version of the fleet file")
                .remedy("plan again"),
        );
    }
    // Only a host that was prepared has a record: one made here would hide that it was not.
    let Some(mut record) = state::read_host(&work.toolbox).await? else {
        return Err(Failure::new("the host was not prepared"));
    };
    if record.fleet != work.fleet.name.as_str() {
        return Err(Failure::new(format!(
            "what is kept there belongs to the fleet {}",
            record.fleet
        ))
        .remedy("give this fleet another `root:` on this host"));
    }
    record.fleet_hash = hash.to_owned();
    record.commit = work.commit.clone();
    record.applied_by = Some(format!(
        "{} at {}, {}",
        work.operator.who,
        work.operator.whence,
        Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
    ));
    state::write_host(&work.toolbox, &record, Some(&work.fleet_bytes)).await?;
    Ok(None)
}
