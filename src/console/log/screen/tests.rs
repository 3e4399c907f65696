use crossterm::event::{KeyCode, KeyModifiers};
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::*;
use crate::console::log::LogStyles;

fn screen(lines: usize) -> (LogScreen, SourceId) {
    let mut screen = LogScreen::new("bob-shop on web2");
    let id = screen.add_source("bob-shop", false);
    add(&mut screen, id, 0..lines);
    (screen, id)
}

fn add(screen: &mut LogScreen, source: SourceId, lines: std::ops::Range<usize>) {
    let text: String = lines.map(|n| format!("line {n}\n")).collect();
    feed(screen, source, text.as_bytes());
}

fn feed(screen: &mut LogScreen, source: SourceId, bytes: &[u8]) {
    screen.update(LogMessage::Bytes {
        source,
        stream: Stream::Stdout,
        bytes,
    });
}

fn act(screen: &mut LogScreen, actions: &[LogAction]) -> Vec<LogEffect> {
    actions
        .iter()
        .flat_map(|a| screen.update(LogMessage::Action(*a)))
        .collect()
}

fn type_in(screen: &mut LogScreen, action: LogAction, text: &str) {
    act(screen, &[action]);
    for c in text.chars() {
        screen.update(LogMessage::Key(KeyEvent::new(
            KeyCode::Char(c),
            KeyModifiers::NONE,
        )));
    }
    screen.update(LogMessage::Key(KeyEvent::new(
        KeyCode::Enter,
        KeyModifiers::NONE,
    )));
    while screen.is_busy() {
        screen.update(LogMessage::Tick);
    }
}

fn draw(screen: &LogScreen, width: u16, height: u16, styles: &LogStyles) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut cells = Buffer::empty(area);
    screen.view(area, &mut cells, styles);
    cells
}

fn text(cells: &Buffer) -> Vec<String> {
    let width = usize::from(cells.area.width);
    let rows = cells.content().chunks(width);
    rows.map(|row| {
        let text: String = row.iter().map(|c| c.symbol()).collect();
        text.trim_end().to_owned()
    })
    .collect()
}

fn body(screen: &LogScreen) -> Vec<String> {
    text(&draw(screen, 80, 24, &LogStyles::plain()))[1..].to_vec()
}

#[test]
fn it_follows_until_paused_and_says_what_is_new() {
    let (mut screen, id) = screen(100);
    assert_eq!(body(&screen)[22], "   line 99");
    act(&mut screen, &[LogAction::Pause]);
    let before = body(&screen);
    assert_eq!(before[22], "▌  line 99");
    add(&mut screen, id, 100..112);
    assert_eq!(body(&screen), before, "the position stays put");
    let status = &text(&draw(&screen, 80, 24, &LogStyles::plain()))[0];
    assert!(status.contains("‖ paused  ▼ 12 new below"), "{status}");
    act(&mut screen, &[LogAction::Follow]);
    assert_eq!(body(&screen)[22], "   line 111");
}

#[test]
fn the_position_stays_while_old_lines_go_and_moves_only_when_it_must() {
    let mut screen = LogScreen::with_buffer("x", LogBuffer::new(1 << 20));
    let id = screen.add_source("x", false);
    add(&mut screen, id, 0..20_000);
    act(&mut screen, &[LogAction::Pause]);
    let before = body(&screen);
    add(&mut screen, id, 20_000..25_000);
    assert_eq!(body(&screen), before);
    for n in 1..10 {
        add(&mut screen, id, n * 25_000..(n + 1) * 25_000);
    }
    let first = screen.buffer().first();
    assert!(first > 20_000);
    let now = body(&screen);
    assert_eq!(now[0], format!("▌  line {first}"));
    let status = &text(&draw(&screen, 120, 24, &LogStyles::plain()))[0];
    assert!(status.contains("earlier lines dropped"), "{status}");
    act(&mut screen, &[LogAction::Down]);
    assert_eq!(body(&screen)[1], format!("▌  line {}", first + 1));
}

