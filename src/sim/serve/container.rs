//! Containers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::{Call, Reply, empty, full, json_reply, pause, with_kind};
use crate::sim::Sim;
use crate::sim::clock::{SECOND, rfc3339};
use crate::sim::container::{Container, Phase};
use crate::sim::life::signal;
use crate::sim::program::Program;
use crate::sim::script;
use crate::sim::tree::Kind;
use crate::sim::world::{Refusal, refuse};

pub(super) fn list(sim: &Sim, call: &Call) -> Reply {
    let all = call.flag("all");
    let (labels, names, states) = (
        call.filter("label"),
        call.filter("name"),
        call.filter("status"),
    );
    let ids = call.filter("id");
    let fits = |container: &Container| {
        let label = |wanted: &String| match wanted.split_once('=') {
            Some((name, value)) => container.labels.get(name).is_some_and(|is| is == value),
            None => container.labels.contains_key(wanted),
        };
        (all || !states.is_empty() || container.is_running())
            && labels.iter().all(label)
            && (ids.is_empty() || ids.iter().any(|id| container.id.starts_with(id.as_str())))
            && (names.is_empty()
                || names
                    .iter()
                    .any(|name| container.name.contains(name.as_str())))
    };
    let rows = sim.look(|world, now| {
        let (networks, linked) = (world.network_ids(), world.linked_names());
        let mut found: Vec<&Container> = world.containers.values().filter(|it| fits(it)).collect();
        // The newest first, as the engine has it.
        found.sort_by_key(|container| std::cmp::Reverse((container.created, container.serial)));
        let rows: Vec<Value> = found
            .into_iter()
            .map(|container| {
                let linked = linked.get(&container.id).map_or(&[][..], Vec::as_slice);
                container.row(now, &networks, linked)
            })
            .collect();
        rows
    });
    let fits_state = |row: &Value| {
        let state = row.get("State").and_then(Value::as_str).unwrap_or_default();
        states.is_empty() || states.iter().any(|wanted| wanted == state)
    };
    Ok(json_reply(
        200,
        &Value::Array(rows.into_iter().filter(fits_state).collect()),
    ))
}

pub(super) async fn create(sim: &Sim, call: &Call) -> Reply {
    let body = call.json()?;
    pause(sim.pace().create).await;
    let id = sim.change(|world, now| world.create(now, call.text("name"), &body))?;
    Ok(json_reply(201, &json!({ "Id": id, "Warnings": [] })))
}

pub(super) fn inspect(sim: &Sim, name: &str) -> Reply {
    let detail = sim.look(|world, now| {
        let id = world.find(name)?;
        Ok::<_, Refusal>(world.containers[&id].detail(now, &world.network_ids()))
    })?;
    Ok(json_reply(200, &detail))
}

pub(super) fn stats(sim: &Sim, name: &str, call: &Call) -> Reply {
    if call.text("stream").is_empty() || call.flag("stream") {
        return refuse(501, "the simulation measures once only: stream=false");
    }
    let stats = sim.look(|world, now| {
        let id = world.find(name)?;
        Ok::<_, Refusal>(world.stats(now, &world.containers[&id]))
    })?;
    Ok(json_reply(200, &stats))
}

pub(super) fn top(sim: &Sim, name: &str) -> Reply {
    let row = sim.look(|world, _| {
        let id = world.find(name)?;
        let container = &world.containers[&id];
        if !container.is_running() {
            return refuse(409, format!("Container {id} is not running"));
        }
        Ok(json!([
            "root",
            (1000 + container.serial).to_string(),
            container.argv.join(" ")
        ]))
    })?;
    Ok(json_reply(
        200,
        &json!({ "Titles": ["UID", "PID", "CMD"], "Processes": [row] }),
    ))
}

