//! The house is as CONTRIBUTING draws it: a floor knows only those that its table names, and no
//! two files import each other, not by way of others either.

#[path = "house/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{File, House};

/// Files that know each other and are meant to: one thing that is too long for one file.
const ONE_THING: [&[&str]; 0] = [];

/// The table in CONTRIBUTING: a floor, and what it knows besides itself: floors, or single modules
/// of one, such as `observe::model`.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = include_str!("../CONTRIBUTING.md");
    let rows = text.lines().filter(|line| line.starts_with("| `src/"));
    let words = |cell: &str| -> BTreeSet<String> {
        let words = cell.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [folder, _, knows] = cells[..] else {
            panic!("three cells, please: {row}");
        };
        let folder = folder.trim().trim_matches('`').trim_start_matches("src/");
        (folder.to_owned(), words(knows))
    })
    .collect()
}

#[test]
fn arrows_run_only_as_the_table_of_floors_allows() {
    let (house, table) = (House::read(), table());
    let mut wrong = Vec::new();
    for file in house.files.values() {
        // `lib.rs` and `main.rs` stand above all.
        let Some(floor) = file.floor() else { continue };
        let Some(knows) = table.get(floor) else {
            wrong.push(format!("{floor}: not in CONTRIBUTING's table of floors"));
            continue;
        };
        for path in &file.paths {
            let other = path[0].as_str();
            let module = path.get(1).map(|name| format!("{other}::{name}"));
            let known = knows.contains(other) || module.is_some_and(|m| knows.contains(&m));
            if other != floor && table.contains_key(other) && !known {
                wrong.push(format!("{} imports {}", file.path, path.join("::")));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_floor_of_the_table_is_there() {
    let house = House::read();
    let floors: BTreeSet<&str> = house.files.values().filter_map(File::floor).collect();
    let table = table();
    assert!(table.len() > 5, "the table of floors was not found");
    let named: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    assert_eq!(floors, named);
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::read();
    let arrows = house.arrows();
    let mut circles = Vec::new();
    for circle in circles_of(&arrows) {
        if !ONE_THING.iter().any(|one| **one == circle[..]) {
            let ties = circle.iter().flat_map(|from| {
                let to = arrows[from].iter().filter(|to| circle.contains(to));
                to.map(move |to| format!("  {from} → {to}"))
            });
            circles.push(ties.collect::<Vec<_>>().join("\n"));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n\n"));
}

/// Groups of files of which each reaches each.
fn circles_of<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<Vec<&'a str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> = arrows
        .keys()
        .map(|from| {
            let mut seen = BTreeSet::new();
            let mut next: Vec<&str> = arrows[from].iter().copied().collect();
            while let Some(at) = next.pop() {
                if seen.insert(at) {
                    next.extend(arrows.get(at).into_iter().flatten());
                }
            }
            (*from, seen)
        })
        .collect();
    let both =
        |a: &str, b: &str| reach[a].contains(b) && reach.get(b).is_some_and(|r| r.contains(a));
    let mut circles: BTreeSet<Vec<&str>> = BTreeSet::new();
    for from in arrows.keys().filter(|from| reach[**from].contains(**from)) {
        circles.insert(arrows.keys().copied().filter(|to| both(from, to)).collect());
    }
    circles.into_iter().collect()
}

#[test]
fn circles_are_found() {
    let arrows = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")];
    let mut map: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (from, to) in arrows {
        map.entry(from).or_default().insert(to);
    }
    assert_eq!(circles_of(&map), [["a", "b", "c"]]);
}

#[test]
fn no_file_or_function_is_too_long() {
    let house = House::read();
    let mut long = Vec::new();
    for file in house.files.values() {
        if file.lines > 600 {
            long.push(format!("{}: {} lines", file.path, file.lines));
        }
        for (name, lines) in &file.functions {
            if *lines > 120 {
                long.push(format!("{}: fn {name}: {lines} lines", file.path));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Labels are copied with a container. What one is for, one file says, by its labels and its name.
#[test]
fn what_a_container_is_for_is_read_in_one_place() {
    let house = House::read();
    let mut readers = Vec::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in house.files.values() {
        let text = std::fs::read_to_string(root.join(&file.path)).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if code.contains(".role()") {
            readers.push(file.path.as_str());
        }
    }
    assert_eq!(readers, ["src/observe/whose.rs"]);
}
