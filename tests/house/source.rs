//! What the files of `src` import, read off their text: enough of Rust for code that `rustfmt`
//! wrote. Tests are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One file.
pub struct File {
    /// From the root of the project.
    pub path: String,
    /// Its module, from the crate's root.
    module: Vec<String>,
    /// All that it names of the crate, from the crate's root.
    pub paths: BTreeSet<Vec<String>>,
    /// What it hands on under a name of its own: name → where it is from.
    hands_on: BTreeMap<String, Vec<String>>,
    /// Lines, without the tests at its end.
    pub lines: usize,
    /// Functions with their lines.
    pub functions: Vec<(String, usize)>,
}

impl File {
    /// The floor it is on.
    pub fn floor(&self) -> Option<&str> {
        self.module.first().map(String::as_str)
    }
}

/// All of `src`, by module.
pub struct House {
    pub files: BTreeMap<Vec<String>, File>,
}

impl House {
    pub fn read() -> House {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = BTreeMap::new();
        let mut folders = vec![root.join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                if name == "tests" {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let path = path.strip_prefix(root).unwrap().to_str().unwrap();
                    let file = file(path, &text);
                    files.insert(file.module.clone(), file);
                }
            }
        }
        House { files }
    }

    /// Which file imports which.
    pub fn arrows(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let arrows = self.files.values().map(|file| {
            let others = file.paths.iter().filter_map(|path| self.file_of(path));
            let others = others.filter(|other| *other != file.path);
            (file.path.as_str(), others.collect())
        });
        arrows.collect()
    }

    /// The file that defines what a path names. A file that only hands a name on is passed through.
    fn file_of(&self, path: &[String]) -> Option<&str> {
        let mut path = path.to_vec();
        // More hops than any name takes.
        for _ in 0..8 {
            let at = (1..=path.len())
                .rev()
                .find(|n| self.files.contains_key(&path[..*n]))?;
            let file = &self.files[&path[..at]];
            let handed = path.get(at).and_then(|name| file.hands_on.get(name));
            match handed {
                Some(from) => path = [from.as_slice(), &path[at + 1..]].concat(),
                None => return Some(&file.path),
            }
        }
        None
    }
}

fn file(path: &str, text: &str) -> File {
    let module: Vec<String> = path
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .filter(|part| !matches!(*part, "mod" | "lib" | "main"))
        .map(|part| part.trim_end_matches('_').to_owned())
        .collect();
    let text = without_tests(text);
    let code = without_comments(text);
    let mut paths = BTreeSet::new();
    let mut hands_on = BTreeMap::new();
    let mut rest = code.as_str();
    let mut other = String::new();
    while let Some(at) = next_use(rest) {
        other.push_str(&rest[..at]);
        let end = rest[at..].find(';').map_or(rest.len(), |n| at + n);
        let statement = &rest[at + 4..end];
        let shared = other.trim_end().ends_with("pub") || other.trim_end().ends_with(')');
        for (path, name) in names(statement) {
            let Some(path) = from_root(&module, &path) else {
                continue;
            };
            if shared {
                hands_on.insert(name, path);
            } else {
                paths.insert(path);
            }
        }
        rest = &rest[end..];
    }
    other.push_str(rest);
    for start in ["crate::", "super::"] {
        for (at, _) in other.match_indices(start) {
            // Whom an item is shown to is no import.
            if other[..at].ends_with("(in ") {
                continue;
            }
            if other[..at]
                .ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$')
            {
                continue;
            }
            let end = other[at..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            let path = &other[at..end.map_or(other.len(), |n| at + n)];
            let path: Vec<String> = path
                .trim_end_matches(':')
                .split("::")
                .map(str::to_owned)
                .collect();
            paths.extend(from_root(&module, &path));
        }
    }
    File {
        path: path.to_owned(),
        module,
        paths,
        hands_on,
        lines: text.lines().count(),
        functions: functions(text),
    }
}

/// Up to the tests at the end of a file.
fn without_tests(text: &str) -> &str {
    match text.find("#[cfg(test)]\nmod tests {") {
        Some(at) => &text[..at],
        None => text,
    }
}

/// Comments and texts hold no imports.
fn without_comments(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| match line.trim_start().starts_with("//") {
            true => "",
            false => line.split_once(" // ").map_or(line, |(code, _)| code),
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the next `use` statement begins.
fn next_use(code: &str) -> Option<usize> {
    let mut finds = code.match_indices("use ").map(|(at, _)| at);
    finds.find(|at| {
        let line = code[..*at].rsplit('\n').next().unwrap_or_default().trim();
        line.is_empty() || (line.starts_with("pub") && !line.contains(' '))
    })
}

/// The paths that a `use` statement names, each with the name it gives to it.
fn names(statement: &str) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    tree(statement, &[], &mut found);
    found
}

fn tree(text: &str, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let text = text.trim();
    let Some((head, inner)) = text.split_once('{') else {
        let (path, name) = match text.split_once(" as ") {
            Some((path, name)) => (path, Some(name.trim().to_owned())),
            None => (text, None),
        };
        let parts = path.split("::").map(|part| part.trim().to_owned());
        let mut path: Vec<String> = before.iter().cloned().chain(parts).collect();
        if path
            .last()
            .is_some_and(|last| last == "self" || last == "*")
        {
            path.pop();
        }
        let last = path.last().cloned().unwrap_or_default();
        found.push((path, name.unwrap_or(last)));
        return;
    };
    let head = head.trim().trim_end_matches("::").split("::");
    let head = head.filter(|part| !part.is_empty()).map(str::to_owned);
    let before: Vec<String> = before.iter().cloned().chain(head).collect();
    let inner = inner.trim_end().trim_end_matches('}');
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                tree(&inner[from..at], &before, found);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !inner[from..].trim().is_empty() {
        tree(&inner[from..], &before, found);
    }
}

/// A path from the crate's root; `None` for what is not the crate's. A bare name may be a child.
fn from_root(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => (!rest.is_empty()).then(|| rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let mut up = module.split_last()?.1;
            let mut rest = rest;
            while let Some(("super", more)) = rest.split_first().map(|(a, b)| (a.as_str(), b)) {
                (up, rest) = (up.split_last()?.1, more);
            }
            Some([up, rest].concat()).filter(|path| !path.is_empty())
        }
        "std" | "core" | "alloc" => None,
        _ => Some([module, path].concat()),
    }
}

/// The functions of a file: `rustfmt` closes each where it was opened.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(name) = words
            .iter()
            .position(|w| *w == "fn")
            .and_then(|n| words.get(n + 1))
        else {
            continue;
        };
        let modifiers = words.iter().take_while(|w| **w != "fn");
        if !modifiers
            .clone()
            .all(|w| w.starts_with("pub") || matches!(*w, "async" | "const"))
        {
            continue;
        }
        let name: String = name
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let closes = |line: &&str| line.strip_prefix(indent) == Some("}");
        if line.trim_end().ends_with('}') || line.trim_end().ends_with(';') {
            continue;
        }
        let end = lines[at..].iter().position(closes);
        found.extend(end.map(|end| (name, end + 1)));
    }
    found
}
