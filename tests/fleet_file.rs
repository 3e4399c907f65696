//! The fleet file, from outside: valid ones load, broken ones say what is wrong.

use std::path::{Path, PathBuf};

use ostler::fleet;

fn fixtures(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/fleets")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yml"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn valid_files_load_without_a_word() {
    for (path, source) in fixtures("valid") {
        match fleet::load(&source, &path) {
            Ok(loaded) => {
                let said = fleet::render(&loaded.warnings, &source, &path, false);
                assert!(loaded.warnings.is_empty(), "{said}");
            }
            Err(findings) => panic!("{}", fleet::render(&findings, &source, &path, false)),
        }
    }
}

#[test]
fn broken_files_say_what_is_wrong() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../fixtures/fleets/broken");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (path, source) in fixtures("broken") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let shown = PathBuf::from(path.file_name().unwrap());
        let findings = fleet::load(&source, &shown)
            .err()
            .unwrap_or_else(|| panic!("{name} loads"));
        let text = fleet::render(&findings, &source, &shown, false);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}
