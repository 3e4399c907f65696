//! What was changed by hand on a real engine: seen field by field, put right by `apply`, or written
//! into the file by `adopt`.

mod cli;
#[path = "common/own.rs"]
mod own;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::process::Command;

use serde_json::Value;
use stage::Stage;

const SITES: &str = "  # the blog\n  blog: { host: here, recipe: static, domains: [blog.localhost], memory: 64M } # small\n  app: { host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [app.localhost], memory: 64M, env: { GRACE: \"1\" } }\n";

/// The engine's own client, as a colleague would use it.
struct Hand {
    address: String,
}

impl Hand {
    #[track_caller]
    fn docker(&self, arguments: &[&str]) -> String {
        let out = Command::new("docker")
            .args(["-H", &self.address])
            .args(arguments)
            .output()
            .expect("a docker client");
        let err = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "docker {arguments:?}: {err}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    fn container(&self, stage: &Stage, site: &str) -> String {
        let fleet = format!("label=ostler.fleet={}", stage.fleet);
        let site = format!("label=ostler.site={site}");
        let format = "{{.ID}}";
        self.docker(&[
            "ps",
            "-a",
            "--no-trunc",
            "-f",
            &fleet,
            "-f",
            &site,
            "--format",
            format,
        ])
    }

    fn memory(&self, id: &str) -> String {
        let format = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}";
        self.docker(&["inspect", "-f", format, id])
    }
}

/// What `drift --json` says of one site: lines `FIELD APPLIED LIVE FILE KIND`.
#[track_caller]
fn drift(stage: &Stage, more: &[&str], site: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["drift", "--json"];
    arguments.extend(more);
    let ran = stage.run(&arguments);
    let json = ran.json();
    let mut lines = Vec::new();
    let all = json["drift"].as_array().unwrap();
    assert_eq!(ran.code, if all.is_empty() { 0 } else { 2 }, "{}", ran.out);
    for one in all {
        assert_eq!(one["site"].as_str(), site, "{}", ran.out);
        for field in one["fields"].as_array().unwrap() {
            let text = |key: &str| match &field[key] {
                Value::String(text) => text.clone(),
                _ => "-".to_owned(),
            };
            let line = ["path", "applied", "live", "wanted", "kind"].map(text);
            lines.push(line.join(" "));
        }
    }
    lines
}

/// Apply says that it did something; then nothing differs and nothing is left to do.
#[track_caller]
fn mended(stage: &Stage) {
    assert_eq!(stage.run(&["plan"]).code, 2);
    stage.done(&["apply", "--yes"]);
    assert_eq!(drift(stage, &[], None), Vec::<String>::new());
    let again = stage.run(&["plan"]);
    assert_eq!(again.code, 0, "{}", again.out);
    for site in ["blog", "app"] {
        assert_eq!(stage.ask(&format!("{site}.localhost")).0, 200, "{site}");
    }
}

#[test]
fn what_is_changed_by_hand_is_seen_and_put_right() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let hand = Hand {
        address: engine.address.clone(),
    };
    stage.done(&["apply", "--yes"]);
    assert_eq!(drift(&stage, &[], None), Vec::<String>::new());

    let blog = hand.container(&stage, "blog");
    hand.docker(&["update", "--memory", "96m", "--memory-swap", "96m", &blog]);
    let line = ["memory 64M 96M 64M hand".to_owned()];
    assert_eq!(drift(&stage, &[], Some("blog")), line);
    assert_eq!(drift(&stage, &["--read-only"], Some("blog")), line);
    let only = ["--only", "site=app"];
    assert_eq!(drift(&stage, &only, None), Vec::<String>::new());
    let table = stage.run(&["drift"]);
    assert!(table.out.contains("LAST APPLIED"), "{}", table.out);
    assert!(table.out.contains("by hand"), "{}", table.out);
    let sites = stage.run(&["sites", "--json"]).json();
    assert_eq!(sites[0]["drift"][0], "memory 64M→96M by hand");
    mended(&stage);
    assert_eq!(
        hand.container(&stage, "blog"),
        blog,
        "limits change in place"
    );
    assert_eq!(hand.memory(&blog), "67108864 67108864");

    hand.docker(&["update", "--memory-swap", "-1", &blog]);
    assert_eq!(
        drift(&stage, &[], Some("blog")),
        ["swap - unlimited - hand"]
    );
    mended(&stage);
    assert_eq!(hand.memory(&blog), "67108864 67108864");

    hand.docker(&["update", "--cpu-shares", "512", "--restart", "no", &blog]);
    assert_eq!(
        drift(&stage, &[], Some("blog")),
        ["cpu_shares - 512 - hand", "restart always no always hand"]
    );
    mended(&stage);
    assert_ne!(
        hand.container(&stage, "blog"),
        blog,
        "shares cannot be taken away"
    );

    let app = hand.container(&stage, "app");
    hand.docker(&["stop", "-t", "1", &app]);
    assert_eq!(
        drift(&stage, &[], Some("app")),
        ["state running stopped running hand"]
    );
    mended(&stage);
    assert_eq!(hand.container(&stage, "app"), app);

    let network = format!("ostler-{}", stage.fleet);
    hand.docker(&["network", "disconnect", &network, &app]);
    let found = drift(&stage, &[], Some("app"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with(&format!("network.{network} 10.")),
        "{found:?}"
    );
    mended(&stage);

    hand.docker(&[
        "network",
        "connect",
        "bridge",
        &hand.container(&stage, "app"),
    ]);
    assert_eq!(
        drift(&stage, &[], Some("app")),
        ["network.bridge - any address - hand"]
    );
    mended(&stage);
}

