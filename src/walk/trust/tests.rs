use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::fleet::{self, Site};
use crate::walk::fleet_file::folder_of;

/// Says the same to every question, and keeps them.
struct Says(Answer, Mutex<Vec<String>>);

impl Says {
    fn new(answer: &str) -> Arc<Says> {
        let answer = match answer {
            "" => Answer::Nobody,
            "yes" => Answer::Yes,
            _ => Answer::No,
        };
        Arc::new(Says(answer, Mutex::default()))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.1.lock().unwrap())
    }
}

impl Ask for Says {
    fn ask(&self, question: &Question) -> Answer {
        let Question::Leave { of, prompt } = question else {
            panic!("{question:?}");
        };
        self.1.lock().unwrap().push(format!("{of}: {prompt}"));
        self.0.clone()
    }
}

struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        mode(folder.path(), 0o755);
        let below = folder.path().join("fleet");
        fs::create_dir(&below).unwrap();
        mode(&below, 0o755);
        let file = below.join("fleet.yml");
        fs::write(&file, "x").unwrap();
        mode(&file, 0o644);
        Place { folder, file }
    }

    fn state(&self) -> Option<PathBuf> {
        Some(self.folder.path().join("state"))
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Sites with these secrets, each in its own.
fn sites(secrets: &[&str]) -> Vec<Site> {
    let mut text = "fleet: t\nhosts: { web1: { engine: 'unix:///x.sock' } }\nsites:\n".to_owned();
    for (number, secret) in secrets.iter().enumerate() {
        text.push_str(&format!(
            "  s{number}: {{ host: web1, recipe: static, domains: [s{number}.example], secrets: {{ DB: {secret} }} }}\n"
        ));
    }
    let loaded = fleet::load(&text, Path::new("fleet.yml")).unwrap();
    loaded.fleet.sites.into_values().collect()
}

async fn settle<'a>(
    trust: &Trust,
    file: &Path,
    sites: impl Iterator<Item = &'a Site>,
) -> Result<(), Distrust> {
    let sources = sites.flat_map(Site::sources);
    trust.settle(file, &folder_of(file), sources).await
}

fn reads(trust: &Trust, file: &Path, site: &Site) -> Result<(), Withheld> {
    let (site, spec) = (site.name.as_str(), &site.secrets["DB"]);
    trust.may_read(Some(file), &folder_of(file), site, spec)
}

const PASS: &str = "{ command: [pass, show, 'a b'] }";

#[tokio::test]
async fn a_command_is_asked_about_once_and_runs_only_with_a_yes() {
    let place = Place::new();
    let twice = sites(&[PASS, PASS]);
    let no = Says::new("no");
    let trust = Trust::asking(no.clone(), place.state());
    settle(&trust, &place.file, twice.iter()).await.unwrap();
    let asked = no.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    // A no is kept for the run, until it is asked for.
    settle(&trust, &place.file, twice.iter()).await.unwrap();
    assert_eq!(no.asked(), Vec::<String>::new());
    trust.ask_again();
    settle(&trust, &place.file, twice.iter()).await.unwrap();
    assert_eq!(no.asked(), asked);
    assert!(
        asked[0]
            .starts_with("secret DB of s0: leave to run `pass show 'a b'` on this machine, in /"),
        "{asked:?}"
    );
    let why = reads(&trust, &place.file, &twice[0]).unwrap_err();
    assert!(
        why.why.contains("--trust-commands") && !why.on_call,
        "{why:?}"
    );

    let yes = Says::new("yes");
    let trust = Trust::asking(yes.clone(), place.state());
    settle(&trust, &place.file, twice.iter()).await.unwrap();
    assert_eq!(yes.asked().len(), 1);
    reads(&trust, &place.file, &twice[1]).unwrap();
    let kept = memory::place(&place.state().unwrap());
    assert_eq!(fs::metadata(&kept).unwrap().mode() & 0o777, 0o600);
    // Another run knows it; other words and other folders are asked about again.
    let nobody = Says::new("");
    let later = Trust::asking(nobody.clone(), place.state());
    settle(&later, &place.file, twice.iter()).await.unwrap();
    reads(&later, &place.file, &twice[0]).unwrap();
    assert_eq!(nobody.asked(), Vec::<String>::new());
    for edited in [
        "{ command: [pass, show, a, b] }",
        "{ command: [pass, show] }",
    ] {
        let edited = sites(&[edited]);
        let refused = settle(&later, &place.file, edited.iter())
            .await
            .unwrap_err();
        assert!(
            refused.to_string().contains("secret DB of s0: `pass show"),
            "{refused}"
        );
        assert!(refused.help().contains("--trust-commands"));
        assert!(reads(&later, &place.file, &edited[0]).is_err());
    }
    let other = Place::new();
    assert!(settle(&later, &other.file, twice.iter()).await.is_err());
    // What others could have written is no yes of this operator's.
    mode(&kept, 0o646);
    assert!(settle(&later, &place.file, twice.iter()).await.is_err());
    assert!(reads(&later, &place.file, &twice[0]).is_err());
}

