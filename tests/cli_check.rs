//! `check`, and what every command does with a fleet file that is not there or not right.

mod cli;

use std::fs;
use std::io::Write;

use cli::{command, ostler, ostler_in, run};

const GOOD: &str = "fleet: t\nhosts:\n  lab: { engine: \"unix:///var/run/docker.sock\" }\nsites:\n  blog: { host: lab, recipe: static, domains: [blog.localhost] }\n";
const BROKEN: &str = "fleet: t\nhosts:\n  lab: { engine: \"unix:///var/run/docker.sock\" }\nsites:\n  blog: { host: lba, recipe: static, domains: [\"x y\"] }\n";

fn folder(file: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), text).unwrap();
    folder
}

#[test]
fn a_good_file_is_said_to_be_good() {
    let folder = folder("fleet.yml", GOOD);
    let ran = ostler_in(folder.path(), &["check"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out, "fleet.yml: fleet t, 1 host, 1 site\n");
    let unsaid = "no certificates are obtained: the file does not say `acme`;";
    assert!(ran.err.starts_with(unsaid), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    let ran = ostler_in(folder.path(), &["check", "--json"]);
    assert!(ran.out.contains(unsaid) && ran.err.is_empty(), "{ran:?}");
    // Once it is said, or where none is wanted, there is nothing to say.
    for said in [
        "acme: off",
        "acme: { terms: agreed }",
        "defaults: { https: off }",
    ] {
        fs::write(folder.path().join("fleet.yml"), format!("{said}\n{GOOD}")).unwrap();
        let ran = ostler_in(folder.path(), &["check"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{said}");
    }
}

#[test]
fn a_file_that_others_can_write_has_no_alert_run() {
    let text = format!("notify: {{ command: [logger] }}\nacme: off\n{GOOD}");
    let folder = folder("fleet.yml", &text);
    let file = folder.path().join("fleet.yml");
    for (mode, doubtful) in [(0o644, false), (0o666, true)] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let ran = ostler_in(folder.path(), &["check"]);
        assert_eq!(
            ran.err.contains("others can write"),
            doubtful,
            "{}",
            ran.err
        );
    }
}

#[test]
fn all_errors_are_told_at_once_with_place_and_remedy() {
    let folder = folder("fleet.yml", BROKEN);
    let ran = ostler_in(folder.path(), &["check"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, "");
    assert!(ran.err.contains("fleet.yml:5:17"), "{}", ran.err);
    assert!(ran.err.contains("did you mean `lab`?"), "{}", ran.err);
    assert!(ran.err.contains("x y"), "{}", ran.err);
    assert!(
        ran.err.ends_with("error: 2 errors in fleet.yml\n"),
        "{}",
        ran.err
    );
}

#[test]
fn what_has_no_end_is_not_read_to_it() {
    let folder = folder("fleet.yml", GOOD);
    let ran = ostler_in(folder.path(), &["check", "--fleet", "/dev/zero"]);
    assert_eq!(ran.code, 1);
    let said = "error: cannot read /dev/zero: it is larger than 16 MiB\n";
    assert!(ran.err.starts_with(said), "{}", ran.err);
    let deep = format!("a: {}", "[".repeat(1 << 20));
    fs::write(folder.path().join("fleet.yml"), deep).unwrap();
    let ran = ostler_in(folder.path(), &["check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("--> fleet.yml:1:"), "{}", ran.err);
    // From a program that writes one.
    let mut piped = command(folder.path());
    let mut piped = piped
        .args(["check", "--fleet", "/dev/stdin"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    piped
        .stdin
        .take()
        .unwrap()
        .write_all(GOOD.as_bytes())
        .unwrap();
    let out = piped.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "/dev/stdin: fleet t, 1 host, 1 site\n"
    );
}

#[test]
fn findings_are_told_to_programs_too() {
    let folder = folder("fleet.yml", BROKEN);
    let ran = ostler_in(folder.path(), &["check", "--json"]);
    assert_eq!(ran.code, 1);
    let report = ran.json();
    assert_eq!(report["errors"], 2);
    assert_eq!(report["findings"][0]["line"], 5);
    assert_eq!(report["findings"][0]["level"], "error");
}

#[test]
fn what_nobody_sees_is_replaced_and_json_stays_json() {
    // Direction, zero width, a tag. (Controls of more than one byte are no YAML.)
    let odd = "x\u{202e}y\u{200b}\u{e0041}";
    let file = GOOD.replace("blog.localhost", &format!("\"{odd} z\""));
    let folder = folder("fleet.yml", &file);
    let hides = |text: &str| text.chars().any(|c| odd.contains(c) && !c.is_ascii());
    let ran = ostler_in(folder.path(), &["check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("x\u{fffd}y\u{fffd}"), "{}", ran.err);
    assert!(!hides(&ran.err), "{:?}", ran.err);
    fs::write(folder.path().join(odd), BROKEN).unwrap();
    let ran = ostler_in(folder.path(), &["--fleet", odd, "check", "--json"]);
    assert!(!hides(&ran.out), "{:?}", ran.out);
    assert!(ran.out.contains("x\\u202ey\\u200b"), "{}", ran.out);
    let file = ran.json()["findings"][0]["file"].to_string();
    assert!(file.contains(odd), "{file:?}");
    // A line of ours that names what was given.
    let ran = ostler_in(folder.path(), &["--fleet", odd, "check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("x\u{fffd}y\u{fffd}"), "{}", ran.err);
    assert!(!hides(&ran.err), "{:?}", ran.err);
}

#[test]
fn the_fleet_file_is_found_in_this_order() {
    let folder = folder("fleet.yml", GOOD);
    let other = folder.path().join("other.yml");
    fs::write(&other, GOOD.replace("fleet: t", "fleet: other")).unwrap();
    let config = folder.path().join("config/ostler");
    fs::create_dir_all(&config).unwrap();
    fs::write(
        config.join("fleet.yml"),
        GOOD.replace("fleet: t", "fleet: home"),
    )
    .unwrap();

    let named = run(command(folder.path())
        .args(["check", "--fleet", "other.yml"])
        .env("OSTLER_FLEET", "fleet.yml"));
    assert!(named.out.contains("fleet other"), "{named:?}");
    let variable = run(command(folder.path())
        .arg("check")
        .env("OSTLER_FLEET", &other));
    assert!(variable.out.contains("fleet other"), "{variable:?}");
    let here = run(command(folder.path()).arg("check"));
    assert!(here.out.contains("fleet t"), "{here:?}");
    fs::remove_file(folder.path().join("fleet.yml")).unwrap();
    let home = run(command(folder.path()).arg("check"));
    assert!(home.out.contains("fleet home"), "{home:?}");
}

#[test]
fn no_fleet_file_is_one_line_and_a_remedy() {
    let ran = ostler(&["check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("error: no fleet file"), "{}", ran.err);
    assert!(ran.err.contains("help: `ostler init`"), "{}", ran.err);
    let named = ostler(&["check", "--fleet", "none.yml"]);
    assert_eq!(named.code, 1);
    assert!(named.err.contains("cannot read none.yml"), "{}", named.err);
}

#[test]
fn bytes_that_are_no_text_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("fleet.yml"), b"fleet: t\nhosts: \xff\n").unwrap();
    let ran = ostler_in(folder.path(), &["check"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("fleet.yml:2: this is not UTF-8"),
        "{}",
        ran.err
    );
}

#[test]
fn a_configuration_that_is_not_understood_stops_everything() {
    let folder = folder("fleet.yml", GOOD);
    let config = folder.path().join("config/ostler");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.yml"), "mode: oncall\n").unwrap();
    let ran = ostler_in(folder.path(), &["check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("config.yml"), "{}", ran.err);
}
