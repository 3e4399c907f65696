//! Waiting until the guard's rules stand.

use std::time::Duration;

use tokio::time::Instant;

use super::ready::{ended, last_lines};
use crate::apply::host_work::HostWork;
use crate::apply::progress::{Answer, Failure};
use crate::host::Toolbox;
use crate::host::script::GUARDED;
use crate::plan::ContainerRef;

/// How long the guard may take: it runs one command.
const TAKES: Duration = Duration::from_secs(20);

/// Waits for the rules, as the kernel lists them.
pub async fn stands(work: &HostWork, container: &ContainerRef, table: &str) -> Answer {
    let id = container.known_as();
    // What is asked in the toolbox is asked in the guard here: only it may list rules.
    let guard = Toolbox {
        client: work.client.clone(),
        id: id.to_owned(),
        layout: work.toolbox.layout.clone(),
    };
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