#[test]
fn somebody_elses_container_in_its_place_stays_and_the_site_comes_back() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let hand = Hand {
        address: engine.address.clone(),
    };
    stage.done(&["apply", "--yes"]);
    let blog = hand.container(&stage, "blog");
    let name = hand.docker(&["inspect", "-f", "{{.Name}}", &blog]);
    let name = name.trim_start_matches('/');
    hand.docker(&["rm", "-f", &blog]);
    let foreign = hand.docker(&["run", "-d", "--name", name, "nginx:1.28"]);
    let found = drift(&stage, &[], Some("blog"));
    assert_eq!(
        found,
        [format!(
            "container as applied {name} is not ours: nginx:1.28 as applied hand"
        )]
    );
    mended(&stage);
    let still = hand.docker(&["inspect", "-f", "{{.State.Running}}", &foreign]);
    assert_eq!(still, "true");
    hand.docker(&["rm", "-f", &foreign]);
    stage.done(&["apply", "--yes"]);
    let blog = hand.container(&stage, "blog");
    assert_eq!(
        hand.docker(&["inspect", "-f", "{{.Name}}", &blog]),
        format!("/{name}")
    );
}

/// Images and containers made by hand, gone at the end.
struct ByHand<'a> {
    hand: &'a Hand,
    made: Vec<String>,
    images: Vec<String>,
}

impl ByHand<'_> {
    /// An image of a container, with its labels, and a container of that which runs a shell.
    fn copy(&mut self, name: &str, of: &str, script: &str) -> String {
        let image = format!("{name}:copy");
        self.hand.docker(&["commit", of, &image]);
        self.images.push(image.clone());
        let run = [
            "run",
            "-d",
            "--name",
            name,
            "--user",
            "0",
            "--entrypoint",
            "sh",
        ];
        let id = self
            .hand
            .docker(&[&run[..], &[&image, "-c", script]].concat());
        self.made.push(id.clone());
        id
    }
}

impl Drop for ByHand<'_> {
    fn drop(&mut self) {
        let address = self.hand.address.as_str();
        let remove = |arguments: &[&str], what: &[String]| {
            let mut docker = Command::new("docker");
            let _ = docker
                .args(["-H", address])
                .args(arguments)
                .args(what)
                .output();
        };
        remove(&["rm", "-f"], &self.made);
        remove(&["rmi", "-f"], &self.images);
    }
}

#[test]
fn a_copy_with_the_labels_of_a_container_stands_in_for_it_nowhere() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let hand = Hand {
        address: engine.address.clone(),
    };
    stage.done(&["apply", "--yes"]);
    let app = hand.container(&stage, "app");
    let router = format!("ostler-{}-router", stage.fleet);
    let before = stage.run(&["sites", "--json"]).json();
    let mut by_hand = ByHand {
        hand: &hand,
        made: Vec::new(),
        images: Vec::new(),
    };
    let talks = "echo said-by-the-copy; sleep 600";
    by_hand.copy(&format!("{}-site-copy", stage.fleet), &app, talks);
    by_hand.copy(&format!("{}-router-copy", stage.fleet), &router, talks);
    let ended = by_hand.copy(&format!("{}-job", stage.fleet), &app, "exit 3");
    hand.docker(&["wait", &ended]);

    // Nothing that is told of the site or the host is the copies'.
    let now = stage.run(&["sites", "--json"]).json();
    assert_eq!(now.as_array().unwrap().len(), 2, "{now}");
    for key in [
        "name",
        "container",
        "address",
        "image",
        "state",
        "verdict",
        "ok",
    ] {
        assert_eq!(now[1][key], before[1][key], "{key}");
    }
    assert_eq!(now[1]["container"], app);
    let log = stage.done(&["logs", "app"]);
    assert!(!log.out.contains("said-by-the-copy"), "{}", log.out);
    assert_eq!(drift(&stage, &[], None), Vec::<String>::new());
    assert_eq!(stage.run(&["plan"]).code, 0);
    let host = stage.run(&["hosts", "--json"]).json();
    assert_eq!(host[0]["containers"], 4, "{host}");

    // While they run and the real ones do not, these are what is told.
    hand.docker(&["stop", "-t", "1", &app, &router]);
    let now = stage.run(&["sites", "--json"]).json();
    assert_eq!(now[1]["ok"], false, "{now}");
    assert_eq!(now[1]["container"], app);
    let host = stage.run(&["hosts", "--json"]).json();
    let status = host[0]["router"].as_str().unwrap();
    assert!(status.starts_with("Exited"), "{status}");
    mended(&stage);
    assert_eq!(hand.container(&stage, "app").lines().count(), 3);
    let runs = "{{.State.Running}}";
    for copy in &by_hand.made[..2] {
        assert_eq!(hand.docker(&["inspect", "-f", runs, copy]), "true");
    }
}

