use proptest::prelude::*;

use super::*;
use crate::console::log::{LINE_MOST, Reading};

fn lines(buffer: &LogBuffer) -> Vec<Vec<u8>> {
    (buffer.first()..buffer.next())
        .filter_map(|n| Some(buffer.line(n)?.text().to_vec()))
        .collect()
}

fn shown(buffer: &LogBuffer) -> Vec<String> {
    let mut out = Vec::new();
    let mut at = buffer.shown_down(0);
    while let Some(number) = at {
        let line = buffer.line(number).unwrap();
        out.push(String::from_utf8_lossy(line.text()).into_owned());
        at = buffer.shown_down(number + 1);
    }
    out
}

fn filter(text: &str, out: bool) -> Filter {
    Filter {
        pattern: Pattern::new(text, Reading::Text).unwrap(),
        out,
    }
}

#[test]
fn unfinished_lines_wait_for_their_end_on_each_stream() {
    let mut buffer = LogBuffer::default();
    let id = buffer.add_source("a", false);
    buffer.append(id, Stream::Stdout, b"one\ntw");
    buffer.append(id, Stream::Stderr, b"er");
    buffer.append(id, Stream::Stdout, b"o\r");
    assert_eq!(buffer.open_lines().count(), 2);
    buffer.append(id, Stream::Stdout, b"\nthree");
    buffer.append(id, Stream::Stderr, b"ror\n");
    assert_eq!(lines(&buffer), [&b"one"[..], b"two", b"error"]);
    assert!(buffer.line(2).unwrap().stderr());
    buffer.end(id);
    buffer.note(id, "the container ended");
    assert_eq!(lines(&buffer)[3..], [&b"three"[..], b"the container ended"]);
    assert!(buffer.line(4).unwrap().note());
}

#[test]
fn long_lines_are_kept_in_part_and_marked() {
    for chunk in [7, 4096, usize::MAX] {
        for (len, cut) in [
            (LINE_MOST, false),
            (LINE_MOST + 1, true),
            (3 * LINE_MOST, true),
        ] {
            for end in ["\n", "\r\n"] {
                let mut buffer = LogBuffer::default();
                let id = buffer.add_source("a", false);
                let text = format!("{}{end}next\n", "x".repeat(len));
                for piece in text.as_bytes().chunks(chunk.min(text.len())) {
                    buffer.append(id, Stream::Stdout, piece);
                }
                let line = buffer.line(0).unwrap();
                assert_eq!(line.text().len(), LINE_MOST);
                assert_eq!(line.cut(), cut, "{len} {end:?} {chunk}");
                assert_eq!(buffer.line(1).unwrap().text(), b"next");
            }
        }
    }
}

#[test]
fn timestamps_are_told_from_text() {
    let mut buffer = LogBuffer::default();
    let id = buffer.add_source("a", true);
    buffer.append(
        id,
        Stream::Stdout,
        b"2026-11-21T21:51:45.123456789Z hello\n2026-11-21T21:51:45Z short\nnone\n2026-11-21T21:51:45.123456789Z \n",
    );
    let stamps: Vec<_> = (0..4).map(|n| buffer.line(n).unwrap().stamp()).collect();
    assert_eq!(
        stamps,
        [
            &b"2026-11-21T21:51:45.123456789Z"[..],
            b"2026-11-21T21:51:45Z",
            b"",
            b"2026-11-21T21:51:45.123456789Z"
        ]
    );
    assert_eq!(lines(&buffer), [&b"hello"[..], b"short", b"none", b""]);
    buffer.set_search(Some(Pattern::new("2026", Reading::Text).unwrap()));
    assert_eq!(buffer.hits(), 0, "timestamps are not searched");
}

#[test]
fn filters_work_on_what_is_there_and_on_what_comes() {
    let mut buffer = LogBuffer::default();
    let id = buffer.add_source("a", false);
    buffer.append(id, Stream::Stdout, b"GET /a\nPOST /b\nGET /health\n");
    buffer.set_filters(vec![filter("get", false), filter("health", true)]);
    while buffer.work() {}
    assert_eq!(shown(&buffer), ["GET /a"]);
    buffer.append(
        id,
        Stream::Stdout,
        b"GET /c\nGET /health\n\x1b[32mG\x1b[0mET /d\n",
    );
    assert_eq!(buffer.shown(), 3);
    assert_eq!(shown(&buffer)[..2], ["GET /a", "GET /c"]);
    buffer.set_filters(Vec::new());
    assert_eq!(buffer.shown(), 6);
}

