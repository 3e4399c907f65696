//! The terminal, taken and given back: on quit, on a panic, on signals, around a suspension.

use std::io::{self, Stdout, Write, stderr, stdout};
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::style::ResetColor;
use crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// What panics of workers said while the terminal was ours; told when it is given back.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Gives the terminal back when dropped.
pub struct Guard {
    /// Draws on it. Never dropped: where the terminal is gone ratatui would complain on standard
    /// error, which is the same terminal, and panic over that.
    pub terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Guard {
    /// Takes the terminal, and sees to it that a panic gives it back.
    ///
    /// # Errors
    /// The terminal refuses: there is none, or it cannot be put into raw mode.
    pub fn take() -> io::Result<Guard> {
        hook_panics();
        if let Err(error) = enter() {
            leave();
            return Err(error);
        }
        let terminal = match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => terminal,
            Err(error) => {
                leave();
                return Err(error);
            }
        };
        Ok(Guard {
            terminal: ManuallyDrop::new(terminal),
        })
    }

    /// Gives the terminal back, stops the process as Ctrl-Z does, and takes it again when the
    /// shell brings us back.
    ///
    /// # Errors
    /// The terminal refuses to be taken again.
    pub fn suspend(&mut self) -> io::Result<()> {
        leave();
        // Stops here until SIGCONT.
        let stopped = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
        enter()?;
        self.redraw()?;
        stopped
    }

    /// Forgets what is on screen, so that the next frame is drawn whole.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn redraw(&mut self) -> io::Result<()> {
        // Ratatui's own way asks the terminal where its cursor is, and fails where none answers.
        execute!(stdout(), Clear(ClearType::All))?;
        // The one before is dropped: see above.
        self.terminal.show_cursor()?;
        *self.terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(())
    }

    /// Puts a text into the clipboard of the terminal (OSC 52), where it has one.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        let mut out = stdout();
        write!(out, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        out.flush()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
        let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner));
        for text in said {
            let _ = writeln!(stderr(), "{text}");
        }
    }
}

fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)
}

/// Undoes everything that [`enter`] does, once. Each part is tried whatever became of the others.
fn leave() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = stdout();
    let _ = execute!(out, ResetColor);
    let _ = execute!(out, DisableBracketedPaste);
    let _ = execute!(out, LeaveAlternateScreen);
    let _ = execute!(out, Show);
    let _ = disable_raw_mode();
}

/// A panic of the thread that draws gives the terminal back before it is reported. One of a worker
/// is reported later: the screen goes on without it.
fn hook_panics() {
    static HOOKED: AtomicBool = AtomicBool::new(false);
    if HOOKED.swap(true, Ordering::SeqCst) {
        return;
    }
    let ours = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !TAKEN.load(Ordering::SeqCst) {
            return before(info);
        }
        if std::thread::current().id() == ours {
            leave();
            return before(info);
        }
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        said.push(format!("a worker of the console failed: {info}"));
    }));
}