#[test]
fn a_container_that_was_renamed_is_still_the_sites_and_gets_its_name_back() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let hand = Hand {
        address: engine.address.clone(),
    };
    stage.done(&["apply", "--yes"]);
    let app = hand.container(&stage, "app");
    let of = |format: &str| hand.docker(&["inspect", "-f", format, &app]);
    let name = of("{{.Name}}").trim_start_matches('/').to_owned();
    let (mine, started) = (format!("{}-mine", stage.fleet), of("{{.State.StartedAt}}"));
    hand.docker(&["rename", &app, &mine]);
    let sites = stage.run(&["sites", "--json"]).json();
    assert_eq!(sites[1]["container"], app, "{sites}");
    assert_eq!(sites[1]["state"], "running", "{sites}");
    stage.done(&["logs", "app"]);
    let line = format!("name {name} {mine} {name} hand");
    assert_eq!(drift(&stage, &[], Some("app")), [line]);
    let plan = stage.run(&["plan"]);
    assert!(plan.out.contains("renamed by hand"), "{}", plan.out);
    mended(&stage);
    // It is the same one, and was not interrupted.
    assert_eq!(hand.container(&stage, "app"), app);
    assert_eq!(of("{{.Name}}"), format!("/{name}"));
    assert_eq!(of("{{.State.StartedAt}}"), started);
}

/// Tools that update containers make one anew, with the old one's name, labels and address.
#[test]
fn a_container_that_another_tool_made_anew_is_the_sites_and_is_put_right() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let hand = Hand {
        address: engine.address.clone(),
    };
    stage.done(&["apply", "--yes"]);
    let app = hand.container(&stage, "app");
    let of = |format: &str, id: &str| hand.docker(&["inspect", "-f", format, id]);
    let name = of("{{.Name}}", &app).trim_start_matches('/').to_owned();
    let network = format!("ostler-{}", stage.fleet);
    let ip = "{{range .NetworkSettings.Networks}}{{.IPAMConfig.IPv4Address}}{{end}}";
    let ip = of(ip, &app);
    let image = format!("{}-anew:copy", stage.fleet);
    hand.docker(&["commit", &app, &image]);
    let _by_hand = ByHand {
        hand: &hand,
        made: Vec::new(),
        images: vec![image.clone()],
    };
    hand.docker(&["rm", "-f", &app]);
    let run = [
        "run",
        "-d",
        "--name",
        &name,
        "--network",
        &network,
        "--ip",
        &ip,
    ];
    let anew = hand.docker(&[&run[..], &[&image]].concat());

    // It serves, and so it is what is told of; what differs of it is said.
    let sites = stage.run(&["sites", "--json"]).json();
    assert_eq!(sites[1]["container"], anew, "{sites}");
    assert_eq!(sites[1]["state"], "running", "{sites}");
    assert!(!drift(&stage, &[], Some("app")).is_empty());
    mended(&stage);
    let now = hand.container(&stage, "app");
    assert_ne!(now, anew);
    assert_eq!(of("{{.Name}}", &now), format!("/{name}"));
    assert_eq!(of("{{.Config.Image}}", &now), "ostler-test/web:1");
}

