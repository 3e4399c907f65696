//! The guard's rules: waiting until they stand, and taking them away.

use std::time::Duration;

use tokio::time::Instant;

use super::ready::{ended, last_lines};
use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure};
use crate::host::Toolbox;
use crate::host::script::{GUARDED, UNGUARD};
use crate::plan::ContainerRef;

/// How long the guard may take: it runs one command.
const TAKES: Duration = Duration::from_secs(20);

/// What is asked in the toolbox elsewhere is asked in the guard: only it may see rules.
fn guard(work: &HostWork, container: &ContainerRef) -> Toolbox {
    Toolbox {
        client: work.client.clone(),
        id: container.known_as().to_owned(),
        layout: work.toolbox.layout.clone(),
    }
}

/// Takes the rules away.
pub async fn open(work: &HostWork, container: &ContainerRef, table: &str) -> Answer {
    guard(work, container).run(&UNGUARD, &[table], None).await?;
    Ok(None)
}

/// Waits for the rules, as the kernel lists them.
pub async fn stands(work: &HostWork, container: &ContainerRef, table: &str) -> Answer {
    let id = container.known_as();
    let guard = guard(work, container);
    let end = Instant::now() + TAKES;
    let before = work.client.inspect(id).await?.restart_count;
    let why = loop {
        match guard
            .try_run(&GUARDED, &[table], None, GUARDED.deadline)
            .await
        {
            Ok(out) if out.code == 0 => return Ok(None),
            // It may have ended just now: that is asked next.
            Ok(_) => {}
            Err(error) if Instant::now() >= end => return Err(error.into()),
            Err(_) => {}
        }
        let facts = work.client.inspect(id).await?;
        if let Some(why) = ended(&facts, before.unwrap_or_default()) {
            break why;
        }
        if Instant::now() >= end {
            break format!("its rules did not stand within {} s", TAKES.as_secs());
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
            () = work.cancel.cancelled() => return Err(Failure::new("cancelled")),
        }
    };
    Err(Failure {
        lines: last_lines(work, id).await,
        ..Failure::new(why).remedy(
            "the host's kernel needs nf_tables, and the image `nft`; without `isolate: strict` sites are kept from each other only",
        )
    })
}
