//! The operator's own folder of journals: where it is, and what it forgets.

use std::fs;
use std::path::{Path, PathBuf};

/// The file of an apply in a fleet's folder.
pub fn own_file(folder: &Path, run: &str) -> PathBuf {
    folder.join(format!("{run}.jsonl"))
}

/// The journals in a fleet's folder, oldest first: names begin with their time. None where there is
/// no folder.
///
/// # Errors
/// The folder cannot be read.
pub fn own_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let dir = match fs::read_dir(folder) {
        Ok(dir) => dir,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut files = Vec::new();
    for file in dir {
        let path = file?.path();
        if path.extension().is_some_and(|e| e == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Removes the oldest of the operator's own journals.
pub fn forget_old(folder: &Path, keep: usize) {
    let Ok(files) = own_files(folder) else {
        return;
    };
    let surplus = files.len().saturating_sub(keep);
    for old in &files[..surplus] {
        // What cannot be removed now is tried again next time.
        let _ = fs::remove_file(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_folder_does_not_grow_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..5 {
            fs::write(dir.path().join(format!("2026-{n}.jsonl")), "").unwrap();
        }
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        forget_old(dir.path(), 2);
        let mut left: Vec<String> = fs::read_dir(dir.path())
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["2026-3.jsonl", "2026-4.jsonl", "notes.txt"]);
    }
}