#[test]
fn keys_move_the_cursor_and_the_page_follows() {
    let (mut screen, _) = screen(100);
    act(&mut screen, &[LogAction::Up]);
    assert_eq!(body(&screen)[21], "▌  line 98");
    act(&mut screen, &[LogAction::Top]);
    assert_eq!(body(&screen)[0], "▌  line 0");
    for _ in 0..23 {
        act(&mut screen, &[LogAction::Down]);
    }
    assert_eq!(body(&screen)[22], "▌  line 23");
    assert_eq!(body(&screen)[0], "   line 1");
    act(&mut screen, &[LogAction::PageDown]);
    assert_eq!(body(&screen)[22], "▌  line 34");
    act(&mut screen, &[LogAction::PageUp, LogAction::PageUp]);
    assert!(body(&screen).contains(&"▌  line 12".to_owned()));
    act(&mut screen, &[LogAction::Bottom]);
    assert_eq!(body(&screen)[22], "   line 99");
    let effects = act(
        &mut screen,
        &[LogAction::Up, LogAction::Copy, LogAction::Back],
    );
    assert_eq!(
        effects,
        [LogEffect::Copy("line 98".into()), LogEffect::Leave]
    );
}

#[test]
fn pages_reach_both_ends_of_lines_higher_than_the_screen() {
    let (mut screen, id) = screen(5);
    feed(
        &mut screen,
        id,
        format!("{}\n", "word ".repeat(1000)).as_bytes(),
    );
    add(&mut screen, id, 5..10);
    act(&mut screen, &[LogAction::Wrap, LogAction::Top]);
    let mut seen = 0;
    for _ in 0..200 {
        act(&mut screen, &[LogAction::Down]);
        seen += 1;
        if body(&screen).iter().any(|l| l == "▌  line 9") {
            break;
        }
    }
    assert!(seen < 200, "{:#?}", body(&screen));
    for action in [LogAction::PageUp, LogAction::PageDown] {
        for _ in 0..20 {
            act(&mut screen, &[action]);
        }
        let end = if action == LogAction::PageUp {
            "▌  line 0"
        } else {
            "▌  line 9"
        };
        assert!(
            body(&screen).iter().any(|l| l == end),
            "{end}: {:#?}",
            body(&screen)
        );
    }
    for _ in 0..200 {
        act(&mut screen, &[LogAction::Up]);
    }
    assert_eq!(body(&screen)[0], "▌  line 0");
}

#[test]
fn search_goes_to_the_nearest_hit_and_on_around() {
    let (mut screen, _) = screen(100);
    type_in(&mut screen, LogAction::Search, "e 7");
    let here = |s: &LogScreen| s.here();
    assert_eq!(here(&screen), Some(79));
    act(&mut screen, &[LogAction::Previous]);
    assert_eq!(here(&screen), Some(78));
    act(&mut screen, &[LogAction::Next, LogAction::Next]);
    assert_eq!(here(&screen), Some(7), "round the end");
    assert!(
        body(&screen)[22].contains("end reached"),
        "{:?}",
        body(&screen)[22]
    );
    type_in(&mut screen, LogAction::Search, "nowhere");
    assert!(body(&screen)[22].contains("not found"));
    act(&mut screen, &[LogAction::Reset]);
    assert_eq!(screen.buffer().hits(), 0);
}

#[test]
fn filters_add_up_and_are_taken_back_one_by_one() {
    let (mut screen, id) = screen(100);
    type_in(&mut screen, LogAction::FilterIn, "9");
    type_in(&mut screen, LogAction::FilterOut, "99");
    assert_eq!(screen.buffer().shown(), 18);
    let rows = body(&screen);
    assert_eq!(rows[17], "   line 98");
    assert_eq!(rows[22].trim(), "only “9”  without “99”");
    add(&mut screen, id, 108..110);
    assert_eq!(body(&screen)[18], "   line 109");
    type_in(&mut screen, LogAction::FilterOut, "");
    assert_eq!(screen.buffer().filters().len(), 1);
    type_in(&mut screen, LogAction::FilterIn, "");
    assert_eq!(screen.buffer().shown(), 102);
}

