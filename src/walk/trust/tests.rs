use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::fleet;
use crate::walk::fleet_file::folder_of;

/// Says the same to every question, and keeps them.
struct Says(Answer, Mutex<Vec<String>>);

impl Says {
    fn new(answer: &str) -> Arc<Says> {
        let answer = match answer {
            "" => Answer::Nobody,
            text => Answer::Text(text.to_owned()),
        };
        Arc::new(Says(answer, Mutex::default()))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.1.lock().unwrap())
    }
}

impl Ask for Says {
    fn ask(&self, question: &Question) -> Answer {
        let Question::Text { host, prompt, .. } = question else {
            panic!("{question:?}");
        };
        self.1.lock().unwrap().push(format!("{host}: {prompt}"));
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
    trust.settle(file, &folder_of(file), sites).await
}

fn reads(trust: &Trust, file: &Path, site: &Site) -> Result<(), Withheld> {
    trust.may_read(Some(file), &folder_of(file), &site.secrets["DB"])
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
    let kept = memory(&place.state().unwrap());
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
    assert!(settle(&trust, &place.file, long.iter()).await.is_err());
    assert_eq!(yes.asked(), Vec::<String>::new());
    assert!(reads(&trust, &place.file, &long[0]).is_err());
}

#[tokio::test]
async fn on_call_mode_runs_none_and_asks_about_none() {
    let place = Place::new();
    let both = sites(&[PASS, "{ file: pw }"]);
    let trust = Trust::on_call();
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
                _ => Trust::on_call(),
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
    // As root, files of others can be made.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(file, Some(4242), None).unwrap();
        assert!(why(file).unwrap().contains("(uid 4242)"));
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
