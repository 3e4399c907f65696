use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::fleet::{Finding, load};

/// What is said about a file that is not read.
fn refused(source: &str) -> Vec<Finding> {
    let findings = load(source, Path::new("fleet.yml")).unwrap_err();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings
}

/// Aliases of aliases: each level has ten of the one before.
fn billions(levels: usize) -> String {
    let mut text = "a0: &a0 [x]\n".to_owned();
    for level in 1..=levels {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    text
}

#[test]
fn aliases_count_as_if_they_were_written_out() {
    let two = size("a: &a { b: [c, d] }\ne: *a\n").unwrap();
    let out = size("a: { b: [c, d] }\ne: { b: [c, d] }\n").unwrap();
    assert_eq!((two.nodes, two.depth), (out.nodes + 5, out.depth));
    // What has an anchor is kept besides.
    assert_eq!(two.text, out.text + 3);
    assert_eq!(size("[[[a]]]").unwrap().depth, 4);
    let source = billions(9);
    assert!(source.len() < 600);
    let finding = &refused(&source)[0];
    assert!(
        finding.message.contains("more than 1000000 values"),
        "{finding:?}"
    );
    assert!(finding.line > 4 && finding.column > 1, "{finding:?}");
    // A long text, said over and over.
    let text = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(1 << 20),
        "*a,".repeat(1000)
    );
    assert!(refused(&text)[0].message.contains("32 MiB of text"));
}

#[test]
fn what_is_nested_too_deep_is_not_read() {
    let deep = |n: usize| {
        [
            format!("a: {}", "[".repeat(n)),
            format!("a: {}{}", "[".repeat(n), "]".repeat(n)),
            "{a: ".repeat(n),
            "- ".repeat(n),
            "? ".repeat(n),
            (0..n).map(|i| format!("{}a:\n", " ".repeat(i))).collect(),
        ]
    };
    for source in deep(3000) {
        // Brackets are too deep for the first reader itself.
        let finding = &refused(&source)[0];
        let said = ["nested more than 64 deep", "recursion limit exceeded"];
        let said = said.iter().any(|said| finding.message.contains(said));
        assert!(said && finding.line + finding.column > 60, "{finding:?}");
    }
    let deepest = format!("{}a{}", "[".repeat(DEPTH - 1), "]".repeat(DEPTH - 1));
    assert_eq!(size(&deepest).unwrap().depth, DEPTH);
}

#[test]
fn where_one_reader_stops_the_other_does_not_go_on_without_end() {
    // The first reader does not know the directive and stops; brackets follow.
    for wrong in ["a: @x\n", "%", "a: \"\\q\"\n", "a: b: c\n", "\tx: y\n"] {
        let source = format!("{wrong}{}", "[".repeat(1_000_000));
        let findings = load(&source, Path::new("fleet.yml")).unwrap_err();
        assert_eq!(findings.len(), 1);
    }
    for c in DISPUTED {
        let source = format!("a: b\n# {c}{}", "[".repeat(1_000_000));
        let finding = &refused(&source)[0];
        let code = format!("U+{:04X}", u32::from(c));
        assert!(finding.message.contains(&code), "{finding:?}");
        assert_eq!((finding.line, finding.column), (2, 3));
    }
}

#[test]
fn a_large_fleet_has_room() {
    let site = |i: usize| {
        let env: String = (0..10)
            .map(|n| format!("      NAME_{n}: value-of-{i}\n"))
            .collect();
        format!(
            "  site-{i}:\n    host: web{}\n    recipe: image\n    image: wiki:2\n    port: 80\n    memory: 256M\n    cpus: 1\n    pids: 100\n    connections: 100\n    domains: [s{i}.example, www.s{i}.example]\n    redirects: {{ old.s{i}.example: \"https://s{i}.example\" }}\n    health: {{ path: /status, timeout: 90 }}\n    env:\n{env}",
            i % 3
        )
    };
    let head = "fleet: x\nhosts: { web0: { engine: ssh://a }, web1: { engine: ssh://b }, web2: { engine: ssh://c } }\nsites:\n";
    let sites: String = (0..3000).map(site).collect();
    let source = format!("{head}{sites}");
    let size = size(&source).unwrap();
    assert!(size.nodes < NODES / 4 && size.text < TEXT / 4, "{size:?}");
    assert!(source.len() < LARGEST / 4 && size.depth < DEPTH / 4);
    let loaded = load(&source, Path::new("fleet.yml")).unwrap();
    assert_eq!(loaded.fleet.sites.len(), 3000);
}

