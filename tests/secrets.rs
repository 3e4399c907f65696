//! Secrets reach their site, and nothing else: no journal, record, log, plan, message, label,
//! argument, environment or exec.

mod cli;
#[path = "common/own.rs"]
mod own;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cli::Ran;
use stage::Stage;

const SITES: &str = "  \
app: { host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [app.localhost], memory: 64M, secrets: { DB: { file: private/db }, API: { command: [./tell, private/api] } } }
  blog: { host: here, recipe: php, domains: [blog.localhost], memory: 128M, secrets: { DB: { file: private/db } } }
";

/// Values that occur nowhere else, each in the forms that a careless program might write.
struct Marks {
    forms: Vec<(String, String)>,
}

impl Marks {
    fn new(values: &[(&str, &str)]) -> Marks {
        let mut forms = Vec::new();
        for (what, value) in values {
            let hex: String = value.bytes().map(|b| format!("{b:02x}")).collect();
            let plain = (*what).to_owned();
            forms.push((plain.clone(), (*value).to_owned()));
            forms.push((format!("{plain} in hex"), hex));
            forms.push((format!("{plain} in base64"), base64(value.as_bytes())));
        }
        Marks { forms }
    }

    /// Which of them are in there.
    fn found(&self, text: &[u8]) -> Vec<&str> {
        let text = String::from_utf8_lossy(text);
        let hits = self.forms.iter().filter(|(_, form)| text.contains(form));
        hits.map(|(what, _)| what.as_str()).collect()
    }

    #[track_caller]
    fn assert_not_in(&self, what: &str, text: &[u8]) {
        let found = self.found(text);
        assert!(
            found.is_empty(),
            "{what} holds the secret {found:?}:\n{}",
            String::from_utf8_lossy(text)
        );
    }
}

/// Without the last incomplete group, so that it is found in the middle of something too.
fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).map(|g| {
        let n = (u32::from(g[0]) << 16) | (u32::from(g[1]) << 8) | u32::from(g[2]);
        [18, 12, 6, 0].map(|shift| SIGNS[((n >> shift) & 63) as usize] as char)
    });
    groups.flatten().collect()
}

fn value(what: &str) -> String {
    let random = (0..4).map(|_| format!("{:08x}", getrandom::u32().unwrap()));
    format!("MARK-{what}-{}", random.collect::<String>())
}

/// How often all processes were looked at, the programs seen, and what leaked where.
type Looked = (usize, BTreeSet<String>, BTreeSet<String>);

/// Reads every process's arguments and environment, again and again.
struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<Looked>>,
}

impl Sampler {
    fn start(marks: &Arc<Marks>) -> Sampler {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, marks) = (stop.clone(), marks.clone());
        let thread = std::thread::spawn(move || {
            let (mut rounds, mut seen, mut leaks) = (0, BTreeSet::new(), BTreeSet::new());
            while !stopped.load(Ordering::Relaxed) {
                rounds += 1;
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    if !entry.file_name().as_encoded_bytes()[0].is_ascii_digit() {
                        continue;
                    }
                    let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
                    let arguments = read("cmdline");
                    let program = arguments.split(|b| *b == 0).next().unwrap_or_default();
                    let program = String::from_utf8_lossy(program).into_owned();
                    for part in [&arguments, &read("environ")] {
                        for what in marks.found(part) {
                            leaks.insert(format!("{what}: {program}"));
                        }
                    }
                    let name = program.rsplit('/').next().unwrap_or_default();
                    seen.insert(name.to_owned());
                }
            }
            (rounds, seen, leaks)
        });
        Sampler {
            stop,
            thread: Some(thread),
        }
    }

    fn end(&mut self) -> Looked {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is ended once");
        thread.join().unwrap()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// All runs of the program, and what they said.
struct Runs<'a> {
    stage: &'a Stage,
    marks: &'a Marks,
    said: String,
}

impl Runs<'_> {
    #[track_caller]
    fn run(&mut self, code: i32, arguments: &[&str]) -> Ran {
        let ran = trusted(self.stage, arguments);
        let both = format!("{}\n{}", ran.out, ran.err);
        assert_eq!(ran.code, code, "{arguments:?}\n{both}");
        self.marks
            .assert_not_in(&format!("what {arguments:?} said"), both.as_bytes());
        self.said.push_str(&both);
        ran
    }
}

