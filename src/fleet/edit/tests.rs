use super::*;

fn edit(source: &str, edits: &[Edit]) -> Result<String, EditError> {
    apply_edits(source, Path::new("fleet.yml"), edits).map(|edited| edited.text)
}

fn fails(source: &str, edits: &[Edit]) -> String {
    edit(source, edits).unwrap_err().to_string()
}

const HEAD: &str = "fleet: x\nhosts:\n  web1: { engine: \"unix:///var/run/docker.sock\" }\n";

fn head(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

fn site(name: &str) -> Edit {
    let fields: [(&str, Value); 3] = [
        ("host", "web1".into()),
        ("recipe", "static".into()),
        ("domains", vec![format!("{name}.example")].into()),
    ];
    let fields = fields
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Edit::CreateSite {
        name: name.into(),
        fields,
    }
}

fn set(site: &str, key: &str, value: impl Into<Value>) -> Edit {
    Edit::SetSite {
        site: site.into(),
        key: key.into(),
        value: value.into(),
    }
}
fn unset(site: &str, key: &str) -> Edit {
    Edit::UnsetSite {
        site: site.into(),
        key: key.into(),
    }
}
fn remove(site: &str) -> Edit {
    Edit::RemoveSite { site: site.into() }
}
fn add_domain(site: &str, domain: &str) -> Edit {
    Edit::AddDomain {
        site: site.into(),
        domain: domain.into(),
    }
}
fn remove_domain(site: &str, domain: &str) -> Edit {
    Edit::RemoveDomain {
        site: site.into(),
        domain: domain.into(),
    }
}

const NEW: &str = "  a:\n    host: web1\n    recipe: static\n    domains: [a.example]\n";

#[test]
fn creates_the_first_site_wherever_sites_stands() {
    let table = [
        ("", "sites:\n"),
        ("sites:\n", "sites:\n"),
        ("sites: {}\n", "sites:\n"),
        ("sites: {}  # none yet\n", "sites:  # none yet\n"),
        ("sites: # none yet\n", "sites: # none yet\n"),
        ("sites: ~\n", "sites:\n"),
        ("sites: null # c\n", "sites: # c\n"),
        ("sites:\n  # the sites\n", "sites:\n  # the sites\n"),
    ];
    for (before, after) in table {
        let got = edit(&head(before), &[site("a")]);
        assert_eq!(got.unwrap(), head(&format!("{after}{NEW}")), "{before:?}");
    }
}

#[test]
fn creates_sites_before_what_follows_them() {
    let before = head(
        "sites:\n  b:\n    host: web1\n    recipe: static\n    domains: [b.example]  # b\n    # memory: 64M\n  # c is to come\naccounts: {} # none\n# the end\n",
    );
    let after = head(&format!(
        "sites:\n  b:\n    host: web1\n    recipe: static\n    domains: [b.example]  # b\n    # memory: 64M\n{NEW}  # c is to come\naccounts: {{}} # none\n# the end\n"
    ));
    assert_eq!(edit(&before, &[site("a")]).unwrap(), after);
}

#[test]
fn follows_the_manner_of_the_neighbours() {
    // Blank lines between, four spaces, Windows line ends, no line end at the end.
    let before = "fleet: x\r\nhosts:\r\n    web1: { engine: 'unix:///run/d.sock' }\r\nsites:\r\n    b:\r\n        host: web1\r\n        recipe: static\r\n        domains: [b.example]\r\n\r\n    c:\r\n        host: web1\r\n        recipe: static\r\n        domains: [c.example]";
    let after = format!(
        "{before}\r\n\r\n    a:\r\n        host: web1\r\n        recipe: static\r\n        domains: [a.example]"
    );
    assert_eq!(edit(before, &[site("a")]).unwrap(), after);
    // One line per site.
    let before = head("sites:\n  b: { host: web1, recipe: static, domains: [b.example] }\n");
    let after = format!("{before}  a: {{ host: web1, recipe: static, domains: [a.example] }}\n");
    assert_eq!(edit(&before, &[site("a")]).unwrap(), after);
    // All in one line, as JSON.
    let before =
        r#"{"fleet": "x", "hosts": {"web1": {"engine": "unix:///run/d.sock"}}, "sites": {}}"#;
    let after = r#"{"fleet": "x", "hosts": {"web1": {"engine": "unix:///run/d.sock"}}, "sites": { "a": { "host": "web1", "recipe": "static", "domains": ["a.example"] }}}"#;
    assert_eq!(edit(before, &[site("a")]).unwrap(), after);
}

fn with_site(body: &str) -> String {
    head(&format!(
        "sites:\n  a:\n    host: web1\n    recipe: php\n    domains: [a.example] # ours\n{body}"
    ))
}

#[test]
fn sets_values_in_the_quotes_they_had() {
    let table: [(&str, Edit, &str); 9] = [
        (
            "    memory: 64M # small\n",
            set("a", "memory", "128M"),
            "    memory: 128M # small\n",
        ),
        (
            "    php: '8.3'\n",
            set("a", "php", "8.4"),
            "    php: '8.4'\n",
        ),
        (
            "    php: \"8.3\" # old\n",
            set("a", "php", "8.4"),
            "    php: \"8.4\" # old\n",
        ),
        (
            "    php: 8.3\n",
            set("a", "php", "8.4"),
            "    php: \"8.4\"\n",
        ),
        ("    cpus: 1\n", set("a", "cpus", "0.5"), "    cpus: 0.5\n"),
        (
            "    # end\n",
            set("a", "pids", "100"),
            "    pids: 100\n    # end\n",
        ),
        (
            "    env: {}\n",
            set("a", "env.DEBUG", "no"),
            "    env:\n      DEBUG: \"no\"\n",
        ),
        (
            "    env: { A: b }\n",
            set("a", "env.C", "x, y"),
            "    env: { A: b, C: \"x, y\" }\n",
        ),
        (
            "    env:\n      A: b\n    # c\n",
            set("a", "env.C", "d: e"),
            "    env:\n      A: b\n      C: \"d: e\"\n    # c\n",
        ),
    ];
    for (before, change, after) in table {
        assert_eq!(
            edit(&with_site(before), &[change]).unwrap(),
            with_site(after),
            "{before}"
        );
    }
}

#[test]
fn writes_what_is_missing_in_between() {
    let after = with_site("    ini:\n      upload_max_filesize: 64M\n");
    let change = set("a", "ini.upload_max_filesize", "64M");
    assert_eq!(edit(&with_site(""), &[change]).unwrap(), after);
}

#[test]
fn unsets() {
    let table = [
        (
            "    memory: 64M # small\n    pids: 50\n",
            "memory",
            "    pids: 50\n",
        ),
        ("    # why\n    memory: 64M", "memory", "    # why"),
        ("    env: { A: b, C: d }\n", "env.A", "    env: { C: d }\n"),
        ("    env: { A: b, C: d }\n", "env.C", "    env: { A: b }\n"),
        ("    env: { A: b }\n", "env.A", "    env: {}\n"),
        ("    env:\n      A: b\n", "env.A", "    env: {}\n"),
        ("    env:\n      A: b\n      C: d\n", "env", ""),
        ("", "memory", ""),
    ];
    for (before, key, after) in table {
        let got = edit(&with_site(before), &[unset("a", key)]);
        assert_eq!(got.unwrap(), with_site(after), "{before} {key}");
    }
}

#[test]
fn state() {
    let state = |state| Edit::SetState {
        site: "a".into(),
        state,
    };
    let stopped = edit(&with_site(""), &[state(SiteState::Stopped)]).unwrap();
    assert_eq!(stopped, with_site("    state: stopped\n"));
    let running = edit(&stopped, &[state(SiteState::Running)]).unwrap();
    assert_eq!(running, with_site("    state: running\n"));
    assert_eq!(
        edit(&running, &[state(SiteState::Running)]).unwrap(),
        running
    );
    assert_eq!(
        edit(&with_site(""), &[state(SiteState::Running)]).unwrap(),
        with_site("")
    );
}

#[test]
fn domains_come_and_go() {
    let two = with_site("").replace("[a.example]", "[a.example, b.example]");
    assert_eq!(
        edit(&with_site(""), &[add_domain("a", "b.example")]).unwrap(),
        two
    );
    assert_eq!(
        edit(&two, &[remove_domain("a", "B.Example.")]).unwrap(),
        with_site("")
    );
    let three = two.replace("b.example]", "b.example , c.example]");
    assert_eq!(
        edit(&three, &[remove_domain("a", "b.example")]).unwrap(),
        two.replace("b.", "c.")
    );
    let block = "    domains:\n      - a.example # first\n      - b.example\n    # after\n    recipe: static\n    host: web1\n";
    let block = head(&format!("sites:\n  a:\n{block}"));
    let more = block.replace(
        "      - b.example\n",
        "      - b.example\n      - c.example\n",
    );
    assert_eq!(edit(&block, &[add_domain("a", "c.example")]).unwrap(), more);
    assert_eq!(
        edit(&more, &[remove_domain("a", "c.example")]).unwrap(),
        block
    );
    let lines = "    domains: [\n      a.example, # first\n      b.example # second\n    ]\n    recipe: static\n    host: web1\n";
    let lines = head(&format!("sites:\n  a:\n{lines}"));
    let more = lines.replace(
        "b.example # second\n",
        "b.example, # second\n      c.example\n",
    );
    assert_eq!(edit(&lines, &[add_domain("a", "c.example")]).unwrap(), more);
    assert!(fails(&two, &[remove_domain("a", "z.example")]).contains("no domain `z.example`"));
    // Given as a whole, only the difference is written.
    let list = vec!["b.example", "c.example"];
    let got = edit(&block, &[set("a", "domains", list)]).unwrap();
    assert_eq!(
        got,
        block.replace("      - a.example # first\n", "").replace(
            "      - b.example\n",
            "      - b.example\n      - c.example\n"
        )
    );
}

#[test]
fn removes_sites() {
    let b = "  b:\n    host: web1\n    recipe: static\n    domains: [b.example]\n";
    let both = head(&format!(
        "sites:\n  # ours\n{NEW}    # inside a\n{b}# end\n"
    ));
    let without = head(&format!("sites:\n  # ours\n{b}# end\n"));
    assert_eq!(edit(&both, &[remove("a")]).unwrap(), without);
    let none = head("sites: {}\n  # ours\n# end\n");
    assert_eq!(edit(&without, &[remove("b")]).unwrap(), none);
    assert_eq!(
        edit(&none, &[site("a")]).unwrap(),
        head(&format!("sites:\n  # ours\n{NEW}# end\n"))
    );
    let apart = head(&format!("sites:\n{NEW}\n{b}\n# end\n"));
    assert_eq!(
        edit(&apart, &[remove("b")]).unwrap(),
        head(&format!("sites:\n{NEW}\n# end\n"))
    );
}

#[test]
fn refuses_what_would_change_more() {
    let alias = head(
        "sites:\n  a: { host: web1, recipe: static, domains: [a.example], env: &shared { A: b } }\n  b: { host: web1, recipe: static, domains: [b.example], env: *shared }\n",
    );
    assert!(fails(&alias, &[set("b", "env.A", "c")]).contains("alias"));
    assert!(fails(&alias, &[set("a", "env.A", "c")]).contains("by hand"));
    let fine = edit(&alias, &[set("b", "memory", "64M")]).unwrap();
    assert_eq!(fine, alias.replace("*shared }", "*shared, memory: 64M }"));
    let list =
        "sites:\n  a:\n    host: web1\n    recipe: static\n    domains:\n    -   a.example\n";
    let all_new = edit(
        &head(list),
        &[set("a", "domains", vec!["b.example", "c.example"])],
    );
    let wanted = list.replace("a.example", "b.example\n    -   c.example");
    assert_eq!(all_new.unwrap(), head(&wanted));
    let comment = head(&list.replace("a.example", "a.example # this\n    - b.example"));
    assert!(fails(&comment, &[set("a", "domains", vec!["c.example"])]).contains("edited"));
}

#[test]
fn says_what_is_wrong_with_an_edit() {
    let source = with_site("");
    assert_eq!(fails(&source, &[site("a")]), "there is a site `a` already");
    assert_eq!(
        fails(&source, &[remove("b")]),
        "there is no site `b`; did you mean `a`?"
    );
    assert!(fails(&source, &[set("a", "memory", "2M")]).contains("6M"));
    assert!(fails(&source, &[set("a", "memroy", "2M")]).contains("did you mean `memory`"));
    let bare = |text: &str| Value::Bare(text.into());
    for wrong in ["many", "1\n    state: stopped", "1 # x", "{a: b}", ""] {
        let why = fails(&source, &[set("a", "cpus", bare(wrong))]);
        assert!(why.contains("`cpus`"), "{wrong:?}: {why}");
    }
    assert!(fails(&source, &[site("Not A Name")]).contains("`not-a-name` would do"));
    assert!(fails("fleet: [", &[site("a")]).contains("errors of its own"));
    assert!(fails("fleet: x\nfoo: y\n", &[site("a")]).contains("errors of its own"));
}

#[test]
fn texts_are_quoted_where_they_have_to_be() {
    for text in [
        "",
        " ",
        "no",
        "On",
        "~",
        "null",
        "0755",
        "12:30",
        "8.4",
        "1e3",
        "0x10",
        "- a",
        "a: b",
        "a #b",
        "#a",
        "a:",
        "*a",
        "&a",
        "!a",
        "@a",
        "`a",
        "%a",
        "{a}",
        "[a]",
        "a, b",
        "'a'",
        "\"a\"",
        "a\nb",
        "a\tb",
        "\u{7}",
        "\u{feff}a",
        "ü",
        "🦀",
        "a\\b",
        "-",
        "?",
        "? a",
        "|",
        ">",
        "=",
        "<<",
        "---",
        "...",
        "true",
        "a\r\nb",
        "\u{2028}",
        "\u{85}",
        "1_000",
        ".5",
        "+1",
        "-1",
        ".inf",
        ".nan",
        "a{b",
    ] {
        for before in [
            "",
            "    env: {}\n",
            "    env: { A: b }\n",
            "    env: { X: 'y' }\n",
            "    env:\n      A: b\n",
            "    env:\n      X: \"y\"\n",
        ] {
            for key in ["env.X", "env.Y"] {
                let edited =
                    apply_edits(&with_site(before), Path::new("f"), &[set("a", key, text)])
                        .unwrap_or_else(|e| panic!("{text:?} {before:?}: {e}"));
                let name = key.split_once('.').unwrap().1;
                assert_eq!(edited.fleet.sites["a"].env[name], text);
            }
        }
    }
}
