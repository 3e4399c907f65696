//! Everything the console knows and shows. Only `update` changes it; drawing reads it.

pub mod certificates;
pub mod dialog;
pub mod filter;
pub mod fleet_view;
pub mod following;
pub mod motion;
pub mod order;
pub mod palette;
pub mod sites_list;
pub mod tail;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Debug;
use std::sync::Arc;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Action, Place};
use super::activity::Run;
use super::draw::ages::Ages;
use super::draw::pen::Spans;
use super::effect::{Effect, Request, Watch};
use super::form::{Form, site};
use super::keymap::Keymap;
use super::message::{Broken, ContainerEvent};
use super::planned::Planned;
use super::proposal::Open;
use super::theme::Theme;
use super::tone::Tone;
use super::widget::input::Input;
use super::widget::list::List;
use crate::fleet::{Fleet, Host, Name};
use crate::record::Applying;
use crate::record::lock::Holder;
use crate::verdict::{HostData, HostRow, Hosts, Outside, Probe, SiteRow};
use crate::walk::past::Told;
use certificates::CertificatesList;
use dialog::{Asked, Dialog};
use fleet_view::FleetView;
use following::Following;
use motion::Motion;
use order::HostSort;
use palette::{Named, Palette};
use sites_list::{Block, SitesList};
use tail::Tail;

/// Smallest terminal that the screens are made for.
pub const SMALLEST: (u16, u16) = (40, 10);
/// Rows do not move until no key came for this long.
pub const QUIET_MS: i64 = 2_000;
/// A note stays this long.
pub const NOTE_MS: i64 = 8_000;
/// Applies of this run of the console that are kept; the journals tell of those before.
pub const RUNS_KEPT: usize = 20;
/// Events kept for the events screen.
pub const EVENTS_KEPT: usize = 1_000;

/// The console.
#[derive(Debug)]
pub struct Model {
    /// Milliseconds since 1970, as last told.
    pub now_ms: i64,
    /// Columns and lines of the terminal.
    pub size: (u16, u16),
    /// Keys in force.
    pub keymap: Keymap,
    /// Looks.
    pub theme: Theme,
    /// Themes to choose from, the current one included.
    pub themes: Vec<Theme>,

    /// The fleet file; none: one host is looked at.
    pub fleet: Option<Arc<Fleet>>,
    /// What is wrong with the fleet file on disk, if anything.
    pub fleet_broken: Option<Broken>,
    /// The hosts, from the file or the one looked at.
    pub hosts: Vec<Host>,
    /// What is known of them.
    pub data: Hosts,
    /// The last plan.
    pub planned: Option<Arc<Planned>>,
    /// Why there is no plan.
    pub plan_error: Option<String>,
    /// What came of asking sites ourselves.
    pub probes: HashMap<Name, Probe>,
    /// What the operator's own side sees of sites whose page was open.
    pub outside: HashMap<Name, Outside>,
    /// Last lines of containers, by row.
    pub tails: HashMap<Arc<str>, Tail>,
    /// What containers did, newest first.
    pub events: VecDeque<(String, ContainerEvent)>,
    /// What the lists show.
    pub view: FleetView,

    /// Screens, the first one lowest; empty only before the first is opened.
    pub stack: Vec<Box<dyn Screen>>,
    /// What is open above the screen.
    pub overlay: Option<Overlay>,
    /// What was described of a new site and is not in the fleet file yet.
    pub draft: Option<Box<Form<site::Id>>>,
    pub sites: SitesList,
    /// Which of the rows are which host's, in the hosts' order.
    pub blocks: Vec<Block>,
    pub host_list: List,
    pub certificates: CertificatesList,
    /// Order of the hosts.
    pub host_sort: HostSort,
    /// Questions of logins, oldest first.
    pub questions: VecDeque<Asked>,
    /// Applies of this run, newest last.
    pub runs: Vec<Run>,
    pub journal: Option<Arc<Told>>,
    /// They were asked and have not answered.
    pub journal_asked: bool,
    /// Something was applied since they were read.
    pub journal_old: bool,
    /// A line for the operator, until when (milliseconds).
    pub note: Option<(Tone, String, i64)>,

