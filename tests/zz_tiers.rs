//! Says at the end of `cargo test` which tiers ran, and fails when `OSTLER_REQUIRE` names one that
//! did not. Cargo runs test binaries by name; this one is named to be the last.

#[path = "common/tier.rs"]
mod tier;

fn main() {
    // Asked for its list of tests, or for one test by name, it has none.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|a| a == "--list") {
        println!("0 tests, 0 benchmarks");
        return;
    }
    let tiers = [
        ("pure", Ok(())),
        ("sim", Ok(())),
        ("engine", tier::find_engine().map(drop)),
        ("fleet", tier::find_fleet().map(drop)),
        ("acme", tier::find_acme().map(drop)),
        ("terminal", tier::find_terminal()),
    ];
    println!("\ntiers of this run:");
    for (name, found) in &tiers {
        match found {
            Ok(()) => println!("  {name:9} ran"),
            Err(why) => println!("  {name:9} left out: {why}"),
        }
    }
    let mut failed = false;
    for name in tier::required() {
        match tiers.iter().find(|(n, _)| *n == name) {
            Some((_, Ok(()))) => {}
            Some((_, Err(why))) => {
                eprintln!("OSTLER_REQUIRE: the tier {name} is required and cannot run: {why}");
                failed = true;
            }
            None => {
                eprintln!("OSTLER_REQUIRE: there is no tier {name:?}");
                failed = true;
            }
        }
    }
    println!();
    if failed {
        std::process::exit(1);
    }
}
