//! The output of simulated containers: what was printed, and a line for each visitor.

use super::clock::{SECOND, rfc3339};
use super::container::{Container, Line};
use super::program::{Program, Server};
use super::visits::{Crowd, Visit};
use super::world::World;
use crate::engine::Out;

/// The engine keeps no more of a container's output: its files are rotated.
const KEPT: usize = 20_000;

impl World {
    /// A container's lines after one time and until another, oldest first; only the last ones if
    /// so asked.
    pub fn lines(
        &self,
        container: &Container,
        after: i64,
        until: i64,
        tail: Option<usize>,
    ) -> Vec<Line> {
        let most = tail.unwrap_or(KEPT).min(KEPT);
        let mut lines = self.visitors_lines(container, after, until, most);
        let printed = container
            .log
            .iter()
            .filter(|line| line.at > after && line.at <= until);
        lines.extend(printed.cloned());
        lines.sort_by_key(|line| line.at);
        let surplus = lines.len().saturating_sub(most);
        lines.drain(..surplus);
        lines
    }

    /// Whether more lines come without anything happening.
    pub fn is_visited(&self, container: &Container) -> bool {
        match container.program {
            Program::Server(Server::Router) => !self.crowds(&container.id).is_empty(),
            Program::Server(_) => container.behaviour.rate > 0.0,
            _ => false,
        }
    }

    fn visitors_lines(
        &self,
        container: &Container,
        after: i64,
        until: i64,
        most: usize,
    ) -> Vec<Line> {
        let crowds = match container.program {
            Program::Server(Server::Router) => self.crowds(&container.id),
            Program::Server(Server::Quiet) => Vec::new(),
            Program::Server(_) => vec![(
                String::new(),
                String::new(),
                Crowd::of(self.seed, container),
            )],
            _ => Vec::new(),
        };
        let crowds: Vec<_> = crowds
            .into_iter()
            .filter(|(_, _, crowd)| crowd.rate() > 0.0)
            .collect();
        let mut lines = Vec::new();
        if crowds.is_empty() {
            return lines;
        }
        for (began, ended) in container.runs.iter().rev() {
            let from = after.max(*began);
            let to = until.min(ended.unwrap_or(until));
            let mut second = to / SECOND;
            while second >= from / SECOND && lines.len() < most {
                for (site, domain, crowd) in &crowds {
                    let visits = crowd.second(second);
                    for visit in visits
                        .iter()
                        .filter(|visit| visit.at > from && visit.at <= to)
                    {
                        lines.extend(written(container, visit, site, domain));
                    }
                }
                second -= 1;
            }
        }
        lines
    }
}

/// What a visit leaves in a log.
fn written(container: &Container, visit: &Visit, site: &str, domain: &str) -> Vec<Line> {
    let line = |stream, text: String| Line {
        at: visit.at,
        stream,
        text: text.into_bytes(),
    };
    if container.program == Program::Server(Server::Router) {
        return vec![line(Out::Out, visit.router_line(site, domain))];
    }
    let mut lines = vec![line(Out::Out, visit.apache_line())];
    if visit.status >= 500 && container.program == Program::Server(Server::Apache) {
        let date =
            chrono::DateTime::from_timestamp_nanos(visit.at).format("%a %b %d %H:%M:%S%.6f %Y");
        let words = format!(
            "[{date}] [php:error] [pid 31] [client {}] PHP Fatal error:  Uncaught RuntimeException: cannot render {} in /var/www/html/index.php:42\n",
            visit.client, visit.path
        );
        lines.push(line(Out::Err, words));
    }
    lines
}

/// Lines as the engine sends them: each in a frame, with its time if so asked.
pub fn frames(lines: &[Line], stdout: bool, stderr: bool, timestamps: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let kind: u8 = match line.stream {
            Out::Out if stdout => 1,
            Out::Err if stderr => 2,
            _ => continue,
        };
        let mut text = Vec::new();
        if timestamps {
            text.extend_from_slice(rfc3339(line.at).as_bytes());
            text.push(b' ');
        }
        text.extend_from_slice(&line.text);
        frame(kind, &text, &mut bytes);
    }
    bytes
}

/// Adds a frame.
pub fn frame(kind: u8, text: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&[kind, 0, 0, 0]);
    bytes.extend_from_slice(&(text.len() as u32).to_be_bytes());
    bytes.extend_from_slice(text);
}
