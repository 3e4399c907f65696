//! The console without a terminal, for measuring: the same loop, the same workers and the same
//! frames, drawn to where nobody looks.

use std::io;
use std::time::Instant;

use crossterm::event::{Event, KeyEvent};
use futures_util::stream;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::console::effect::Effect;
use crate::console::keymap::Key;
use crate::console::model::Model;
use crate::console::run::options::ConsoleOptions;
use crate::console::run::{Console, ConsoleError, Drawn, Face, assembled};
use crate::console::view;
use crate::verdict::tally::tally;

/// A key as the configuration writes it, and when it was pressed.
pub type Press = (&'static str, Instant);

/// What a frame showed.
pub struct Rehearsal {
    /// When the keys were pressed that it is the first to show.
    pub answered: Vec<Instant>,
    /// Sites of which the state is known.
    pub known: usize,
}

struct Sketch<F> {
    terminal: Terminal<CrosstermBackend<io::Sink>>,
    taken: std::sync::Arc<std::sync::Mutex<Vec<Instant>>>,
    seen: F,
}

impl<F: FnMut(&Rehearsal) -> bool> Face for Sketch<F> {
    fn draw(&mut self, model: &Model) -> io::Result<Drawn> {
        let mut old_at = None;
        self.terminal
            .draw(|frame| old_at = view::view(model, frame))?;
        let tally = tally(&model.view.sites, false);
        let mut taken = self
            .taken
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let shown = Rehearsal {
            answered: std::mem::take(&mut taken),
            known: tally.all - tally.unknown,
        };
        let enough = (self.seen)(&shown);
        Ok(Drawn { old_at, enough })
    }

    fn terminal(&mut self, _: Effect, _: &mut Model) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a console, presses keys until there are no more, and tells of every frame. Ends when told
/// to, or with the last key.
///
/// # Errors
/// It cannot be drawn.
pub async fn rehearse(
    options: ConsoleOptions,
    size: (u16, u16),
    keys: UnboundedReceiver<Press>,
    seen: impl FnMut(&Rehearsal) -> bool,
) -> Result<(), ConsoleError> {
    let area = Rect::new(0, 0, size.0, size.1);
    let viewport = Viewport::Fixed(area);
    let backend = CrosstermBackend::new(io::sink());
    let taken = std::sync::Arc::default();
    let mut face = Sketch {
        terminal: Terminal::with_options(backend, TerminalOptions { viewport })?,
        taken: std::sync::Arc::clone(&taken),
        seen,
    };
    let keys = stream::unfold((keys, taken), |(mut keys, taken)| async move {
        loop {
            let (key, at) = keys.recv().await?;
            let Ok(key) = key.parse::<Key>() else {
                continue;
            };
            taken
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(at);
            let event = Event::Key(KeyEvent::new(key.code, key.modifiers));
            return Some((Ok(event), (keys, taken)));
        }
    });
    let parts = assembled(options, size);
    let mut console = Console::new(parts, Box::pin(keys), None);
    console.stay(&mut face).await
}
