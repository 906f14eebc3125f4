//! From the bytes of a file to its objects and everything that is wrong with it.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    api::{GROUP, VERSION},
    ports::ObjectRef,
};

use super::{
    admission::{Admission, DEFAULT_NAMESPACE},
    documents::{Document, split},
    finding::Finding,
    object::{Entry, Object, Origin},
    parse::{parse, text},
    path::FieldPath,
    schema::Kind,
    secret::Secret,
    source::Source,
    violation::{Violation, closest},
};

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Objects that can be used.
    pub entries: Vec<Entry>,
    /// Objects that cannot, with the first thing that is wrong.
    pub invalid: Vec<(ObjectRef, String)>,
    /// How many objects were refused, also those whose kind or name cannot be read.
    pub refused: usize,
    /// Everything that is wrong or worth knowing, in the order of the lines.
    pub findings: Vec<Finding>,
}

impl Content {
    /// Whether anything in the file is wrong.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }
}

/// Reads a whole file. Never fails: what cannot be read is a finding.
#[must_use]
pub fn read(admission: &Admission, source: &Source) -> Content {
    let mut reader = Reader { admission, file: Arc::from(source.name.as_str()), content: Content::default() };
    match text(source) {
        Ok(text) => split(text).into_iter().for_each(|document| reader.document(document)),
        Err(finding) => reader.content.findings.push(*finding),
    }
    reader.content.findings.sort_by_key(|finding| (finding.line, finding.column));
    reader.content
}

struct Reader<'a> {
    admission: &'a Admission,
    file: Arc<str>,
    content: Content,
}

impl Reader<'_> {
    fn document(&mut self, document: Document<'_>) {
        match parse(&self.file, document) {
            Ok((value, origin)) => self.value(value, origin),
            Err(findings) => {
                self.content.refused += 1;
                self.content.findings.extend(findings);
            }
        }
    }

    fn value(&mut self, value: Value, origin: Origin) {
        let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
        if !value.is_object() {
            let message = "a manifest is a mapping with apiVersion, kind and metadata";
            return self.unknown(&origin, [Violation::new(FieldPath::root(), message)]);
        }
        let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            let missing = ["apiVersion", "kind"].into_iter().filter(|field| text(field).is_none());
            let violation = |field| Violation::new(FieldPath::root().field(field), "is required, as text");
            return self.unknown(&origin, missing.map(violation));
        };
        match sort(&api_version, &kind) {
            Sort::Ours(kind) => self.ours(kind, value, origin),
            Sort::Secret => self.secret(&value, origin),
            Sort::List => self.list(value, &origin),
            Sort::Other(why) => self.ignored(&origin, &why),
            Sort::Mistake(violation) => self.unknown(&origin, [violation]),
        }
    }

    fn ours(&mut self, kind: Kind, value: Value, origin: Origin) {
        let reference = reference(kind.as_str(), kind.is_namespaced(), &value);
        match self.admission.admit(kind, value) {
            Ok(object) => self.content.entries.push(Entry { object, origin }),
            Err(violations) => self.refused(&origin, &reference, violations),
        }
    }

    fn secret(&mut self, value: &Value, origin: Origin) {
        let reference = reference("Secret", true, value);
        if reference.name.is_empty() {
            let violation = Violation::new(FieldPath::read("metadata.name"), "is required");
            return self.unknown(&origin, [violation]);
        }
        match Secret::read(&reference.namespace, &reference.name, value) {
            Ok(secret) => self.content.entries.push(Entry { object: Object::Secret(secret), origin }),
            Err(violations) => self.refused(&origin, &reference, violations),
        }
    }

    /// `kubectl get -o yaml` prints many objects as one `List`.
    fn list(&mut self, mut value: Value, origin: &Origin) {
        let items = FieldPath::root().field("items");
        match value.get_mut("items").map(Value::take) {
            Some(Value::Array(objects)) if origin.inside.segments().is_empty() => {
                for (index, object) in objects.into_iter().enumerate() {
                    self.value(object, Origin { inside: items.index(index), ..origin.clone() });
                }
            }
            Some(Value::Array(_)) => {
                self.unknown(origin, [Violation::new(FieldPath::root(), "a List cannot stand in a List")]);
            }
            _ => self.unknown(origin, [Violation::new(items, "is required, as a list of objects")]),
        }
    }

    fn ignored(&mut self, origin: &Origin, why: &str) {
        let violation = Violation::new(FieldPath::root(), why);
        self.content.findings.push(origin.finding(None, violation).as_note());
    }

    fn refused(&mut self, origin: &Origin, reference: &ObjectRef, violations: Vec<Violation>) {
        if let (false, Some(first)) = (reference.name.is_empty(), violations.first()) {
            let message = format!("{}: {}", first.path, first.message);
            self.content.invalid.push((reference.clone(), message));
        }
        self.content.refused += 1;
        let findings = violations.into_iter().map(|violation| origin.finding(Some(reference), violation));
        self.content.findings.extend(findings);
    }

    /// Something of which not even kind and name are sure.
    fn unknown(&mut self, origin: &Origin, violations: impl IntoIterator<Item = Violation>) {
        self.content.refused += 1;
        let findings = violations.into_iter().map(|violation| origin.finding(None, violation));
        self.content.findings.extend(findings);
    }
}

/// What to do with an object.
enum Sort {
    Ours(Kind),
    Secret,
    List,
    /// Not ours: says so.
    Other(String),
    Mistake(Violation),
}

fn sort(api_version: &str, kind: &str) -> Sort {
    let ours = format!("{GROUP}/{VERSION}");
    let known = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
    let names = Kind::ALL.map(Kind::as_str);
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let path = |field| FieldPath::root().field(field);
    match (known, api_version, kind) {
        (Some(kind), version, _) if version == ours => Sort::Ours(kind),
        (None, version, "LedgerEntry") if version == ours => {
            Sort::Other("ignored: a LedgerEntry is written only by Bongsu".to_owned())
        }
        (None, version, _) if version == ours => {
            let message = format!("{kind:?} is not a kind of {ours}: there are {}", names.join(", "));
            let violation = Violation::new(path("kind"), message);
            Sort::Mistake(match closest(kind, names) {
                Some(meant) => violation.with_remedy(format!("did you mean {meant}?")),
                None => violation,
            })
        }
        (None, "v1", "Secret") => Sort::Secret,
        (None, "v1", "List") => Sort::List,
        // `v1` and `v1alpha1` have no group: nobody else's kind is called like ours there.
        (known, ..) if group == GROUP || (known.is_some() && meant_as_ours(group)) => {
            let message = format!("{api_version:?} is not a version of {GROUP}");
            Sort::Mistake(Violation::new(path("apiVersion"), message).with_remedy(format!("write {ours}")))
        }
        _ => Sort::Other(format!("ignored: {api_version} {kind} is not read by Bongsu")),
    }
}

fn meant_as_ours(group: &str) -> bool {
    group.is_empty() || closest(group, [GROUP]).is_some()
}

/// Kind, namespace and name as the manifest says them, right or wrong.
fn reference(kind: &'static str, namespaced: bool, value: &Value) -> ObjectRef {
    let text = |field: &str| {
        let metadata = value.get("metadata").and_then(|metadata| metadata.get(field));
        metadata.and_then(Value::as_str).map(str::to_owned)
    };
    let namespace = text("namespace").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    let namespace = if namespaced { namespace } else { String::new() };
    ObjectRef { kind, namespace, name: text("name").unwrap_or_default() }
}
