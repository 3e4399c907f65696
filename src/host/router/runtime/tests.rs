use super::*;

fn file(map: Map) -> String {
    format!("/r/router/maps/{}.map", map.word())
}

fn pairs(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn loaded(maps: &Maps) -> Loaded {
    let mut all = Loaded::default();
    for map in Map::ALL {
        all.insert(map, maps.get(map).clone().into_iter().collect());
    }
    all
}

fn commands(loaded: &Loaded, wanted: &Maps) -> Vec<String> {
    let changes = changes(loaded, wanted);
    changes.iter().map(|c| c.command(file)).collect()
}

#[test]
fn equal_maps_need_no_command() {
    let maps = Maps {
        domains: pairs(&[("a.example", "a")]),
        routes: pairs(&[("a", "ip|10.90.0.10|80|200")]),
        redirects: pairs(&[]),
        ..Maps::default()
    };
    assert_eq!(commands(&loaded(&maps), &maps), Vec::<String>::new());
}

#[test]
fn routes_come_before_domains_and_go_after_them() {
    let before = Maps {
        domains: pairs(&[("a.example", "a"), ("gone.example", "gone")]),
        routes: pairs(&[("a", "ip|10.90.0.10|80|200"), ("gone", "stopped|||5")]),
        redirects: pairs(&[("gone.example", "keep|https://x.example")]),
        ..Maps::default()
    };
    let after = Maps {
        domains: pairs(&[("a.example", "a"), ("new.example", "new")]),
        routes: pairs(&[
            ("a", "ip|10.90.0.11|80|200"),
            ("new", "ip|10.90.0.12|80|200"),
        ]),
        redirects: pairs(&[("new.example", "to|https://x.example/a;b")]),
        ..Maps::default()
    };
    assert_eq!(
        commands(&loaded(&before), &after),
        [
            "set map /r/router/maps/routes.map a ip|10.90.0.11|80|200",
            "add map /r/router/maps/routes.map new ip|10.90.0.12|80|200",
            "add map /r/router/maps/redirects.map new.example to|https://x.example/a\\;b",
            "add map /r/router/maps/domains.map new.example new",
            "del map /r/router/maps/domains.map gone.example",
            "del map /r/router/maps/redirects.map gone.example",
            "del map /r/router/maps/routes.map gone",
        ]
    );
    let domains = touched(&changes(&loaded(&before), &after), &loaded(&before), &after);
    assert_eq!(
        Vec::from_iter(domains),
        ["a.example", "gone.example", "new.example"]
    );
}

#[test]
fn a_key_that_was_added_twice_by_hand_is_put_right() {
    let maps = Maps {
        domains: pairs(&[("a.example", "a")]),
        ..Maps::default()
    };
    let mut live = loaded(&maps);
    live.insert(
        Map::Domains,
        vec![
            ("a.example".into(), "a".into()),
            ("a.example".into(), "b".into()),
        ],
    );
    assert_eq!(
        commands(&live, &maps),
        ["set map /r/router/maps/domains.map a.example a"]
    );
}

#[test]
fn nothing_in_a_value_ends_a_command() {
    let change = Change::Set(Map::Domains, "a b".into(), "c;d\\e".into());
    assert_eq!(
        change.command(file),
        "set map /r/router/maps/domains.map a\\ b c\\;d\\\\e"
    );
}

#[test]
fn answers_are_told_apart_by_prompts() {
    let output = b"\n> 0x7f a.example a\n0x80 b.example b\n\n> \n> Unknown map identifier.\n\n> ";
    let answers_ = answers(output, 3).unwrap();
    assert_eq!(
        answers_,
        [
            "0x7f a.example a\n0x80 b.example b",
            "",
            "Unknown map identifier."
        ]
    );
    assert_eq!(answers(output, 2), Err(Answer::Count { got: 3, asked: 2 }));
    assert!(answers(b"", 1).is_err());
    assert!(answers(b"\n> 0x7f a.exam", 1).is_err(), "cut short");
    let payload = b"\n> + + Transaction created for certificate x!\n\n> ";
    assert_eq!(
        answers(payload, 1).unwrap(),
        ["Transaction created for certificate x!"]
    );
    assert_eq!(
        script(&["show info".into()]),
        b"prompt\nshow info\nquit\n".to_vec()
    );
}

#[test]
fn maps_are_read_as_loaded() {
    let answer = "0x7f3498f85380 a.example a\n0x7f3498f85400 b.example keep|https://x";
    assert_eq!(
        parse_map("/m", answer).unwrap(),
        [
            ("a.example".to_owned(), "a".to_owned()),
            ("b.example".to_owned(), "keep|https://x".to_owned())
        ]
    );
    assert_eq!(parse_map("/m", ""), Ok(vec![]));
    let error = parse_map("/m", "Unknown map identifier. Please use #<id> or <file>.");
    assert!(error.unwrap_err().to_string().contains("show map /m"));
}

#[test]
fn traffic_is_read_by_site() {
    let answer = "# table: traffic, type: string, size:10240, used:1
0x7fec90c2b2c0: key=a-site use=0 exp=3599995 shard=0 conn_cur=2 http_req_cnt=400 \
http_req_rate(10000)=45 bytes_out_rate(60000)=1085 gpc0=2 gpc1=1 gpc0_rate(60000)=2 gpc1_rate(60000)=1";
    let traffic = parse_traffic(answer).unwrap();
    assert_eq!(
        traffic["a-site"],
        SiteTraffic {
            connections: 2,
            requests: 400,
            request_rate: 4.5,
            client_errors: 2,
            client_errors_minute: 2,
            server_errors: 1,
            server_errors_minute: 1,
            bytes_minute: 1085,
        }
    );
    assert!(parse_traffic("No such table").is_err());
}

#[test]
fn requests_to_an_address_are_counted() {
    let answer = "# table: addresses, type: string, size:20480, used:1
0x7f49606d0248: key=10.90.0.10 use=5 exp=599007 shard=0 conn_cur=5";
    assert_eq!(parse_in_flight("10.90.0.10", answer), Ok(5));
    assert_eq!(parse_in_flight("10.90.0.11", ""), Ok(0));
}

#[test]
fn info_is_read() {
    let answer = "Name: HAProxy\nVersion: 3.0.11\nUptime_sec: 61\nStart_time_sec: 1795305080\n\
        Maxconn: 9984\nCurrConns: 3\nCumReq: 17\nStopping: 0";
    let info = parse_info(answer).unwrap();
    assert_eq!(
        (info.uptime_s, info.connections, info.stopping),
        (61, 3, false)
    );
    assert_eq!(info.started, Some(1_795_305_080));
    let older = answer.replace("Start_time_sec: 1795305080\n", "");
    assert_eq!(parse_info(&older).unwrap().started, None);
    assert!(parse_info("Name: HAProxy").is_err());
}
