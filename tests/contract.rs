//! What ostler relies on an engine to do. Every test here runs twice: against the simulated engine
//! and against a real one, which must not be told apart; and a third time over TLS.

mod common;
#[path = "common/testhost.rs"]
mod testhost;

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::bed::{self, Bed};
use common::tier;
use testhost::TestHost;

#[path = "contract/command.rs"]
mod command;
#[path = "contract/file.rs"]
mod file;
#[path = "contract/life.rs"]
mod life;
#[path = "contract/list.rs"]
mod list;
#[path = "contract/network.rs"]
mod network;
#[path = "contract/stream.rs"]
mod stream;

/// Longer than any of these tests takes.
const LIMIT: Duration = Duration::from_secs(120);

fn run<F: Future<Output = ()>>(
    bed: impl Future<Output = Option<Bed>>,
    test: impl FnOnce(std::sync::Arc<Bed>) -> F,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let Some(bed) = bed.await else { return };
        let bed = std::sync::Arc::new(bed);
        tokio::time::timeout(LIMIT, test(bed.clone()))
            .await
            .expect("the test ends in time");
    });
}

/// A test's name, and what runs it on a host.
type OnHost = (&'static str, fn(&TestHost));

/// Runs tests a few at a time, and then says which of them failed.
fn all_on_a_host_of_their_own(options: &[&str], tests: &[OnHost]) {
    let Some(_) = tier::fleet() else { return };
    let host = TestHost::up_with("far", options);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((name, test)) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| test(&host)));
                    if ran.is_err() {
                        failed.lock().unwrap().push(*name);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{failed:?}");
}

macro_rules! contract {
    ($($part:ident::$name:ident),* $(,)?) => {
        mod sim {
            use super::*;
            $(#[test] fn $name() { run(async { Some(bed::sim().await) }, $part::$name) })*
        }
        mod engine {
            use super::*;
            $(#[test] fn $name() { run(bed::engine(), $part::$name) })*
        }
        /// All of it over TLS, on a host of its own.
        #[test]
        fn over_tls() {
            let tests: &[OnHost] = &[$((stringify!($name), |host| {
                let bed = async { Some(bed::at(&host.tls(), &host.engine.socket).await) };
                run(bed, $part::$name)
            })),*];
            all_on_a_host_of_their_own(&["--tls", "--image", bed::IMAGE], tests);
        }
    };
}

contract!(
    command::exit_code_and_both_outputs_come_back,
    command::input_goes_in_and_comes_out_whole,
    command::what_cannot_be_run_says_so,
    command::a_command_that_takes_too_long_is_given_up,
    command::a_container_that_does_not_run_takes_no_command,
    file::a_container_never_started_takes_and_gives_files,
    file::folders_below_a_folder_come_with_it,
    file::a_link_is_not_followed_at_its_end,
    file::what_is_missing_is_not_found,
    file::a_folder_of_the_host_is_made_and_shared,
    file::the_head_of_an_archive_is_its_beginning,
    life::a_name_belongs_to_one,
    life::start_and_stop_can_be_asked_twice,
    life::a_signal_ends_what_listens_and_grace_ends_the_rest,
    life::limits_change_together,
    life::a_new_name_is_the_old_container,
    life::a_running_container_is_removed_by_force_only,
    life::six_deletes_have_one_winner,
    life::unknown_ids_are_not_found,
    life::an_unknown_image_is_not_found,
    life::a_command_that_is_not_there_fails_the_start,
    life::the_end_of_a_run_can_be_waited_for,
    life::docker_starts_it_again_unless_someone_stopped_it,
    list::a_row_tells_what_is_needed,
    list::links_add_names_that_are_not_its_own,
    list::a_port_that_was_not_named_is_picked_anew,
    list::an_inspect_tells_limits_and_times,
    list::images_are_listed_and_inspected,
    list::the_engine_says_what_it_is,
    list::requests_are_counted_and_connections_kept,
    list::the_on_call_gate_reads_all_and_changes_nothing,
    list::bollard_goes_the_same_way,
    list::measurements_are_of_running_containers,
    network::an_address_belongs_to_one,
    network::a_stopped_container_keeps_its_wish_only,
    network::an_address_outside_fails_the_start,
    network::names_and_subnets_are_unique,
    network::a_network_in_use_stays,
    network::a_container_without_an_address_says_how_it_is_on_the_network,
    stream::both_outputs_in_their_order,
    stream::the_last_lines_only,
    stream::a_long_line_is_one_line,
    stream::a_log_is_followed_to_its_end,
    stream::lines_carry_their_time,
    stream::only_what_came_since,
    stream::a_life_in_events,
    stream::events_can_be_asked_for_later,
    stream::events_of_others_are_filtered_out,
    stream::an_unknown_image_cannot_be_pulled,
    stream::a_build_tells_its_steps_and_its_failure,
    stream::an_archive_becomes_an_image,
);