    /// Until when asking again for the way back leaves, milliseconds.
    pub leaving: Option<i64>,

    /// When the last key came.
    pub last_key_ms: i64,
    /// Hosts whose rows are old.
    pub stale_hosts: BTreeSet<Name>,
    /// The last host whose rows were made anew.
    pub rebuilt: Option<Name>,
    /// Rows are not in their order.
    pub order_old: bool,
    /// Nor are hosts.
    pub hosts_old: bool,
    /// A plan was asked for and has not come.
    pub planning: bool,
    /// The plan is of things that have moved on since.
    pub plan_old: bool,
    /// What was last asked to be read.
    pub watched: Watch,
    /// Logs that are followed.
    pub following: Option<Box<Following>>,
    /// Numbers given to proposals and followed logs.
    pub next_id: u64,
    /// Effects that came up outside of a message.
    pub pending: Vec<Effect>,
}

/// A screen: its own state, what is done with it, and how it is drawn. Each is a file in `screen/`.
/// What outlives a screen (the lists, the followed log, the applies) is in the model.
pub trait Screen: Debug + Any {
    /// Which of the places that actions know it is.
    fn place(&self) -> Place;

    /// Draws it. Returns what there is to say below it.
    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans;

    /// Moves its cursor, or scrolls it.
    fn go(&mut self, model: &mut Model, motion: Motion);

    /// What opening the line under its cursor leads to.
    fn open(&self, _model: &Model) -> Opens {
        Opens::Nothing
    }

    /// The row that actions on it are about.
    fn subject<'a>(&self, _model: &'a Model) -> Option<&'a SiteRow> {
        None
    }

    /// The host that it is about; else the one under the cursor of the list of hosts.
    fn host<'a>(&self, model: &'a Model) -> Option<&'a HostRow> {
        model.view.hosts.get(model.host_list.here()?)
    }

    /// The words that it is filtered by.
    fn filter<'a>(&'a self, _model: &'a Model) -> &'a str {
        ""
    }

    /// Takes other words to filter by.
    fn set_filter(&mut self, _model: &mut Model, _words: &str) {}

    /// Takes a key before actions do, where something is typed into it. Whether it took it.
    fn key(&mut self, _model: &mut Model, _event: KeyEvent) -> bool {
        false
    }

    /// Whether something is typed into it at the moment, on the line below it.
    fn prompts(&self, _model: &Model) -> bool {
        false
    }

    /// Takes pasted text.
    fn paste(&mut self, _model: &mut Model, _text: &str) {}

    /// What has to be read when it is opened.
    fn opened(&self, _model: &Model) -> Vec<Effect> {
        Vec::new()
    }

    /// What it asks for while it is shown.
    fn asks(&self, _model: &mut Model) -> Vec<Effect> {
        Vec::new()
    }

    /// When it asks for something though no message came, in milliseconds.
    fn due_ms(&self, _model: &Model) -> Option<i64> {
        None
    }

    /// Adds the numbers that it shows to those that are read.
    fn watch(&self, _model: &Model, _watch: &mut Watch) {}

    /// Whether it shows what journals tell.
    fn shows_journal(&self) -> bool {
        false
    }
}

