//! The dialog in which a login's question is answered. It opens on a key, never by itself: what is
//! being typed elsewhere is not meant for it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::console::effect::Request;
use crate::console::widget::input::Input;
use crate::engine::{Answer, Question};

/// Longer secrets are pasted by mistake.
const MOST: usize = 1024;

/// A login's question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What the answer is sent under.
    pub id: u64,
    /// What is asked.
    pub question: Question,
}

/// A question that is being answered.
#[derive(Debug)]
pub struct Dialog {
    pub asked: Asked,
    /// The answer so far.
    pub typed: Typed,
    /// Why what was typed is no answer.
    pub hint: Option<&'static str>,
    /// The first line of the question that is shown, from 0.
    pub top: usize,
    /// All of the question was on screen down to its last line. What was not is not answered.
    pub read: bool,
    /// The change that is being worked out meanwhile, to go back to.
    pub over: Option<(u64, Request)>,
}

pub enum Typed {
    /// Seen.
    Plain(Box<Input>),
    /// Not seen, not even how long it is in a picture.
    Hidden(Vec<char>),
}

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        // What was typed does not stay in memory that is given back.
        if let Typed::Hidden(text) = self {
            text.fill('\0');
            std::hint::black_box(text);
        }
    }
}

/// What came of a key.
#[derive(Debug, PartialEq)]
pub enum Done {
    /// It goes on.
    Stay,
    Answer(Answer),
}

impl Dialog {
    /// Opened for a question.
    pub fn new(asked: Asked) -> Dialog {
        let typed = match &asked.question {
            Question::Text { visible: false, .. } => Typed::Hidden(Vec::with_capacity(MOST)),
            _ => Typed::Plain(Box::default()),
        };
        Dialog {
            asked,
            typed,
            hint: None,
            top: 0,
            read: false,
            over: None,
        }
    }

    fn is_yes_or_no(&self) -> bool {
        let question = &self.asked.question;
        matches!(question, Question::HostKey { .. } | Question::Leave { .. })
    }

    /// Takes a key. Escape refuses.
    pub fn key(&mut self, event: KeyEvent) -> Done {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        if event.code == KeyCode::Esc || (control && event.code == KeyCode::Char('c')) {
            return Done::Answer(Answer::No);
        }
        let yes_or_no = self.is_yes_or_no();
        match &mut self.typed {
            Typed::Plain(input) => {
                let empty = input.text().is_empty();
                match event.code {
                    KeyCode::Enter if yes_or_no => match input.text().trim() {
                        "yes" => return Done::Answer(Answer::Yes),
                        "no" => return Done::Answer(Answer::No),
                        _ => self.hint = Some("type yes in full, or no"),
                    },
                    KeyCode::Enter => return Done::Answer(Answer::Text(input.text().to_owned())),
                    KeyCode::Char('n') if yes_or_no && empty => return Done::Answer(Answer::No),
                    _ => {
                        input.key(event);
                    }
                }
            }
            Typed::Hidden(text) => match event.code {
                KeyCode::Enter => return Done::Answer(Answer::Text(text.iter().collect())),
                KeyCode::Backspace => {
                    if let Some(last) = text.last_mut() {
                        *last = '\0';
                    }
                    text.pop();
                }
                KeyCode::Char('u') if control => {
                    text.fill('\0');
                    text.clear();
                }
                KeyCode::Char(c) if !control && text.len() < MOST => text.push(c),
                _ => {}
            },
        }
        Done::Stay
    }