/// Runs with the commands of the fleet file allowed, where they are run.
fn trusted(stage: &Stage, arguments: &[&str]) -> Ran {
    let runs = ["plan", "apply", "restart"];
    let option = arguments.iter().any(|word| runs.contains(word));
    let option = option.then_some("--trust-commands");
    let arguments: Vec<&str> = arguments.iter().copied().chain(option).collect();
    stage.run(&arguments)
}

fn docker(engine: &tier::Engine, arguments: &[&str]) -> Vec<u8> {
    let ran = Command::new("docker")
        .args(["-H", &engine.address])
        .args(arguments)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{arguments:?}: {ran:?}");
    [ran.stdout, ran.stderr].concat()
}

/// Every file below a folder, but for those below a folder that is called so.
fn files(folder: &Path, but: &str, marks: &Marks, count: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && entry.file_name() != but {
            files(&path, but, marks, count);
        } else if kind.is_file() {
            *count += 1;
            marks.assert_not_in(&path.display().to_string(), &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn no_secret_is_found_anywhere_but_in_its_site() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(&engine, SITES);
    let names = ["file", "command", "changed", "stdout", "stderr"];
    let values = names.map(value);
    let pairs: Vec<(&str, &str)> = names
        .into_iter()
        .zip(values.iter().map(String::as_str))
        .collect();
    let marks = Arc::new(Marks::new(&pairs));
    let folder = stage.folder.path();
    let private = folder.join("private");
    fs::create_dir(&private).unwrap();
    for (name, value) in [("db", &values[0]), ("api", &values[1])] {
        own::write(private.join(name), value);
    }
    own::write(private.join("out"), &values[3]);
    own::write(private.join("err"), &values[4]);
    let script = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("tell", "#!/bin/sh\ncat \"$1\"\n");
    // A password manager that is locked, and talks too much.
    script(
        "fail",
        "#!/bin/sh\ncat private/out; cat private/err >&2; exit 3\n",
    );
    let since = chrono::Utc::now().timestamp();
    let mut sampler = Sampler::start(&marks);
    let mut runs = Runs {
        stage: &stage,
        marks: &marks,
        said: String::new(),
    };

    // What works.
    runs.run(2, &["-v", "plan", "--out", "plan.json"]);
    runs.run(2, &["plan", "--json"]);
    runs.run(0, &["-v", "apply", "plan.json", "--yes"]);
    let read = |site: &str, name: &str| {
        let sites = stage.done(&["sites", "--json", "--only", &format!("site={site}")]);
        let container = sites.json()[0]["container"].as_str().unwrap().to_owned();
        docker(
            &engine,
            &["exec", &container, "cat", &format!("/run/secrets/{name}")],
        )
    };
    assert_eq!(read("app", "DB"), values[0].as_bytes(), "it arrived");
    assert_eq!(read("app", "API"), values[1].as_bytes());
    assert_eq!(read("blog", "DB"), values[0].as_bytes());
    assert_eq!(
        marks.found(&read("app", "API")),
        ["command"],
        "and would be found"
    );
    for arguments in [
        &["sites", "--json"][..],
        &["status"],
        &["-v", "doctor"],
        &["hosts"],
        &["check"],
        &["logs", "app"],
        &["-v", "site", "restart", "app", "--yes"],
    ] {
        runs.run(0, arguments);
    }
    // A new value, and one changed on the host by hand.
    own::write(private.join("db"), &values[2]);
    runs.run(2, &["-v", "plan"]);
    runs.run(0, &["-v", "apply", "--yes"]);
    assert_eq!(read("app", "DB"), values[2].as_bytes());
    stage.edit("memory: 64M", "memory: 96M");
    runs.run(2, &["plan", "--json"]);
    runs.run(0, &["apply", "--yes"]);

    // What fails: a command, a file that is not there, the engine itself. Of a site that has its
    // secrets they stay as they are; a new one cannot do without.
    let late = "  late: { host: here, recipe: static, domains: [late.localhost], secrets: { KEY: { command: [./fail] } } }\n";
    stage.edit("sites:\n", &format!("sites:\n{late}"));
    stage.edit("./tell, private/api", "./fail, private/api");
    stage.edit("file: private/db } }", "file: private/none } }");
    let failed = trusted(&stage, &["-v", "apply", "--yes"]);
    let both = format!("{}\n{}", failed.out, failed.err);
    marks.assert_not_in("what failing sources left", both.as_bytes());
    assert!([1, 3].contains(&failed.code), "{both}");
    for part in [
        "KEY of late",
        "API of app",
        "exit status: 3",
        "DB of blog",
        "private/none",
    ] {
        assert!(both.contains(part), "no {part:?}: {both}");
    }
    stage.edit(late, "");
    stage.edit("./fail, private/api", "./tell, private/api");
    stage.edit("file: private/none } }", "file: private/db } }");
    stage.edit("ostler-test/web:1", "ostler-test/no-such-image:1");
    let failed = trusted(&stage, &["-v", "apply", "--yes"]);
    assert!([1, 3].contains(&failed.code), "{failed:?}");
    marks.assert_not_in("the engine's error", format!("{failed:?}").as_bytes());
    stage.edit("ostler-test/no-such-image:1", "ostler-test/web:1");
    runs.run(0, &["-v", "apply", "--yes"]);

    // The operator's side: state, journal, saved plan, the fleet file itself.
    let mut count = 0;
    files(folder, "private", &marks, &mut count);
    assert!(count > 4, "{count} files of the operator");
    // The host's side: state, journal, fleet file, router, but not what the sites read.
    let mut count = 0;
    files(Path::new(&stage.root), "private", &marks, &mut count);
    assert!(count > 6, "{count} files of the host");
    // The engine's side.
    let label = format!("label=ostler.fleet={}", stage.fleet);
    let list = docker(&engine, &["ps", "-aq", "--filter", &label]);
    let list = String::from_utf8(list).unwrap();
    let ids: Vec<&str> = list.split_whitespace().collect();
    assert_eq!(ids.len(), 4, "toolbox, router and two sites");
    for id in &ids {
        marks.assert_not_in("docker inspect", &docker(&engine, &["inspect", id]));
        marks.assert_not_in("docker logs", &docker(&engine, &["logs", id]));
    }
    let network = format!("ostler-{}", stage.fleet);
    marks.assert_not_in(
        "the network",
        &docker(&engine, &["network", "inspect", &network]),
    );
    let images = docker(&engine, &["image", "inspect", "ostler/toolbox:1"]);
    marks.assert_not_in("the toolbox's image", &images);
    // Events tell the command line of every exec.
    let (since, until) = (
        since.to_string(),
        chrono::Utc::now().timestamp().to_string(),
    );
    let events = docker(&engine, &["events", "--since", &since, "--until", &until]);
    assert!(String::from_utf8_lossy(&events).contains("exec_create"));
    marks.assert_not_in("the engine's events", &events);
    let (rounds, seen, leaks) = sampler.end();
    assert_eq!(
        leaks,
        BTreeSet::new(),
        "arguments or environment of a process"
    );
    assert!(rounds > 50 && seen.contains("ostler"), "{rounds} {seen:?}");
    println!(
        "{rounds} looks at all processes; {} bytes said",
        runs.said.len()
    );
}

#[test]
fn a_secret_s_command_ends_with_ostler() {
    let Some(engine) = tier::engine() else { return };
    let stage = Stage::new(
        &engine,
        "  plain: { host: here, recipe: static, domains: [plain.localhost], \
         secrets: { KEY: { command: [sh, -c, \"sleep 1000 & echo $! > child; wait\"] } } }\n",
    );
    let mut ostler = stage
        .command(&["apply", "-y", "--trust-commands"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let child = loop {
        match fs::read_to_string(stage.folder.path().join("child")) {
            Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
            _ => assert!(ostler.try_wait().unwrap().is_none(), "it ended"),
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    // Not even time to say goodbye: and what the command started ends too.
    ostler.kill().unwrap();
    ostler.wait().unwrap();
    let stat = format!("/proc/{child}/stat");
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
