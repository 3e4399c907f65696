//! Commands in containers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::bed::Bed;

const TIME: Duration = Duration::from_secs(30);

pub async fn exit_code_and_both_outputs_come_back(bed: Arc<Bed>) {
    let id = bed.started("exec", &bed.idle()).await;
    let output = bed
        .client
        .exec(
            &id,
            &["sh", "-c", "echo out; echo err >&2; exit 7"],
            None,
            TIME,
        )
        .await
        .unwrap();
    assert_eq!(output.code, 7);
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(output.stderr, b"err\n");
    assert_eq!(
        bed.client
            .exec(&id, &["true"], None, TIME)
            .await
            .unwrap()
            .code,
        0
    );
}

pub async fn input_goes_in_and_comes_out_whole(bed: Arc<Bed>) {
    let id = bed.started("cat", &bed.idle()).await;
    for size in [0usize, 1, 8, 100_000, 3_000_000] {
        let input: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
        let output = bed
            .client
            .exec(&id, &["cat"], Some(input.clone()), TIME)
            .await
            .unwrap();
        assert_eq!(output.code, 0);
        assert!(
            output.stdout == input,
            "{size} bytes came back as {}",
            output.stdout.len()
        );
    }
    // A command that reads nothing of much input.
    let output = bed
        .client
        .exec(&id, &["true"], Some(vec![b'x'; 3_000_000]), TIME)
        .await
        .unwrap();
    assert_eq!((output.code, output.stdout.len()), (0, 0));
}

pub async fn what_cannot_be_run_says_so(bed: Arc<Bed>) {
    let id = bed.started("no", &bed.idle()).await;
    let output = bed
        .client
        .exec(&id, &["no-such-command"], None, TIME)
        .await
        .unwrap();
    assert!(matches!(output.code, 126 | 127), "{}", output.code);
    let said = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("executable file not found"));
}

pub async fn a_command_that_takes_too_long_is_given_up(bed: Arc<Bed>) {
    let id = bed.started("slow", &bed.idle()).await;
    let before = Instant::now();
    let error = bed
        .client
        .exec(&id, &["sleep", "60"], None, Duration::from_secs(1))
        .await
        .unwrap_err();
    assert!(before.elapsed() < Duration::from_secs(8));
    assert!(
        matches!(error, ostler::engine::Error::Deadline { .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("no answer within 1 s: run sleep in container"),
        "{error}"
    );
}

pub async fn a_container_that_does_not_run_takes_no_command(bed: Arc<Bed>) {
    let id = bed
        .client
        .create(&bed.name("still"), &bed.idle())
        .await
        .unwrap();
    let error = bed
        .client
        .exec(&id, &["true"], None, TIME)
        .await
        .unwrap_err();
    assert!(error.is_conflict(), "{error}");
}
