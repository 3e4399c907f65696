//! What the router's answers to requests say about its routes. The router marks its own pages with
//! the header `X-Ostler` and takes that header from every site's answer, so the two cannot be taken
//! for each other.

use std::collections::BTreeMap;

use super::RouterError;
use super::table::Maps;

/// A domain that is routed as wanted, and whose site gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    pub domain: String,
    /// Why, in words.
    pub why: &'static str,
}

/// The name that is asked for: of those that `*.` stands for, one that nobody has.
pub fn name(domain: &str) -> String {
    match domain.strip_prefix("*.") {
        Some(parent) => format!("ostler-asks.{parent}"),
        None => domain.to_owned(),
    }
}

/// Reads the lines `STATUS MARK URL` for `domains` and compares each with what `wanted` says.
pub fn judge(
    wanted: &Maps,
    domains: &[String],
    output: &str,
) -> Result<Vec<Unanswered>, RouterError> {
    let answers: BTreeMap<&str, (u16, &str)> = output.lines().filter_map(line).collect();
    let mut unanswered = Vec::new();
    for domain in domains {
        // A line that is missing is an answer that did not come.
        let (status, mark) = answers
            .get(name(domain).as_str())
            .copied()
            .unwrap_or((0, ""));
        let expected = expectation(wanted, domain);
        match verdict(expected, status, mark) {
            Verdict::Right => {}
            Verdict::Silent(why) => unanswered.push(Unanswered {
                domain: domain.clone(),
                why,
            }),
            Verdict::Wrong => {
                let got = match (status, mark) {
                    (0, _) => "nothing".to_owned(),
                    (_, "") => format!("status {status} from a site"),
                    _ => format!("its own page \"{mark}\" (status {status})"),
                };
                return Err(RouterError::Wrong {
                    domain: domain.clone(),
                    got,
                    wanted: expected.words(),
                });
            }
        }
    }
    Ok(unanswered)
}

fn line(line: &str) -> Option<(&str, (u16, &str))> {
    let mut words = line.splitn(3, ' ');
    let status = words.next()?.parse().ok()?;
    let mark = words.next()?;
    let domain = words.next()?.strip_prefix("http://")?;
    Some((domain.trim_end_matches('/'), (status, mark)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expectation {
    Unknown,
    Redirect,
    Stopped,
    Site,
}

impl Expectation {
    fn words(self) -> &'static str {
        match self {
            Expectation::Unknown => "the page for unknown domains",
            Expectation::Redirect => "a redirect",
            Expectation::Stopped => "the page for stopped sites",
            Expectation::Site => "its site's answer",
        }
    }
}

fn expectation(wanted: &Maps, domain: &str) -> Expectation {
    let Some(site) = wanted.domains.get(domain) else {
        return Expectation::Unknown;
    };
    if wanted.redirects.contains_key(domain) {
        return Expectation::Redirect;
    }
    match wanted.routes.get(site) {
        Some(route) if !route.starts_with("stopped|") => Expectation::Site,
        _ => Expectation::Stopped,
    }
}

enum Verdict {
    Right,
    Silent(&'static str),
    Wrong,
}

fn verdict(expected: Expectation, status: u16, mark: &str) -> Verdict {
    let right = |it| if it { Verdict::Right } else { Verdict::Wrong };
    match expected {
        Expectation::Unknown => right(mark == "unknown-domain"),
        Expectation::Stopped => right(mark == "stopped"),
        Expectation::Redirect => right(mark.is_empty() && status == 301),
        Expectation::Site => match mark {
            "" if status == 0 => Verdict::Silent("no answer in time"),
            // Its own page for loops has lost its mark on the way out.
            "" if status == 508 => Verdict::Silent("what it leads to sends requests back here"),
            // A site at its limit of connections is there.
            "" | "limit" => Verdict::Right,
            "unreachable" => Verdict::Silent("nothing takes connections there"),
            "unresolved" => Verdict::Silent("the name it leads to has no address"),
            "no-answer" => Verdict::Silent("no answer in time"),
            "broken-answer" => Verdict::Silent("what it answers is not HTTP"),
            _ => Verdict::Wrong,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Maps {
        let map = |entries: &[(&str, &str)]| {
            let entries = entries.iter();
            entries
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect()
        };
        Maps {
            domains: map(&[
                ("a.example", "a"),
                ("b.example", "b"),
                ("r.example", "a"),
                ("*.a.example", "a"),
            ]),
            routes: map(&[("a", "ip|10.90.0.10|80|5"), ("b", "stopped|||5")]),
            redirects: map(&[("r.example", "keep|https://a.example")]),
            ..Maps::default()
        }
    }

    fn judged(domain: &str, answer: &str) -> Result<Vec<Unanswered>, String> {
        let output = match answer {
            "" => String::new(),
            answer => format!("{answer} http://{}/\n", name(domain)),
        };
        judge(&wanted(), &[domain.to_owned()], &output).map_err(|e| e.to_string())
    }

    #[test]
    fn answers_as_the_routes_say() {
        for (domain, answer) in [
            ("a.example", "200 "),
            ("a.example", "404 "),
            ("a.example", "503 limit"),
            ("*.a.example", "200 "),
            ("b.example", "503 stopped"),
            ("r.example", "301 "),
            ("gone.example", "404 unknown-domain"),
        ] {
            assert_eq!(judged(domain, answer), Ok(vec![]), "{domain} {answer}");
        }
    }

    #[test]
    fn answers_that_contradict_the_routes() {
        for (domain, answer) in [
            ("a.example", "404 unknown-domain"),
            ("a.example", "503 stopped"),
            ("b.example", "200 "),
            ("b.example", ""),
            ("r.example", "200 "),
            ("gone.example", "200 "),
            ("gone.example", "404 "),
        ] {
            let error = judged(domain, answer).unwrap_err();
            assert!(error.contains(domain), "{error}");
        }
    }

    #[test]
    fn silence_of_a_site_is_not_the_routers_fault() {
        for answer in ["503 unreachable", "504 no-answer", "508 ", "000 ", ""] {
            let silent = judged("a.example", answer).unwrap();
            assert_eq!(silent[0].domain, "a.example");
        }
    }
}
