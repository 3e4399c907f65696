//! The machine under an engine: disk, memory and load, as the toolbox sees them.

use super::script::MACHINE;
use super::toolbox::{Toolbox, ToolboxError};
use crate::record::Machine;

/// Asks the machine. The toolbox must be running.
///
/// # Errors
/// The engine does not answer, or the toolbox cannot tell.
pub async fn read(toolbox: &Toolbox) -> Result<Machine, ToolboxError> {
    let out = toolbox
        .run(&MACHINE, &[toolbox.layout.root()], None)
        .await?;
    parse(&String::from_utf8_lossy(&out)).ok_or_else(|| ToolboxError::Garbled {
        what: "the machine's numbers".into(),
        why: "a line is missing or is no number".into(),
    })
}

fn parse(text: &str) -> Option<Machine> {
    let numbers = |word: &str| -> Option<Vec<f64>> {
        let line = text.lines().find_map(|l| l.strip_prefix(word))?;
        line.split_whitespace().map(|n| n.parse().ok()).collect()
    };
    let pair = |word: &str, unit: f64| -> Option<(u64, u64)> {
        match numbers(word)?[..] {
            [all, free] => Some(((all * unit) as u64, (free * unit) as u64)),
            _ => None,
        }
    };
    let [one, five, fifteen] = numbers("load ")?[..] else {
        return None;
    };
    Some(Machine {
        disk: pair("disk ", 1.0)?,
        // A disk without a fixed number of inodes says `-`.
        inodes: pair("inodes ", 1.0).unwrap_or_default(),
        engine_disk: pair("engine-disk ", 1.0)?,
        engine_inodes: pair("engine-inodes ", 1.0).unwrap_or_default(),
        memory: pair("memory ", 1024.0)?,
        swap: pair("swap ", 1024.0)?,
        load: [one, five, fifteen],
        uptime_s: *numbers("uptime ")?.first()? as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_the_worst_is_the_pressure() {
        let text = "disk 1000 250\ninodes 100 99\nengine-disk 9000 8000\nengine-inodes 90 80\nmemory 8000 6000\nswap 0 0\nload 1.50 0.75 0.10\nuptime 86400.12\n";
        let machine = parse(text).unwrap();
        assert_eq!(machine.disk, (1000, 250));
        assert_eq!(machine.memory, (8_192_000, 6_144_000));
        assert_eq!((machine.load[0], machine.uptime_s), (1.5, 86_400));
        assert_eq!(machine.disk_used(), 0.75);
        assert_eq!(machine.memory_used(), 0.25);
        assert_eq!(machine.pressure(4), 0.75);
        assert_eq!(machine.pressure(1), 1.5);
        let btrfs = text.replace("inodes 100 99", "inodes - -");
        assert_eq!(parse(&btrfs).unwrap().inodes, (0, 0));
        let full_of_files = text.replace("inodes 100 99", "inodes 100 2");
        assert_eq!(parse(&full_of_files).unwrap().disk_used(), 0.98);
        let full_of_images = text.replace("engine-disk 9000 8000", "engine-disk 9000 90");
        assert_eq!(parse(&full_of_images).unwrap().disk_used(), 0.99);
        assert_eq!(parse("disk 1\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn the_script_tells_what_this_machine_has() {
        let name = MACHINE.name();
        let argv = MACHINE.argv(&name, &["/"]);
        let out = std::process::Command::new(argv[0])
            .args(&argv[1..])
            .output();
        let out = String::from_utf8(out.unwrap().stdout).unwrap();
        let machine = parse(&out).unwrap_or_else(|| panic!("{out}"));
        assert!(
            machine.disk.0 > 1 << 20 && machine.memory.0 > 1 << 20,
            "{machine:?}"
        );
        assert!(machine.uptime_s > 0);
    }
}
