//! What became of an apply that was cut off, added to its journals by the one that dealt with it.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::line::{Line, now};
use super::own::own_file;
use super::read::{read, read_own};
use crate::host::toolbox::{NewFile, Toolbox, ToolboxError};
use crate::record::check::is_run;

fn settled(by: &str, undone: bool) -> Line {
    Line::Settled {
        word: if undone { "undone" } else { "finished" }.to_owned(),
        by: by.to_owned(),
        at: now(),
    }
}

/// Notes in a host's journal of `run`, which was cut off, that the apply `by` dealt with it. One
/// that is not there, or has ended, stays as it is.
pub async fn settle(
    toolbox: &Toolbox,
    run: &str,
    by: &str,
    undone: bool,
) -> Result<(), ToolboxError> {
    let path = toolbox.layout.journal_file(run);
    let Some(mut found) = toolbox.read(&path).await? else {
        return Ok(());
    };
    if add_settled(&mut found, by, undone) {
        toolbox.replace(&[NewFile::new(path, 0o600, found)]).await?;
    }
    Ok(())
}

/// The same in the operator's own journal.
pub fn settle_own(folder: &Path, run: &str, by: &str, undone: bool) {
    // A host says which apply was cut off: no other file than a journal is touched for it.
    if !is_run(run) {
        return;
    }
    let path = own_file(folder, run);
    let Ok(mut found) = read_own(&path) else {
        // Another operator's, as a rule.
        return;
    };
    let before = found.len();
    if add_settled(&mut found, by, undone)
        && let Ok(mut file) = fs::OpenOptions::new().append(true).open(&path)
    {
        // The hosts say it as well.
        let _ = file.write_all(&found[before..]);
    }
}

/// Adds the line to a journal that has no end; a line that was cut short ends first.
pub(super) fn add_settled(journal: &mut Vec<u8>, by: &str, undone: bool) -> bool {
    match read(journal) {
        Some(entry) if entry.ended.is_none() && entry.settled.is_none() => {}
        _ => return false,
    }
    if journal.last() != Some(&b'\n') {
        journal.push(b'\n');
    }
    journal.extend(settled(by, undone).bytes().unwrap_or_default());
    true
}