#[test]
fn an_expression_that_cannot_be_read_stays_in_the_prompt() {
    let (mut screen, _) = screen(1);
    act(&mut screen, &[LogAction::Search]);
    screen.update(LogMessage::Key(KeyEvent::new(
        KeyCode::Tab,
        KeyModifiers::NONE,
    )));
    screen.update(LogMessage::Paste("a(\nb"));
    screen.update(LogMessage::Key(KeyEvent::new(
        KeyCode::Enter,
        KeyModifiers::NONE,
    )));
    assert!(screen.is_typing());
    let foot = body(&screen)[22].clone();
    assert_eq!(foot, " search (regex): a(   ✖ unclosed group");
    screen.update(LogMessage::Key(KeyEvent::new(
        KeyCode::Esc,
        KeyModifiers::NONE,
    )));
    assert!(!screen.is_typing());
}

#[test]
fn long_lines_are_marked_shifted_and_wrapped() {
    let (mut screen, id) = screen(0);
    let long: String = (0..30).map(|n| format!("{n:04} ")).collect();
    feed(&mut screen, id, format!("{long}\nend\n").as_bytes());
    assert!(
        body(&screen)[0].ends_with("0014 0›"),
        "{:?}",
        body(&screen)[0]
    );
    act(&mut screen, &[LogAction::Right]);
    assert!(
        body(&screen)[0].starts_with("   003 0004"),
        "{:?}",
        body(&screen)[0]
    );
    act(&mut screen, &[LogAction::Wrap]);
    let rows = body(&screen);
    assert!(
        rows[0].starts_with("   0000") && rows[0].ends_with(" 0014"),
        "{:?}",
        rows[0]
    );
    assert!(rows[1].starts_with("   0015 0016"), "{:?}", rows[1]);
    assert_eq!(rows[2], "   end");
}

#[test]
fn a_line_without_an_end_is_seen_while_following() {
    let (mut screen, id) = screen(50);
    feed(&mut screen, id, b"Continue? [y/n]");
    let rows = body(&screen);
    assert_eq!(rows[21..], ["   line 49", "   Continue? [y/n] …"]);
    act(&mut screen, &[LogAction::Pause]);
    assert_eq!(body(&screen)[22], "▌  line 49");
    feed(&mut screen, id, b" y\n");
    act(&mut screen, &[LogAction::Follow]);
    assert_eq!(body(&screen)[22], "   Continue? [y/n] y");
}

#[test]
fn a_screen_draws_in_its_own_area_only() {
    let (mut screen, id) = screen(50);
    feed(&mut screen, id, "日本".repeat(60).as_bytes());
    for height in 0..6 {
        let mut cells = Buffer::empty(Rect::new(0, 0, 60, 12));
        let area = Rect::new(10, 3, 33, height);
        screen.view(area, &mut cells, &LogStyles::sixteen());
        for y in 0..12 {
            for x in 0..60 {
                let inside = area.contains((x, y).into());
                assert!(
                    inside || cells[(x, y)] == Default::default(),
                    "{height}: {x} {y}"
                );
            }
        }
    }
}

#[test]
fn a_screen_without_room_draws_what_it_can() {
    let (mut screen, id) = screen(3);
    screen.add_source("another", true);
    feed(&mut screen, id, "日本語\n".as_bytes());
    act(&mut screen, &[LogAction::Times, LogAction::Wrap]);
    type_in(&mut screen, LogAction::Search, "l");
    for (width, height) in [(1, 1), (2, 2), (3, 1), (4, 3), (9, 2), (0, 5)] {
        screen.update(LogMessage::Resize(width, height));
        draw(&screen, width, height, &LogStyles::plain());
    }
}

