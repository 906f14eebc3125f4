//! Files, directories and standard input, as bytes with a name.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// 64 MiB: ten thousand services take about 20.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Directories in directories that are followed; a tree of manifests that is deeper is a mistake.
const MAX_DEPTH: usize = 16;

/// One file as it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The name that findings show.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A file or directory that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {source}")]
pub struct SourceError {
    /// The name that the user gave, or of the file in the directory.
    pub name: String,
    source: io::Error,
}

impl SourceError {
    /// A path that cannot be read.
    #[must_use]
    pub fn new(path: &Path, source: io::Error) -> Self {
        Self { name: path.display().to_string(), source }
    }

    /// Why, without the name.
    #[must_use]
    pub fn cause(&self) -> &io::Error {
        &self.source
    }
}

/// Reads a file, or every `.yaml`, `.yml` and `.json` file of a directory and of those in it, sorted by name. What
/// begins with a dot is left out: editors and mounted ConfigMaps keep their own files there.
#[must_use]
pub fn read_path(path: &Path) -> (Vec<Source>, Vec<SourceError>) {
    let mut found = Found::default();
    match path.is_dir() {
        true => found.directory(path, MAX_DEPTH),
        false => found.file(path),
    }
    (found.sources, found.errors)
}

/// Reads standard input to its end.
///
/// # Errors
/// It cannot be read, or is larger than any manifest.
pub fn read_stdin() -> Result<Source, SourceError> {
    let name = "stdin".to_owned();
    match limited(io::stdin().lock()) {
        Ok(bytes) => Ok(Source { name, bytes }),
        Err(source) => Err(SourceError { name, source }),
    }
}

#[derive(Default)]
struct Found {
    sources: Vec<Source>,
    errors: Vec<SourceError>,
    /// Directories that were read, so that a link to a directory above does not lead round in circles.
    seen: BTreeSet<PathBuf>,
}

impl Found {
    fn directory(&mut self, path: &Path, depth: usize) {
        match fs::canonicalize(path).map(|real| self.seen.insert(real)) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.failed(path, error),
        }
        let entries = fs::read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.failed(path, error),
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let path = entry.path();
            match fs::metadata(&path) {
                _ if hidden => {}
                Ok(kind) if kind.is_dir() && depth == 0 => {
                    self.failed(&path, io::Error::other("too many directories inside each other"));
                }
                Ok(kind) if kind.is_dir() => self.directory(&path, depth - 1),
                Ok(kind) if kind.is_file() && is_manifest(&path) => self.file(&path),
                Err(error) if is_manifest(&path) => self.failed(&path, error),
                _ => {}
            }
        }
    }

    fn file(&mut self, path: &Path) {
        match File::open(path).and_then(limited) {
            Ok(bytes) => self.sources.push(Source { name: path.display().to_string(), bytes }),
            Err(error) => self.failed(path, error),
        }
    }

    fn failed(&mut self, path: &Path, source: io::Error) {
        self.errors.push(SourceError::new(path, source));
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml" || extension == "json")
}

fn limited(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(io::Error::other(format!("larger than {MAX_BYTES} bytes: split it"))),
        false => Ok(bytes),
    }
}
