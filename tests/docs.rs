//! The README's tables are the program's own. `UPDATE=1 cargo test --test docs` writes them again.

const BEGIN: &str =
    "<!-- keys of the fleet file: written by `UPDATE=1 cargo test --test docs` -->\n";
const END: &str = "<!-- end of the keys -->";

#[test]
fn the_readme_names_every_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the mark where the keys begin");
    let (_, after) = rest.split_once(END).expect("the mark where the keys end");
    let reference = ostler::fleet::reference();
    let right = format!("{before}{BEGIN}\n{}\n{END}{after}", reference.trim());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, right).unwrap();
    } else {
        assert!(
            text == right,
            "README.md: run `UPDATE=1 cargo test --test docs`"
        );
    }
}
