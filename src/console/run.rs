//! The console on a real terminal: keys and messages in, frames out, at most 60 a second and none
//! while nothing changes.

pub mod config;
pub mod headless;
pub mod options;
pub mod picture;
pub mod rehearsal;
pub mod terminal;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream};
use futures_util::{Stream, StreamExt};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use termprofile::{DetectorSettings, TermProfile};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, UnboundedReceiver, channel, unbounded_channel};

use super::effect::Effect;
use super::exec::{Exec, Parts};
use super::keymap::Keymap;
use super::message::Message;
use super::model::{Model, Start};
use super::settle::due_ms;
use super::theme::Theme;
use super::update::{after_frame, before_frame, open, update};
use super::view;
use crate::fleet::Fleet;
use config::Config;
use options::{ConsoleOptions, Subject};
use terminal::Guard;

/// Shortest time between two frames.
const FRAME: Duration = Duration::from_micros(16_667);
/// Messages taken at once before a frame is due.
const BATCH: usize = 4096;
/// And for so long: the news of fifty hosts at once must not keep a key waiting.
const TURN: Duration = Duration::from_millis(8);
/// Pieces of logs that wait to be taken.
const LOG_QUEUE: usize = 64;

/// Why the console could not be opened, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Not a terminal.
    #[error("the console needs a terminal; `ostler status` and `ostler sites` print")]
    NoTerminal,
    /// The terminal refused.
    #[error("the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}

/// Opens the console and stays until the operator leaves. To be called within a tokio runtime.
///
/// # Errors
/// There is no terminal, or it is gone.
pub async fn run(options: ConsoleOptions) -> Result<(), ConsoleError> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(ConsoleError::NoTerminal);
    }
    let config = Config::load(options.config.as_deref());
    let profile = match options.no_color {
        true => TermProfile::NoColor,
        false => TermProfile::detect(&std::io::stdout(), DetectorSettings::default()),
    };
    let mut theme = Theme::choose(config.theme, profile);
    // The Linux console's font and terminals without UTF-8 lack the symbols.
    theme.ascii |= !speaks_utf8();
    let themes = config
        .themes
        .into_iter()
        .map(|t| {
            let mut t = Theme::choose(Some(t), profile);
            t.ascii |= theme.ascii;
            t
        })
        .fold(Vec::new(), |mut all: Vec<Theme>, theme| {
            if !all.iter().any(|t| t.name == theme.name) {
                all.push(theme);
            }
            all
        });
    let signals = Signals::new()?;
    let mut guard = Guard::take()?;
    let look = Looks {
        theme,
        themes,
        keymap: config.keymap,
        complaints: config.complaints,
        size: crossterm::terminal::size()?,
    };
    let parts = assemble(options, look);
    let mut console = Console::new(parts, EventStream::new(), Some(signals));
    let ended = console.stay(&mut guard).await;
    let applying = console.exec.is_applying();
    drop(guard);
    if applying {
        // Where the terminal is gone nobody hears it, and that is no reason to stop in the middle.
        let _ = writeln!(
            std::io::stderr(),
            "ostler: what is being applied stops between two operations; Ctrl-C leaves at once"
        );
        tokio::select! {
            () = console.exec.leave() => {}
            () = insisted(&mut console.signals) => {}
        }
    }
    ended
}

/// The first screen after a while, without a terminal: for pictures.
pub async fn still(options: ConsoleOptions, size: (u16, u16), after: Duration) -> Buffer {
    let mut parts = assembled(options, size);
    let end = tokio::time::Instant::now() + after;
    loop {
        let wishes = before_frame(&mut parts.model);
        for wish in wishes {
            parts.exec.carry_out(wish);
        }
        tokio::select! {
            () = tokio::time::sleep_until(end) => break,
            Some(message) = parts.inbox.recv() => {
                update(&mut parts.model, Message::Clock(now_ms()));
                for wish in update(&mut parts.model, message) {
                    parts.exec.carry_out(wish);
                }
            }
        }
    }
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buf = Buffer::empty(area);
    view::draw(&parts.model, &mut buf, area);
    buf
}