#[tokio::test]
async fn what_is_asked_is_shown_whole_and_harmless_or_not_asked() {
    let place = Place::new();
    let yes = Says::new("yes");
    let trust = Trust::asking(yes.clone(), None);
    let odd = sites(&["{ command: [\"\\e[2Jpass\", \"a'b\\nc\", \"\", \"\\u202ex\"] }"]);
    settle(&trust, &place.file, odd.iter()).await.unwrap();
    let asked = yes.asked().remove(0);
    assert!(asked.contains("`'^[[2Jpass' 'a'\\''b␊c' '' "), "{asked}");
    assert!(!asked.contains(['\u{1b}', '\u{202e}', '\n']), "{asked}");
    let long = sites(&[&format!(
        "{{ command: [echo, {}, evil] }}",
        "x".repeat(SHOWN)
    )]);
    let refused = settle(&trust, &place.file, long.iter()).await.unwrap_err();
    let why = reads(&trust, &place.file, &long[0]).unwrap_err().why;
    for help in [&refused.help(), &why] {
        // Asking at a terminal does not help: there it was.
        assert!(!help.contains("terminal"), "{help}");
        assert!(
            help.contains("script file") && help.contains("--trust-commands"),
            "{help}"
        );
    }
    assert_eq!(yes.asked(), Vec::<String>::new());
    assert!(reads(&trust, &place.file, &long[0]).is_err());
}

#[tokio::test]
async fn on_call_mode_runs_none_and_asks_about_none() {
    let place = Place::new();
    let both = sites(&[PASS, "{ file: pw }"]);
    let trust = Trust::on_call(place.state());
    settle(&trust, &place.file, both.iter()).await.unwrap();
    let why = reads(&trust, &place.file, &both[0]).unwrap_err();
    assert!(why.on_call, "{why:?}");
    assert_eq!(why.why, "its command is not run in on-call mode");
    reads(&trust, &place.file, &both[1]).unwrap();
}

#[tokio::test]
async fn of_a_file_that_others_can_write_nothing_is_read() {
    let all = [PASS, "{ file: pw }"];
    for spec in all {
        for policy in ["always", "asks", "on call"] {
            let place = Place::new();
            let sites = sites(&[spec]);
            let yes = Says::new("yes");
            let trust = match policy {
                "always" => Trust::always(),
                "asks" => Trust::asking(yes.clone(), place.state()),
                _ => Trust::on_call(None),
            };
            mode(&place.file, 0o666);
            let settled = settle(&trust, &place.file, sites.iter()).await;
            assert_eq!(yes.asked(), Vec::<String>::new());
            if policy != "on call" {
                let refused = settled.unwrap_err();
                assert!(refused.to_string().contains("(mode 0666)"), "{refused}");
                assert!(
                    refused.help().contains("`chmod go-w /"),
                    "{}",
                    refused.help()
                );
            }
            assert!(
                reads(&trust, &place.file, &sites[0]).is_err(),
                "{spec} {policy}"
            );
        }
    }
    // Without secrets nobody cares.
    let place = Place::new();
    mode(&place.file, 0o666);
    settle(&Trust::always(), &place.file, [].iter())
        .await
        .unwrap();
}

