//! The whole console against a simulated host: keys in; a fleet file, containers and requests out.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::time::{Instant, timeout};

use super::super::run::options::{ConsoleOptions, Subject};
use super::super::run::{Assembled, assembled};
use crate::console::effect::Effect;
use crate::console::harness::text;
use crate::console::keymap::Key;
use crate::console::message::Message;
use crate::console::update::{after_frame, before_frame, update};
use crate::console::view;
use crate::engine::{Client, Gate, Mode};
use crate::sim::Sim;
use crate::walk::FleetFile;

const FILE: &str = "\
# The lab, kept by hand.
fleet: lab
hosts:
  web1: { engine: \"unix:///nowhere.sock\" }   # simulated
accounts:
  alice: {}
sites:
  blog:   # the first one
    account: alice
    host: web1
    recipe: static
    domains: [blog.example]
";

struct Whole {
    console: Assembled,
    quit: bool,
}

impl Whole {
    fn open(sim: &Sim, folder: &std::path::Path, mode: Mode) -> Whole {
        Whole::open_on(sim, folder, mode, true)
    }

    fn open_on(sim: &Sim, folder: &std::path::Path, mode: Mode, demo: bool) -> Whole {
        let path = folder.join("fleet.yml");
        let source = std::fs::read_to_string(&path).unwrap();
        let fleet = crate::fleet::load(&source, &path).unwrap().fleet;
        let sim = sim.clone();
        let options = ConsoleOptions {
            subject: Subject::Fleet(FleetFile {
                path,
                source,
                fleet: Arc::new(fleet),
            }),
            connect: Arc::new(move |_| {
                let sim = sim.clone();
                Box::pin(async move {
                    Client::over(sim.connector(), sim.address(), Gate::new(mode)).await
                })
            }),
            desk: Arc::default(),
            on_call: mode == Mode::OnCall,
            demo,
            no_color: false,
            config: None,
            state: Some(folder.join("state")),
        };
        Whole {
            console: assembled(options, (100, 40)),
            quit: false,
        }
    }

    fn send(&mut self, message: Message) {
        if let Message::Fleet(fleet) = &message {
            self.console.exec.fleet_changed(fleet);
        }
        let now = chrono::Utc::now().timestamp_millis();
        update(&mut self.console.model, Message::Clock(now));
        let mut wishes = update(&mut self.console.model, message);
        wishes.extend(before_frame(&mut self.console.model));
        after_frame(&mut self.console.model, now);
        for wish in wishes {
            self.quit |= wish == Effect::Quit;
            self.console.exec.carry_out(wish);
        }
    }

    fn screen(&self) -> String {
        let model = &self.console.model;
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        let mut buf = Buffer::empty(area);
        view::draw(model, &mut buf, area);
        text(&buf)
    }

    /// Takes messages until the screen shows a text.
    async fn wait_for(&mut self, wanted: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.screen().contains(wanted) {
            let left = end.saturating_duration_since(Instant::now());
            let next = async {
                tokio::select! {
                    Some(message) = self.console.inbox.recv() => message,
                    Some(message) = self.console.log.recv() => message,
                    // Rows are put in order when no key came for a while.
                    () = tokio::time::sleep(Duration::from_millis(500)) => {
                        Message::Clock(chrono::Utc::now().timestamp_millis())
                    }
                }
            };
            match timeout(left, next).await {
                Ok(message) => self.send(message),
                Err(_) => panic!("{wanted:?} never came:\n{}", self.screen()),
            }
        }
    }

    fn press(&mut self, keys: &str) {
        for word in keys.split(' ').filter(|w| !w.is_empty()) {
            let key: Key = word.parse().unwrap();
            self.send(Message::Key(KeyEvent::new(key.code, key.modifiers)));
        }
    }

    fn write(&mut self, text: &str) {
        for c in text.chars() {
            let event = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
            self.send(Message::Key(event));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_is_applied_created_followed_and_archived_by_keys_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.yml");
    std::fs::write(&path, FILE).unwrap();
    let sim = Sim::new(7);
    let mut it = Whole::open(&sim, folder.path(), Mode::Full);
    it.wait_for("△ to apply").await;
    it.press("A");
    it.wait_for("apply blog on web1? A applies it").await;
    it.press("A");
    it.wait_for("done: ").await;
    it.press("q");
    it.wait_for("● ok").await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), FILE);

    it.press("C");
    it.write("shop");
    it.press("tab tab tab s tab");
    it.write("shop.example");
    it.press("tab");
    it.write("96M");
    it.press("ctrl-s");
    it.wait_for("create shop on web1? A applies it").await;
    let screen = it.screen();
    assert!(screen.contains("+   shop:"), "{screen}");
    it.press("A");
    it.wait_for("shop: http://shop.example/").await;
    let added = "  shop:\n    account: alice\n    host: web1\n    recipe: static\n    domains: [shop.example]\n    memory: 96M\n";
    let now = std::fs::read_to_string(&path).unwrap();
    assert_eq!(now, format!("{FILE}{added}"));
    it.press("q");
    it.wait_for("2 sites").await;

    it.press("/");
    it.write("shop");
    it.press("enter");
    it.wait_for("● ok").await;
    it.press("l");
    it.wait_for("following").await;
    it.press("q");
    it.press(":");
    it.write("archive");
    it.press("enter");
    it.wait_for("type shop to confirm").await;
    it.write("shop");
    it.press("enter");
    it.wait_for("done: ").await;
    it.press("q");
    it.wait_for("▫ archived").await;
    let now = std::fs::read_to_string(&path).unwrap();
    assert_eq!(now, format!("{FILE}{added}    state: archived\n"));
    it.press("q q q");
    assert!(it.quit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_goes_away_stays_on_screen_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("fleet.yml"), FILE).unwrap();
    let sim = Sim::new(7);
    let mut it = Whole::open(&sim, folder.path(), Mode::Full);
    it.wait_for("△ to apply").await;
    it.press("A");
    it.wait_for("A applies it").await;
    it.press("A");
    it.wait_for("done: ").await;
    it.press("q");
    it.wait_for("● ok").await;
    sim.set_down(true);
    it.wait_for("◌ ok").await;
    it.press("R");
    assert!(
        it.screen().contains("restart blog: web1 does not answer"),
        "{}",
        it.screen()
    );
    sim.set_down(false);
    it.press("r");
    it.wait_for("● ok").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_on_call_mode_the_gate_sees_reading_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.yml");
    std::fs::write(&path, FILE).unwrap();
    let sim = Sim::new(7);
    let mut it = Whole::open(&sim, folder.path(), Mode::OnCall);
    it.wait_for("△ to apply").await;
    it.press("A C R S p");
    it.wait_for("What apply would do").await;
    it.wait_for("create blog on web1").await;
    let clients = it.console.exec.clients();
    let gate = clients.values().next().unwrap().gate();
    assert!(gate.reading() > 0);
    assert_eq!((gate.changing(), gate.refused()), (0, 0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), FILE);
}

/// Memory was changed by hand: the three columns say so, and the file takes it over or the host is
/// put right, by keys only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_by_hand_is_adopted_or_mended_by_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.yml");
    let file = format!("{FILE}    memory: 128M   # enough\n");
    std::fs::write(&path, &file).unwrap();
    let sim = Sim::new(7);
    let mut it = Whole::open(&sim, folder.path(), Mode::Full);
    it.wait_for("△ to apply").await;
    it.press("A");
    it.wait_for("A applies it").await;
    it.press("A");
    it.wait_for("done: ").await;
    it.press("q");
    it.wait_for("● ok").await;
    let client = Client::over(sim.connector(), sim.address(), Gate::full())
        .await
        .unwrap();
    let set = async |mega: i64| {
        let name = crate::record::names::site(&"lab".parse().unwrap(), "blog");
        let body = bollard::models::ContainerUpdateBody {
            memory: Some(mega << 20),
            memory_swap: Some(mega << 20),
            ..Default::default()
        };
        client.update(&name, &body).await.unwrap();
    };
    set(256).await;
    it.wait_for("◐ drift").await;
    it.wait_for("memory 128M→256M by hand").await;
    it.press("d");
    it.wait_for("FIELD   LAST APPLIED  LIVE  FILE  CHANGED")
        .await;
    it.wait_for("memory  128M          256M  128M  by hand")
        .await;
    it.press("D");
    it.wait_for("adopt blog on web1? A applies it").await;
    it.wait_for("+     memory: 256M   # enough").await;
    it.press("A");
    it.wait_for("✔ adopt blog on web1").await;
    let now = std::fs::read_to_string(&path).unwrap();
    assert_eq!(now, file.replace("128M", "256M"));
    it.press("q q");
    it.wait_for("● ok").await;

    set(64).await;
    it.wait_for("memory 256M→64M by hand").await;
    it.press("d A");
    it.wait_for("apply blog on web1? A applies it").await;
    it.press("A q q");
    it.wait_for("● ok").await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), now);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_runs_only_once_it_was_said_yes_to_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = "    secrets: { DB: { command: [sh, -c, 'touch ran; echo x'] } }\n";
    let file = folder.path().join("fleet.yml");
    std::fs::write(&file, format!("{FILE}{secrets}")).unwrap();
    // Others cannot write there, whatever new files are given.
    for (path, mode) in [(&file, 0o600), (&folder.path().to_owned(), 0o700)] {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let ran = || folder.path().join("ran").exists();
    let sim = Sim::new(7);
    let mut it = Whole::open_on(&sim, folder.path(), Mode::Full, false);
    it.wait_for("△ to apply").await;
    it.press("A");
    it.wait_for("secret DB of blog asks for leave to run `sh -c 'touch ran; echo x'`")
        .await;
    assert!(!ran());
    // A no: it stays unread, and the plan says so.
    it.press("tab esc");
    it.wait_for("its command was never said yes to").await;
    assert!(!ran());
    it.press("esc r A");
    it.wait_for("secret DB of blog asks for leave").await;
    it.press("tab");
    it.wait_for("whenever it is the same").await;
    it.write("yes");
    it.press("enter");
    it.wait_for("apply blog on web1? A applies it").await;
    assert!(ran());
    it.press("A");
    it.wait_for("done: ").await;
}
