//! Reading and editing a large fleet file.

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

use super::Extent;
use super::row::{Row, median, sample};
use ostler::cli::Failure;
use ostler::fleet::{self, Edit};

const ROUNDS: usize = 9;

/// Measures against a YAML reader that keeps no places and checks nothing.
pub fn measure(extent: Extent) -> Result<Vec<Row>, Failure> {
    let (sites, rounds) = (extent.sites(5000), extent.pick(ROUNDS, 1));
    let text = text(sites);
    let path = Path::new("fleet.yml");
    fleet::load(&text, path).map_err(|_| Failure::new("the fleet of this benchmark is wrong"))?;
    let mut plain = sample(rounds, || {
        let _ = black_box(serde_yaml::from_str::<serde_yaml::Value>(&text));
    });
    let mut load = sample(rounds, || {
        let _ = black_box(fleet::load(&text, path));
    });
    let edits = [Edit::AddDomain {
        site: format!("customer-{:05}", sites / 2),
        domain: "added.example".into(),
    }];
    fleet::apply_edits(&text, path, &edits).map_err(|e| Failure::of(&e))?;
    let mut edit = sample(rounds, || {
        let _ = black_box(fleet::apply_edits(&text, path, &edits));
    });
    let plain = median(&mut plain);
    let against = format!("serde_yaml alone ({:.1} MB)", text.len() as f64 / 1e6);
    let row =
        |what: &str, took| Row::times(format!("{what}, {sites} sites"), took, &against, plain);
    Ok(vec![
        row("reading and checking the fleet file", median(&mut load)),
        row("one edit, made and proved", median(&mut edit)),
    ])
}

fn text(sites: usize) -> String {
    let mut text = String::from("fleet: bench\nhosts:\n");
    for host in 0..20 {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  web{host}: {{ engine: 'ssh://ops@web{host}.example.net' }}"
        );
    }
    text.push_str("accounts:\n  alice: { email: alice@example.net }\nsites:\n");
    for site in 0..sites {
        let _ = write!(
            text,
            "  customer-{site:05}:  # since 2019\n    account: alice\n    host: web{}\n    recipe: php\n    domains: [c{site}.example, www.c{site}.example]\n    memory: 128M\n",
            site % 20
        );
    }
    text
}
