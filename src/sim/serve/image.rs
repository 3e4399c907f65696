//! Images: lists, pulls, builds, imports.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Call, Reply, empty, json_reply, pause, streamed};
use crate::sim::Sim;
use crate::sim::clock::SECOND;
use crate::sim::image::{Image, with_tag};
use crate::sim::random;
use crate::sim::world::refuse;

pub(super) fn list(sim: &Sim) -> Reply {
    let rows: Vec<Value> = sim.look(|world, _| world.images.iter().map(Image::row).collect());
    Ok(json_reply(200, &Value::Array(rows)))
}

pub(super) fn inspect(sim: &Sim, name: &str) -> Reply {
    match sim.look(|world, _| world.image(name).map(Image::detail)) {
        Some(detail) => Ok(json_reply(200, &detail)),
        None => refuse(404, format!("No such image: {}", with_tag(name))),
    }
}

pub(super) fn tag(sim: &Sim, name: &str, call: &Call) -> Reply {
    let tag = format!("{}:{}", call.text("repo"), call.text("tag"));
    sim.change(|world, now| {
        let Some(mut image) = world.image(name).cloned() else {
            return refuse(404, format!("No such image: {}", with_tag(name)));
        };
        if !image.tags.contains(&tag) {
            image.tags.insert(0, tag);
        }
        world.add_image(now, image);
        Ok(())
    })?;
    Ok(empty(StatusCode::CREATED))
}

pub(super) fn remove(sim: &Sim, name: &str) -> Reply {
    let id = sim.change(|world, _| {
        let Some(image) = world.image(name).cloned() else {
            return refuse(404, format!("No such image: {}", with_tag(name)));
        };
        if world
            .containers
            .values()
            .any(|container| container.image_id == image.id)
        {
            return refuse(
                409,
                format!("conflict: unable to remove repository reference \"{name}\" (must force)"),
            );
        }
        world.images.retain(|other| other.id != image.id);
        Ok(image.id)
    })?;
    Ok(json_reply(200, &json!([{ "Deleted": id }])))
}

pub(super) fn create(sim: &Sim, call: &Call) -> Reply {
    if call.text("fromSrc") == "-" {
        import(sim, call)
    } else {
        pull(sim, call)
    }
}

fn line(value: &Value) -> Bytes {
    format!("{value}\r\n").into()
}

fn import(sim: &Sim, call: &Call) -> Reply {
    if tar::Archive::new(&call.body[..])
        .entries()
        .and_then(|mut all| all.next().transpose())
        .is_err()
    {
        return refuse(500, "archive/tar: invalid tar header");
    }
    let tag = with_tag(&match call.text("tag") {
        "" => call.text("repo").to_owned(),
        tag => format!("{}:{tag}", call.text("repo")),
    });
    let size = call.body.len() as i64;
    let id = sim.change(|world, now| {
        let serial = world.next_serial();
        let mut image = Image::new(&tag, world.seed, None);
        image.id = format!("sha256:{}", random::id(world.seed, "image", serial));
        image.created = now / SECOND;
        image.size = size;
        image.cmd = Vec::new();
        let id = image.id.clone();
        world.add_image(now, image);
        id
    });
    Ok(streamed(
        "application/json",
        stream::iter([line(&json!({ "status": id }))]),
    ))
}

fn pull(sim: &Sim, call: &Call) -> Reply {
    let name = call.text("fromImage");
    let reference = match call.text("tag") {
        "" => with_tag(name),
        tag if tag.starts_with("sha256:") => format!("{name}@{tag}"),
        tag => format!("{name}:{tag}"),
    };
    let (image, present, known) = sim.look(|world, _| {
        let image = world
            .registry
            .iter()
            .find(|image| image.tags.contains(&reference))
            .cloned();
        let same = image
            .as_ref()
            .and_then(|image| world.images.iter().find(|other| other.id == image.id));
        let prefix = format!("{name}:");
        let known = world
            .registry
            .iter()
            .any(|image| image.tags.iter().any(|tag| tag.starts_with(&prefix)));
        let present = same.is_some_and(|image| image.tags.contains(&reference));
        (image, present, known)
    });
    let Some(image) = image else {
        return if known {
            refuse(
                404,
                format!("manifest for {reference} not found: manifest unknown: manifest unknown"),
            )
        } else {
            refuse(
                404,
                format!(
                    "pull access denied for {name}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
                ),
            )
        };
    };
    let tag = reference.rsplit(':').next().unwrap_or("latest").to_owned();
    let mut lines = vec![json!({ "status": format!("Pulling from {name}"), "id": tag })];
    if !present {
        lines.extend(layers(&image));
    }
    lines.push(json!({ "status": format!("Digest: {}", image.id) }));
    let verb = if present {
        "Image is up to date for"
    } else {
        "Downloaded newer image for"
    };
    let last = json!({ "status": format!("Status: {verb} {reference}") });
    let each = if present {
        Duration::ZERO
    } else {
        sim.pace().pull / lines.len() as u32
    };
    let sim = sim.clone();
    let done = stream::once(async move {
        // The image is there only when all of it has come.
        sim.change(|world, now| {
            let mut image = image;
            image.tags = vec![reference];
            world.add_image(now, image);
        });
        line(&last)
    });
    let coming = stream::iter(lines).then(move |value| async move {
        pause(each).await;
        line(&value)
    });
    Ok(streamed("application/json", coming.chain(done)))
}

