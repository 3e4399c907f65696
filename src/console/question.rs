//! Questions of logins, on their way to the operator and back. A login waits on a thread of its
//! own; the interface never waits for it.

use std::collections::{BTreeMap, HashSet};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::mpsc::UnboundedSender;

use super::lock::lock;
use super::message::Message;
use crate::engine::transport::ssh::Answered;
use crate::engine::{Answer, Ask, Question};
use crate::fleet::{EngineAddress, Host};

/// Where logins put their questions while the console is open.
#[derive(Default)]
pub struct Desk {
    inner: Mutex<Inner>,
    /// What was answered in this run.
    answered: Arc<Answered>,
}

#[derive(Default)]
struct Inner {
    /// The console, once it is open.
    to: Option<UnboundedSender<Message>>,
    /// The console has ended: nobody answers any more.
    closed: bool,
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// Hosts, as questions name them, whose last question the operator refused.
    refused: HashSet<String>,
}

struct Waiting {
    question: Question,
    answer: Sender<Answer>,
}

impl Desk {
    /// For logins that keep their answers there.
    pub fn of(answered: Arc<Answered>) -> Desk {
        Desk {
            answered,
            ..Desk::default()
        }
    }

    /// The console is open: questions go there, those that came before it too.
    pub fn open(&self, to: UnboundedSender<Message>) {
        let mut inner = self.inner();
        for (id, waiting) in &inner.waiting {
            // The console has ended when nobody listens.
            let _ = to.send(Message::Asked(*id, waiting.question.clone()));
        }
        inner.to = Some(to);
    }

    /// The console ends: whoever waits goes on without an answer.
    pub fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        inner.to = None;
        // With its sender gone each of them wakes up.
        inner.waiting.clear();
    }

    /// What the operator said. A refusal answers all that the same host asks, now and until
    /// [`Desk::ask_again`].
    pub fn answer(&self, id: u64, answer: Answer) {
        let mut inner = self.inner();
        let Some(waiting) = inner.waiting.remove(&id) else {
            return;
        };
        if answer == Answer::No {
            let host = waiting.question.host().to_owned();
            let same = |w: &Waiting| w.question.host() == host;
            let gone: Vec<u64> = inner
                .waiting
                .iter()
                .filter(|(_, w)| same(w))
                .map(|(id, _)| *id)
                .collect();
            for other in gone {
                if let Some(other) = inner.waiting.remove(&other) {
                    let _ = other.answer.send(Answer::No);
                }
            }
            inner.refused.insert(host);
        }
        // A login that gave up meanwhile needs no answer.
        let _ = waiting.answer.send(answer);
    }

    /// Hosts whose questions were refused may ask again.
    pub fn ask_again(&self) {
        self.inner().refused.clear();
        self.answered.ask_again();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl Ask for Desk {
    fn ask(&self, question: &Question) -> Answer {
        let (answer, wait) = channel();
        {
            let mut inner = self.inner();
            if inner.closed {
                return Answer::Nobody;
            }
            if inner.refused.contains(question.host()) {
                return Answer::No;
            }
            let id = inner.next;
            inner.next += 1;
            let question = question.clone();
            if let Some(to) = &inner.to {
                let _ = to.send(Message::Asked(id, question.clone()));
            }
            inner.waiting.insert(id, Waiting { question, answer });
        }
        wait.recv().unwrap_or(Answer::Nobody)
    }
}

/// Whether what a question calls its host is this host of the fleet.
pub fn is_about(asked: &str, host: &Host) -> bool {
    if asked == host.name.as_str() {
        return true;
    }
    let EngineAddress::Ssh { host: name, .. } = &host.engine else {
        return false;
    };
    let whole = host.engine.to_string();
    let bare = asked.strip_prefix("ssh://").unwrap_or(asked);
    let bare = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
    asked == whole || bare == name
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::thread;

    fn asks(host: &str) -> Question {
        Question::Text {
            host: host.into(),
            prompt: "passphrase of /home/me/.ssh/id_ed25519".into(),
            by_host: false,
            visible: false,
            again: false,
        }
    }

    fn hosts() -> Vec<Host> {
        let text = "fleet: f\nhosts:\n  web1: { engine: 'ssh://ops@one.example:2222' }\n  web2: { engine: 'ssh://two.example' }\n  lab: { engine: 'unix:///x.sock' }\n";
        let fleet = crate::fleet::load(text, Path::new("fleet.yml"))
            .unwrap()
            .fleet;
        fleet.hosts.into_values().collect()
    }

    #[test]
    fn a_question_waits_for_the_console_and_for_its_answer() {
        let desk = Arc::new(Desk::default());
        let asking = |host: &'static str| {
            let desk = desk.clone();
            thread::spawn(move || desk.ask(&asks(host)))
        };
        let early = asking("one.example");
        while desk.inner().waiting.is_empty() {
            thread::yield_now();
        }
        let (to, mut inbox) = tokio::sync::mpsc::unbounded_channel();
        desk.open(to);
        let Some(Message::Asked(id, question)) = inbox.blocking_recv() else {
            panic!()
        };
        assert_eq!(question.host(), "one.example");
        desk.answer(id, Answer::Text("secret".into()));
        assert_eq!(early.join().unwrap(), Answer::Text("secret".into()));

        // A refusal answers all that this host asks, until told otherwise; others are not meant.
        let (a, b) = (asking("one.example"), asking("one.example"));
        let other = asking("two.example");
        let mut ids = Vec::new();
        while ids.len() < 3 {
            if let Some(Message::Asked(id, question)) = inbox.blocking_recv() {
                ids.push((question.host().to_owned(), id));
            }
        }
        ids.sort();
        desk.answer(ids[0].1, Answer::No);
        assert_eq!(
            (a.join().unwrap(), b.join().unwrap()),
            (Answer::No, Answer::No)
        );
        assert_eq!(desk.ask(&asks("one.example")), Answer::No);
        assert!(!other.is_finished());
        desk.ask_again();
        let again = asking("one.example");
        assert!(matches!(inbox.blocking_recv(), Some(Message::Asked(..))));

        // Whoever waits when the console ends is let go.
        desk.close();
        assert_eq!(other.join().unwrap(), Answer::Nobody);
        assert_eq!(again.join().unwrap(), Answer::Nobody);
        assert_eq!(desk.ask(&asks("one.example")), Answer::Nobody);
    }

    #[test]
    fn a_question_is_about_the_host_it_names() {
        for (asked, about) in [
            ("web1", "web1"),
            ("one.example", "web1"),
            ("ops@one.example", "web1"),
            ("ssh://ops@one.example:2222", "web1"),
            ("two.example", "web2"),
            ("bastion.example", ""),
        ] {
            for host in &hosts() {
                assert_eq!(
                    is_about(asked, host),
                    host.name.as_str() == about,
                    "{asked}"
                );
            }
        }
    }
}
