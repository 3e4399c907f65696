//! What a machine far away says of itself: through the toolbox, which is on its network and has its
//! root folder.

use bollard::models::SystemInfo;

use super::facts::{Local, Patient, Unseen, Witness, whose};
use super::local::{self, Listening, METADATA_ADDRESS, Space};
use crate::engine::{Client, ListedContainer, Mode};
use crate::host::script::{DISK, HTTP, PORTS, ROUTING, Script};
use crate::host::{Toolbox, ToolboxError};
use crate::observe::whose::Whose;
use crate::record::Layout;

/// Asks the toolbox of the patient's fleet, where commands may be run and it runs.
pub async fn ask(
    client: &Client,
    mode: Mode,
    patient: &Patient,
    containers: &[ListedContainer],
    info: &SystemInfo,
) -> Result<Local, Unseen> {
    let unseen = |why: &str, remedy: &str| Unseen {
        why: why.to_owned(),
        remedy: remedy.to_owned(),
    };
    let Some(fleet) = &patient.fleet else {
        return Err(unseen(
            "without a fleet file there is no toolbox to ask",
            "run doctor on the host itself, or where the fleet file is",
        ));
    };
    let ours = |c: &&ListedContainer| {
        whose(c, Some(fleet)) == Some(Whose::Toolbox) && c.state == "running"
    };
    let Some(toolbox) = containers.iter().filter(ours).max_by_key(|c| c.created) else {
        return Err(unseen(
            "no toolbox of this fleet runs there",
            "`ostler apply` makes one, and looks before it changes anything else",
        ));
    };
    if mode == Mode::OnCall {
        return Err(unseen(
            "only a command in the toolbox tells, and on-call mode runs none",
            "run doctor without --read-only",
        ));
    }
    let toolbox = Toolbox {
        client: client.clone(),
        id: toolbox.id.clone(),
        layout: Layout::new(&patient.root),
    };
    let told = tell(&toolbox, info).await;
    told.map_err(|error| {
        unseen(
            &error.to_string(),
            "`docker logs` of the toolbox may say more; `ostler apply` makes it anew where it is broken",
        )
    })
}

async fn tell(toolbox: &Toolbox, info: &SystemInfo) -> Result<Local, ToolboxError> {
    let root = toolbox.layout.root();
    // Its own root folder lies where Docker keeps everything.
    let (here, there) = ([root], ["/"]);
    let asked = [METADATA_ADDRESS, "80", "/", METADATA_ADDRESS, "1"];
    let (ports, routing, below_root, own, metadata) = futures_util::try_join!(
        text(toolbox, &PORTS, &[]),
        text(toolbox, &ROUTING, &[]),
        text(toolbox, &DISK, &here),
        text(toolbox, &DISK, &there),
        toolbox.try_run(&HTTP, &asked, None, HTTP.deadline),
    )?;
    let listening = local::parse_tcp(&ports);
    let docker = info.docker_root_dir.as_deref().unwrap_or("/var/lib/docker");
    let mut space: Vec<(String, Space)> = Vec::new();
    for (path, told) in [(docker, &own), (root, &below_root)] {
        if let Some(found) = parse_disk(told)
            && !space.iter().any(|(_, other)| same_disk(other, &found))
        {
            space.push((path.to_owned(), found));
        }
    }
    let (filtered, routes) = routing.split_once('\n').unwrap_or_default();
    Ok(Local {
        listening: listening
            .into_iter()
            .map(|(address, port, _)| Listening {
                address,
                port,
                process: None,
            })
            .collect(),
        routes: local::parse_routes(routes),
        space,
        bridged_packets_filtered: local::parse_filtered(filtered),
        metadata: Some(metadata.code == 0),
        by: Witness::Toolbox,
    })
}

/// Whether two answers are about one file system: they were given one after the other, while others
/// write there.
fn same_disk(one: &Space, other: &Space) -> bool {
    one.size == other.size && one.free.abs_diff(other.free) < 64 << 20
}

async fn text(toolbox: &Toolbox, script: &Script, args: &[&str]) -> Result<String, ToolboxError> {
    let bytes = toolbox.run(script, args, None).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of [`DISK`].
fn parse_disk(text: &str) -> Option<Space> {
    let pair = |at: usize| {
        let mut numbers = text.lines().nth(at)?.split_whitespace();
        let mut number = || numbers.next()?.parse::<u64>().ok();
        Some((number()?, number()?))
    };
    let (size, free) = pair(0)?;
    Some(Space {
        size,
        free,
        inodes: pair(1).filter(|(all, _)| *all > 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_read() {
        let space = Space {
            size: 1000,
            free: 400,
            inodes: Some((10, 5)),
        };
        assert_eq!(parse_disk("  1000   400\n 10 5\n"), Some(space));
        let uncounted = parse_disk("1000 400\n - -\n").unwrap();
        assert_eq!(uncounted.inodes, None);
        assert_eq!(parse_disk("df: /x: No such file\n"), None);
        assert_eq!(parse_disk(""), None);
    }
}
