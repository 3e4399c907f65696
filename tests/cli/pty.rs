//! A program in a pseudo-terminal, with a terminal's eyes.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// Longest wait for anything to appear: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program.
pub struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    /// What is typed, and that it was taken: a program that reads no more is not waited for.
    typed: (Sender<Vec<u8>>, Receiver<std::io::Result<()>>),
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    bytes: Vec<u8>,
    _home: Option<tempfile::TempDir>,
}

/// A program that ended, and what it left.
pub struct Ended {
    pub code: u32,
    pub screen: String,
    bytes: Vec<u8>,
    parser: vt100::Parser,
}

impl Pty {
    /// Starts the real binary in an empty folder.
    pub fn start(arguments: &[&str], columns: u16, rows: u16) -> Pty {
        let home = tempfile::tempdir().unwrap();
        let mut pty = Pty::start_in(home.path(), arguments, columns, rows);
        pty._home = Some(home);
        pty
    }

    /// Starts the real binary in a folder, which is its home too. `OSTLER_BINARY` names another.
    pub fn start_in(folder: &Path, arguments: &[&str], columns: u16, rows: u16) -> Pty {
        let binary = std::env::var("OSTLER_BINARY");
        let binary = binary.unwrap_or_else(|_| env!("CARGO_BIN_EXE_ostler").to_owned());
        let mut command = CommandBuilder::new(binary);
        command.args(arguments);
        Pty::spawn(folder, command, columns, rows)
    }

    /// Starts any program.
    pub fn spawn(folder: &Path, mut command: CommandBuilder, columns: u16, rows: u16) -> Pty {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        command.cwd(folder);
        command.env("HOME", folder);
        for name in ["CONFIG", "STATE", "DATA", "CACHE"] {
            command.env(format!("XDG_{name}_HOME"), folder.join(name));
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for name in [
            "OSTLER_FLEET",
            "OSTLER_READ_ONLY",
            "NO_COLOR",
            "DOCKER_HOST",
            "DOCKER_CONTEXT",
            "DOCKER_CONFIG",
            "DOCKER_TLS_VERIFY",
            "DOCKER_CERT_PATH",
            "COLORTERM",
            "CI",
        ] {
            command.env_remove(name);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut writer = pair.master.take_writer().unwrap();
        let (keys, to_type) = channel::<Vec<u8>>();
        let (taken, answers) = channel();
        std::thread::spawn(move || {
            for keys in to_type {
                let written = writer.write_all(&keys).and_then(|()| writer.flush());
                if taken.send(written).is_err() {
                    break;
                }
            }
        });
        Pty {
            child,
            typed: (keys, answers),
            master: pair.master,
            output,
            parser: vt100::Parser::new(rows, columns, 0),
            bytes: Vec::new(),
            _home: None,
        }
    }

    /// Waits until the text is on the screen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.parser.screen().contents().contains(text) {
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(why) => panic!(
                    "{why:?}: no {text:?} on\n{}",
                    self.parser.screen().contents()
                ),
            }
        }
    }

    /// Waits until the alternate screen is taken, or left.
    #[track_caller]
    pub fn wait_for_alternate(&mut self, taken: bool) {
        let until = Instant::now() + PATIENCE;
        while self.parser.screen().alternate_screen() != taken {
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(why) => panic!("{why:?}: {}", self.parser.screen().contents()),
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.bytes.extend_from_slice(bytes);
    }

    /// Types.
    #[track_caller]
    pub fn keys(&mut self, keys: &str) {
        let (typing, taken) = &self.typed;
        typing.send(keys.as_bytes().to_vec()).unwrap();
        match taken.recv_timeout(PATIENCE) {
            Ok(written) => written.unwrap(),
            Err(why) => {
                let _ = self.child.kill();
                let screen = self.parser.screen().contents();
                panic!("{why:?}: it reads no more of what is typed:\n{screen}");
            }
        }
    }

    /// Makes the terminal larger or smaller.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.master.resize(size(columns, rows)).unwrap();
        self.parser.screen_mut().set_size(rows, columns);
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        // The shell's own: there may be no program of that name.
        let sent = std::process::Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits until the program is stopped as by Ctrl-Z: what would have it go on before is lost.
    #[track_caller]
    pub fn wait_until_stopped(&self) {
        let stat = format!("/proc/{}/stat", self.child.process_id().unwrap());
        let until = Instant::now() + PATIENCE;
        let is_stopped = || {
            let stat = std::fs::read_to_string(&stat).unwrap();
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        };
        while !is_stopped() {
            assert!(Instant::now() < until, "it is not stopped");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The terminal goes away, as when a connection drops: how the program ends.
    #[track_caller]
    pub fn hang_up(mut self) -> ExitStatus {
        drop((self.typed, self.output, self.master));
        // The last hold on it is the reader's, up to the next piece of output.
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > until {
                let _ = self.child.kill();
                panic!("it does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it does not end:\n{}", self.parser.screen().contents());
                }
            }
        }
        let code = self.child.wait().unwrap().exit_code();
        Ended {
            code,
            screen: self.parser.screen().contents(),
            bytes: self.bytes,
            parser: self.parser,
        }
    }
}

impl Ended {
    /// The terminal is as a shell wants it: main screen, visible cursor, no mouse, no bracketed
    /// paste, no colours left on.
    #[track_caller]
    pub fn assert_sane(&self) {
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "pastes are still bracketed");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(screen.fgcolor(), vt100::Color::Default);
        assert_eq!(screen.bgcolor(), vt100::Color::Default);
        // What vt100 does not follow: the keyboard protocol is pushed as often as popped.
        let count = |what: &[u8]| {
            self.bytes
                .windows(what.len())
                .filter(|w| *w == what)
                .count()
        };
        assert_eq!(
            count(b"\x1b[>1u"),
            count(b"\x1b[<1u"),
            "keyboard protocol left on"
        );
    }

    /// Whether these bytes were ever sent.
    pub fn has(&self, what: &[u8]) -> bool {
        self.bytes.windows(what.len()).any(|sent| sent == what)
    }

    /// Whether any colour was ever sent.
    pub fn has_colours(&self) -> bool {
        let text = String::from_utf8_lossy(&self.bytes);
        text.split("\x1b[").skip(1).any(|rest| {
            let Some(end) = rest.find(|c: char| !(c.is_ascii_digit() || c == ';')) else {
                return false;
            };
            rest[end..].starts_with('m')
                && rest[..end]
                    .split(';')
                    .any(|n| matches!(n.parse::<u8>(), Ok(30..=38 | 40..=48 | 90..=97 | 100..=107)))
        })
    }

    /// All that was sent, for a failure's message.
    pub fn bytes(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        cols: columns,
        rows,
        pixel_width: 0,
        pixel_height: 0,
    }
}
