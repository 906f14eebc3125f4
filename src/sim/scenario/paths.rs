//! Which files: the scenarios that the user names, and the manifests that a scenario names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::adapters::manifests::{Source, SourceError, read_path};

/// The scenario files that were found, and what cannot be read.
#[derive(Debug, Default)]
pub struct Found {
    /// The files, in the order in which they were named; those of a directory by name.
    pub sources: Vec<Source>,
    /// What cannot be read.
    pub errors: Vec<SourceError>,
}

/// Finds scenarios: files, and the `.yaml` and `.yml` files of directories. Directories inside of directories are left
/// out: they hold the manifests that the scenarios share.
#[must_use]
pub fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for path in paths {
        match if path.is_dir() { matching(path, "*.y*ml") } else { Ok(vec![path.clone()]) } {
            Ok(files) => files.iter().for_each(|file| found.read(file)),
            Err(error) => found.errors.push(SourceError::new(path, error)),
        }
    }
    found
}

impl Found {
    fn read(&mut self, path: &Path) {
        let (sources, errors) = read_path(path);
        self.sources.extend(sources);
        self.errors.extend(errors);
    }
}

/// The manifests behind one entry of `manifests`, relative to a scenario file.
///
/// # Errors
/// Nothing is there, or it cannot be read; in words for the user.
pub(super) fn manifests(scenario: &str, pattern: &str) -> Result<Vec<Source>, String> {
    let beside = Path::new(scenario).parent().unwrap_or_else(|| Path::new("")).join(pattern);
    let last = beside.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let paths = match (last.contains('*'), beside.parent()) {
        (true, Some(directory)) => {
            matching(directory, &last).map_err(|error| format!("{}: {error}", directory.display()))?
        }
        _ => vec![beside.clone()],
    };
    let mut sources = Vec::new();
    for path in &paths {
        let (read, errors) = read_path(path);
        if let Some(error) = errors.first() {
            return Err(error.to_string());
        }
        sources.extend(read);
    }
    if sources.is_empty() {
        Err(format!("{}: no manifests are there", beside.display()))
    } else {
        Ok(sources)
    }
}

/// Files in a directory whose names match, sorted.
fn matching(directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let read = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = fs::read_dir(read)?.collect::<io::Result<Vec<_>>>()?;
    let fits = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        !name.starts_with('.') && entry.path().is_file() && matches(&name, pattern)
    };
    let mut paths: Vec<PathBuf> =
        entries.iter().filter(|entry| fits(entry)).map(|entry| directory.join(entry.file_name())).collect();
    paths.sort();
    Ok(paths)
}

/// Whether a text is what a pattern says, where `*` stands for any text.
fn matches(text: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => text == pattern,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(&rest[at..], tail))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (text, pattern, fits) in [
            ("a.yaml", "*.yaml", true),
            ("a.yml", "*.y*ml", true),
            ("a.yaml", "a.yaml", true),
            ("a.yaml.bak", "*.yaml", false),
            ("b", "a*", false),
            ("", "*", true),
        ] {
            assert_eq!(matches(text, pattern), fits, "{text} {pattern}");
        }
    }
}