    /// Takes pasted text, without the line break that often comes along.
    pub fn paste(&mut self, pasted: &str) {
        let pasted = pasted.trim_end_matches(['\r', '\n']);
        let yes_or_no = self.is_yes_or_no();
        match &mut self.typed {
            // A yes is typed by hand.
            Typed::Plain(_) if yes_or_no => {}
            Typed::Plain(input) => {
                input.paste(pasted);
            }
            Typed::Hidden(text) => {
                let room = MOST - text.len();
                text.extend(pasted.chars().take(room));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use insta::assert_snapshot;

    use super::*;
    use crate::console::effect::Effect;
    use crate::console::harness::{App, Setup};
    use crate::console::message::Message;
    use crate::console::model::Overlay;
    use crate::console::tests::fixture::three;

    fn key_question() -> Question {
        Question::HostKey {
            host: "ops@web1.example.net".into(),
            address: "192.0.2.7:22".into(),
            kind: "ssh-ed25519".into(),
            fingerprint: "SHA256:uNiVztksCsDhcc0u9e8BrfJLkRZtVqkN6SGL5DIhX8o".into(),
            file: PathBuf::from("/home/me/.ssh/known_hosts"),
        }
    }

    fn passphrase(again: bool) -> Question {
        Question::Text {
            host: "web2.example.net".into(),
            prompt: "passphrase of /home/me/.ssh/id_ed25519".into(),
            by_host: false,
            visible: false,
            again,
        }
    }

    fn answers(app: &mut App) -> Vec<Effect> {
        let all = app.take().into_iter();
        all.filter(|e| matches!(e, Effect::Answer(..))).collect()
    }

    #[test]
    fn a_key_is_accepted_by_typing_yes_and_by_nothing_else() {
        let mut app = three(Setup::default());
        app.send(Message::Asked(7, key_question()));
        assert!(app.model.overlay.is_none(), "it does not open by itself");
        let text = app.text();
        assert!(
            text.contains("web1 (ops@web1.example.net) shows an unknown ssh-ed25519 key"),
            "{text}"
        );
        assert_snapshot!("banner", text);
        // Whatever is pressed before goes where it went before.
        app.press("y enter");
        assert!(answers(&mut app).is_empty());
        app.press("q tab");
        let text = app.text();
        assert!(
            text.contains("SHA256:uNiVztksCsDhcc0u9e8BrfJLkRZtVqkN6SGL5DIhX8o"),
            "{text}"
        );
        assert_snapshot!("host_key", text);
        app.press("y enter");
        assert!(answers(&mut app).is_empty());
        assert!(app.text().contains("type yes in full"));
        app.send(Message::Paste("es".into()));
        app.press("enter");
        assert!(answers(&mut app).is_empty(), "a yes is typed by hand");
        app.type_text("es").press("enter");
        assert_eq!(answers(&mut app), [Effect::Answer(7, Answer::Yes)]);
        assert!(app.model.overlay.is_none() && app.model.questions.is_empty());
    }

    #[test]
    fn n_and_escape_refuse() {
        for key in ["n", "esc", "ctrl-c"] {
            let mut app = three(Setup::default());
            app.send(Message::Asked(1, key_question()));
            app.press("tab").press(key);
            assert_eq!(answers(&mut app), [Effect::Answer(1, Answer::No)], "{key}");
            assert!(app.text().contains("r asks again"), "{}", app.text());
        }
    }

    fn leave(prompt: &str) -> Question {
        Question::Leave {
            of: "secret DB of blog".into(),
            prompt: prompt.into(),
        }
    }

    #[test]
    fn a_yes_counts_only_once_all_of_the_question_was_on_screen() {
        // Padded so that what matters comes last.
        let words = (0..180).map(|n| format!("word{n}")).collect::<Vec<_>>();
        let prompt = format!("leave to run `echo {} ; rm-all`. Type yes", words.join(" "));
        for size in [(80, 24), (40, 10)] {
            let open = || {
                let mut app = three(Setup {
                    size,
                    ..Setup::default()
                });
                app.send(Message::Asked(3, leave(&prompt)));
                app.press("tab");
                app
            };
            let always = |app: &App| {
                let text = app.text();
                assert!(text.contains("> ") && text.contains("yes⏎"), "{text}");
                text
            };
            let mut app = open();
            let first = always(&app);
            assert!(!first.contains("rm-all"), "{first}");
            assert!(first.contains("more below"), "{first}");
            app.type_text("yes").press("enter");
            assert!(answers(&mut app).is_empty(), "{}", app.text());
            assert!(
                always(&app).contains("read it to its end"),
                "{}",
                app.text()
            );
            let mut seen = app.text();
            while app.text().contains("more below") {
                app.press(if size.0 == 80 { "down" } else { "pagedown" });
                seen.push_str(&always(&app));
            }
            assert!(seen.contains("rm-all"), "{seen}");
            assert!(words.iter().all(|word| seen.contains(word)), "{seen}");
            assert!(app.text().contains("Type"), "{}", app.text());
            // Going back up takes nothing of it away.
            app.press("pageup up enter");
            assert_eq!(answers(&mut app), [Effect::Answer(3, Answer::Yes)]);
            // A no needs no reading.
            let mut app = open();
            app.press("n");
            assert_eq!(answers(&mut app), [Effect::Answer(3, Answer::No)]);
        }
        let mut app = three(Setup::default());
        app.send(Message::Asked(3, leave("leave to run `x`. Type yes")));
        app.press("tab").type_text("y").press("enter");
        assert!(answers(&mut app).is_empty());
        assert!(app.text().contains("type yes in full"), "{}", app.text());
        app.type_text("es").press("enter");
        assert_eq!(answers(&mut app), [Effect::Answer(3, Answer::Yes)]);
    }

    #[test]
    fn a_passphrase_is_never_seen() {
        let mut app = three(Setup::default());
        app.send(Message::Asked(1, passphrase(false)));
        app.send(Message::Asked(2, passphrase(true)));
        app.press("tab");
        app.type_text("hunter2 ").press("backspace");
        app.send(Message::Paste("-more\n".into()));
        let text = app.text();
        assert!(
            !text.contains("hunter") && !text.contains("more\n"),
            "{text}"
        );
        assert_snapshot!("passphrase", text);
        assert!(!format!("{:?}", app.model).contains("hunter"));
        app.press("enter");
        let said = answers(&mut app);
        assert_eq!(
            said,
            [Effect::Answer(1, Answer::Text("hunter2-more".into()))]
        );
        assert!(!format!("{said:?}").contains("hunter"));
        // The next one waits to be opened.
        assert!(app.model.overlay.is_none());
        app.press("tab");
        assert!(app.text().contains("That was not it."));
    }

    #[test]
    fn it_never_takes_keys_from_a_form() {
        let mut app = three(Setup::default());
        app.press("C").type_text("dora");
        app.send(Message::Asked(1, passphrase(false)));
        assert!(app.text().contains("web2"), "{}", app.text());
        app.press("tab").type_text("x").press("enter");
        assert!(matches!(app.model.overlay, Some(Overlay::Form(_))));
        assert!(answers(&mut app).is_empty());
        app.press("esc tab").type_text("y").press("enter");
        let said = [Effect::Answer(1, Answer::Text("y".into()))];
        assert_eq!(answers(&mut app), said);
    }

    #[test]
    fn on_call_mode_may_answer() {
        let mut app = three(Setup {
            on_call: true,
            ..Setup::default()
        });
        app.send(Message::Asked(1, key_question()));
        app.press("tab").type_text("yes").press("enter");
        let wishes = app.take();
        assert!(wishes.contains(&Effect::Answer(1, Answer::Yes)));
        assert!(!wishes.iter().any(Effect::changes));
    }
}
