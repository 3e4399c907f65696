//! `ostler completions SHELL`

use clap_complete::Shell;

use super::out::Out;
use super::{Exit, Failure, options};

/// Writes the completion script of a shell.
pub fn run(out: &Out, shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut options::command(), "ostler", &mut script);
    out.bytes(&script)?;
    Ok(Exit::Done)
}
