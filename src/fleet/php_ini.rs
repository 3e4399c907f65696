//! Directives of php.ini that others have to fit: what a request may bring, how long a script may run.

use std::collections::BTreeMap;

use super::value::format_size;

/// Seconds that PHP lets a script run that says nothing else.
const RUN_S: u32 = 30;
/// Bytes that a request to a site may bring that says nothing else.
const BODY: u64 = 64 << 20;

/// What a request to a site of PHP may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uploads {
    /// `post_max_size`, in bytes: of a larger request PHP drops all fields without a word. 0: no limit.
    pub body: u64,
    /// `upload_max_filesize`, in bytes: of a larger file PHP tells the script only that it was larger.
    pub file: u64,
}

impl Uploads {
    /// What holds with a site's directives. Of the two that limit uploads the one that is not said follows
    /// the other, so that what the one lets in the other does not drop.
    pub fn of(ini: &BTreeMap<String, String>) -> Uploads {
        let said = |key: &str| ini.get(key).and_then(|text| size(text));
        let (body, file) = (said("post_max_size"), said("upload_max_filesize"));
        // A form has more than the file: names, other fields.
        let around = |file: u64| file.saturating_add(1 << 20).max(BODY);
        let body = body.unwrap_or(file.map_or(BODY, around));
        let file = file.unwrap_or(if body == 0 { BODY } else { body });
        Uploads { body, file }
    }

    /// The two as lines of php.ini.
    pub fn lines(self) -> String {
        let (body, file) = (ini_size(self.body), ini_size(self.file));
        format!("post_max_size = {body}\nupload_max_filesize = {file}\n")
    }
}

/// A size in the largest unit that PHP knows: of `1T` it reads the 1.
fn ini_size(bytes: u64) -> String {
    let text = format_size(bytes);
    match text.ends_with('T') {
        true => format!("{}G", bytes >> 30),
        false => text,
    }
}

/// Seconds that a script may run; `None` where there is no end, or what is said is no number.
pub fn run_time(ini: &BTreeMap<String, String>) -> Option<u32> {
    let Some(text) = ini.get("max_execution_time") else {
        return Some(RUN_S);
    };
    text.trim().parse().ok().filter(|seconds| *seconds > 0)
}

/// A size as PHP writes it, in bytes: a whole number, with K, M or G behind it or without. Less than
/// nothing is no limit, as nothing is.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Some(below) = text.strip_prefix('-') {
        return below.bytes().all(|b| b.is_ascii_digit()).then_some(0);
    }
    let shift = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        _ => 0,
    };
    let digits = if shift == 0 {
        text
    } else {
        &text[..text.len() - 1]
    };
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    let number = plain.then(|| digits.trim().parse::<u64>().ok())??;
    // No more than PHP itself can count.
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes <= i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uploads(said: &[(&str, &str)]) -> (u64, u64) {
        let Uploads { body, file } = uploads_of(said);
        (body >> 20, file >> 20)
    }

    fn uploads_of(said: &[(&str, &str)]) -> Uploads {
        let ini = said.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Uploads::of(&ini.collect())
    }

    #[test]
    fn what_lets_a_file_in_lets_its_form_in() {
        let (post, file) = ("post_max_size", "upload_max_filesize");
        assert_eq!(uploads(&[]), (64, 64));
        assert_eq!(uploads(&[(post, "200M")]), (200, 200));
        assert_eq!(uploads(&[(post, "8M")]), (8, 8));
        assert_eq!(uploads(&[(file, "128m")]), (129, 128));
        assert_eq!(uploads(&[(file, "8M")]), (64, 8));
        assert_eq!(uploads(&[(post, "1G"), (file, "2M")]), (1024, 2));
        assert_eq!(uploads(&[(post, "0")]), (0, 64));
        assert_eq!(uploads(&[(post, "-1"), (file, "1G")]), (0, 1024));
        assert_eq!(uploads(&[(post, "much")]), (64, 64));
    }

    #[test]
    fn php_reads_what_is_written_for_it() {
        for bytes in [
            0,
            1,
            64 << 20,
            3 << 30,
            1 << 40,
            1024 << 40,
            5 << 41,
            1 << 62,
        ] {
            let lines = Uploads {
                body: bytes,
                file: bytes,
            }
            .lines();
            let read: Vec<Option<u64>> = lines
                .lines()
                .filter_map(|line| line.split_once(" = "))
                .map(|(_, said)| size(said))
                .collect();
            assert_eq!(read, [Some(bytes), Some(bytes)], "{lines}");
        }
        let lines = uploads_of(&[("post_max_size", "1024G")]).lines();
        assert_eq!(
            lines,
            "post_max_size = 1024G\nupload_max_filesize = 1024G\n"
        );
    }

    #[test]
    fn sizes_as_php_reads_them() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("1k", 1024),
            (" 2M ", 2 << 20),
            ("-1", 0),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "M", "x", "1.5G", "-x", "99999999999G", "ä", "1ä"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn a_script_runs_as_long_as_php_lets_it() {
        let run = |text: Option<&str>| {
            let said = text.map(|text| ("max_execution_time".to_owned(), text.to_owned()));
            run_time(&said.into_iter().collect())
        };
        assert_eq!(run(None), Some(30));
        assert_eq!(run(Some("300")), Some(300));
        assert_eq!([run(Some("0")), run(Some("x"))], [None, None]);
    }
}
