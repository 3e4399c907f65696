//! What a script that was run leaves.

use crate::engine::ExecOutput;

pub(super) fn done(stdout: impl Into<Vec<u8>>) -> ExecOutput {
    ExecOutput {
        code: 0,
        stdout: stdout.into(),
        stderr: Vec::new(),
    }
}

pub(super) fn failed(code: i64, words: impl Into<String>) -> ExecOutput {
    ExecOutput {
        code,
        stdout: Vec::new(),
        stderr: format!("{}\n", words.into()).into_bytes(),
    }
}