#[test]
fn a_program_that_others_can_write_is_not_run() {
    let place = Place::new();
    let site = &sites(&["{ command: [./tell] }"])[0];
    let program = place.file.with_file_name("tell");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    mode(&program, 0o755);
    reads(&Trust::always(), &place.file, site).unwrap();
    mode(&program, 0o757);
    let why = reads(&Trust::always(), &place.file, site).unwrap_err();
    assert!(why.why.contains("tell (mode 0757)"), "{why:?}");
    assert!(why.why.contains("`chmod go-w /"), "{why:?}");
}

#[tokio::test]
async fn what_others_can_write_is_not_asked_about() {
    let place = Place::new();
    let program = place.file.with_file_name("tell");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    mode(&program, 0o757);
    // Named by its path, for a shell, and by a name that is looked for.
    let path = program.display();
    let specs = [
        "{ command: [./tell] }".to_owned(),
        "{ command: [sh, tell] }".to_owned(),
        format!("{{ command: ['{path}'] }}"),
        "{ file: tell }".to_owned(),
    ];
    for spec in &specs {
        let site = sites(&[spec]);
        let yes = Says::new("yes");
        let trust = Trust::asking(yes.clone(), place.state());
        settle(&trust, &place.file, site.iter()).await.unwrap();
        assert_eq!(yes.asked(), Vec::<String>::new(), "{spec}");
        let why = reads(&trust, &place.file, &site[0]).unwrap_err().why;
        assert!(
            why.contains("tell (mode 0757)") && why.contains("`chmod go-w /"),
            "{why}"
        );
    }
}

#[tokio::test]
async fn a_yes_is_to_the_program_as_it_was() {
    let place = Place::new();
    let folder = folder_of(&place.file);
    let outside = place.folder.path().join("elsewhere");
    let write = |path: &Path, text: &str| {
        fs::write(path, text).unwrap();
        mode(path, 0o755);
    };
    write(&folder.join("get.sh"), "#!/bin/sh\necho 1\n");
    write(&outside, "#!/bin/sh\necho 1\n");
    symlink("../elsewhere", folder.join("link")).unwrap();
    let absolute = folder.join("get.sh");
    for (command, changed) in [
        ("./get.sh".to_owned(), &absolute),
        ("sh, get.sh".to_owned(), &absolute),
        (format!("'{}'", absolute.display()), &absolute),
        ("sh, ./link".to_owned(), &outside),
    ] {
        let site = sites(&[&format!("{{ command: [{command}] }}")]);
        let yes = Says::new("yes");
        let asked = || async {
            // Another run each time.
            let trust = Trust::asking(yes.clone(), place.state());
            settle(&trust, &place.file, site.iter()).await.unwrap();
            reads(&trust, &place.file, &site[0]).unwrap();
            yes.asked().len()
        };
        assert_eq!((asked().await, asked().await), (1, 0), "{command}");
        let before = fs::read_to_string(changed).unwrap();
        write(changed, &format!("{before}echo evil\n"));
        let trust = Trust::asking(yes.clone(), place.state());
        assert!(reads(&trust, &place.file, &site[0]).is_err(), "{command}");
        assert_eq!(asked().await, 1, "{command}");
        write(changed, &before);
    }
    // What was kept without a word of the program is no yes to it.
    let site = sites(&["{ command: [./get.sh] }"]);
    let kept = memory::place(&place.state().unwrap());
    let real = fs::canonicalize(&folder).unwrap();
    let old = serde_json::json!([
        { "folder": real, "command": ["./get.sh"] },
        { "folder": real, "command": ["pass"] },
    ]);
    fs::write(&kept, old.to_string()).unwrap();
    let nobody = Trust::asking(Says::new(""), place.state());
    assert!(settle(&nobody, &place.file, site.iter()).await.is_err());
    let pass = sites(&["{ command: [pass] }"]);
    settle(&nobody, &place.file, pass.iter()).await.unwrap();
    // What is too large to be compared is never the same.
    let large = fs::File::create(&absolute).unwrap();
    large.set_len(crate::file::LIST as u64 + 1).unwrap();
    let why = reads(&Trust::always(), &place.file, &site[0]).unwrap_err();
    assert!(why.why.contains("larger than 16 MiB"), "{why:?}");
}