/// What opening the line under the cursor leads to.
#[derive(Debug, Default)]
pub enum Opens {
    /// Nothing is under it.
    #[default]
    Nothing,
    /// Another screen.
    Screen(Box<dyn Screen>),
    /// The list of sites, filtered by these words.
    Sites(String),
    /// The screen goes, and an action is done on the one below, which is this place.
    Action(Action, Place),
    /// There is only something to say.
    Words(&'static str),
}

/// What is open above the screen and takes all keys.
#[derive(Debug)]
pub enum Overlay {
    /// Words to filter by are typed.
    Filter(Input),
    /// An action is named.
    Palette(Palette),
    /// A site is described.
    Form(Box<Form<site::Id>>),
    /// A change is being worked out.
    Working(u64, Request),
    /// A change is shown and waits to be confirmed.
    Proposal(Box<Open>),
    /// Something is being applied: leave all the same?
    Leave,
    /// A login asks, and is being answered.
    Question(Box<Dialog>),
}

impl Model {
    /// A console that knows nothing yet.
    pub fn new(start: Start) -> Model {
        let hosts = match &start.fleet {
            Some(fleet) => fleet.hosts.values().cloned().collect(),
            None => start.looked_at.into_iter().collect::<Vec<_>>(),
        };
        let name = match &start.fleet {
            Some(fleet) => fleet.name.to_string(),
            None => hosts
                .first()
                .map(|h: &Host| h.engine.to_string())
                .unwrap_or_default(),
        };
        let mut model = Model {
            now_ms: start.now_ms,
            size: start.size,
            keymap: start.keymap,
            theme: start.theme.clone(),
            themes: start.themes,
            data: hosts
                .iter()
                .map(|h| {
                    let now = start.now_ms / 1000;
                    (h.name.clone(), HostData::connecting(now))
                })
                .collect(),
            stale_hosts: hosts.iter().map(|h| h.name.clone()).collect(),
            fleet_broken: None,
            planned: None,
            plan_error: None,
            probes: HashMap::new(),
            outside: HashMap::new(),
            tails: HashMap::new(),
            events: VecDeque::new(),
            view: FleetView {
                name,
                demo: start.demo,
                on_call: start.on_call,
                hosts: Vec::new(),
                sites: Vec::new(),
            },
            stack: Vec::new(),
            overlay: None,
            draft: None,
            sites: SitesList {
                list: List::default(),
                marks: Default::default(),
                filter: String::new(),
                broken: false,
                foreign: start.fleet.is_none(),
                sort: Default::default(),
                name_width: 4,
                host_width: 4,
                domains_width: 0,
                has_projects: false,
                folded: BTreeSet::new(),
            },
            blocks: Vec::new(),
            host_list: List::default(),
            certificates: CertificatesList::default(),
            host_sort: HostSort::default(),
            questions: VecDeque::new(),
            hosts_old: false,
            runs: Vec::new(),
            journal: None,
            journal_asked: false,
            journal_old: true,
            note: None,
            leaving: None,
            last_key_ms: i64::MIN / 2,
            rebuilt: None,
            order_old: true,
            planning: false,
            plan_old: false,
            watched: Watch::default(),
            following: None,
            next_id: 1,
            pending: Vec::new(),
            fleet: start.fleet,
            hosts,
        };
        if !start.complaints.is_empty() {
            // What is wrong with the configuration stays until a key is pressed.
            model.note = Some((Tone::Bad, start.complaints.join(" · "), i64::MAX));
        }
        model
    }

    /// What the palette knows besides actions.
    pub fn named(&self) -> Named<'_> {
        Named {
            sites: &self.view.sites,
            hosts: &self.view.hosts,
            themes: &self.themes,
        }
    }

    /// Opens again what was described of a new site, where it came to nothing. Whether there was any.
    pub fn resume_draft(&mut self) -> bool {
        let (Some(mut form), Some(fleet)) = (self.draft.take(), &self.fleet) else {
            return false;
        };
        site::check(&mut form, fleet);
        self.overlay = Some(Overlay::Form(form));
        true
    }

    /// Unix seconds.
    pub fn now(&self) -> i64 {
        self.now_ms.div_euclid(1000)
    }

    /// The screen shown.
    pub fn screen(&self) -> Option<&dyn Screen> {
        self.stack.last().map(|screen| &**screen)
    }

    /// The screen shown, as actions see it.
    pub fn place(&self) -> Place {
        self.screen().map_or(Place::Sites, Screen::place)
    }

    /// Whether the screen shown is one of these.
    pub fn shows<S: Screen>(&self) -> bool {
        self.stack.last().is_some_and(|screen| {
            let screen: &dyn Any = &**screen;
            screen.is::<S>()
        })
    }

    /// Opens a screen above the one shown. Returns what has to be read for it.
    pub fn show(&mut self, screen: Box<dyn Screen>) -> Vec<Effect> {
        let effects = screen.opened(self);
        self.stack.push(screen);
        effects
    }

    /// Has the screen shown do something with the model, out of which it is taken meanwhile.
    pub fn on_screen<T: Default>(
        &mut self,
        act: impl FnOnce(&mut dyn Screen, &mut Model) -> T,
    ) -> T {
        let Some(mut screen) = self.stack.pop() else {
            return T::default();
        };
        let came = act(&mut *screen, self);
        self.stack.push(screen);
        came
    }

