//! An operator who presses anything, the same for the same seed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ostler::console::Message;
use ostler::console::action::TABLE;

/// A number from the environment.
pub fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|e| panic!("{name}: {e}")),
        Err(_) => otherwise,
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

const NAMED: [KeyCode; 20] = [
    KeyCode::Enter,
    KeyCode::Enter,
    KeyCode::Esc,
    KeyCode::Esc,
    KeyCode::Tab,
    KeyCode::BackTab,
    KeyCode::Backspace,
    KeyCode::Delete,
    KeyCode::Insert,
    KeyCode::Up,
    KeyCode::Down,
    KeyCode::Left,
    KeyCode::Right,
    KeyCode::Home,
    KeyCode::End,
    KeyCode::PageUp,
    KeyCode::PageDown,
    KeyCode::Null,
    KeyCode::Menu,
    KeyCode::CapsLock,
];
const STRANGE: [char; 8] = [
    'é', 'ß', '世', '🐴', '\u{301}', '\u{200b}', '\u{7f}', '\u{202e}',
];
const PASTES: [&str; 8] = [
    "",
    "blog",
    ":apply-all\rA\r",
    "apply\nyes\n",
    "\u{1b}[31mred\u{1b}]52;c;AAAA\u{7}",
    "shop\tstop\tshop",
    "世界 🐴 e\u{301}",
    "[a-z]+(",
];

/// Presses keys.
pub struct Keyboard {
    random: Random,
    /// Typed one after the other, the last first.
    queue: Vec<KeyEvent>,
    words: Vec<String>,
    pressed: u64,
}

impl Keyboard {
    /// One that also knows these names.
    pub fn new(seed: u64, words: &[&str]) -> Keyboard {
        Keyboard {
            random: Random(seed),
            queue: Vec::new(),
            words: words.iter().map(|w| (*w).to_owned()).collect(),
            pressed: 0,
        }
    }

    /// Keys so far; resizes and pastes are not counted.
    pub fn pressed(&self) -> u64 {
        self.pressed
    }

    /// How many to press before anything is drawn.
    pub fn burst(&mut self) -> u64 {
        1 + self.random.below(120)
    }

    /// The next thing that an operator does.
    pub fn turn(&mut self) -> Message {
        if self.queue.is_empty() {
            match self.random.below(400) {
                0 => {
                    let size = |r: &mut Random, most| r.below(most) as u16;
                    let (columns, lines) =
                        (size(&mut self.random, 260), size(&mut self.random, 90));
                    return Message::Resize(columns, lines);
                }
                1 => return Message::Paste((*self.random.of(&PASTES)).to_owned()),
                2..=6 => self.command(),
                _ => {
                    let key = self.key();
                    self.queue.push(key);
                }
            }
        }
        self.pressed += 1;
        let key = self.queue.pop();
        Message::Key(key.unwrap_or_else(|| KeyEvent::from(KeyCode::Esc)))
    }

    /// One action by its name, then what its question may want to hear.
    fn command(&mut self) {
        let action = self.random.of(TABLE).name;
        let word = self.random.of(&self.words).clone();
        let answer = match self.random.below(4) {
            0 => format!("{word}\r"),
            1 => "A".to_owned(),
            2 => "y\r".to_owned(),
            _ => String::new(),
        };
        let filter = match self.random.below(3) {
            0 => format!("/{word}\r"),
            _ => String::new(),
        };
        // Out of whatever input it is in, first.
        let text = format!("\u{1b}\u{1b}1{filter}:{action}\r{answer}");
        let keys = text.chars().map(|c| match c {
            '\r' => KeyEvent::from(KeyCode::Enter),
            '\u{1b}' => KeyEvent::from(KeyCode::Esc),
            c => KeyEvent::from(KeyCode::Char(c)),
        });
        self.queue.extend(keys.rev());
    }

    fn key(&mut self) -> KeyEvent {
        let random = &mut self.random;
        let printable = |r: &mut Random| (b' ' + r.below(95) as u8) as char;
        let letter = |r: &mut Random| (b'a' + r.below(26) as u8) as char;
        let (code, modifiers) = match random.below(100) {
            0..=54 => (KeyCode::Char(printable(random)), KeyModifiers::NONE),
            // What changes hosts when it may.
            55..=62 => (
                KeyCode::Char(letter(random).to_ascii_uppercase()),
                KeyModifiers::SHIFT,
            ),
            63..=64 => (KeyCode::Char(letter(random)), KeyModifiers::SHIFT),
            65..=82 => (*random.of(&NAMED), KeyModifiers::NONE),
            83..=88 => (KeyCode::Char(letter(random)), KeyModifiers::CONTROL),
            89..=91 => (KeyCode::Char(printable(random)), KeyModifiers::ALT),
            92..=93 => (KeyCode::F(1 + random.below(24) as u8), KeyModifiers::NONE),
            94..=95 => (
                *random.of(&NAMED),
                KeyModifiers::CONTROL | KeyModifiers::SHIFT,
            ),
            96 => (KeyCode::Char(*random.of(&STRANGE)), KeyModifiers::NONE),
            97 => (KeyCode::Char(printable(random)), KeyModifiers::all()),
            _ => (KeyCode::Enter, KeyModifiers::NONE),
        };
        KeyEvent::new(code, modifiers)
    }
}

/// Keys as a terminal sends them, without those that leave or suspend the program.
pub fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut random = Random(seed ^ 0xb17e5);
    let mut out = Vec::new();
    while out.len() < count {
        match random.below(30) {
            0 => out.extend(b"\r"),
            1 => out.extend(*random.of(&[
                b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[H", b"\x1b[F",
            ])),
            2 => out.extend(*random.of(&[b"\x1b[5~", b"\x1b[6~", b"\x1b[3~"])),
            3 => out.push(b'\t'),
            4 => out.push(0x7f),
            5 => out.extend("é世🐴".as_bytes()),
            6 => out.extend(b"\x1b[200~:apply-all\rA\r\x1b[201~"),
            7 => out.extend(b"\r:apply-all\rA\r"),
            8 => out.extend(b"\r1:stop\rblog\r"),
            9 => {
                let control = 1 + random.below(26) as u8;
                // ctrl-c and ctrl-z.
                out.extend((control != 3 && control != 26).then_some(control));
            }
            10..=13 => out.push(b'A' + random.below(26) as u8),
            _ => {
                let key = b' ' + random.below(95) as u8;
                // Back, from the first screen, leaves.
                out.extend((key != b'q').then_some(key));
            }
        }
    }
    out
}
