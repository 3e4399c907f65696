//! Commands in containers, over a connection that is handed over.

use http::{HeaderValue, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Call, Reply, full, json_reply};
use crate::engine::{ExecOutput, Out};
use crate::sim::Sim;
use crate::sim::log::frame;
use crate::sim::program::{self, Program, Steps};
use crate::sim::script;
use crate::sim::world::{Exec, refuse};

pub(super) fn create(sim: &Sim, name: &str, call: &Call) -> Reply {
    let body = call.json()?;
    let words = body
        .get("Cmd")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let argv: Vec<String> = words
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect();
    if argv.is_empty() {
        return refuse(400, "No exec command specified");
    }
    let stdin = body
        .get("AttachStdin")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let id = sim.change(|world, now| {
        let container = world.find(name)?;
        if !world.containers[&container].is_running() {
            return refuse(409, format!("Container {container} is not running"));
        }
        let serial = world.next_serial();
        let id = crate::sim::random::id(world.seed, "exec", serial);
        let action = format!("exec_create: {}", argv.join(" "));
        world.emit_container(now, &action, &container, &[("execID", id.clone())]);
        world.execs.insert(
            id.clone(),
            Exec {
                container,
                argv,
                stdin,
                begun: false,
                code: None,
            },
        );
        Ok(id)
    })?;
    Ok(json_reply(201, &json!({ "Id": id })))
}

pub(super) fn inspect(sim: &Sim, id: &str) -> Reply {
    let exec = sim.look(|world, _| world.execs.get(id).cloned());
    match exec {
        None => refuse(404, format!("No such exec instance: {id}")),
        Some(exec) => Ok(json_reply(
            200,
            &json!({
                "ID": id,
                "Running": exec.begun && exec.code.is_none(),
                "ExitCode": exec.code,
                "ContainerID": exec.container,
                "OpenStdin": exec.stdin,
                "OpenStderr": true,
                "OpenStdout": true,
                "Pid": if exec.begun { 4711 } else { 0 },
            }),
        )),
    }
}

pub(super) fn start(sim: &Sim, id: &str, upgrade: Option<OnUpgrade>) -> Reply {
    let exec = sim.change(|world, now| {
        let Some(exec) = world.execs.get_mut(id) else {
            return refuse(404, format!("No such exec instance: {id}"));
        };
        if exec.begun {
            return refuse(409, format!("Error: Exec command {id} has already run"));
        }
        exec.begun = true;
        let exec = exec.clone();
        if !world
            .containers
            .get(&exec.container)
            .is_some_and(|container| container.is_running())
        {
            return refuse(409, format!("Container {} is not running", exec.container));
        }
        let action = format!("exec_start: {}", exec.argv.join(" "));
        world.emit_container(now, &action, &exec.container, &[("execID", id.to_owned())]);
        Ok(exec)
    })?;
    let Some(upgrade) = upgrade else {
        return refuse(
            501,
            "the simulation runs commands over upgraded connections only",
        );
    };
    let (sim, id) = (sim.clone(), id.to_owned());
    let mut down = sim.shared.down.subscribe();
    tokio::spawn(async move {
        tokio::select! {
            () = converse(&sim, &id, exec, upgrade) => {}
            _ = down.wait_for(|down| *down) => {}
        }
    });
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/vnd.docker.raw-stream"),
    );
    Ok(response)
}

async fn converse(sim: &Sim, id: &str, exec: Exec, upgrade: OnUpgrade) {
    let Ok(upgraded) = upgrade.await else { return };
    let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
    let mut input = Vec::new();
    if exec.stdin && reader.read_to_end(&mut input).await.is_err() {
        return;
    }
    let output = run(sim, &exec, &input).await;
    let mut bytes = Vec::new();
    for (kind, text) in [(1, &output.stdout), (2, &output.stderr)] {
        // In pieces, as a pipe gives them.
        for piece in text.chunks(32 * 1024) {
            frame(kind, piece, &mut bytes);
        }
    }
    sim.change(|world, now| {
        if let Some(exec) = world.execs.get_mut(id) {
            exec.code = Some(output.code);
        }
        let code = output.code.to_string();
        world.emit_container(
            now,
            "exec_die",
            &exec.container,
            &[("execID", id.to_owned()), ("exitCode", code)],
        );
    });
    // A client that is gone misses the output.
    let _ = writer.write_all(&bytes).await;
    let _ = writer.shutdown().await;
}

async fn run(sim: &Sim, exec: &Exec, input: &[u8]) -> ExecOutput {
    match program::read(&exec.argv, input) {
        Program::Script { tag, args } => script::run(sim, &exec.container, &tag, &args, input).await,
        Program::Steps(steps) => play(sim, &exec.container, &steps).await,
        Program::Missing(command) => ExecOutput {
            code: 126,
            stdout: format!(
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \"{command}\": executable file not found in $PATH: unknown\r\n"
            )
            .into_bytes(),
            stderr: Vec::new(),
        },
        Program::Server(_) => ExecOutput { code: 0, stdout: Vec::new(), stderr: Vec::new() },
    }
}

/// Plays a course of events to its end, or to the end of the container.
async fn play(sim: &Sim, container: &str, steps: &Steps) -> ExecOutput {
    let mut output = ExecOutput {
        code: 137,
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    for (_, stream, text) in &steps.prints {
        match stream {
            Out::Out => output.stdout.extend_from_slice(text),
            Out::Err => output.stderr.extend_from_slice(text),
        }
    }
    let gone = sim.wait_for(|world, _| {
        let running = world
            .containers
            .get(container)
            .is_some_and(|container| container.is_running());
        (!running).then_some(())
    });
    match steps.ends {
        Some((0, code)) => output.code = code,
        Some((after, code)) => {
            tokio::select! {
                () = tokio::time::sleep(std::time::Duration::from_nanos(after as u64)) => output.code = code,
                () = gone => {}
            }
        }
        None => gone.await,
    }
    output
}