    /// Moves the cursor of the screen shown, or scrolls it.
    pub fn go(&mut self, motion: Motion) {
        self.on_screen(|screen, model| screen.go(model, motion));
    }

    /// Whether the terminal is so small that nothing is drawn.
    pub fn is_too_small(&self) -> bool {
        let (columns, lines) = SMALLEST;
        self.size.0 < columns || self.size.1 < lines
    }

    /// Lines of half a page.
    pub fn half_page(&self) -> usize {
        (self.body_lines() / 2).max(1)
    }

    /// Lines between header and footer.
    pub fn body_lines(&self) -> usize {
        usize::from(self.size.1.saturating_sub(3))
    }

    /// A row by its key.
    pub fn row(&self, key: &str) -> Option<&SiteRow> {
        self.view.sites.iter().find(|r| &*r.key == key)
    }

    /// The row of a site by the site's name.
    pub fn site(&self, name: &str) -> Option<&SiteRow> {
        let mut rows = self.view.sites.iter();
        rows.find(|r| r.name == name && !r.foreign && !r.is_host)
    }

    /// The row that an action on the screen shown is about.
    pub fn subject(&self) -> Option<&SiteRow> {
        self.screen()?.subject(self)
    }

    /// The rows that an action is about: those that are marked, else the one on screen.
    pub fn chosen(&self) -> Vec<&SiteRow> {
        let marks = &self.sites.marks;
        if self.place() == Place::Sites && !marks.is_empty() {
            let rows = self.view.sites.iter();
            return rows.filter(|r| marks.contains(&r.key)).collect();
        }
        self.subject().into_iter().collect()
    }

    /// The host that the screen shown is about, or the one under the cursor of the list of hosts.
    pub fn host_here(&self) -> Option<&HostRow> {
        self.screen()?.host(self)
    }

    /// A host by its name.
    pub fn host(&self, name: &str) -> Option<&HostRow> {
        self.view.hosts.iter().find(|h| h.name == name)
    }

    /// Applies that were cut off, newest first: by name, with the note that each host has of it.
    pub fn cut_off(&self) -> Vec<(String, Vec<(&Name, &Applying)>)> {
        let mut found: BTreeMap<&str, Vec<(&Name, &Applying)>> = BTreeMap::new();
        for (host, data) in &self.data {
            let observed = data.observed.iter();
            for note in observed.flat_map(|seen| seen.unfinished()) {
                // Cut off in taking another one back: that other one is still there as well.
                if note.takes_back.is_none() {
                    found.entry(&note.run).or_default().push((host, note));
                }
            }
        }
        let found = found.into_iter().rev();
        found.map(|(run, notes)| (run.to_owned(), notes)).collect()
    }

    /// Who else applies at this moment, and where.
    pub fn others_applying(&self) -> Vec<(&Name, &Holder)> {
        let own = std::process::id();
        let own = format!("(process {own})");
        let locks = self.data.iter().filter_map(|(host, data)| {
            let lock = data.observed.as_ref()?.lock.as_ref()?;
            Some((host, lock))
        });
        locks
            .filter(|(_, lock)| !lock.is_stale())
            .filter(|(_, lock)| !lock.whence.ends_with(&own))
            .collect()
    }

    /// Whether something is being applied.
    pub fn is_applying(&self) -> bool {
        self.runs.iter().any(Run::is_running)
    }

    /// Tells the operator something.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.note = Some((tone, text.into(), self.now_ms + NOTE_MS));
    }
}

/// What a console starts from.
pub struct Start {
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// Columns and lines.
    pub size: (u16, u16),
    /// Keys in force.
    pub keymap: Keymap,
    /// What is wrong with the configuration.
    pub complaints: Vec<String>,
    /// Looks.
    pub theme: Theme,
    /// Themes to choose from.
    pub themes: Vec<Theme>,
    /// The fleet file.
    pub fleet: Option<Arc<Fleet>>,
    /// The host looked at, where there is no file.
    pub looked_at: Option<Host>,
    /// Read-only.
    pub on_call: bool,
    /// Simulated.
    pub demo: bool,
}
