//! Answers that come in pieces.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use ostler::engine::{EngineEvent, Error, LogChunk, LogOptions, Out, Result};
use ostler::host::archive::{Entry, pack};

use crate::common::bed::{Bed, IMAGE};

const GRACE: Duration = Duration::from_secs(10);

async fn text(log: impl Stream<Item = Result<LogChunk>>) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut log = std::pin::pin!(log);
    while let Some(chunk) = log.next().await {
        let chunk = chunk.unwrap();
        match chunk.stream {
            Out::Out => out.extend_from_slice(&chunk.bytes),
            Out::Err => err.extend_from_slice(&chunk.bytes),
        }
    }
    (
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

async fn printed(bed: &Bed, script: &str) -> String {
    let id = bed.started("prints", &bed.script(script)).await;
    bed.client.wait(&id, GRACE).await.unwrap();
    id
}

pub async fn both_outputs_in_their_order(bed: Arc<Bed>) {
    let id = printed(&bed, "echo 'one é日'; echo two; echo no >&2; echo three").await;
    let (out, err) = text(bed.client.logs(&id, LogOptions::default())).await;
    assert_eq!(
        (out.as_str(), err.as_str()),
        ("one é日\ntwo\nthree\n", "no\n")
    );
    let mut unknown = std::pin::pin!(bed.client.logs("nosuchcontainer", LogOptions::default()));
    assert!(unknown.next().await.unwrap().unwrap_err().is_not_found());
    assert!(unknown.next().await.is_none());
}

pub async fn the_last_lines_only(bed: Arc<Bed>) {
    let id = printed(&bed, "echo 1; echo 2; echo 3; echo 4").await;
    let tail = |tail| LogOptions {
        tail: Some(tail),
        ..LogOptions::default()
    };
    assert_eq!(text(bed.client.logs(&id, tail(2))).await.0, "3\n4\n");
    assert_eq!(text(bed.client.logs(&id, tail(0))).await.0, "");
    assert_eq!(
        text(bed.client.logs(&id, tail(100))).await.0,
        "1\n2\n3\n4\n"
    );
}

/// The engine keeps a line in pieces of 16 KiB, each with its time.
pub async fn a_long_line_is_one_line(bed: Arc<Bed>) {
    let (long, full) = ("x".repeat(40_000), "y".repeat(16 * 1024));
    let script = format!("echo {long}; echo no >&2; echo {full}; echo end");
    let id = printed(&bed, &script).await;
    let (out, err) = text(bed.client.logs(&id, LogOptions::default())).await;
    assert_eq!(out, format!("{long}\n{full}\nend\n"));
    assert_eq!(err, "no\n");
    let times = LogOptions {
        timestamps: true,
        ..LogOptions::default()
    };
    let (out, _) = text(bed.client.logs(&id, times)).await;
    let lines: Vec<(&str, &str)> = out.lines().map(|l| l.split_once(' ').unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for ((time, found), wanted) in lines.iter().zip([&long[..], &full, "end"]) {
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
        assert_eq!(*found, wanted);
    }
}

pub async fn a_log_is_followed_to_its_end(bed: Arc<Bed>) {
    let id = bed
        .started(
            "follow",
            &bed.script("echo first; sleep 1; echo second; sleep 0.5; echo third"),
        )
        .await;
    let follow = LogOptions {
        follow: true,
        ..LogOptions::default()
    };
    let mut log = Box::pin(bed.client.logs(&id, follow));
    let mut seen = Vec::new();
    while let Some(chunk) = log.next().await {
        seen.push(String::from_utf8(chunk.unwrap().bytes.to_vec()).unwrap());
    }
    assert_eq!(seen, ["first\n", "second\n", "third\n"]);
    // Followed from its end: nothing of what was before, and an end at once.
    let end = LogOptions {
        follow: true,
        tail: Some(0),
        ..LogOptions::default()
    };
    assert_eq!(text(bed.client.logs(&id, end)).await.0, "");
}

pub async fn lines_carry_their_time(bed: Arc<Bed>) {
    let id = printed(&bed, "echo now").await;
    let times = LogOptions {
        timestamps: true,
        ..LogOptions::default()
    };
    let (out, _) = text(bed.client.logs(&id, times)).await;
    let (time, rest) = out.split_once(' ').unwrap();
    assert_eq!(rest, "now\n");
    let time = chrono::DateTime::parse_from_rfc3339(time).unwrap();
    assert!((time.timestamp() - bed.client.daemon_now().unwrap()).abs() < 60);
}

pub async fn only_what_came_since(bed: Arc<Bed>) {
    let id = printed(&bed, "echo early; sleep 2.2; echo late").await;
    let times = LogOptions {
        timestamps: true,
        tail: Some(1),
        ..LogOptions::default()
    };
    let (last, _) = text(bed.client.logs(&id, times)).await;
    let last = chrono::DateTime::parse_from_rfc3339(last.split(' ').next().unwrap()).unwrap();
    let since = LogOptions {
        since: Some(last.timestamp()),
        ..LogOptions::default()
    };
    assert_eq!(text(bed.client.logs(&id, since)).await.0, "late\n");
    let future = LogOptions {
        since: Some(last.timestamp() + 1000),
        ..LogOptions::default()
    };
    assert_eq!(text(bed.client.logs(&id, future)).await.0, "");
}

/// Events until one of that action has come.
async fn until(events: impl Stream<Item = Result<EngineEvent>>, action: &str) -> Vec<EngineEvent> {
    let mut all = Vec::new();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        let event = event.unwrap();
        let last = event.action == action;
        all.push(event);
        if last {
            return all;
        }
    }
    panic!("the events ended before {action}: {all:?}");
}

pub async fn a_life_in_events(bed: Arc<Bed>) {
    let label = bed.label();
    let filters = [("type", "container"), ("label", label.as_str())];
    let events = bed.client.events(&filters, None);
    let watching = tokio::spawn(async move { until(events, "destroy").await });
    // The stream is open when its answer's head has come; nothing tells when that is.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let id = bed.started("life", &bed.idle()).await;
    bed.client.rename(&id, &bed.name("renamed")).await.unwrap();
    bed.client.stop(&id, GRACE).await.unwrap();
    bed.client.remove(&id, false).await.unwrap();
    let events = watching.await.unwrap();
    let mut events = events;
    // A shell that has not set its trap when the stop comes, on a busy machine, has to be killed.
    let killed = events[4].action == "kill";
    if killed {
        assert_eq!(events.remove(4).attributes["signal"], "9");
    }
    // Newer engines tell of the stop before the death.
    if events[4].action == "stop" {
        events.swap(4, 5);
    }
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "create", "start", "rename", "kill", "die", "stop", "destroy"
        ]
    );
    assert!(
        events
            .iter()
            .all(|event| event.id == id && event.kind == "container")
    );
    assert_eq!(events[0].attributes["image"], IMAGE);
    assert_eq!(events[0].attributes["name"], bed.name("life"));
    assert!(events[0].attributes.contains_key("ostler.test"));
    assert_eq!(events[3].attributes["signal"], "15");
    let code = if killed { "137" } else { "3" };
    assert_eq!(events[4].attributes["exitCode"], code);
    assert_eq!(events[4].attributes["name"], bed.name("renamed"));
    assert!(events[0].time_nano <= events[6].time_nano);
    assert!((events[0].time_nano / 1_000_000_000 - bed.client.daemon_now().unwrap()).abs() < 60);
}

