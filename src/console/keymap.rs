//! Which key does what: the table's keys, changed by the configuration, clashes named.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, Place, TABLE};

/// A key with its modifiers, in one form only: shift is in the character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub code: KeyCode,
    /// Control and alt.
    pub modifiers: KeyModifiers,
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Key {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        let code = match event.code {
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                KeyCode::Char(c.to_ascii_lowercase())
            }
            // Without the enhanced protocol a terminal may send shift with a lower-case letter.
            KeyCode::Char(c) if event.modifiers.contains(KeyModifiers::SHIFT) => {
                KeyCode::Char(c.to_uppercase().next().unwrap_or(c))
            }
            KeyCode::BackTab => {
                modifiers = KeyModifiers::NONE;
                KeyCode::BackTab
            }
            code => code,
        };
        Key { code, modifiers }
    }
}

const NAMED: [(&str, KeyCode); 14] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("space", KeyCode::Char(' ')),
    ("tab", KeyCode::Tab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
];

impl FromStr for Key {
    type Err = String;
    fn from_str(text: &str) -> Result<Key, String> {
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        loop {
            if let Some(r) = rest.strip_prefix("ctrl-") {
                modifiers |= KeyModifiers::CONTROL;
                rest = r;
            } else if let Some(r) = rest.strip_prefix("alt-") {
                modifiers |= KeyModifiers::ALT;
                rest = r;
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => KeyCode::Char(c),
            _ => match NAMED.iter().find(|(name, _)| *name == rest) {
                Some((_, code)) => *code,
                None => match rest.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()) {
                    Some(n @ 1..=12) => KeyCode::F(n),
                    _ => {
                        return Err(format!(
                            "{text:?} is not a key; keys are written like x, X, ctrl-x, alt-x, f5, enter, space, pagedown"
                        ));
                    }
                },
            },
        };
        Ok(Key { code, modifiers })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::CONTROL) {
            f.write_str("^")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("alt-")?;
        }
        match self.code {
            KeyCode::Enter => f.write_str("⏎"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::F(n) => write!(f, "f{n}"),
            KeyCode::Char(c) if c != ' ' => write!(f, "{c}"),
            code => match NAMED.iter().find(|(_, k)| *k == code) {
                Some((name, _)) => f.write_str(name),
                None => f.write_str("?"),
            },
        }
    }
}

/// The keys in force.
#[derive(Debug, Clone, Default)]
pub struct Keymap {
    bound: HashMap<Key, Vec<Action>>,
    by_action: HashMap<Action, Vec<Key>>,
}

impl Keymap {
    /// The table's keys with the configuration's changes, and everything that is wrong with those.
    /// A clash leaves the earlier line of the table in force.
    pub fn new(changes: &BTreeMap<String, Vec<String>>) -> (Keymap, Vec<String>) {
        let mut complaints = Vec::new();
        for name in changes.keys() {
            if Action::named(name).is_none() {
                let known: Vec<_> = TABLE.iter().map(|e| e.name).collect();
                complaints.push(format!(
                    "keys: there is no action {name:?}; actions are {}",
                    known.join(", ")
                ));
            }
        }
        let mut map = Keymap::default();
        for entry in TABLE {
            let configured = changes.get(entry.name);
            let texts: Vec<&str> = match configured {
                Some(keys) => keys.iter().map(String::as_str).collect(),
                None => entry.keys.to_vec(),
            };
            for text in texts {
                let key: Key = match text.parse() {
                    Ok(key) => key,
                    Err(why) => {
                        complaints.push(format!("keys: {}: {why}", entry.name));
                        continue;
                    }
                };
                let lower = matches!(key.code, KeyCode::Char(c) if !c.is_uppercase())
                    || key.modifiers != KeyModifiers::NONE
                    || !matches!(key.code, KeyCode::Char(_));
                if entry.changes() && lower {
                    complaints.push(format!(
                        "keys: {} changes hosts and can only be bound to an upper-case letter, not {text}",
                        entry.name
                    ));
                    continue;
                }
                let others = map.bound.entry(key).or_default();
                let clash = others
                    .iter()
                    .copied()
                    .find(|a| a.entry().places.iter().any(|p| entry.places.contains(p)));
                if let Some(other) = clash {
                    complaints.push(format!(
                        "keys: {text} is bound to both {} and {}; {} keeps it",
                        other.entry().name,
                        entry.name,
                        other.entry().name
                    ));
                    continue;
                }
                others.push(entry.action);
                map.by_action.entry(entry.action).or_default().push(key);
            }
        }
        (map, complaints)
    }

    /// What a key does on a screen.
    pub fn action(&self, key: Key, place: Place) -> Option<Action> {
        self.bound
            .get(&key)?
            .iter()
            .copied()
            .find(|a| a.entry().at(place))
    }

    /// The first key of an action, as shown.
    pub fn key(&self, action: Action) -> Option<String> {
        self.by_action.get(&action)?.first().map(Key::to_string)
    }

    /// All keys of an action, as shown.
    pub fn keys(&self, action: Action) -> String {
        let keys = self.by_action.get(&action).map_or(&[][..], Vec::as_slice);
        let texts: Vec<String> = keys.iter().map(Key::to_string).collect();
        texts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(pairs: &[(&str, &[&str])]) -> (Keymap, Vec<String>) {
        let changes = pairs
            .iter()
            .map(|(n, k)| (n.to_string(), k.iter().map(|k| k.to_string()).collect()))
            .collect();
        Keymap::new(&changes)
    }

    #[test]
    fn the_tables_own_keys_do_not_clash() {
        assert_eq!(changed(&[]).1, Vec::<String>::new());
    }

    #[test]
    fn clashes_and_mistakes_are_named() {
        let (map, complaints) = changed(&[
            ("logs", &["d"]),
            ("nothing", &["x"]),
            ("sort", &["ctrl-"]),
            ("restart", &["r"]),
        ]);
        insta::assert_snapshot!(complaints.join("\n"));
        let d = "d".parse().unwrap();
        assert_eq!(map.action(d, Place::Sites), Some(Action::Logs));
        assert_eq!(map.key(Action::Restart), None);
    }

    #[test]
    fn a_key_reads_as_it_is_written() {
        for text in [
            "x", "X", "ctrl-d", "alt-x", "f5", "enter", "space", "pagedown", "!",
        ] {
            assert!(text.parse::<Key>().is_ok(), "{text}");
        }
        let event = KeyEvent::new(KeyCode::Char('r'), KeyModifiers::SHIFT);
        assert_eq!(Key::from(event), "R".parse().unwrap());
        let event = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        assert_eq!(Key::from(event), "R".parse().unwrap());
    }
}
