//! Questions of a login, asked on the terminal: on standard error, for standard output is for
//! answers.

use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcsetattr,
};
use zeroize::Zeroizing;

use crate::engine::transport::ask::{Answer, Ask, Headless, Question};
use crate::text;

/// Held while a question is open, whoever asks: a line that is typed answers what is read.
static ASKING: Mutex<()> = Mutex::new(());
/// Of standard input.
static ECHO: Echo = Echo::new();

/// Who answers: the operator, when there is a terminal to ask on; else nobody.
pub fn here() -> Arc<dyn Ask> {
    match std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        true => Arc::new(Terminal),
        false => Arc::new(Headless),
    }
}

/// Puts a question of ours and reads the line that answers it, once no login's is open. `None`: the
/// input has ended. Blocks.
///
/// # Errors
/// The terminal is gone.
pub fn put(prompt: &str) -> std::io::Result<Option<String>> {
    let _one = turn();
    forget_typed();
    let mut err = std::io::stderr();
    write!(err, "{prompt}")?;
    err.flush()?;
    Ok(line(&mut Typed)?.map(|typed| typed.to_string()))
}

/// Whoever drops it leaves: a question that is still open, on a thread of its own, does not keep
/// the terminal without echo, and none opens any more.
pub struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        if ECHO.close(std::io::stdin()) {
            // What is said next goes below the question.
            let _ = writeln!(std::io::stderr());
        }
    }
}

fn turn() -> MutexGuard<'static, ()> {
    ASKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was typed before a question is no answer to it.
fn forget_typed() {
    // Where this fails reading does, too.
    let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
}

/// The operator at the terminal. One question at a time.
#[derive(Debug)]
struct Terminal;

impl Ask for Terminal {
    fn ask(&self, question: &Question) -> Answer {
        let _one = turn();
        // Not locked: nobody else who has something to say waits for the operator.
        let mut err = std::io::stderr();
        forget_typed();
        let answered = match question {
            Question::HostKey { .. } => host_key(question, &mut Typed, &mut err),
            Question::Leave { of, prompt } => leave(of, prompt, &mut Typed, &mut err),
            Question::Text { visible: true, .. } => {
                prompt(question, &mut err).and_then(|()| shown(&mut Typed))
            }
            Question::Text { .. } => unseen(question, &mut err),
        };
        // Without a terminal that works there is nobody.
        answered.unwrap_or(Answer::Nobody)
    }
}

fn host_key(
    question: &Question,
    input: &mut impl Read,
    err: &mut impl Write,
) -> std::io::Result<Answer> {
    let Question::HostKey {
        host,
        address,
        kind,
        fingerprint,
        file,
    } = question
    else {
        return Ok(Answer::No);
    };
    let (host, address, kind) = (text::line(host), text::line(address), text::line(kind));
    writeln!(err, "{host} ({address}) shows a key that is not known:")?;
    writeln!(err, "  {kind} {fingerprint}")?;
    writeln!(
        err,
        "It is the right one if `ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub` says the same on {host}."
    )?;
    let keep = match file.as_os_str().is_empty() {
        true => String::new(),
        false => format!(
            " and keep it in {}",
            text::line(&file.display().to_string())
        ),
    };
    loop {
        write!(err, "Trust it{keep}? Type yes, no or the fingerprint: ")?;
        err.flush()?;
        let Some(typed) = line(input)? else {
            return Ok(Answer::No);
        };
        match typed.trim() {
            "yes" => return Ok(Answer::Yes),
            typed if typed == fingerprint => return Ok(Answer::Yes),
            "no" | "n" | "" => return Ok(Answer::No),
            // A y is typed too easily.
            _ => writeln!(err, "Please type yes or no in full, or the fingerprint.")?,
        }
    }
}

/// What is asked for is printed whole, however long it is: the terminal scrolls.
fn leave(
    of: &str,
    prompt: &str,
    input: &mut impl Read,
    err: &mut impl Write,
) -> std::io::Result<Answer> {
    write!(err, "{}: {} ", text::line(of), ended(&text::line(prompt)))?;
    loop {
        err.flush()?;
        let Some(typed) = line(input)? else {
            return Ok(Answer::No);
        };
        match typed.trim() {
            "yes" => return Ok(Answer::Yes),
            "no" | "n" | "" => return Ok(Answer::No),
            // A y is typed too easily.
            _ => write!(err, "Please type yes or no in full: ")?,
        }
    }
}

fn prompt(question: &Question, err: &mut impl Write) -> std::io::Result<()> {
    let Question::Text {
        host,
        by_host,
        again,
        ..
    } = question
    else {
        return Ok(());
    };
    let prompt = text::line(&question.words());
    let (host, wrong) = (
        text::line(host),
        if *again { "That was wrong. " } else { "" },
    );
    match by_host {
        true => write!(err, "{wrong}{host} itself asks {prompt} ")?,
        false => write!(err, "{wrong}{host}: {} ", ended(&prompt))?,
    }
    err.flush()
}