/// How a console looks and listens.
struct Looks {
    theme: Theme,
    themes: Vec<Theme>,
    keymap: Keymap,
    complaints: Vec<String>,
    size: (u16, u16),
}

/// A console without the terminal around it.
pub(super) struct Assembled {
    pub(super) model: Model,
    pub(super) exec: Exec,
    pub(super) inbox: UnboundedReceiver<Message>,
    pub(super) log: Receiver<Message>,
}

/// A console with nobody's configuration, in the colours of a good terminal.
pub(super) fn assembled(options: ConsoleOptions, size: (u16, u16)) -> Assembled {
    let theme = Theme::choose(None, TermProfile::TrueColor);
    let look = Looks {
        themes: vec![theme.clone()],
        theme,
        keymap: Config::load(None).keymap,
        complaints: Vec::new(),
        size,
    };
    assemble(options, look)
}

fn assemble(options: ConsoleOptions, look: Looks) -> Assembled {
    let (fleet, looked_at, source) = match options.subject {
        Subject::Fleet(source) => (source.fleet.clone(), None, Some(source)),
        Subject::Host(host) => {
            let hosts = [(host.name.clone(), (*host).clone())];
            let fleet = Fleet {
                hosts: hosts.into_iter().collect(),
                ..Fleet::default()
            };
            (Arc::new(fleet), Some(*host), None)
        }
    };
    let on_call = options.on_call || source.is_none();
    let model = open(Start {
        now_ms: now_ms(),
        size: look.size,
        keymap: look.keymap,
        complaints: look.complaints,
        theme: look.theme,
        themes: look.themes,
        fleet: source.as_ref().map(|s| s.fleet.clone()),
        looked_at,
        on_call,
        demo: options.demo,
    });
    let (messages, inbox) = unbounded_channel();
    let (log, log_inbox) = channel(LOG_QUEUE);
    let exec = Exec::new(Parts {
        fleet,
        source,
        connect: options.connect,
        desk: options.desk,
        state: options.state,
        on_call,
        demo: options.demo,
        messages,
        log,
    });
    Assembled {
        model,
        exec,
        inbox,
        log: log_inbox,
    }
}

/// What the console is drawn on.
pub(super) trait Face {
    /// Draws a frame.
    fn draw(&mut self, model: &Model) -> std::io::Result<Drawn>;
    /// Carries out a wish that is about the terminal.
    fn terminal(&mut self, wish: Effect, model: &mut Model) -> std::io::Result<()>;
}

/// What came of drawing a frame.
pub(super) struct Drawn {
    /// When what is on screen gets old by itself, unix seconds.
    pub(super) old_at: Option<i64>,
    /// Nobody wants another frame.
    pub(super) enough: bool,
}

impl Face for Guard {
    fn draw(&mut self, model: &Model) -> std::io::Result<Drawn> {
        let mut old_at = None;
        self.terminal
            .draw(|frame| old_at = view::view(model, frame))?;
        let enough = false;
        Ok(Drawn { old_at, enough })
    }

    fn terminal(&mut self, wish: Effect, model: &mut Model) -> std::io::Result<()> {
        match wish {
            Effect::Suspend => {
                self.suspend()?;
                let (columns, lines) = crossterm::terminal::size()?;
                update(model, Message::Resize(columns, lines));
                Ok(())
            }
            Effect::Redraw => self.redraw(),
            Effect::Copy(text) => self.copy(&text),
            _ => Ok(()),
        }
    }
}

/// The loop: keys, signals and messages in, frames out.
pub(super) struct Console<K> {
    model: Model,
    exec: Exec,
    inbox: UnboundedReceiver<Message>,
    log: Receiver<Message>,
    signals: Option<Signals>,
    keys: K,
}

async fn next_signal(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

async fn insisted(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.insisted().await,
        None => std::future::pending().await,
    }
}

impl<K: Stream<Item = std::io::Result<Event>> + Unpin> Console<K> {
    pub(super) fn new(parts: Assembled, keys: K, signals: Option<Signals>) -> Self {
        Console {
            model: parts.model,
            exec: parts.exec,
            inbox: parts.inbox,
            log: parts.log,
            signals,
            keys,
        }
    }

