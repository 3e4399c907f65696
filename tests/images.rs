//! Where images come from, and newer ones under the same tags, on a real engine.

mod cli;
#[path = "common/load.rs"]
mod load;
#[path = "common/registry.rs"]
mod registry;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use load::{Clients, Load};
use registry::{PASSWORD, Registry, USER, docker};
use stage::Stage;

/// An image that is gone at the end, with what is built over it.
struct Tag(String);

impl Tag {
    fn new() -> Tag {
        let random = getrandom::u64().unwrap();
        Tag(format!("ostler-test/e{random:016x}:1"))
    }

    /// The first one: it serves.
    fn first(&self) {
        docker(&["tag", "ostler-test/web:1", &self.0]);
    }

    /// Another one under the same tag: it says so, and does not start where BREAKS is set.
    fn rebuild(&self) {
        let folder = tempfile::tempdir().unwrap();
        let text = "FROM ostler-test/web:1\nENV BODY=second\nENTRYPOINT [\"sh\", \"-c\", \"[ -z \\\"$BREAKS\\\" ] || exit 1; exec \\\"$@\\\"\", \"e\"]\nCMD [\"serve\"]\n";
        fs::write(folder.path().join("Dockerfile"), text).unwrap();
        docker(&[
            "build",
            "-q",
            "-t",
            &self.0,
            folder.path().to_str().unwrap(),
        ]);
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        let docker = |arguments: &[&str]| {
            let out = std::process::Command::new("docker")
                .args(arguments)
                .output();
            out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned())
        };
        let _ = docker(&["rmi", "-f", &self.0]);
        // What was pushed or pulled is known by its digest, too.
        let name = self.0.trim_end_matches(":1");
        let format = "{{.Repository}}@{{.Digest}}";
        let all = docker(&["images", "--digests", "--format", format, name]);
        for pinned in all.unwrap_or_default().lines() {
            let _ = docker(&["rmi", "-f", pinned]);
        }
    }
}

fn site(name: &str, image: &str, more: &str) -> String {
    format!(
        "  {name}: {{ host: here, recipe: image, image: \"{image}\", port: 8080, domains: [{name}.localhost], memory: 64M, health: {{ timeout: 20s }}{more} }}\n"
    )
}

/// Whether any file below a folder contains a text.
fn holds(folder: &Path, text: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else {
        let found = fs::read(folder).unwrap_or_default();
        return found
            .windows(text.len())
            .any(|part| part == text.as_bytes());
    };
    entries.flatten().any(|entry| holds(&entry.path(), text))
}

#[test]
fn private_images_are_pulled_as_docker_is_logged_in() {
    let Some(engine) = tier::registry() else {
        return;
    };
    let registry = Registry::start();
    let name = registry.name.clone();
    let image = Tag(registry.push("ostler-test/web:1", "team/web:1"));
    docker(&["rmi", &image.0]);
    let mut stage = Stage::new(&engine, &site("app", &image.0, ""));
    let config = stage.folder.path().join(".docker");
    let file = config.join("config.json").display().to_string();
    let mut told = String::new();
    let mut apply = |stage: &Stage| {
        let ran = stage.run(&["apply", "--yes"]);
        told.push_str(&format!("{}{}", ran.out, ran.err));
        ran
    };
    let refused = |ran: &cli::Ran, why: &str| {
        assert_eq!(ran.code, 3, "{}\n{}", ran.out, ran.err);
        let why = format!("{name} refuses {}: {why}", image.0);
        assert!(ran.out.contains(&why), "{why}\n{}", ran.out);
        let remedy = format!("→ `docker login {name}`");
        assert!(ran.out.contains(&remedy), "{}", ran.out);
    };

    let ran = apply(&stage);
    refused(&ran, &format!("no credentials for {name} in {file}"));
    registry.log_in(&config, "wrong-s3cret");
    let ran = apply(&stage);
    refused(&ran, &format!("the credentials of {file} are refused"));
    fs::write(
        config.join("config.json"),
        "{ \"auths\": { \"x\": \"s3cret\"",
    )
    .unwrap();
    let ran = apply(&stage);
    refused_broken(&ran.out, &file);

    // A program keeps them: it is asked for this registry, and for no other.
    let bin = stage.folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let helper = bin.join("docker-credential-kept");
    let asked = stage.folder.path().join("asked");
    let script = format!(
        "#!/bin/sh\nprintf '%s %s\\n' \"$*\" \"$(cat)\" >>{}\nprintf '{{\"ServerURL\": \"x\", \"Username\": \"{USER}\", \"Secret\": \"{PASSWORD}\"}}'\n",
        asked.display()
    );
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    stage
        .environment
        .push(("PATH".into(), format!("{}:{path}", bin.display())));
    fs::write(
        config.join("config.json"),
        format!(r#"{{"credHelpers": {{"{name}": "kept", "other.example": "missing"}}}}"#),
    )
    .unwrap();
    let ran = apply(&stage);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.ask("app.localhost").0, 200);
    assert_eq!(fs::read_to_string(&asked).unwrap(), format!("get {name}\n"));

    // Somebody pushes another one under the same tag: it is asked for, and takes the place.
    image.rebuild();
    let second = docker(&["image", "inspect", "-f", "{{.Id}}", &image.0]);
    registry.push(&image.0, "team/web:1");
    docker(&["tag", "ostler-test/web:1", &image.0]);
    registry.log_in(&config, PASSWORD);
    let nothing = stage.done(&["update", "--yes"]);
    assert!(
        nothing
            .out
            .contains("Nothing to do: nothing runs an older image"),
        "{}",
        nothing.out
    );
    let updated = stage.done(&["update", "--pull", "--yes", "app"]);
    assert!(
        updated.out.contains("replace app on here"),
        "{}",
        updated.out
    );
    let body = stage.ask("app.localhost").1;
    assert!(body.contains("second"), "{body}");
    let now = docker(&["image", "inspect", "-f", "{{.Id}}", &image.0]);
    assert_eq!(now, second);
    assert_eq!(stage.run(&["plan"]).code, 0);

    // What cannot be asked for is no reason to call it up to date.
    registry.log_in(&config, "wrong-s3cret");
    let ran = stage.run(&["update", "--pull", "--yes"]);
    assert_eq!(ran.code, 3, "{}\n{}", ran.out, ran.err);
    let why = format!("the credentials of {file} are refused");
    assert!(ran.out.contains(&why), "{}", ran.out);
    told.push_str(&format!(
        "{}{}{}{}",
        updated.out, updated.err, ran.out, ran.err
    ));

    assert!(!told.contains("s3cret"), "{told}");
    for folder in [
        stage.root.as_ref(),
        stage.folder.path().join("state").as_path(),
    ] {
        assert!(
            folder.is_dir() && !holds(folder, "s3cret"),
            "{}",
            folder.display()
        );
    }
}