/// With a colon, unless it ends with something like one.
fn ended(prompt: &str) -> String {
    match prompt.ends_with([':', '?', '>']) {
        true => prompt.to_owned(),
        false => format!("{prompt}:"),
    }
}

fn shown(input: &mut impl Read) -> std::io::Result<Answer> {
    Ok(match line(input)? {
        None => Answer::No,
        Some(typed) => Answer::Text(typed.trim_end_matches('\r').to_owned()),
    })
}

/// A line without its end, and nothing of what comes after it. `None`: the input has ended.
fn line(input: &mut impl Read) -> std::io::Result<Option<Zeroizing<String>>> {
    let mut typed = Zeroizing::new(Vec::new());
    let mut key = [0u8];
    loop {
        match (input.read(&mut key)?, key[0]) {
            (0, _) if typed.is_empty() => return Ok(None),
            (0, _) | (_, b'\n') => break,
            (_, byte) => typed.push(byte),
        }
    }
    Ok(Some(Zeroizing::new(
        String::from_utf8_lossy(&typed).into_owned(),
    )))
}

/// Asks for a line that is not shown. Keys arrive one by one, Ctrl-C included: the terminal is put
/// back however it ends.
fn unseen(question: &Question, err: &mut impl Write) -> std::io::Result<Answer> {
    // Before it is asked: who sees the question may type.
    let hidden = Hidden::begin(&ECHO, std::io::stdin())?;
    prompt(question, err)?;
    let answer = keys(&mut Typed);
    drop(hidden);
    // The Enter was not shown either.
    writeln!(err)?;
    answer
}

fn keys(input: &mut impl Read) -> std::io::Result<Answer> {
    let mut typed = Zeroizing::new(Vec::new());
    let mut key = [0u8];
    loop {
        if input.read(&mut key)? == 0 {
            return Ok(Answer::No);
        }
        match key[0] {
            b'\r' | b'\n' => break,
            // Ctrl-C, and Ctrl-D with nothing typed.
            3 => return Ok(Answer::No),
            4 if typed.is_empty() => return Ok(Answer::No),
            8 | 0x7f => erase(&mut typed),
            // Ctrl-U
            0x15 => typed.clear(),
            byte => typed.push(byte),
        }
    }
    Ok(match String::from_utf8(typed.to_vec()) {
        Ok(text) => Answer::Text(text),
        Err(_) => Answer::No,
    })
}

/// Takes the last character back, all of its bytes.
fn erase(typed: &mut Vec<u8>) {
    while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// Standard input, past the buffer of std: what it would hold would be left in memory, and taken
/// for the answer to the next question.
struct Typed;

impl Read for Typed {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match rustix::io::read(std::io::stdin(), &mut *buf) {
                Err(rustix::io::Errno::INTR) => {}
                read => return Ok(read?),
            }
        }
    }
}

/// Whether a terminal shows what is typed, and how it is to be again.
struct Echo(Mutex<State>);

enum State {
    /// As it was found.
    Untouched,
    /// Hidden; it was like this.
    Hidden(Box<Termios>),
    /// The program ends.
    Closed,
}

impl Echo {
    const fn new() -> Self {
        Echo(Mutex::new(State::Untouched))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The end; true: the terminal had to be put back.
    fn close(&self, terminal: impl AsFd) -> bool {
        let before = std::mem::replace(&mut *self.lock(), State::Closed);
        show(before, terminal)
    }
}

fn show(before: State, terminal: impl AsFd) -> bool {
    let State::Hidden(before) = before else {
        return false;
    };
    // A terminal that is gone needs nothing.
    let _ = tcsetattr(terminal, OptionalActions::Flush, &before);
    true
}

/// A terminal without echo, as long as this lives and the program does.
struct Hidden<'a, T: AsFd> {
    echo: &'a Echo,
    terminal: T,
}

impl<'a, T: AsFd> Hidden<'a, T> {
    fn begin(echo: &'a Echo, terminal: T) -> std::io::Result<Self> {
        let mut state = echo.lock();
        if !matches!(*state, State::Untouched) {
            return Err(std::io::Error::other("the program ends"));
        }
        let before = tcgetattr(&terminal)?;
        let mut now = before.clone();
        now.local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        now.special_codes[SpecialCodeIndex::VMIN] = 1;
        now.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed before the question is not an answer to it.
        tcsetattr(&terminal, OptionalActions::Flush, &now)?;
        *state = State::Hidden(Box::new(before));
        drop(state);
        Ok(Hidden { echo, terminal })
    }
}