pub async fn events_can_be_asked_for_later(bed: Arc<Bed>) {
    let since = bed.client.daemon_now().unwrap() - 1;
    let id = bed.started("later", &bed.idle()).await;
    bed.client.kill(&id, "SIGKILL").await.unwrap();
    bed.client.wait(&id, GRACE).await.unwrap();
    let label = bed.label();
    let events = until(
        bed.client.events(&[("label", label.as_str())], Some(since)),
        "die",
    )
    .await;
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["create", "start", "kill", "die"]);
    assert_eq!(events[3].attributes["exitCode"], "137");
}

pub async fn events_of_others_are_filtered_out(bed: Arc<Bed>) {
    let since = bed.client.daemon_now().unwrap() - 1;
    let id = bed.started("some", &bed.idle()).await;
    bed.client.remove(&id, true).await.unwrap();
    let label = bed.label();
    let filters = [
        ("label", label.as_str()),
        ("event", "start"),
        ("event", "destroy"),
    ];
    let events = until(bed.client.events(&filters, Some(since)), "destroy").await;
    let actions: Vec<&str> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["start", "destroy"]);
}

pub async fn an_unknown_image_cannot_be_pulled(bed: Arc<Bed>) {
    let mut pull = std::pin::pin!(bed.client.pull("ostler-no-such-image:1"));
    let mut last = None;
    while let Some(progress) = pull.next().await {
        last = Some(progress);
    }
    // Denied by a registry, or no registry to be reached.
    let error = last.unwrap().unwrap_err();
    assert!(error.is_answer(), "{error}");
    let text = error.to_string();
    let begins = ["pull image", "docker.io refuses"];
    let named = |begin: &&str| text.starts_with(&format!("{begin} ostler-no-such-image:1: "));
    assert!(begins.iter().any(named), "{text}");
}

