//! The engine itself, and networks.

use serde_json::{Value, json};

use super::{Call, Reply, empty, json_reply};
use crate::sim::Sim;

pub(super) fn version(sim: &Sim) -> Reply {
    let machine = sim.look(|world, _| world.machine.clone());
    let answer = json!({
        "Version": machine.version,
        "ApiVersion": machine.api,
        "MinAPIVersion": machine.min_api,
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": "6.12.0",
        "Components": [{ "Name": "Engine", "Version": machine.version }],
    });
    Ok(json_reply(200, &answer))
}

pub(super) fn disk_use(sim: &Sim) -> Reply {
    let answer = sim.look(|world, _| {
        let images: Vec<Value> = world.images.iter().map(|image| image.row()).collect();
        let size: i64 = world.images.iter().map(|image| image.size).sum();
        json!({ "LayersSize": size, "Images": images, "Containers": [], "Volumes": [], "BuildCache": [] })
    });
    Ok(json_reply(200, &answer))
}

pub(super) fn networks(sim: &Sim) -> Reply {
    let rows: Vec<Value> = sim.look(|world, _| {
        world
            .networks
            .iter()
            .map(|network| network.detail())
            .collect()
    });
    Ok(json_reply(200, &Value::Array(rows)))
}

pub(super) fn network(sim: &Sim, id: &str) -> Reply {
    let detail = sim.look(|world, _| world.network(id).map(|network| network.detail()))?;
    Ok(json_reply(200, &detail))
}

pub(super) fn create_network(sim: &Sim, call: &Call) -> Reply {
    let body = call.json()?;
    let id = sim.change(|world, now| world.create_network(now, &body))?;
    Ok(json_reply(201, &json!({ "Id": id, "Warning": "" })))
}

pub(super) fn remove_network(sim: &Sim, id: &str) -> Reply {
    sim.change(|world, now| world.remove_network(now, id))?;
    Ok(empty(http::StatusCode::NO_CONTENT))
}
