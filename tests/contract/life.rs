//! The life of a container.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::{ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum};
use ostler::engine::Error;

use crate::common::bed::Bed;

const GRACE: Duration = Duration::from_secs(10);

async fn state(bed: &Bed, id: &str) -> (String, i64) {
    let state = bed.client.inspect(id).await.unwrap().state.unwrap();
    (state.status.unwrap().to_string(), state.exit_code.unwrap())
}

pub async fn a_name_belongs_to_one(bed: Arc<Bed>) {
    let name = bed.name("one");
    let id = bed.client.create(&name, &bed.idle()).await.unwrap();
    let error = bed.client.create(&name, &bed.idle()).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    assert!(
        error.to_string().contains(&id),
        "the message names the holder: {error}"
    );
    // Of many at once, one gets it.
    let name = bed.name("race");
    let body = bed.idle();
    let tries = (0..6).map(|_| bed.client.create(&name, &body));
    let (won, lost): (Vec<_>, Vec<_>) = futures_util::future::join_all(tries)
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(
        lost.iter()
            .all(|result| result.as_ref().is_err_and(Error::is_conflict)),
        "{lost:?}"
    );
}

pub async fn start_and_stop_can_be_asked_twice(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("twice"), &bed.idle())
        .await
        .unwrap();
    assert_eq!(state(&bed, &id).await.0, "created");
    bed.client.start(&id).await.unwrap();
    bed.client.start(&id).await.unwrap();
    assert_eq!(state(&bed, &id).await.0, "running");
    bed.client.restart(&id, GRACE).await.unwrap();
    assert_eq!(state(&bed, &id).await.0, "running");
    bed.client.stop(&id, GRACE).await.unwrap();
    bed.client.stop(&id, GRACE).await.unwrap();
    assert_eq!(state(&bed, &id).await, ("exited".to_owned(), 3));
}

pub async fn a_signal_ends_what_listens_and_grace_ends_the_rest(bed: Arc<Bed>) {
    let deaf = bed.started("deaf", &bed.command(&["sleep", "1000"])).await;
    let before = Instant::now();
    bed.client
        .stop(&deaf, Duration::from_secs(1))
        .await
        .unwrap();
    let took = before.elapsed();
    assert!(
        (Duration::from_millis(800)..Duration::from_secs(8)).contains(&took),
        "{took:?}"
    );
    assert_eq!(state(&bed, &deaf).await, ("exited".to_owned(), 137));

    let listens = bed.started("listens", &bed.idle()).await;
    // A signal that it does not listen to.
    bed.client.kill(&listens, "SIGWINCH").await.unwrap();
    assert_eq!(state(&bed, &listens).await.0, "running");
    bed.client.kill(&listens, "SIGKILL").await.unwrap();
    assert!(bed.client.wait(&listens, GRACE).await.unwrap() == 137);
    assert!(
        bed.client
            .kill(&listens, "SIGKILL")
            .await
            .unwrap_err()
            .is_conflict()
    );
}

fn memory(memory: i64, swap: i64) -> ContainerUpdateBody {
    ContainerUpdateBody {
        memory: Some(memory),
        memory_swap: (swap != 0).then_some(swap),
        ..Default::default()
    }
}

pub async fn limits_change_together(bed: Arc<Bed>) {
    let mut body = bed.idle();
    let host = body.host_config.get_or_insert_default();
    (host.memory, host.memory_swap) = (Some(64 << 20), Some(64 << 20));
    let id = bed.started("limits", &body).await;
    let limits = async || {
        let host = bed.client.inspect(&id).await.unwrap().host_config.unwrap();
        (
            host.memory.unwrap_or(0),
            host.memory_swap.unwrap_or(0),
            host.nano_cpus.unwrap_or(0),
            host.pids_limit.unwrap_or(0),
        )
    };
    assert_eq!(limits().await, (64 << 20, 64 << 20, 0, 0));
    // Memory alone cannot go above what memory and swap together may be.
    let error = bed
        .client
        .update(&id, &memory(128 << 20, 0))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("memoryswap"), "{error}");
    bed.client
        .update(&id, &memory(128 << 20, 128 << 20))
        .await
        .unwrap();
    assert_eq!(limits().await, (128 << 20, 128 << 20, 0, 0));
    let more = ContainerUpdateBody {
        nano_cpus: Some(500_000_000),
        pids_limit: Some(50),
        ..Default::default()
    };
    bed.client.update(&id, &more).await.unwrap();
    // Zero means unchanged: a limit cannot be removed in place.
    bed.client
        .update(
            &id,
            &ContainerUpdateBody {
                memory: Some(0),
                memory_swap: Some(0),
                ..Default::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(limits().await, (128 << 20, 128 << 20, 500_000_000, 50));
    assert!(bed.client.update(&id, &memory(1000, 1000)).await.is_err());
}

pub async fn a_new_name_is_the_old_container(bed: Arc<Bed>) {
    let (old, new) = (bed.name("old"), bed.name("new"));
    let id = bed.started("old", &bed.idle()).await;
    let other = bed
        .client
        .create(&bed.name("other"), &bed.idle())
        .await
        .unwrap();
    bed.client.rename(&id, &new).await.unwrap();
    assert_eq!(bed.client.inspect(&new).await.unwrap().id.unwrap(), id);
    assert!(bed.client.inspect(&old).await.unwrap_err().is_not_found());
    let error = bed.client.rename(&other, &new).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    // The name is free again.
    bed.client.rename(&other, &old).await.unwrap();
}

pub async fn a_running_container_is_removed_by_force_only(bed: Arc<Bed>) {
    let id = bed.started("force", &bed.idle()).await;
    let error = bed.client.remove(&id, false).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    bed.client.remove(&id, true).await.unwrap();
    assert!(bed.client.inspect(&id).await.unwrap_err().is_not_found());
    let still = bed
        .client
        .create(&bed.name("still"), &bed.idle())
        .await
        .unwrap();
    bed.client.remove(&still, false).await.unwrap();
}

pub async fn six_deletes_have_one_winner(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("six"), &bed.idle())
        .await
        .unwrap();
    let tries = (0..6).map(|_| bed.client.remove(&id, true));
    let results = futures_util::future::join_all(tries).await;
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        1,
        "{results:?}"
    );
    for error in results.into_iter().filter_map(Result::err) {
        assert!(error.is_conflict() || error.is_not_found(), "{error}");
    }
}

