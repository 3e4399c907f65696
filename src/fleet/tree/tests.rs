use std::path::Path;

use proptest::prelude::*;

use super::*;

fn tree(source: &str) -> Node {
    let mut report = Report::new(source, Path::new("fleet.yml"));
    let tree = parse(source, &mut report);
    let findings = report.finish();
    assert!(findings.is_empty(), "{findings:#?}");
    tree.unwrap()
}

fn collect<'s>(node: &Node, source: &'s str, out: &mut Vec<&'s str>) {
    out.push(&source[node.span.clone()]);
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence { items, .. } => items.iter().for_each(|n| collect(n, source, out)),
        Kind::Mapping { entries, .. } => entries.iter().for_each(|e| {
            collect(&e.key, source, out);
            collect(&e.value, source, out);
        }),
    }
}

#[test]
fn spans_hold_values_and_nothing_else() {
    let source = "# c\r\nfleet: \"é \\\" x\" # t\r\na: &x\r\n  b: 'it''s' # no\r\n  c: plain\r\n    more\r\n\r\n# after\r\nd: *x\r\ne: [a, 'b' , ]\r\ng: |\r\n  text\r\n  two\r\n\r\n# cc\r\nh:\r\ni: &q v\r\nl:\r\n- 1\r\n-\r\n- k: v\r\nm: {} # e\r\nn: { a: b , c: d } # f\r\n";
    let tree = tree(source);
    let mut spans = Vec::new();
    collect(&tree, source, &mut spans);
    assert_eq!(
        spans[1..],
        [
            "fleet",
            "\"é \\\" x\"",
            "a",
            "b: 'it''s' # no\r\n  c: plain\r\n    more",
            "b",
            "'it''s'",
            "c",
            "plain\r\n    more",
            "d",
            "*x",
            "b",
            "'it''s'",
            "c",
            "plain\r\n    more",
            "e",
            "[a, 'b' , ]",
            "a",
            "'b'",
            "g",
            "|\r\n  text\r\n  two",
            "h",
            "",
            "i",
            "v",
            "l",
            "1\r\n-\r\n- k: v",
            "1",
            "",
            "k: v",
            "k",
            "v",
            "m",
            "{}",
            "n",
            "{ a: b , c: d }",
            "a",
            "b",
            "c",
            "d",
        ]
    );
    assert!(
        spans[0].starts_with("fleet") && spans[0].ends_with('}'),
        "{:?}",
        spans[0]
    );
    let null = &tree.entry("h").unwrap().value;
    assert!(null.is_null());
    assert_eq!(&source[null.span.start - 2..null.span.start], "h:");
    assert!(tree.entry("d").unwrap().value.alias);
    assert!(tree.entry("i").unwrap().value.anchored);
}

#[test]
fn meanings_are_those_of_yaml_1_2() {
    let tree = tree("a: [no, on, 0755, 0o17, 8.4, 8.10, 1e3, ~, '1', true, 12:30, 1_000]");
    let Kind::Sequence { items, .. } = &tree.entry("a").unwrap().value.kind else {
        panic!()
    };
    let written: Vec<_> = items
        .iter()
        .map(|n| match &n.kind {
            Kind::Scalar(s) => (s.text.as_str(), s.meaning.is_written(&s.text)),
            _ => panic!(),
        })
        .collect();
    assert_eq!(
        written,
        [
            ("no", true),
            ("on", true),
            ("0755", true),
            ("0o17", false),
            ("8.4", true),
            ("8.10", false),
            ("1e3", false),
            ("~", false),
            ("1", true),
            ("true", true),
            ("12:30", true),
            ("1_000", true),
        ]
    );
}

/// Values as serde_yaml writes them.
fn values() -> impl Strategy<Value = serde_yaml::Value> {
    use serde_yaml::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>()
            .prop_filter("a number", |f| f.is_finite())
            .prop_map(|f| Value::from(f64::from(f))),
        "[a-zA-Z0-9 :#,{}\\[\\]&*!|>'\"%@`/=~._\\\\\n-]{0,16}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let key = "[a-zA-Z0-9 :#~-]{0,8}".prop_map(Value::from);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Sequence),
            proptest::collection::vec((key, inner), 0..5)
                .prop_map(|entries| Value::Mapping(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_read_alike(value in values()) {
        let mapping = serde_yaml::Mapping::from_iter([("top".into(), value)]);
        let source = serde_yaml::to_string(&mapping).unwrap();
        let mut report = Report::new(&source, Path::new("fleet.yml"));
        let tree = parse(&source, &mut report);
        let findings = report.finish();
        prop_assert!(findings.is_empty(), "{}\n{:#?}", source, findings);
        prop_assert_eq!(Raw::from(&tree.unwrap()), reread(&source).unwrap());
    }
}