#[tokio::test]
async fn a_file_elsewhere_is_read_only_with_a_yes() {
    let place = Place::new();
    let folder = folder_of(&place.file);
    let key = place.folder.path().join("id_ed25519");
    for path in [&key, &folder.join("own")] {
        fs::write(path, "x").unwrap();
        mode(path, 0o600);
    }
    symlink(&key, folder.join("link")).unwrap();
    symlink("own", folder.join("same")).unwrap();
    let path = key.display();
    for spec in [&format!("'{path}'"), "../id_ed25519", "link"] {
        let all = sites(&[&format!("{{ file: {spec} }}")]);
        let at = |state: &str| Some(place.folder.path().join(state).join(&spec[..2]));
        let nobody = Trust::asking(Says::new(""), at("no"));
        let refused = settle(&nobody, &place.file, all.iter()).await.unwrap_err();
        assert!(refused.to_string().contains("id_ed25519"), "{refused}");
        assert!(refused.help().contains("--trust-commands"));
        let why = reads(&Trust::on_call(at("no")), &place.file, &all[0]).unwrap_err();
        assert!(
            why.on_call && why.why.contains("never said yes to"),
            "{why:?}"
        );

        let yes = Says::new("yes");
        let trust = Trust::asking(yes.clone(), at("yes"));
        settle(&trust, &place.file, all.iter()).await.unwrap();
        let asked = yes.asked();
        let leave = format!("leave to read {path} for site s0. ");
        assert!(asked.len() == 1 && asked[0].contains(&leave), "{asked:?}");
        // Remembered, for that site; on-call mode goes by it, too.
        reads(
            &Trust::asking(Says::new(""), at("yes")),
            &place.file,
            &all[0],
        )
        .unwrap();
        reads(&Trust::on_call(at("yes")), &place.file, &all[0]).unwrap();
        let two = sites(&[PASS, &format!("{{ file: {spec} }}")]);
        assert!(reads(&trust, &place.file, &two[1]).is_err());
        reads(&Trust::always(), &place.file, &all[0]).unwrap();
    }
    for spec in ["own", "../fleet/own", "same", "none"] {
        let all = sites(&[&format!("{{ file: {spec} }}")]);
        let nobody = Trust::asking(Says::new(""), None);
        settle(&nobody, &place.file, all.iter()).await.unwrap();
        reads(&nobody, &place.file, &all[0]).unwrap();
        reads(&Trust::on_call(None), &place.file, &all[0]).unwrap();
    }
    // A pipe leads to no path, and is nothing of the folder's all the same.
    let (read, _write) = std::io::pipe().unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&read);
    let all = sites(&[&format!("{{ file: /dev/fd/{number} }}")]);
    assert!(reads(&Trust::on_call(None), &place.file, &all[0]).is_err());
    mode(&folder.join("own"), 0o602);
    let all = sites(&["{ file: own }"]);
    for trust in [Trust::always(), Trust::on_call(None)] {
        let why = reads(&trust, &place.file, &all[0]).unwrap_err();
        assert!(why.why.contains("(mode 0602)"), "{why:?}");
    }
}