/// A log as a PHP site, its router and an attacker write it.
fn sample() -> LogScreen {
    let mut screen = LogScreen::new("bob-shop on web2");
    let site = screen.add_source("bob-shop", true);
    let router = screen.add_source("router", true);
    let stamp = |n: u32| format!("2026-11-21T21:51:{:02}.123456789Z ", n % 60);
    for n in 0..20 {
        let line = format!("{}plain line number {n}\n", stamp(n));
        feed(&mut screen, site, line.as_bytes());
    }
    let rest: [(SourceId, Stream, &[u8]); 9] = [
        (router, Stream::Stdout, br#"{"time":1795298222.739,"site":"bob-shop","domain":"shop.bob.example","client":"203.0.113.7","method":"GET","path":"/cart","status":200,"bytes":5120,"connect_ms":0,"answer_ms":9,"total_ms":12,"end":"--","agent":"curl/8.5"}"#),
        (router, Stream::Stdout, br#"{"time":1795298223.739,"site":"bob-shop","domain":"shop.bob.example","client":"203.0.113.7","method":"POST","path":"/pay","status":502,"bytes":120,"connect_ms":0,"answer_ms":-1,"total_ms":31005,"end":"sH","agent":"-"}"#),
        (site, Stream::Stdout, br#"203.0.113.7 - - [21/Nov/2026:21:51:45 +0000] "GET /wp-login.php HTTP/1.1" 404 196 "-" "curl/8.5""#),
        (site, Stream::Stderr, b"PHP Warning:  Undefined variable $cart in /var/www/html/cart.php on line 12"),
        (site, Stream::Stderr, b"PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 65536 bytes) in /var/www/html/pay.php on line 40"),
        (site, Stream::Stderr, b"[mpm_prefork:notice] resuming normal operations"),
        (site, Stream::Stdout, b"\x1b[32mok\x1b[0m \x1b[1;31mcolours\x1b[0m\tand \xff broken \x00 bytes \x1b]0;title\x07"),
        (site, Stream::Stdout, "moved\u{202e}txt.exe and \x1b[2Jcleared \x1b]52;c; 日本語".as_bytes()),
        (site, Stream::Stdout, b"cart total 12"),
    ];
    for (n, (source, stream, bytes)) in rest.into_iter().enumerate() {
        let line = [stamp(20 + n as u32).as_bytes(), bytes, b"\n"].concat();
        screen.update(LogMessage::Bytes {
            source,
            stream,
            bytes: &line,
        });
    }
    screen.update(LogMessage::Ended { source: site });
    screen.update(LogMessage::Note {
        source: site,
        text: "the container was replaced",
    });
    screen
}

/// Text of the cells, then where which style is: a row and a column for each run.
fn styled(cells: &Buffer) -> String {
    use std::fmt::Write;
    let mut out = text(cells).join("\n");
    out.push_str("\n---\n");
    let area = cells.area;
    for y in 0..area.height {
        let mut x = 0;
        while x < area.width {
            let style = cells[(x, y)].style();
            let start = x;
            while x < area.width && cells[(x, y)].style() == style {
                x += 1;
            }
            let plain = Buffer::empty(Rect::new(0, 0, 1, 1))[(0, 0)].style();
            if style != plain {
                let (fg, bg) = (style.fg.unwrap_or_default(), style.bg.unwrap_or_default());
                let _ = writeln!(
                    out,
                    "{y:>2}:{start}-{} {fg} on {bg} {:?}",
                    x - 1,
                    style.add_modifier
                );
            }
        }
    }
    out
}

#[test]
fn snapshots_at_two_sizes_with_and_without_colour() {
    let mut screen = sample();
    screen.update(LogMessage::Resize(80, 24));
    insta::assert_snapshot!(
        "following_80",
        styled(&draw(&screen, 80, 24, &LogStyles::sixteen()))
    );
    act(&mut screen, &[LogAction::Times, LogAction::Wrap]);
    type_in(&mut screen, LogAction::Search, "cart");
    insta::assert_snapshot!(
        "searching_80",
        styled(&draw(&screen, 80, 24, &LogStyles::plain()))
    );
    screen.update(LogMessage::Resize(200, 50));
    type_in(&mut screen, LogAction::FilterOut, "plain line");
    act(&mut screen, &[LogAction::Previous]);
    insta::assert_snapshot!(
        "filtered_200",
        styled(&draw(&screen, 200, 50, &LogStyles::sixteen()))
    );
}

#[test]
fn without_colours_there_are_none() {
    let mut screen = sample();
    act(&mut screen, &[LogAction::Times]);
    type_in(&mut screen, LogAction::Search, "cart");
    for cell in draw(&screen, 120, 30, &LogStyles::plain()).content() {
        assert_eq!((cell.fg, cell.bg), Default::default());
    }
}

#[test]
fn without_symbols_marks_are_letters() {
    let (mut screen, id) = screen(30);
    feed(&mut screen, id, b"PHP Fatal error: x\nPHP Warning: y\n");
    feed(
        &mut screen,
        id,
        format!("{}\n", "long ".repeat(50)).as_bytes(),
    );
    act(&mut screen, &[LogAction::Up]);
    add(&mut screen, id, 0..5);
    let styles = LogStyles {
        ascii: true,
        ..LogStyles::plain()
    };
    for row in text(&draw(&screen, 80, 24, &styles)) {
        assert!(row.is_ascii(), "{row}");
    }
}

fn harmless(symbol: &str) -> bool {
    symbol.chars().all(|c| {
        !c.is_control()
            && !matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    }) && symbol.len() <= 24
}

fn wild_text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..30),
        any::<String>().prop_map(String::into_bytes),
        proptest::collection::vec(any::<char>(), 0..20)
            .prop_map(|chars| chars.into_iter().collect::<String>().into_bytes()),
        "\x1b[\\[\\]PX^_()#0-9;:?mHJKh\x07\\\\]{0,12}".prop_map(String::into_bytes),
        "[\u{80}-\u{a0}\u{200b}-\u{2070}\u{300}-\u{310}]{0,9}".prop_map(String::into_bytes),
        Just(br#"{"status":500,"method":"\u001b[2J","domain":"\u202e\u0007","path":"\n","client":"x","end":"\u009b"}"#.to_vec()),
        Just(b"\x1b[31m\xe2\x80\xae\r\n".to_vec()),
        Just(b"\n".to_vec()),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn any_action() -> impl Strategy<Value = LogAction> {
    use LogAction::*;
    proptest::sample::select(vec![
        Follow, Pause, Down, Up, Top, Bottom, PageDown, PageUp, Right, Left, Next, Previous, Wrap,
        Times, Raw, Copy, Reset, Clear,
    ])
}

#[derive(Debug, Clone)]
enum Step {
    Bytes(Vec<u8>, bool),
    Act(LogAction),
    Pattern(LogAction, String),
    Size(u16, u16),
    Tick,
}

fn any_step() -> impl Strategy<Value = Step> {
    let asks = vec![LogAction::Search, LogAction::FilterIn, LogAction::FilterOut];
    prop_oneof![
        3 => (wild_text(), any::<bool>()).prop_map(|(b, e)| Step::Bytes(b, e)),
        6 => any_action().prop_map(Step::Act),
        2 => (proptest::sample::select(asks), "[a-z0-9\\[]{0,2}").prop_map(|(a, t)| Step::Pattern(a, t)),
        1 => (1u16..120, 1u16..40).prop_map(|(w, h)| Step::Size(w, h)),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_of_a_container_steers_the_terminal(
        name in any::<String>(),
        steps in proptest::collection::vec(any_step(), 1..40),
    ) {
        let mut screen = LogScreen::with_buffer(&name, LogBuffer::new(1));
        screen.update(LogMessage::Resize(80, 24));
        let first = screen.add_source(&name, true);
        let second = screen.add_source("other", false);
        let mut size = (80, 24);
        for step in steps {
            let effects = match step {
                Step::Bytes(bytes, err) => {
                    let (source, stream) =
                        if err { (second, Stream::Stderr) } else { (first, Stream::Stdout) };
                    screen.update(LogMessage::Bytes { source, stream, bytes: &bytes })
                }
                Step::Act(action) => screen.update(LogMessage::Action(action)),
                Step::Pattern(action, text) => {
                    type_in(&mut screen, action, &text);
                    Vec::new()
                }
                Step::Size(width, height) => {
                    size = (width, height);
                    screen.update(LogMessage::Resize(width, height))
                }
                Step::Tick => screen.update(LogMessage::Tick),
            };
            for effect in effects {
                if let LogEffect::Copy(text) = effect {
                    prop_assert!(!text.chars().any(char::is_control), "{text:?}");
                }
            }
            let cells = draw(&screen, size.0, size.1, &LogStyles::plain());
            for cell in cells.content() {
                prop_assert!(harmless(cell.symbol()), "{:?}", cell.symbol());
            }
            // The cursor is on screen whenever there is one.
            if !screen.follow && screen.here().is_some() && size.1 > 2 && size.0 > 5 {
                let marked = text(&cells).iter().any(|row| row.starts_with('▌'));
                prop_assert!(marked, "{:#?}", text(&cells));
            }
        }
    }
}