pub(super) async fn start(sim: &Sim, name: &str) -> Reply {
    sim.look(|world, _| world.find(name))?;
    pause(sim.pace().start).await;
    let begun = sim.change(|world, now| world.start(now, name))?;
    if !begun {
        return Ok(empty(StatusCode::NOT_MODIFIED));
    }
    run_script(sim, name);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// A container of which the whole program is one of the toolbox's scripts.
fn run_script(sim: &Sim, name: &str) {
    let script = sim.look(|world, _| {
        let id = world.find(name).ok()?;
        match &world.containers[&id].program {
            Program::Script { tag, args } => Some((id, tag.clone(), args.clone())),
            _ => None,
        }
    });
    let Some((id, tag, args)) = script else {
        return;
    };
    let sim = sim.clone();
    tokio::spawn(async move {
        let output = script::run(&sim, &id, &tag, &args, b"").await;
        sim.change(|world, now| {
            world.print(now, &id, crate::engine::Out::Out, &output.stdout);
            world.print(now, &id, crate::engine::Out::Err, &output.stderr);
            world.end(now, &id, output.code);
        });
    });
}

fn grace(call: &Call) -> i64 {
    call.text("t").parse::<i64>().unwrap_or(10).max(0) * SECOND
}

pub(super) async fn stop(sim: &Sim, name: &str, call: &Call) -> Reply {
    let grace = grace(call);
    let id = sim.look(|world, _| world.find(name))?;
    if !sim.change(|world, now| world.stop(now, &id, grace))? {
        return Ok(empty(StatusCode::NOT_MODIFIED));
    }
    ended(sim, &id).await;
    sim.change(|world, now| world.emit_container(now, "stop", &id, &[]));
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Waits for the end of a container's run. Its exit code.
async fn ended(sim: &Sim, id: &str) -> i64 {
    sim.wait_for(|world, _| match world.containers.get(id) {
        Some(container) if container.is_running() => None,
        Some(container) => Some(container.exit_code),
        None => Some(137),
    })
    .await
}

pub(super) async fn restart(sim: &Sim, name: &str, call: &Call) -> Reply {
    let grace = grace(call);
    let id = sim.look(|world, _| world.find(name))?;
    if sim.change(|world, now| world.stop(now, &id, grace))? {
        ended(sim, &id).await;
        sim.change(|world, now| world.emit_container(now, "stop", &id, &[]));
    }
    pause(sim.pace().start).await;
    sim.change(|world, now| world.start(now, &id))?;
    run_script(sim, &id);
    sim.change(|world, now| world.emit_container(now, "restart", &id, &[]));
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) fn kill(sim: &Sim, name: &str, call: &Call) -> Reply {
    let text = match call.text("signal") {
        "" => "SIGKILL",
        text => text,
    };
    let Some(number) = signal(text) else {
        return refuse(400, format!("Invalid signal: {text}"));
    };
    sim.change(|world, now| world.kill(now, name, number))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) fn rename(sim: &Sim, name: &str, call: &Call) -> Reply {
    let new = call.text("name").trim_start_matches('/');
    if new.is_empty() {
        return refuse(400, "New name cannot be empty");
    }
    sim.change(|world, now| world.rename(now, name, new))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) fn update(sim: &Sim, name: &str, call: &Call) -> Reply {
    let body = call.json()?;
    let changes = body.as_object().cloned().unwrap_or_default();
    sim.change(|world, now| world.update(now, name, &changes))?;
    Ok(json_reply(200, &json!({ "Warnings": null })))
}

pub(super) async fn wait(sim: &Sim, name: &str, call: &Call) -> Reply {
    let next = call.text("condition") == "next-exit";
    let (id, run) = sim.look(|world, _| {
        let id = world.find(name)?;
        let run = world.containers[&id].run;
        Ok::<_, Refusal>((id, run))
    })?;
    let code = sim
        .wait_for(|world, _| match world.containers.get(&id) {
            None => Some(137),
            Some(container) if next && container.run == run && !container.is_running() => None,
            Some(container) if matches!(container.phase, Phase::Exited | Phase::Created) => {
                Some(container.exit_code)
            }
            Some(_) => None,
        })
        .await;
    Ok(json_reply(
        200,
        &json!({ "StatusCode": code, "Error": null }),
    ))
}

pub(super) async fn remove(sim: &Sim, name: &str, call: &Call) -> Reply {
    let force = call.flag("force");
    sim.look(|world, _| world.find(name))?;
    pause(sim.pace().create).await;
    sim.change(|world, now| world.remove(now, name, force))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) fn archive_get(sim: &Sim, name: &str, call: &Call) -> Reply {
    let path = call.text("path");
    if path.is_empty() {
        return refuse(400, "missing parameter in path");
    }
    let (bytes, node) = sim.change(|world, now| world.archive_get(now, name, path))?;
    let mut response = with_kind(StatusCode::OK, "application/x-tar", full(bytes));
    let stat = json!({
        "name": path.trim_end_matches('/').rsplit('/').next(),
        "size": match &node.kind { Kind::File(content) => content.len(), _ => 0 },
        "mode": node.mode,
        "mtime": rfc3339(node.mtime * SECOND),
        "linkTarget": match &node.kind { Kind::Link(target) => target.as_str(), _ => "" },
    });
    if let Ok(value) = HeaderValue::try_from(STANDARD.encode(stat.to_string())) {
        response
            .headers_mut()
            .insert("x-docker-container-path-stat", value);
    }
    Ok(response)
}

pub(super) fn archive_put(sim: &Sim, name: &str, call: &Call) -> Reply {
    let path = call.text("path");
    if path.is_empty() {
        return refuse(400, "missing parameter in path");
    }
    sim.change(|world, now| world.archive_put(now, name, path, &call.body))?;
    Ok(empty(StatusCode::OK))
}