#[test]
fn old_lines_are_judged_a_chunk_at_a_time_from_the_newest() {
    let mut buffer = LogBuffer::default();
    let id = buffer.add_source("a", false);
    for n in 0..20_000 {
        let line = format!("line {n} with some text so that chunks fill up\n");
        buffer.append(id, Stream::Stdout, line.as_bytes());
    }
    buffer.set_filters(vec![filter("9 with", false)]);
    assert!(buffer.progress().is_some());
    assert!(
        buffer.shown_down(15_000).is_some(),
        "the newest are there at once"
    );
    assert_eq!(buffer.shown_up(5_000), None);
    let mut steps = 0;
    while buffer.work() {
        steps += 1;
    }
    assert!(steps > 5);
    assert_eq!((buffer.progress(), buffer.shown()), (None, 2_000));
}

#[test]
fn chunks_that_go_while_others_wait_to_be_judged_do_not_confuse() {
    let mut buffer = LogBuffer::new(1 << 20);
    let id = buffer.add_source("a", false);
    let text: String = (0..30_000)
        .map(|n| format!("{n} is a number among others\n"))
        .collect();
    buffer.append(id, Stream::Stdout, text.as_bytes());
    buffer.set_filters(vec![filter("7 is", false)]);
    for piece in text.as_bytes().chunks(64 * 1024) {
        buffer.append(id, Stream::Stdout, piece);
        buffer.work();
    }
    while buffer.work() {}
    let expected = lines(&buffer)
        .iter()
        .filter(|l| l.windows(4).any(|w| w == b"7 is"))
        .count();
    assert_eq!(buffer.shown(), expected as u64);
    assert_eq!(buffer.dropped() + buffer.kept(), 60_000);
    assert!(buffer.memory() <= 1 << 20);
}

#[test]
fn clear_forgets_lines_but_not_filters() {
    let mut buffer = LogBuffer::default();
    let id = buffer.add_source("a", false);
    buffer.set_filters(vec![filter("b", true)]);
    buffer.append(id, Stream::Stdout, b"a\nb\nrest");
    buffer.clear();
    assert_eq!((buffer.kept(), buffer.shown(), buffer.dropped()), (0, 0, 0));
    assert_eq!(
        (
            buffer.shown_down(0),
            buffer.shown_up(9),
            buffer.shown_from(0)
        ),
        (None, None, 0)
    );
    buffer.append(id, Stream::Stdout, b"b\nc\n");
    assert_eq!(shown(&buffer), ["c"]);
}

#[test]
fn logs_read_one_after_the_other_are_put_in_order() {
    let mut buffer = LogBuffer::default();
    let ids = [buffer.add_source("a", true), buffer.add_source("b", true)];
    let line = |n: usize, name: &str| format!("2026-11-21T21:51:45.{n:09}Z {name} {n}\n");
    let add = |buffer: &mut LogBuffer, id: usize, numbers: &[usize]| {
        let name = ["a", "b"][id];
        let text: String = numbers.iter().map(|n| line(*n, name)).collect();
        let number = buffer.next();
        buffer.append(ids[id], Stream::Stdout, text.as_bytes());
        buffer.interleave(number);
    };
    buffer.set_filters(vec![filter("5", true)]);
    add(&mut buffer, 0, &[1, 4, 5, 8]);
    add(&mut buffer, 1, &[2, 3, 6, 9]);
    add(&mut buffer, 0, &[10]);
    add(&mut buffer, 1, &[7, 11]);
    let expected = [
        "a 1", "b 2", "b 3", "a 4", "b 6", "b 7", "a 8", "b 9", "a 10", "b 11",
    ];
    assert_eq!(shown(&buffer), expected);
    assert_eq!(buffer.kept(), 11);
    // Many, over chunks.
    let even: Vec<usize> = (0..5_000).map(|n| 1_000 + 2 * n).collect();
    let odd: Vec<usize> = even.iter().map(|n| n + 1).collect();
    buffer.set_filters(Vec::new());
    add(&mut buffer, 0, &even);
    add(&mut buffer, 1, &odd);
    let stamps: Vec<_> = (0..buffer.next())
        .filter_map(|n| buffer.line(n))
        .map(|l| l.stamp())
        .collect();
    assert_eq!(stamps.len(), 10_011);
    assert!(stamps.is_sorted());
}

