//! The files of a directory over time: what each one held when it was last good.

use std::collections::{BTreeMap, BTreeSet};

use crate::ports::ObjectRef;

use super::{
    admission::Admission,
    finding::Finding,
    object::{Entry, duplicate},
    reader::{Content, read},
    source::{Source, SourceError},
};

/// What a look at the directory changed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Taken {
    /// Something was taken over.
    pub changed: bool,
    /// Something is different and must be seen once more before it counts.
    pub unsettled: bool,
}

/// One file.
#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    /// What the file held when it was last good; at the start, what of it is good.
    entries: Vec<Entry>,
    /// What is wrong with it now.
    now: Content,
}

/// The files of a directory. A change counts only once two looks in a row saw the same bytes, so that a file that is
/// just being written is left alone; and a file that turned bad keeps what it held when it was last good.
#[derive(Debug)]
pub struct Files {
    admission: Admission,
    kept: BTreeMap<String, Kept>,
    /// Seen once. `None`: gone.
    waiting: BTreeMap<String, Option<Vec<u8>>>,
    unreadable: Vec<Finding>,
}

impl Files {
    /// What the directory holds at the start. It is taken as it is: there is nothing older to go on with.
    #[must_use]
    pub fn new(admission: Admission, sources: Vec<Source>, unreadable: &[SourceError]) -> Self {
        let mut files =
            Self { admission, kept: BTreeMap::new(), waiting: BTreeMap::new(), unreadable: Vec::new() };
        files.unreadable = unreadable.iter().map(cannot_be_read).collect();
        sources.into_iter().for_each(|source| files.accept(source));
        files
    }

    /// Takes over what changed since the last look. While anything cannot be read, nothing counts as gone.
    pub fn take(&mut self, sources: Vec<Source>, unreadable: &[SourceError]) -> Taken {
        let findings: Vec<_> = unreadable.iter().map(cannot_be_read).collect();
        let mut taken = Taken { changed: findings != self.unreadable, unsettled: false };
        self.unreadable = findings;
        let there: BTreeSet<String> = sources.iter().map(|source| source.name.clone()).collect();
        for source in sources {
            if self.kept.get(&source.name).is_some_and(|kept| kept.bytes == source.bytes) {
                self.waiting.remove(&source.name);
            } else if self.settled(&source.name, Some(&source.bytes), &mut taken) {
                self.accept(source);
            }
        }
        let gone = self.kept.keys().filter(|name| !there.contains(*name)).cloned();
        let gone: Vec<_> = if unreadable.is_empty() { gone.collect() } else { Vec::new() };
        for name in gone {
            if self.settled(&name, None, &mut taken) {
                self.kept.remove(&name);
            }
        }
        taken
    }

    /// Whether the same was seen at the last look.
    fn settled(&mut self, name: &str, bytes: Option<&[u8]>, taken: &mut Taken) -> bool {
        let same = self.waiting.remove(name).is_some_and(|before| before.as_deref() == bytes);
        match same {
            true => taken.changed = true,
            false => {
                taken.unsettled = true;
                self.waiting.insert(name.to_owned(), bytes.map(<[u8]>::to_vec));
            }
        }
        same
    }

    fn accept(&mut self, source: Source) {
        let mut now = read(&self.admission, &source);
        let before = self.kept.remove(&source.name).map(|kept| kept.entries).unwrap_or_default();
        // Editors and copies empty a file before they fill it; who means it deletes the file.
        if now.entries.is_empty() && !now.has_errors() && !before.is_empty() {
            let message =
                format!("holds no object any more: what it held is kept ({} objects)", before.len());
            now.findings
                .push(Finding::error(&source.name, message).with_remedy("delete the file to remove them"));
        }
        let entries = match now.has_errors() && !before.is_empty() {
            true => before,
            false => std::mem::take(&mut now.entries),
        };
        self.kept.insert(source.name, Kept { bytes: source.bytes, entries, now });
    }

    /// Every object that counts, and everything that is wrong. Of two objects with the same name the one in the file
    /// that comes first by name counts.
    #[must_use]
    pub fn all(&self) -> (Vec<&Entry>, Vec<Finding>) {
        let mut first: BTreeMap<ObjectRef, &Entry> = BTreeMap::new();
        let mut entries = Vec::new();
        let mut findings = self.unreadable.clone();
        for kept in self.kept.values() {
            findings.extend(kept.now.findings.iter().cloned());
            for entry in &kept.entries {
                match first.get(&entry.object.reference()) {
                    Some(before) => findings.push(duplicate(entry, before)),
                    None => {
                        first.insert(entry.object.reference(), entry);
                        entries.push(entry);
                    }
                }
            }
        }
        (entries, findings)
    }

    /// Every object that is refused, with the first thing that is wrong.
    pub fn invalid(&self) -> impl Iterator<Item = &(ObjectRef, String)> {
        self.kept.values().flat_map(|kept| &kept.now.invalid)
    }
}

fn cannot_be_read(error: &SourceError) -> Finding {
    Finding::error(&error.name, format!("cannot be read: {}", error.cause()))
}
