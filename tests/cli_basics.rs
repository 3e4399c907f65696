//! Arguments, exit codes and the commands that need neither fleet nor engine.

mod cli;

use cli::ostler;

#[test]
fn help_and_version_are_answers() {
    for arguments in [&["--help"][..], &["-h"], &["--version"], &["help"]] {
        let ran = ostler(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        assert!(ran.err.is_empty(), "{arguments:?}: {}", ran.err);
        assert!(ran.out.contains("ostler"), "{arguments:?}");
    }
}

#[test]
fn usage_errors_end_with_1_not_with_clap_s_2() {
    for arguments in [
        &["bogus"][..],
        &["--bogus"],
        &["completions"],
        &["completions", "tcsh-ish"],
    ] {
        let ran = ostler(arguments);
        assert_eq!(ran.code, 1, "{arguments:?}");
        assert!(ran.out.is_empty(), "{arguments:?}: {}", ran.out);
        assert!(ran.err.starts_with("error:"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn completions_are_written_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = ostler(&["completions", shell]);
        assert_eq!(ran.code, 0, "{shell}: {}", ran.err);
        assert!(ran.out.contains("ostler"), "{shell}");
    }
}

#[test]
fn the_manual_page_names_every_command_and_exit_code() {
    let ran = ostler(&["man"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains(".TH ostler 1"));
    assert!(ran.out.contains(".SS ostler completions"));
    assert!(ran.out.contains("EXIT STATUS"));
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_ostler"))
        .arg("man")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.is_empty());
}

#[test]
fn the_keys_of_the_console_are_written() {
    let ran = ostler(&["keys"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("# Keys"), "{}", ran.out);
}