pub async fn unknown_ids_are_not_found(bed: Arc<Bed>) {
    let (client, id) = (&bed.client, "0123456789abcdef");
    let second = Duration::from_secs(1);
    assert!(client.inspect(id).await.unwrap_err().is_not_found());
    assert!(client.start(id).await.unwrap_err().is_not_found());
    assert!(client.stop(id, second).await.unwrap_err().is_not_found());
    assert!(client.restart(id, second).await.unwrap_err().is_not_found());
    assert!(client.kill(id, "SIGKILL").await.unwrap_err().is_not_found());
    assert!(client.remove(id, true).await.unwrap_err().is_not_found());
    assert!(
        client
            .rename(id, &bed.name("x"))
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        client
            .update(id, &memory(64 << 20, 64 << 20))
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(client.wait(id, second).await.unwrap_err().is_not_found());
    assert!(client.stats_once(id).await.unwrap_err().is_not_found());
    assert!(
        client
            .exec(id, &["true"], None, second)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        client
            .archive_get(id, "/etc")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(client.remove_network(id).await.unwrap_err().is_not_found());
    assert!(client.inspect_image(id).await.unwrap_err().is_not_found());
}

pub async fn an_unknown_image_is_not_found(bed: Arc<Bed>) {
    let mut body = bed.idle();
    body.image = Some("ostler-no-such-image:1".to_owned());
    let error = bed
        .client
        .create(&bed.name("image"), &body)
        .await
        .unwrap_err();
    assert!(
        error.is_not_found() && error.to_string().contains("ostler-no-such-image:1"),
        "{error}"
    );
}

pub async fn a_command_that_is_not_there_fails_the_start(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("nocmd"), &bed.command(&["no-such-command"]))
        .await
        .unwrap();
    let error = bed.client.start(&id).await.unwrap_err();
    assert!(
        error.to_string().contains("executable file not found"),
        "{error}"
    );
}

pub async fn the_end_of_a_run_can_be_waited_for(bed: Arc<Bed>) {
    let id = bed.started("short", &bed.script("sleep 0.3; exit 4")).await;
    assert_eq!(bed.client.wait(&id, GRACE).await.unwrap(), 4);
    assert_eq!(bed.client.wait(&id, GRACE).await.unwrap(), 4);
    let long = bed.started("long", &bed.idle()).await;
    let error = bed
        .client
        .wait(&long, Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Deadline { .. }), "{error}");
}

pub async fn docker_starts_it_again_unless_someone_stopped_it(bed: Arc<Bed>) {
    let policy = |mut body: bollard::models::ContainerCreateBody| {
        body.host_config.get_or_insert_default().restart_policy = Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        });
        body
    };
    let fails = bed.started("fails", &policy(bed.script("exit 1"))).await;
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = bed.client.inspect(&fails).await.unwrap();
        if found.restart_count.unwrap_or(0) >= 2 {
            break;
        }
        assert!(Instant::now() < until, "{found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bed.client.stop(&fails, GRACE).await.unwrap();
    assert_eq!(state(&bed, &fails).await.0, "exited");
    let stopped = bed.started("stopped", &policy(bed.idle())).await;
    bed.client.stop(&stopped, GRACE).await.unwrap();
    assert_eq!(state(&bed, &stopped).await.0, "exited");
}
