use super::*;
use Level::{Error, Warning};

#[track_caller]
fn says(line: &str, level: Option<Level>, wanted: &str) {
    let report = report(line).unwrap_or_else(|| panic!("not read: {line}"));
    let pieces: String = report.pieces().into_iter().map(|p| p.text).collect();
    assert_eq!(format!("{} {pieces}", report.time), wanted);
    assert_eq!(report.level, level, "{line}");
}

/// As the image `php:8.4-apache` wrote them.
#[test]
fn what_php_says_through_apache() {
    says(
        r"[Mon Nov 30 05:27:20.312379 2026] [php:error] [pid 13:tid 13] [client 172.17.0.1:44770] PHP Fatal error:  Uncaught RuntimeException: cannot render / in /var/www/html/index.php:2\nStack trace:\n#0 /var/www/html/index.php(4): work('/')\n#1 {main}\n  thrown in /var/www/html/index.php on line 2, referer: http://ref.example/",
        Some(Error),
        "05:27:20 error  Uncaught RuntimeException: cannot render / in index.php:2  #0 index.php(4): work('/') #1 {main}  172.17.0.1:44770  referer http://ref.example/",
    );
    says(
        "[Mon Nov 30 05:27:20.353597 2026] [php:warn] [pid 14:tid 14] [client 172.17.0.1:44782] PHP Warning:  Undefined variable $undefined in /var/www/html/index.php on line 5",
        Some(Warning),
        "05:27:20 warn   Undefined variable $undefined in index.php:5  172.17.0.1:44782",
    );
    says(
        "[Mon Nov 30 05:27:20.401302 2026] [php:error] [pid 16:tid 16] [client 172.17.0.1:44790] PHP Fatal error:  Allowed memory size of 4194304 bytes exhausted (tried to allocate 100003840 bytes) in /var/www/html/index.php on line 6",
        Some(Error),
        "05:27:20 error  Allowed memory size of 4194304 bytes exhausted (tried to allocate 100003840 bytes) in index.php:6  172.17.0.1:44790",
    );
    says(
        r"[Mon Nov 30 05:27:20.422697 2026] [php:notice] [pid 17:tid 17] [client 172.17.0.1:44802] my own words\nsecond line",
        None,
        r"05:27:20 notice my own words\nsecond line  172.17.0.1:44802",
    );
    says(
        "[Mon Nov 30 05:27:20.445783 2026] [php:error] [pid 15:tid 15] [client 127.0.0.1:0] PHP Parse error:  Unclosed '(' on line 1 in /var/www/html/bad.php on line 2",
        Some(Error),
        "05:27:20 error  Unclosed '(' on line 1 in bad.php:2  127.0.0.1",
    );
}

#[test]
fn what_apache_says_itself() {
    says(
        "[Mon Nov 30 05:26:29.363413 2026] [autoindex:error] [pid 18:tid 18] [client 172.17.0.1:42244] AH01276: Cannot serve directory /var/www/html/: No matching DirectoryIndex (index.php,index.html) found",
        Some(Error),
        "05:26:29 error  AH01276: Cannot serve directory /var/www/html/: No matching DirectoryIndex (index.php,index.html) found  172.17.0.1:42244",
    );
    says(
        "[Mon Nov  2 05:27:08.207101 2026] [core:notice] [pid 1:tid 1] AH00094: Command line: 'apache2 -D FOREGROUND'",
        None,
        "05:27:08 notice AH00094: Command line: 'apache2 -D FOREGROUND'",
    );
    // Apache calls it a notice.
    says(
        "[Mon Nov 30 05:27:11.210067 2026] [core:notice] [pid 1:tid 1] AH00052: child pid 17 exit signal Segmentation fault (11)",
        Some(Error),
        "05:27:11 notice AH00052: child pid 17 exit signal Segmentation fault (11)",
    );
    says(
        "[Mon Nov 30 05:27:11.210067 2026] [core:error] [pid 9:tid 9] (13)Permission denied: [client 10.0.0.1:5] AH00035: access to / denied",
        Some(Error),
        "05:27:11 error  (13)Permission denied: AH00035: access to / denied  10.0.0.1:5",
    );
    says(
        "[Mon Nov 30 05:27:11.210067 2026] [proxy_fcgi:error] [pid 9:tid 9] [client 10.0.0.1:5] AH01071: Got error 'PHP message: PHP Warning:  x in /var/www/html/a.php on line 3'",
        Some(Warning),
        "05:27:11 warn   x in a.php:3  10.0.0.1:5",
    );
    says(
        "[Mon Nov 30 05:27:11 2026] [error] [client 10.0.0.1] [my tag] of an old one",
        Some(Error),
        "05:27:11 error  [my tag] of an old one  10.0.0.1",
    );
}

