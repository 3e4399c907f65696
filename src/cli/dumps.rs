//! Passphrases and secrets are in this process's memory: a crash does not write it to a disk.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Switches core dumps off, for programs that are run as well. Where the system refuses, the program
/// goes on all the same.
pub fn off() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, none);
    // The limit says nothing to a program that the kernel pipes dumps to; and no other program of
    // this user reads this one's memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
