use std::path::Path;

use super::*;
use crate::fleet::at::NOTHING;
use crate::fleet::key::Kind;
use crate::fleet::keys::{self, SITE_ROWS};
use crate::fleet::{load, render, to_yaml, tree};

/// A key like `pids`, with the one row and the one field of a model that it takes.
#[derive(Default)]
struct Toy {
    files: Option<u32>,
}

const TOY_ROWS: &[Row<Toy, Toy>] = &rows! {
    "files" => {
        kind: Kind::CountLimit(10, 1000), default: "no limit", example: "100",
        synonyms: &["nofile"],
        doc: "Files that it may hold open.",
    }
    read |toy, at| put(&mut toy.files, at.count_limit());
    write |toy| Some(toy.files?.into());
};
static TOY: Table = Table {
    of: "a toy",
    shared: false,
    keys: &keys::<_, _, { TOY_ROWS.len() }>(TOY_ROWS),
};

fn read_toy(source: &str) -> (Toy, String) {
    let path = Path::new("toy.yml");
    let mut report = Report::new(source, path);
    let tree = tree::parse(source, &mut report).unwrap();
    let fields = Fields::read(&tree, &TOY, "the toy".into(), 0..0, &mut report);
    let mut toy = Toy::default();
    for row in TOY_ROWS {
        row.take(&fields, "", &NOTHING, &mut toy, &mut report);
    }
    (toy, render(&report.finish(), source, path, false))
}

#[test]
fn a_row_is_all_that_a_key_takes() {
    let (toy, said) = read_toy("files: 100\n");
    assert_eq!((toy.files, said.as_str()), (Some(100), ""));
    assert_eq!(
        write(TOY_ROWS, &toy),
        [("files".to_owned(), Value::from(100))]
    );
    assert_eq!(write(TOY_ROWS, &Toy::default()), []);
    assert_eq!(read_toy("files: none\n").0.files, None);

    let (toy, said) = read_toy("files: 5\n");
    assert_eq!(toy.files, None);
    assert!(said.contains("`files`: \"5\" is not right"), "{said}");
    assert!(said.contains("a whole number from 10 to 1000"), "{said}");
    let (_, said) = read_toy("nofile: 100\n");
    assert!(said.contains("did you mean `files`?"), "{said}");
    let (_, said) = read_toy("file: 100\n");
    assert!(said.contains("did you mean `files`?"), "{said}");
}

/// A site that says nothing but what it has to, in the recipe of a key.
fn site_with(key: &Key, value: &str) -> String {
    let recipe = match key.recipes {
        [] => "php",
        recipes => recipes[recipes.len() - 1],
    };
    let mut fields = vec![
        ("host", "web1"),
        ("recipe", recipe),
        ("domains", "[a.example]"),
    ];
    match recipe {
        "proxy" => fields.push(("to", "old:80")),
        "image" => fields.extend([("image", "wiki:2"), ("port", "80")]),
        _ => {}
    }
    if !value.is_empty() {
        fields.retain(|(name, _)| *name != key.name);
        fields.push((key.name, value));
    }
    let lines = fields
        .iter()
        .map(|(name, value)| format!("    {name}: {value}\n"));
    format!(
        "fleet: x\nhosts: {{ web1: {{ engine: ssh://a }} }}\naccounts: {{ alice: }}\nsites:\n  a:\n{}",
        lines.collect::<String>()
    )
}

#[test]
fn every_key_of_a_site_is_written_as_it_is_read() {
    let path = Path::new("fleet.yml");
    for Row { key, .. } in SITE_ROWS {
        let fleet = load(&site_with(key, key.example), path).unwrap().fleet;
        let text = to_yaml(&fleet);
        assert!(
            text.contains(&format!("    {}:", key.name)),
            "{}: {text}",
            key.name
        );
        assert_eq!(load(&text, path).unwrap().fleet, fleet, "{}", key.name);
    }
}

#[test]
fn what_the_reference_calls_the_default_is_what_holds() {
    let path = Path::new("fleet.yml");
    let mut met = Vec::new();
    for Row { key, .. } in SITE_ROWS {
        // Some defaults are words for people.
        let Ok(said) = load(&site_with(key, key.default), path) else {
            continue;
        };
        let unsaid = load(&site_with(key, ""), path).unwrap();
        if !key.default.is_empty() && !key.required {
            assert_eq!(said.fleet, unsaid.fleet, "{}", key.name);
            met.push(key.name);
        }
    }
    for name in ["memory", "pids", "connections", "root", "state"] {
        assert!(met.contains(&name), "{name}: {met:?}");
    }
    assert_eq!(keys::SITE.key("php").unwrap().default, "8.4");
}
