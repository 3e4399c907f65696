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

#[test]
fn what_is_in_memory_is_dumped_nowhere() {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &std::path::Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    };
    open(folder.path());
    let socket = folder.path().join("engine.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    open(&socket);
    let mut command = cli::command(folder.path());
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if root {
        // What root may read says nothing: it runs as somebody else.
        let binary = folder.path().join("ostler");
        fs::copy(env!("CARGO_BIN_EXE_ostler"), &binary).unwrap();
        let home = folder.path();
        command = std::process::Command::new(binary);
        command.env("HOME", home).current_dir(home).uid(4242);
    }
    let engine = format!("unix://{}", socket.display());
    let null = std::process::Stdio::null;
    let running = command.args(["status", "--host", &engine]).stderr(null());
    let mut running = running.stdout(null()).spawn().unwrap();
    // It asks the engine, and waits for as long as this is held.
    let asking = listener.accept().unwrap();
    let process = format!("/proc/{}", running.id());
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let memory = fs::metadata(format!("{process}/mem")).unwrap().uid();
    drop((asking, listener));
    running.wait().unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
    assert_eq!(memory, 0, "of a process that can be dumped it is its own");
}