    pub(super) async fn stay(&mut self, face: &mut impl Face) -> Result<(), ConsoleError> {
        let mut drawn: Option<Instant> = None;
        // When what is on screen gets old by itself, unix seconds.
        let mut old_at: Option<i64> = None;
        let mut changed = true;
        loop {
            let now = Instant::now();
            if changed && drawn.is_none_or(|at| now - at >= FRAME) {
                update(&mut self.model, Message::Clock(now_ms()));
                let wishes = before_frame(&mut self.model);
                if self.carry_out(wishes, face)? {
                    return Ok(());
                }
                let shown = face.draw(&self.model)?;
                after_frame(&mut self.model, now_ms());
                if shown.enough {
                    return Ok(());
                }
                old_at = shown.old_at;
                drawn = Some(now);
                changed = false;
            }
            let frame_at = drawn.filter(|_| changed).map(|at| at + FRAME);
            let by_itself = [old_at.map(|s| s * 1000), due_ms(&self.model)]
                .into_iter()
                .flatten()
                .min()
                .map(|ms| now + Duration::from_millis((ms - now_ms()).max(1) as u64));
            let wake = [frame_at, by_itself].into_iter().flatten().min();
            let Some(first) = self.next(wake).await else {
                changed = true;
                continue;
            };
            let mut first = first?;
            let mut wishes = Vec::new();
            let mut taken = 0;
            let turn = Instant::now();
            while taken < BATCH && turn.elapsed() < TURN {
                let next = first.pop().map_or_else(
                    || self.inbox.try_recv().or_else(|_| self.log.try_recv()),
                    Ok,
                );
                let Ok(message) = next else { break };
                if taken == 0 {
                    update(&mut self.model, Message::Clock(now_ms()));
                }
                taken += 1;
                if let Message::Fleet(fleet) = &message {
                    self.exec.fleet_changed(fleet);
                }
                wishes.extend(update(&mut self.model, message));
            }
            if taken == 0 {
                continue;
            }
            changed = true;
            if self.carry_out(wishes, face)? {
                return Ok(());
            }
        }
    }

    /// Waits for something to happen; `None`: the time has come.
    async fn next(&mut self, wake: Option<Instant>) -> Option<std::io::Result<Vec<Message>>> {
        let sleep = async {
            match wake {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = self.keys.next() => Some(match event {
                Some(Ok(event)) => Ok(message_of(event).into_iter().collect()),
                Some(Err(error)) => Err(error),
                // The terminal is gone.
                None => Ok(vec![Message::Terminate]),
            }),
            () = next_signal(&mut self.signals) => Some(Ok(vec![Message::Terminate])),
            () = sleep => None,
            Some(message) = self.inbox.recv() => Some(Ok(vec![message])),
            Some(message) = self.log.recv() => Some(Ok(vec![message])),
        }
    }

    /// Carries out wishes; true: leave.
    fn carry_out(&mut self, wishes: Vec<Effect>, face: &mut impl Face) -> std::io::Result<bool> {
        for wish in wishes {
            match wish {
                Effect::Quit => return Ok(true),
                wish @ (Effect::Suspend | Effect::Redraw | Effect::Copy(_)) => {
                    face.terminal(wish, &mut self.model)?;
                }
                other => self.exec.carry_out(other),
            }
        }
        Ok(false)
    }
}

fn message_of(event: Event) -> Option<Message> {
    match event {
        Event::Key(key) => Some(Message::Key(key)),
        Event::Paste(text) => Some(Message::Paste(text)),
        Event::Resize(columns, lines) => Some(Message::Resize(columns, lines)),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn speaks_utf8() -> bool {
    let value = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    if value("TERM").as_deref() == Some("linux") {
        return false;
    }
    match ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(value) {
        Some(locale) => {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        // Nothing is said, as in a bare container: most terminals speak it.
        None => true,
    }
}

/// Wishes to end from outside.
pub(super) struct Signals {
    terminate: Signal,
    hangup: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.hangup.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Somebody wants it to end at once. A terminal that is gone hangs up, as may the shell on it:
    /// that is nobody.
    async fn insisted(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
