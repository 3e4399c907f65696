//! A run of the real binary that something happens to.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Longest wait for a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whoever runs the program.
pub trait Runs {
    /// A run that was not started yet.
    fn command(&self, arguments: &[&str]) -> Command;
}

/// A run, killed when it goes out of scope.
pub struct Running {
    child: Child,
    begun: Instant,
    /// Lines of both outputs; true: of standard error.
    lines: Receiver<(bool, String)>,
    out: String,
    err: String,
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// -1: by a signal.
    pub code: i32,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl Running {
    pub fn start(by: &impl Runs, arguments: &[&str]) -> Running {
        let mut child = by
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, lines) = channel();
        let out: Box<dyn Read + Send> = Box::new(child.stdout.take().unwrap());
        let err: Box<dyn Read + Send> = Box::new(child.stderr.take().unwrap());
        for (is_err, stream) in [(false, out), (true, err)] {
            let to = to.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if to.send((is_err, line)).is_err() {
                        break;
                    }
                }
            });
        }
        Running {
            child,
            begun: Instant::now(),
            lines,
            out: String::new(),
            err: String::new(),
        }
    }

    fn keep(&mut self, is_err: bool, line: &str) {
        let all = if is_err { &mut self.err } else { &mut self.out };
        all.push_str(line);
        all.push('\n');
    }

    /// Takes lines until one is what is wanted; false when there are no more.
    fn until(&mut self, wanted: impl Fn(&str) -> bool) -> bool {
        let end = Instant::now() + PATIENCE;
        loop {
            match self
                .lines
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok((is_err, line)) => {
                    let found = wanted(&line);
                    self.keep(is_err, &line);
                    if found {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it says no more:\n{}\n{}", self.out, self.err)
                }
            }
        }
    }

    /// Waits until this many operations are done; false when it ended before.
    pub fn try_wait_for_done(&mut self, count: usize) -> bool {
        (0..count).all(|_| self.until(|line| line.starts_with("✔ [")))
    }

    #[track_caller]
    pub fn wait_for_done(&mut self, count: usize) {
        assert!(
            self.try_wait_for_done(count),
            "ended:\n{}\n{}",
            self.out,
            self.err
        );
    }

    #[track_caller]
    pub fn wait_for_line(&mut self, part: &str) {
        let found = self.until(|line| line.contains(part));
        assert!(found, "no {part:?}:\n{}\n{}", self.out, self.err);
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        // The shell's own: there may be no program of that name.
        let sent = Command::new("sh")
            .args([
                "-c",
                "kill -s INT \"$1\"",
                "sh",
                &self.child.id().to_string(),
            ])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end, for so long from now on.
    #[track_caller]
    pub fn end(mut self, within: Duration) -> Ended {
        let until = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            while let Ok((is_err, line)) = self.lines.recv_timeout(Duration::from_millis(20)) {
                self.keep(is_err, &line);
            }
            assert!(
                Instant::now() < until,
                "it does not end:\n{}\n{}",
                self.out,
                self.err
            );
        };
        let took = self.begun.elapsed();
        while let Ok((is_err, line)) = self.lines.recv() {
            self.keep(is_err, &line);
        }
        Ended {
            code: status.code().unwrap_or(-1),
            out: std::mem::take(&mut self.out),
            err: std::mem::take(&mut self.err),
            took,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