#[tokio::test]
async fn what_is_kept_is_believed_by_its_own_folder_and_never_cut_short() {
    let place = Place::new();
    let shared = place.folder.path().join("shared");
    let state = shared.join("state");
    fs::create_dir_all(&state).unwrap();
    mode(&state, 0o755);
    // As ~/.local may be.
    mode(&shared, 0o777);
    let yes = Says::new("yes");
    let commands =
        ["{ command: [a] }", "{ command: [b] }", "{ command: [c] }"].map(|it| sites(&[it]));
    let asked = |at: usize| {
        let trust = Trust::asking(yes.clone(), Some(state.clone()));
        let (yes, place, commands) = (&yes, &place, &commands);
        async move {
            settle(&trust, &place.file, commands[at].iter())
                .await
                .unwrap();
            reads(&trust, &place.file, &commands[at][0]).unwrap();
            yes.asked()
        }
    };
    for at in [0, 1] {
        let said = asked(at).await;
        assert!(said[0].contains("whenever it is the same"), "{said:?}");
    }
    for at in [0, 1] {
        assert_eq!(asked(at).await, Vec::<String>::new());
    }
    let kept = memory::place(&state);
    let text = fs::read_to_string(&kept).unwrap();
    for (path, bad, good) in [(&kept, 0o606, 0o600), (&state, 0o777, 0o755)] {
        mode(path, bad);
        let said = asked(2).await;
        assert!(said[0].contains(&format!("(mode {bad:04o})")), "{said:?}");
        assert!(
            said[0].contains("is not kept") && said[0].contains("`chmod go-w "),
            "{said:?}"
        );
        let nobody = Trust::asking(Says::new(""), Some(state.clone()));
        let refused = settle(&nobody, &place.file, commands[2].iter())
            .await
            .unwrap_err();
        assert!(
            refused.help().contains("`chmod go-w "),
            "{}",
            refused.help()
        );
        mode(path, good);
        assert_eq!(fs::read_to_string(&kept).unwrap(), text, "not written over");
    }
    fs::write(&kept, "{ nothing of ours").unwrap();
    assert!(asked(2).await[0].contains("is not believed"));
    assert_eq!(fs::read_to_string(&kept).unwrap(), "{ nothing of ours");
}

#[test]
fn who_can_write_a_file_is_seen_on_the_whole_way_to_it() {
    let place = Place::new();
    let (file, folder) = (&place.file, folder_of(&place.file));
    let why = |path: &Path| exposed(path).map(|it| it.to_string());
    assert_eq!(why(file), None);
    for (path, bad, good) in [
        (file, 0o666, 0o644),
        (file, 0o646, 0o600),
        (&folder, 0o757, 0o755),
    ] {
        mode(path, bad);
        let told = why(file).unwrap();
        assert!(told.contains(&format!("(mode {bad:04o})")), "{told}");
        mode(path, good);
        assert_eq!(why(file), None);
    }
    // A group that others may be in; only root can give a file to one.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(file, None, Some(u32::MAX - 7)).unwrap();
        mode(file, 0o664);
        assert!(why(file).unwrap().contains("(mode 0664)"));
        mode(file, 0o644);
        assert_eq!(why(file), None);
    }
    // Where only owners rename, what is ours stays ours; without that bit it does not.
    mode(&folder, 0o1777);
    assert_eq!(why(file), None);
    mode(&folder, 0o777);
    assert!(why(file).is_some());
    mode(&folder, 0o755);
    // A link is as good as the folder it is in, and as what it leads to.
    let public = place.folder.path().join("public");
    fs::create_dir(&public).unwrap();
    mode(&public, 0o777);
    let link = public.join("link.yml");
    symlink("../fleet/fleet.yml", &link).unwrap();
    assert!(why(&link).unwrap().contains("public (mode 0777)"));
    mode(&public, 0o700);
    assert_eq!(why(&link), None);
    mode(file, 0o666);
    assert!(why(&link).is_some());
    mode(file, 0o644);
    symlink("round", public.join("round")).unwrap();
    assert!(
        why(&public.join("round"))
            .unwrap()
            .contains("symbolic links")
    );
    assert!(why(&folder.join("none")).unwrap().contains("No such file"));
    assert!(why(Path::new("/dev/null")).unwrap().contains("(mode 0666)"));
    // A remedy can be given to a shell.
    let odd = folder.join("it's odd");
    fs::write(&odd, "").unwrap();
    mode(&odd, 0o666);
    let remedy = exposed(&odd).unwrap().remedy;
    assert!(remedy.contains("/fleet/it'\\''s odd'`"), "{remedy}");
    // As root, files of others can be made.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(file, Some(4242), None).unwrap();
        assert!(why(file).unwrap().contains("(uid 4242)"));
        let remedy = exposed(file).unwrap().remedy;
        assert!(
            remedy.contains("run ostler as that user (uid 4242)"),
            "{remedy}"
        );
        assert!(!remedy.contains("chown"), "{remedy}");
        std::os::unix::fs::chown(file, Some(0), None).unwrap();
        std::os::unix::fs::chown(&folder, Some(4242), None).unwrap();
        assert!(why(file).unwrap().contains("(uid 4242)"));
        // Sticky or not, its owner renames in it.
        mode(&folder, 0o1777);
        assert!(why(file).unwrap().contains("(uid 4242)"));
        std::os::unix::fs::chown(&folder, Some(0), None).unwrap();
        std::os::unix::fs::chown(file, Some(4242), None).unwrap();
        assert!(why(file).is_some());
    }
}