pub async fn a_build_tells_its_steps_and_its_failure(bed: Arc<Bed>) {
    let tag = format!("ostler-test/{}:1", bed.name("built"));
    let labels = BTreeMap::from([("ostler.test.build".to_owned(), "yes".to_owned())]);
    let context = |recipe: String| pack(&[Entry::file("Dockerfile", 0o644, 0, recipe)]).unwrap();
    let recipe = format!("FROM {IMAGE}\nENV A=b\nCMD [\"sleep\", \"infinity\"]\n");
    let lines: Vec<_> = bed
        .client
        .build(&tag, context(recipe), &labels, true)
        .collect()
        .await;
    let lines: Vec<String> = lines.into_iter().map(|line| line.unwrap().text).collect();
    assert!(lines[0].starts_with("Step 1/4 : FROM"), "{lines:?}");
    assert!(
        lines.last().unwrap().contains("Successfully tagged"),
        "{lines:?}"
    );
    let image = bed
        .client
        .inspect_image(&tag)
        .await
        .unwrap()
        .config
        .unwrap();
    assert_eq!(image.labels.unwrap()["ostler.test.build"], "yes");
    assert_eq!(image.cmd.unwrap(), ["sleep", "infinity"]);
    let images = bed.client.images().await.unwrap();
    assert!(images.iter().any(|image| image.tags.contains(&tag)));
    let options: Option<bollard::query_parameters::RemoveImageOptions> = None;
    bed.client
        .docker()
        .remove_image(&tag, options, None)
        .await
        .unwrap();

    let broken = format!("FROM {IMAGE}\nRUN exit 1\n");
    let lines: Vec<_> = bed
        .client
        .build(&tag, context(broken), &labels, true)
        .collect()
        .await;
    let error = lines
        .into_iter()
        .next_back()
        .unwrap()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("returned a non-zero code: 1") && error.contains("RUN exit 1"),
        "{error}"
    );
    assert!(
        bed.client
            .inspect_image(&tag)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

pub async fn an_archive_becomes_an_image(bed: Arc<Bed>) {
    let tag = format!("ostler-test/{}:1", bed.name("import"));
    let tar = pack(&[Entry::file("hello", 0o644, 0, "x")]).unwrap();
    bed.client.import_image(&tag, tar).await.unwrap();
    bed.client.inspect_image(&tag).await.unwrap();
    let options: Option<bollard::query_parameters::RemoveImageOptions> = None;
    bed.client
        .docker()
        .remove_image(&tag, options, None)
        .await
        .unwrap();
    let error = bed
        .client
        .import_image(&tag, vec![1; 2000])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Status { .. }), "{error}");
}