#[test]
fn lines_that_come_again_are_left_out() {
    let mut buffer = LogBuffer::default();
    let id = buffer.add_source("a", true);
    let other = buffer.add_source("b", true);
    let line = |n: usize| format!("2026-11-21T21:51:45.{n:09}Z {n}\n");
    let add = |buffer: &mut LogBuffer, id, numbers: std::ops::Range<usize>| {
        let text: String = numbers.map(line).collect();
        buffer.append(id, Stream::Stdout, text.as_bytes());
    };
    add(&mut buffer, id, 0..5);
    add(&mut buffer, other, 7..8);
    buffer.end(id);
    buffer.note(id, "lost");
    buffer.resume(id);
    add(&mut buffer, id, 2..5);
    add(&mut buffer, id, 5..7);
    assert_eq!(
        shown(&buffer),
        ["0", "1", "2", "3", "4", "7", "lost", "5", "6"]
    );
    // A container that has said nothing yet.
    let empty = buffer.add_source("c", true);
    buffer.resume(empty);
    add(&mut buffer, empty, 0..1);
    assert_eq!(buffer.kept(), 10);
}

/// What the buffer should make of bytes, written the slow and plain way.
fn expected(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<&[u8]> = bytes.split(|&b| b == b'\n').collect();
    if pieces.last().is_some_and(|l| l.is_empty()) {
        pieces.pop();
    }
    pieces
        .into_iter()
        .map(|line| {
            let line = match line.strip_suffix(b"\r") {
                Some(short) if short.len() <= LINE_MOST => short,
                _ => line,
            };
            line[..line.len().min(LINE_MOST)].to_vec()
        })
        .collect()
}

fn wild_bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..40),
        4 => "[a-z \t\r\n]{0,60}".prop_map(String::into_bytes),
        2 => Just(b"\n".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => (LINE_MOST - 2..LINE_MOST + 3).prop_map(|n| vec![b'y'; n]),
        2 => Just(b"\x1b[31mred\x1b[0m".to_vec()),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn chunking_makes_no_difference(bytes in wild_bytes(), cuts in proptest::collection::vec(1usize..2000, 1..50)) {
        let mut buffer = LogBuffer::default();
        let id = buffer.add_source("a", false);
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            buffer.append(id, Stream::Stdout, piece);
            rest = after;
        }
        buffer.end(id);
        prop_assert_eq!(lines(&buffer), expected(&bytes));
    }

    #[test]
    fn the_bound_holds_and_nothing_is_lost_from_the_count(
        sizes in proptest::collection::vec(prop_oneof![0usize..20, 0usize..400, 0usize..40_000], 1..20),
    ) {
        let mut buffer = LogBuffer::new(512 * 1024);
        let id = buffer.add_source("a", false);
        let mut count = 0;
        for size in sizes {
            let lines = (100_000 / (size + 1)).max(1);
            let line = [vec![b'z'; size], vec![b'\n']].concat();
            buffer.append(id, Stream::Stdout, &line.repeat(lines));
            count += lines as u64;
            prop_assert!(buffer.memory() <= 512 * 1024);
            prop_assert_eq!(buffer.dropped() + buffer.kept(), count);
            prop_assert_eq!(buffer.shown_from(0), buffer.kept());
        }
    }

    #[test]
    fn judging_on_arrival_and_later_agree(bytes in wild_bytes(), text in "[a-z ]{1,3}", out in any::<bool>()) {
        let mut before = LogBuffer::default();
        let id = before.add_source("a", false);
        before.set_filters(vec![filter(&text, out)]);
        before.set_search(Some(Pattern::new("e", Reading::Regex).unwrap()));
        before.append(id, Stream::Stdout, &bytes);
        let mut after = LogBuffer::default();
        after.add_source("a", false);
        after.append(id, Stream::Stdout, &bytes);
        after.set_search(Some(Pattern::new("e", Reading::Regex).unwrap()));
        after.set_filters(vec![filter(&text, out)]);
        while after.work() {}
        prop_assert_eq!(shown(&before), shown(&after));
        prop_assert_eq!(before.hits(), after.hits());
    }
}