#[test]
fn what_nginx_says() {
    says(
        r#"2026/11/30 05:27:11 [error] 8#8: *1 open() "/usr/share/nginx/html/nothere" failed (2: No such file or directory), client: 172.17.0.1, server: localhost, request: "GET /nothere HTTP/1.1", host: "172.17.0.3""#,
        Some(Error),
        r#"05:27:11 error  open() "/usr/share/nginx/html/nothere" failed (2: No such file or directory)  GET /nothere  172.17.0.1"#,
    );
    says(
        "2026/11/30 05:27:08 [notice] 1#1: start worker process 8",
        None,
        "05:27:08 notice start worker process 8",
    );
    says(
        r#"2026/11/30 05:27:11 [error] 8#8: *1 FastCGI sent in stderr: "PHP message: PHP Fatal error:  Uncaught Error: x in /var/www/html/a.php:3" while reading response header from upstream, client: 10.0.0.1, server: s, request: "GET / HTTP/1.1", upstream: "fastcgi://u:9000""#,
        Some(Error),
        "05:27:11 error  Uncaught Error: x in a.php:3  GET /  10.0.0.1",
    );
}

#[test]
fn what_php_says_alone() {
    says(
        "[30-Nov-2026 05:27:12 UTC] PHP Fatal error:  Uncaught Error: Call to undefined function work() in Command line code:1",
        Some(Error),
        "05:27:12 error  Uncaught Error: Call to undefined function work() in Command line code:1",
    );
    says(
        "PHP Deprecated:  Old thing in /srv/a.php on line 9",
        Some(Warning),
        " deprec Old thing in /srv/a.php:9",
    );
    says(
        "[30-Nov-2026 05:27:12] NOTICE: ready to handle connections",
        None,
        "05:27:12 notice ready to handle connections",
    );
    says(
        r#"[30-Nov-2026 05:27:12] WARNING: [pool www] child 7 said into stderr: "NOTICE: PHP message: PHP Warning:  x in /var/www/html/a.php on line 3""#,
        Some(Warning),
        "05:27:12 warn   x in a.php:3",
    );
    says(
        "[30-Nov-2026 05:27:12 UTC] the site cannot reach its shop",
        Some(Warning),
        "05:27:12 the site cannot reach its shop",
    );
}

#[test]
fn what_programs_say_in_json() {
    says(
        r#"{"time":"2026-11-30T05:27:11.123Z","level":"ERROR","msg":"no way","path":"/x","code":7}"#,
        Some(Error),
        "05:27:11 error  no way  code=7  path=/x",
    );
    // Its own level counts, not its words.
    says(
        r#"{"level":"info","ts":1795298222.7,"msg":"0 errors, no error at all"}"#,
        None,
        "21:57:02 info   0 errors, no error at all",
    );
    says(
        r#"{"level":50,"time":1795298222739,"pid":1,"hostname":"h","msg":"gone"}"#,
        Some(Error),
        "21:57:02 error  gone",
    );
    says(
        r#"{"message":"slow","context":{"ms":9},"level":300,"level_name":"WARNING","channel":"app","datetime":"2026-11-30T05:27:11+00:00"}"#,
        Some(Warning),
        r#"05:27:11 warn   slow  channel=app  context={"ms":9}"#,
    );
    says(r#"{"event":"oom-killed"}"#, Some(Error), " oom-killed");
}

#[test]
fn other_lines_are_left_alone() {
    for line in [
        "",
        "[",
        "[] []",
        "[error] x",
        "[Mon Nov 30 05:27:11 2026] [no level] x",
        "[info] [x] y",
        "2026/11/30",
        "2026/11/30 05:27:11",
        "2026/11/30 05:27:11 [error]",
        "2026-11-30 05:27:11 [error] x",
        "PHP is fun: yes",
        "PHP 8.4.28",
        "{}",
        r#"{"level":"error"}"#,
        r#"{"msg":["x"]}"#,
        "é",
        "[é-é-é 05:27:11] x",
    ] {
        assert_eq!(report(line), None, "{line}");
    }
}