#[test]
fn defaults_are_read_into_every_site() {
    let env: String = (0..10_000).map(|n| format!("N{n}: x, ")).collect();
    let sites: String = (0..100)
        .map(|i| format!("  s{i}: {{ host: a, recipe: php, domains: [s{i}.example] }}\n"))
        .collect();
    let source = format!(
        "fleet: x\nhosts: {{ a: {{ engine: ssh://a }} }}\ndefaults: {{ env: {{ {env} }} }}\nsites:\n{sites}"
    );
    let findings = load(&source, Path::new("fleet.yml")).unwrap_err();
    assert!(
        findings
            .iter()
            .any(|f| f.message == "`defaults` say too much for 100 sites"),
        "{findings:#?}"
    );
}

#[test]
fn findings_do_not_pile_up() {
    let keys: String = (0..10_000).map(|n| format!("hots{n}: x, ")).collect();
    let source = format!("fleet: x\nhosts: {{ a: {{ engine: ssh://a, {keys} }} }}\n");
    let findings = load(&source, Path::new("fleet.yml")).unwrap_err();
    assert_eq!(findings.len(), 201);
    assert_eq!(findings[200].message, "9800 errors more not shown");
    // Each stands on the same long line, of which little is shown.
    let shown = crate::fleet::render(&findings, &source, Path::new("fleet.yml"), false);
    assert!(shown.len() < 100_000, "{}", shown.len());
    let place = format!("fleet.yml:2:{}", findings[100].column);
    assert!(shown.contains(&place), "{place}");
    // What they are about far apart is shown in two pieces.
    let many: String = (0..5000)
        .map(|i| format!("  h{i}: {{ engine: ssh://h{i} }}\n"))
        .collect();
    let source = format!(
        "fleet: x\nhosts:\n  a: {{ engine: ssh://same }}\n{many}  b: {{ engine: ssh://same }}\n"
    );
    let findings = load(&source, Path::new("fleet.yml")).unwrap_err();
    let shown = crate::fleet::render(&findings, &source, Path::new("fleet.yml"), false);
    assert!(
        shown.contains("first here") && shown.contains("again here"),
        "{shown}"
    );
    assert!(shown.lines().count() < 20, "{shown}");
    assert!(
        shown.contains("fleet.yml:5004:16") && shown.contains("fleet.yml:3:16"),
        "{shown}"
    );
    // A word as long as the file is not said whole.
    let source = format!("fleet: {}\n", "x".repeat(1 << 20));
    let findings = load(&source, Path::new("fleet.yml")).unwrap_err();
    assert!(findings.iter().all(|f| f.message.len() < 1100));
}

/// Pieces of YAML that are well-formed often enough.
fn yaml() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("- ".to_owned()),
        Just("? ".to_owned()),
        Just(": ".to_owned()),
        Just(", ".to_owned()),
        Just("\n".to_owned()),
        Just("\n  ".to_owned()),
        Just("&a ".to_owned()),
        Just("*a".to_owned()),
        Just("&b ".to_owned()),
        Just("*b".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("|\n".to_owned()),
        Just("#".to_owned()),
        Just("---\n".to_owned()),
        Just("!t ".to_owned()),
        Just("%".to_owned()),
        Just("fleet".to_owned()),
        Just("\u{2028}".to_owned()),
        Just("\t".to_owned()),
        "[a-z]{1,3}",
        (1..300usize).prop_map(|n| "[".repeat(n)),
        (1..12usize).prop_map(billions),
        any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// What is built is never more than was counted before, and that never more than may be.
    #[test]
    fn nothing_is_built_that_was_not_counted(source in yaml()) {
        let mut report = crate::fleet::finding::Report::new(&source, Path::new("f"));
        let tree = crate::fleet::tree::parse(&source, &mut report);
        match (size(&source), tree) {
            (Ok(size), Some(tree)) => {
                let (nodes, text) = tree.size();
                prop_assert!(nodes <= size.nodes && size.nodes <= NODES);
                prop_assert!(text <= size.text && size.text <= TEXT && size.depth <= DEPTH);
            }
            (Err(_), tree) => prop_assert!(tree.is_none()),
            (Ok(_), None) => {}
        }
        let _ = load(&source, Path::new("f"));
    }
}