#[tokio::test]
async fn what_certificates_and_alerts_take_is_asked_about_too() {
    let place = Place::new();
    let folder = folder_of(&place.file);
    let elsewhere = place.folder.path().join("elsewhere");
    let names = ["eab", "tsig", "hook", "root", "own"];
    fs::create_dir(&elsewhere).unwrap();
    mode(&elsewhere, 0o700);
    for name in names {
        let path = elsewhere.join(name);
        fs::write(&path, "x").unwrap();
        mode(&path, 0o600);
    }
    let at = |name: &str| elsewhere.join(name).display().to_string();
    let [eab, tsig, hook, root, own] = names.map(at);
    let text = format!(
        "fleet: t\nhosts: {{ web1: {{ engine: 'unix:///x.sock' }} }}\n\
         acme: {{ terms: agreed, ca: {root}, eab: {{ kid: k, key: {{ file: {eab} }} }} }}\n\
         dns: {{ zone: x.example, server: 192.0.2.53, key: {{ file: {tsig} }} }}\n\
         notify:\n- command: [logger, -t, ostler]\n- webhook: {{ file: {hook} }}\n\
         - smtp: {{ server: mx, from: a@x.example, to: [a@x.example], user: u, password: {{ command: [pass, show] }} }}\n\
         - webhook: https://x.example\n\
         sites: {{ acme: {{ host: web1, recipe: static, domains: [x.example], certificate: {{ file: {own}, key: {eab} }} }} }}\n"
    );
    let loaded = fleet::load(&text, Path::new("fleet.yml")).unwrap().fleet;
    let all = || {
        let sites = loaded.sites.values().flat_map(Site::sources);
        sites.chain(loaded.sources())
    };
    let says = Says::new("yes");
    let trust = Trust::asking(says.clone(), place.state());
    let reads = |source: &Source| {
        let (of, spec) = (&source.of, &source.spec);
        trust.may_read(Some(&place.file), &folder, of, spec)
    };
    for source in all() {
        assert!(reads(&source).is_err(), "{}", source.title());
    }
    trust.settle(&place.file, &folder, all()).await.unwrap();
    for source in all() {
        assert_eq!(reads(&source), Ok(()), "{}", source.title());
    }
    let asked: Vec<String> = says.asked();
    let begins = [
        "certificate of acme: leave to read",
        // The same file twice, for what is not the same.
        "key of acme: leave to read",
        "key of acme.eab: leave to read",
        "certificates of acme.ca: leave to read",
        "key of dns.x.example: leave to read",
        "program of notify.command: leave to run `logger -t ostler`",
        "URL of notify.webhook: leave to read",
        "password of notify.smtp: leave to run `pass show`",
    ];
    assert_eq!(asked.len(), begins.len(), "{asked:#?}");
    for (asked, begin) in asked.iter().zip(begins) {
        assert!(asked.starts_with(begin), "{asked}");
    }
    assert!(asked[1].contains("for site acme. Type yes to read it now and whenever that site"));
    assert!(asked[2].contains("for acme.eab. Type yes to read it now and whenever the fleet file"));
    // A file that others can write names nothing.
    mode(&place.file, 0o666);
    let exposed = trust.settle(&place.file, &folder, loaded.sources().into_iter());
    assert!(matches!(exposed.await, Err(Distrust::Exposed(_))));
}