#[test]
fn files_edited_on_the_host_are_seen_and_written_again() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let hand = Hand {
        address: engine.address.clone(),
    };
    let secret = "  vault: { host: here, recipe: static, domains: [vault.localhost], memory: 64M, secrets: { KEY: { file: key } } }\n";
    stage.edit("  app:", &format!("{secret}  app:"));
    own::write(stage.folder.path().join("key"), "sesame");
    stage.done(&["apply", "--yes"]);
    assert_eq!(drift(&stage, &[], None), Vec::<String>::new());
    let toolbox = format!("ostler-{}-toolbox", stage.fleet);
    let root = hand.docker(&[
        "inspect",
        "-f",
        "{{index .Config.Labels \"ostler.root\"}}",
        &toolbox,
    ]);
    let edit = |script: &str| {
        let script = format!("cd {root} && {script}");
        hand.docker(&["exec", &toolbox, "sh", "-c", &script]);
    };

    edit("sed -i 's/^blog .*/blog stopped|||7/' router/maps/routes.map");
    let found = drift(&stage, &[], Some("blog"));
    assert!(found[0].contains(" stopped|||7 "), "{found:?}");
    // On call it is seen as well: only what needs commands is not known.
    let on_call = stage.run(&["--read-only", "drift"]);
    assert_eq!(on_call.code, 2);
    assert!(on_call.out.contains("not known"), "{}", on_call.out);
    mended(&stage);

    edit("sed -i 's/sendfile on/sendfile off/' sites/blog/private/conf-*/nginx.conf");
    assert_eq!(
        drift(&stage, &[], Some("blog")),
        ["configuration.nginx.conf as written edited as written hand"]
    );
    mended(&stage);

    edit("printf open > sites/vault/private/secrets/KEY");
    assert_eq!(
        drift(&stage, &[], Some("vault")),
        ["secrets.KEY written changed written hand"]
    );
    mended(&stage);
    edit("grep -q sesame sites/vault/private/secrets/KEY");

    edit("sed -i 's/timeout connect.*/timeout connect 9s/' router/haproxy.cfg");
    assert_eq!(
        drift(&stage, &[], None),
        ["router.haproxy.cfg as written edited as written hand"]
    );
    mended(&stage);

    hand.docker(&["stop", "-t", "1", &format!("ostler-{}-router", stage.fleet)]);
    assert_eq!(
        drift(&stage, &[], None),
        ["router running stopped running hand"]
    );
    mended(&stage);
}

#[test]
fn what_is_live_is_written_into_the_file_and_no_container_is_touched() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let hand = Hand {
        address: engine.address.clone(),
    };
    stage.done(&["apply", "--yes"]);
    let (blog, app) = (
        hand.container(&stage, "blog"),
        hand.container(&stage, "app"),
    );
    hand.docker(&[
        "update",
        "--memory",
        "96m",
        "--memory-swap",
        "96m",
        "--cpus",
        "0.5",
        &blog,
    ]);
    let on_call = stage.run(&["--read-only", "adopt", "blog", "--yes"]);
    assert_eq!(on_call.code, 1);
    assert!(on_call.err.contains("on-call mode"), "{}", on_call.err);
    // Only the one that was named.
    let shown = stage.done(&["adopt", "blog", "memory", "--yes"]);
    assert!(shown.out.contains("96M"), "{}", shown.out);
    assert!(stage.text().contains("memory: 96M"), "{}", stage.text());
    assert!(stage.text().contains("# small"), "{}", stage.text());
    // Its plan makes the site as the file says, and the file says nothing of CPUs.
    stage.done(&["adopt", "blog", "--yes"]);
    assert_eq!(drift(&stage, &[], None), Vec::<String>::new());
    assert_eq!(stage.run(&["plan"]).code, 0);

    let blog = hand.container(&stage, "blog");
    hand.docker(&["update", "--memory", "80m", "--memory-swap", "80m", &blog]);
    hand.docker(&["update", "--cpu-shares", "512", &app]);
    stage.done(&["adopt", "blog", "--yes"]);
    assert!(stage.text().contains("memory: 80M"), "{}", stage.text());
    assert_eq!(hand.container(&stage, "blog"), blog);
    assert_eq!(hand.memory(&blog), "83886080 83886080");
    let left = stage.done(&["adopt", "app", "--yes"]);
    assert!(left.err.contains("cpu_shares"), "{}", left.err);
    assert_eq!(stage.run(&["adopt", "app", "cpu_shares", "--yes"]).code, 1);

    hand.docker(&["stop", "-t", "1", &blog]);
    stage.done(&["adopt", "blog", "--yes"]);
    assert!(stage.text().contains("state: stopped"), "{}", stage.text());
    assert_eq!(hand.container(&stage, "blog"), blog);
    let policy = "{{.HostConfig.RestartPolicy.Name}} {{.State.Running}}";
    assert_eq!(hand.docker(&["inspect", "-f", policy, &blog]), "no false");
    assert_eq!(stage.ask("blog.localhost").0, 503);
    assert_eq!(drift(&stage, &[], Some("app")).len(), 1);
}