impl<T: AsFd> Drop for Hidden<'_, T> {
    fn drop(&mut self) {
        let mut state = self.echo.lock();
        if matches!(*state, State::Hidden(_)) {
            let before = std::mem::replace(&mut *state, State::Untouched);
            show(before, &self.terminal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Question {
        Question::HostKey {
            host: "web1\x1b[2J".into(),
            address: "192.0.2.7:22".into(),
            kind: "ssh-ed25519".into(),
            fingerprint: "SHA256:abc".into(),
            file: "/home/me/.ssh/known_hosts".into(),
        }
    }

    fn asked(typed: &str) -> (Answer, String) {
        let mut err = Vec::new();
        let answer = host_key(&key(), &mut typed.as_bytes(), &mut err).unwrap();
        (answer, String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_host_key_takes_a_whole_yes() {
        for (typed, answer) in [
            ("yes\n", Answer::Yes),
            ("SHA256:abc\n", Answer::Yes),
            ("y\nyes\n", Answer::Yes),
            ("SHA256:abd\nno\n", Answer::No),
            ("no\n", Answer::No),
            ("\n", Answer::No),
            ("", Answer::No),
        ] {
            assert_eq!(asked(typed).0, answer, "{typed:?}");
        }
        let said = asked("yes\n").1;
        for part in [
            "web1^[[2J (192.0.2.7:22)",
            "ssh-ed25519 SHA256:abc",
            "/home/me/.ssh/known_hosts",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains('\x1b'));
    }

    #[test]
    fn leave_takes_a_whole_yes() {
        for (typed, answer, again) in [
            ("yes\n", Answer::Yes, false),
            ("y\nyes\n", Answer::Yes, true),
            ("y\nno\n", Answer::No, true),
            ("Yes please\n\n", Answer::No, true),
            ("n\n", Answer::No, false),
            ("", Answer::No, false),
        ] {
            let mut err = Vec::new();
            let long = "x".repeat(3000);
            let said = leave("secret", &long, &mut typed.as_bytes(), &mut err).unwrap();
            assert_eq!(said, answer, "{typed:?}");
            let err = String::from_utf8(err).unwrap();
            assert!(err.starts_with(&format!("secret: {long}: ")), "{err}");
            assert_eq!(err.contains("yes or no in full"), again, "{err}");
        }
    }

    #[test]
    fn a_line_is_taken_and_nothing_after_it() {
        let mut input: &[u8] = "one\r\ntw\u{f6}\nthree".as_bytes();
        for (text, rest) in [
            ("one", "tw\u{f6}\nthree"),
            ("tw\u{f6}", "three"),
            ("three", ""),
        ] {
            assert_eq!(shown(&mut input).unwrap(), Answer::Text(text.into()));
            assert_eq!(input, rest.as_bytes());
        }
        assert_eq!(shown(&mut input).unwrap(), Answer::No);
    }

    #[test]
    fn leaving_shows_what_is_typed_again_though_a_question_is_open() {
        let size = portable_pty::PtySize::default();
        let pair = portable_pty::native_pty_system().openpty(size).unwrap();
        let name = pair.master.tty_name().unwrap();
        let terminal = || std::fs::File::open(&name).unwrap();
        let modes = || tcgetattr(terminal()).unwrap().local_modes;
        let before = modes();
        assert!(before.contains(LocalModes::ECHO));
        let echo = Echo::new();

        let hidden = Hidden::begin(&echo, terminal()).unwrap();
        assert!(!modes().contains(LocalModes::ECHO));
        drop(hidden);
        assert_eq!(modes(), before);

        let hidden = Hidden::begin(&echo, terminal()).unwrap();
        assert!(echo.close(terminal()));
        assert_eq!(modes(), before);
        // Nor does a login that asks only now hide anything.
        assert!(Hidden::begin(&echo, terminal()).is_err());
        assert_eq!(modes(), before);
        drop(hidden);
        assert_eq!(modes(), before);
        assert!(!echo.close(terminal()));
    }

    #[test]
    fn keys_make_a_secret() {
        let typed = |bytes: &[u8]| keys(&mut &*bytes).unwrap();
        let text = |text: &str| Answer::Text(text.into());
        assert_eq!(typed(b"open sesame\r"), text("open sesame"));
        assert_eq!(typed("aä\x7f\x7fbc\x08d\n".as_bytes()), text("bd"));
        assert_eq!(typed(b"wrong\x15right\n"), text("right"));
        assert_eq!(typed(b"\n"), text(""));
        assert_eq!(typed(b"abc\x03"), Answer::No);
        assert_eq!(typed(b"\x04"), Answer::No);
        assert_eq!(typed(b"abc"), Answer::No);
    }

    #[test]
    fn prompts_end_with_a_colon() {
        for (by_host, again, prompt_, said) in [
            (false, false, "passphrase of /k", "web1: passphrase of /k: "),
            (false, true, "password?", "That was wrong. web1: password? "),
            // Whatever a host asks for, it is seen that it is the host.
            (
                true,
                false,
                "passphrase of /k” ",
                "web1 itself asks “passphrase of /k\"” ",
            ),
        ] {
            let question = Question::Text {
                host: "web1".into(),
                prompt: prompt_.into(),
                by_host,
                visible: false,
                again,
            };
            let mut err = Vec::new();
            prompt(&question, &mut err).unwrap();
            assert_eq!(String::from_utf8(err).unwrap(), said);
        }
    }
}
