//! Questions that only a person can answer, put while a transport logs in.

use std::path::PathBuf;

/// Something a login needs to know from the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The host showed a key that known_hosts does not hold. Yes writes it there.
    HostKey {
        /// The host as the operator wrote it.
        host: String,
        /// Where the connection goes: `192.0.2.7:22`.
        address: String,
        /// Kind of key: `ssh-ed25519`.
        kind: String,
        /// `SHA256:…`, as `ssh-keygen -l` prints it.
        fingerprint: String,
        /// The file that a yes is written to.
        file: PathBuf,
    },
    /// A passphrase, a password, or whatever the host's own login asks for.
    Text {
        /// The host as the operator wrote it.
        host: String,
        /// What is asked: `passphrase of /home/me/.ssh/id_ed25519`, or the host's own words, with
        /// control characters removed.
        prompt: String,
        /// These are the host's own words: they may ask for anything, and are shown as such.
        by_host: bool,
        /// Whether what is typed may be seen.
        visible: bool,
        /// The answer before this one was wrong.
        again: bool,
    },
    /// Whether something may be done on this machine. Answered by yes or no.
    Leave {
        /// For what: `secret DB of blog`.
        of: String,
        /// What may be done, and what a yes means: `leave to run … Type yes to …`.
        prompt: String,
    },
}

impl Question {
    /// What is asked, where the host's own words cannot be taken for ours: those stand in quotation
    /// marks, of which they have none themselves.
    pub fn words(&self) -> String {
        match self {
            Question::HostKey { kind, .. } => kind.clone(),
            Question::Text {
                prompt, by_host, ..
            } => match by_host {
                true => format!("“{}”", prompt.replace(['“', '”'], "\"").trim()),
                false => prompt.clone(),
            },
            Question::Leave { prompt, .. } => prompt.clone(),
        }
    }

    /// What the question is about: a host, as the operator wrote it, or what leave is asked for.
    pub fn host(&self) -> &str {
        match self {
            Question::HostKey { host, .. } | Question::Text { host, .. } => host,
            Question::Leave { of, .. } => of,
        }
    }
}

/// What the operator said.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes: this is the host's key, or leave is given.
    Yes,
    /// No; the login fails.
    No,
    /// The text asked for.
    Text(String),
    /// Nobody is there to answer: the login fails and says how to answer beforehand.
    Nobody,
}

impl std::fmt::Debug for Answer {
    // An answer may be a passphrase.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Answer::Yes => "Yes",
            Answer::No => "No",
            Answer::Text(_) => "Text(…)",
            Answer::Nobody => "Nobody",
        })
    }
}

/// Puts questions to the operator.
pub trait Ask: Send + Sync {
    /// Asks, and waits for the answer as long as it takes. Called on threads that may block, never
    /// on the runtime's own.
    fn ask(&self, question: &Question) -> Answer;

    /// Whether anybody may answer. Where nobody will, a host is not made to ask.
    fn is_there(&self) -> bool {
        true
    }
}

/// Nobody is there: scripts, pipes, the demo.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headless;

impl Ask for Headless {
    fn ask(&self, _: &Question) -> Answer {
        Answer::Nobody
    }

    fn is_there(&self) -> bool {
        false
    }
}