#[track_caller]
fn refused_broken(out: &str, file: &str) {
    let why = format!("{file} cannot be used: it is not as Docker writes it, at line 1");
    assert!(out.contains(&why), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_goes_on_only_while_it_goes_well_and_loses_no_request() {
    let Some(engine) = tier::engine() else { return };
    let image = Tag::new();
    image.first();
    let breaks = ", env: { BREAKS: \"1\" }";
    let sites = [
        site("a", &image.0, ""),
        site("b", &image.0, breaks),
        site("c", &image.0, ""),
        "  other: { host: here, recipe: static, domains: [other.localhost], memory: 64M }\n"
            .to_owned(),
    ];
    let stage = Stage::new(&engine, &sites.concat());
    stage.done(&["apply", "--yes"]);
    image.rebuild();

    // Told, and no change.
    let told = format!(
        "3 sites (a, b, c) run an older image than {} is by now: `ostler update`",
        image.0
    );
    let plan = stage.done(&["plan"]);
    assert!(plan.out.contains(&told), "{}", plan.out);
    let status = stage.done(&["status"]);
    let line = "3 sites run an older image than its tag stands for: `ostler update`";
    assert!(status.out.contains(line), "{}", status.out);
    let json = stage.done(&["status", "--json"]).json();
    assert_eq!(json["to_update"], serde_json::json!(["a", "b", "c"]));
    let refused = stage.run(&["update"]);
    assert!(
        refused.code == 1 && refused.err.contains("not a terminal"),
        "{refused:?}"
    );
    let refused = stage.run(&["--read-only", "update", "--yes"]);
    assert!(
        refused.code == 1 && refused.err.contains("on-call mode"),
        "{refused:?}"
    );

    let front = SocketAddr::new(stage.front, stage.port);
    let clients =
        ["a", "b", "c", "other"].map(|s| Clients::new(&format!("{s}.localhost"), "/", 2, false));
    let load = Load::expecting_200(front, &clients);
    let ran = tokio::task::block_in_place(|| stage.run(&["update", "--yes"]));
    let report = load.stop().await;
    report.assert_no_failure();
    assert!(report.count() > 100, "{}", report.count());
    assert_eq!(ran.code, 3, "{}\n{}", ran.out, ran.err);
    for says in [
        "✖ b on here",
        "what was done for it has been taken back",
        "Left as they are: c on here.",
        "`ostler update` again",
    ] {
        assert!(ran.out.contains(says), "{says}\n{}", ran.out);
    }
    let bodies =
        || ["a", "b", "c"].map(|s| stage.ask(&format!("{s}.localhost")).1.contains("second"));
    assert_eq!(bodies(), [true, false, false]);

    // Mended, it goes on with what is left; then there is nothing to do.
    stage.edit(breaks, "");
    stage.done(&["apply", "--yes"]);
    stage.done(&["update", "--yes", "c"]);
    assert_eq!(bodies(), [true, true, true]);
    let plan = stage.done(&["plan"]);
    assert!(!plan.out.contains("older image"), "{}", plan.out);
    stage.done(&["update", "--yes"]);
}