/// How the layers of an image come in.
fn layers(image: &Image) -> Vec<Value> {
    let mut lines = Vec::new();
    for layer in 0..4u64 {
        let id = &random::id(layer, &image.id, 0)[..12];
        let total = image.size as u64 / (1 << (4 - layer));
        lines.push(json!({ "status": "Pulling fs layer", "progressDetail": {}, "id": id }));
        for tenth in [2, 5, 8, 10] {
            let current = total * tenth / 10;
            lines.push(json!({
                "status": "Downloading",
                "progressDetail": { "current": current, "total": total },
                "id": id,
            }));
        }
        lines.push(json!({ "status": "Pull complete", "progressDetail": {}, "id": id }));
    }
    lines
}

pub(super) fn build(sim: &Sim, call: &Call) -> Reply {
    let Some(recipe) = recipe(&call.body) else {
        return refuse(500, "Cannot locate specified Dockerfile: Dockerfile");
    };
    let tag = with_tag(call.text("t"));
    let labels: BTreeMap<String, String> =
        serde_json::from_str(call.text("labels")).unwrap_or_default();
    let mut steps = instructions(&recipe);
    // The builder puts them at the end of the recipe.
    if !labels.is_empty() {
        let words: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        steps.push(("LABEL".to_owned(), words.join(" ")));
    }
    let each = sim.pace().build / steps.len().max(1) as u32;
    let mut lines = Vec::new();
    let mut image: Option<Image> = None;
    let mut broken = false;
    let count = steps.len();
    for (number, (word, rest)) in steps.iter().enumerate() {
        let said = format!("Step {}/{count} : {word} {rest}\n", number + 1);
        lines.push(json!({ "stream": said }));
        if let Some(message) = step(sim, &mut image, word, rest) {
            lines.push(json!({ "errorDetail": { "message": message }, "error": message }));
            broken = true;
            break;
        }
        let layer = random::id(number as u64, &tag, 1);
        lines.push(json!({ "stream": format!(" ---> {}\n", &layer[..12]) }));
    }
    let coming = stream::iter(lines).then(move |value| async move {
        pause(each).await;
        line(&value)
    });
    let sim = sim.clone();
    let done = stream::iter(image.filter(|_| !broken)).then(move |mut image| {
        let (sim, tag, labels) = (sim.clone(), tag.clone(), labels.clone());
        async move {
            let id = sim.change(|world, now| {
                let serial = world.next_serial();
                image.id = format!("sha256:{}", random::id(world.seed, "image", serial));
                image.created = now / SECOND;
                image.tags = vec![tag.clone()];
                image.labels.extend(labels);
                let id = image.id.clone();
                world.add_image(now, image);
                id
            });
            let said = format!(
                "Successfully built {}\nSuccessfully tagged {tag}\n",
                &id[7..19]
            );
            line(&json!({ "stream": said }))
        }
    });
    Ok(streamed("application/json", coming.chain(done)))
}

/// The text of the `Dockerfile` in a context.
fn recipe(context: &[u8]) -> Option<String> {
    let mut archive = tar::Archive::new(context);
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if path.trim_start_matches("./") == "Dockerfile" {
            let mut text = String::new();
            entry.read_to_string(&mut text).ok()?;
            return Some(text);
        }
    }
    None
}

/// Instructions with what follows them, lines that go on put together.
fn instructions(text: &str) -> Vec<(String, String)> {
    let mut steps = Vec::new();
    let mut line = String::new();
    for part in text
        .lines()
        .filter(|part| !part.trim_start().starts_with('#'))
    {
        match part.trim_end().strip_suffix('\\') {
            Some(begun) => line.push_str(begun),
            None => {
                line.push_str(part);
                if let Some((word, rest)) = line.trim().split_once(' ') {
                    steps.push((word.to_ascii_uppercase(), rest.trim().to_owned()));
                }
                line.clear();
            }
        }
    }
    steps
}

/// Does one instruction; says why it fails.
fn step(sim: &Sim, image: &mut Option<Image>, word: &str, rest: &str) -> Option<String> {
    if word == "FROM" {
        let base = rest.split_whitespace().next().unwrap_or_default();
        let found = sim.look(|world, _| {
            let pulled = world.registry.iter().find(|image| image.is(base));
            world.image(base).or(pulled).cloned()
        });
        if found.is_none() {
            return Some(format!(
                "pull access denied for {base}, repository does not exist or may require 'docker login'"
            ));
        }
        *image = found;
        return None;
    }
    let Some(image) = image else {
        return Some("no build stage in current context".to_owned());
    };
    let words: Option<Vec<String>> = serde_json::from_str(rest).ok();
    let words =
        words.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()]);
    match word {
        "RUN" if rest == "false" || rest.ends_with("exit 1") => {
            return Some(format!(
                "The command '/bin/sh -c {rest}' returned a non-zero code: 1"
            ));
        }
        "CMD" => image.cmd = words,
        "ENTRYPOINT" => {
            image.entrypoint = words;
            image.cmd = Vec::new();
        }
        "STOPSIGNAL" => image.stop_signal = Some(rest.to_owned()),
        "USER" => image.user = rest.to_owned(),
        "ENV" => image.env.push(rest.to_owned()),
        "LABEL" => {
            let pairs = rest
                .split_whitespace()
                .filter_map(|pair| pair.split_once('='));
            image.labels.extend(pairs.map(|(name, value)| {
                let plain = |text: &str| text.trim_matches('"').to_owned();
                (plain(name), plain(value))
            }));
        }
        _ => {}
    }
    None
}
