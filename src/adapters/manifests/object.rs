//! One object of a manifest, with the place where each of its fields stands.

use std::sync::Arc;

use crate::{
    api::{Approval, Calendar, DrillRun, Failover, GradePolicy, Region, SharedService, SwitchoverDrill},
    domain::ServiceKey,
    ports::ObjectRef,
};

use super::{
    finding::Finding,
    locate::{Node, Place},
    path::FieldPath,
    secret::Secret,
    violation::Violation,
};

/// An object that passed admission.
#[derive(Clone, Debug)]
pub enum Object {
    /// A data center.
    Region(Box<Region>),
    /// A switchable function.
    Service(Box<SharedService>),
    /// Defaults and limits of one grade.
    Policy(Box<GradePolicy>),
    /// One change of who serves.
    Failover(Box<Failover>),
    /// A switchover exercise.
    Drill(Box<SwitchoverDrill>),
    /// One run of it.
    DrillRun(Box<DrillRun>),
    /// When nothing may be drilled.
    Calendar(Box<Calendar>),
    /// One person's yes.
    Approval(Box<Approval>),
    /// Keys that services refer to.
    Secret(Secret),
}

impl Object {
    /// Kind, namespace and name.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        let (kind, metadata) = match self {
            Self::Region(region) => ("Region", &region.metadata),
            Self::Service(service) => ("SharedService", &service.metadata),
            Self::Policy(policy) => ("GradePolicy", &policy.metadata),
            Self::Failover(failover) => ("Failover", &failover.metadata),
            Self::Drill(drill) => ("SwitchoverDrill", &drill.metadata),
            Self::DrillRun(run) => ("DrillRun", &run.metadata),
            Self::Calendar(calendar) => ("Calendar", &calendar.metadata),
            Self::Approval(approval) => ("Approval", &approval.metadata),
            Self::Secret(secret) => return secret.reference(),
        };
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        ObjectRef { kind, namespace: text(&metadata.namespace), name: text(&metadata.name) }
    }
}

/// Namespace and name of a service.
#[must_use]
pub fn service_key(service: &SharedService) -> ServiceKey {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    ServiceKey::new(part(&service.metadata.namespace), part(&service.metadata.name))
}

/// `SharedService gpki/gpki-verify`, or `Region daejeon`.
#[must_use]
pub fn label(object: &ObjectRef) -> String {
    match object.namespace.as_str() {
        _ if object.name.is_empty() => object.kind.to_owned(),
        "" => format!("{} {}", object.kind, object.name),
        namespace => format!("{} {namespace}/{}", object.kind, object.name),
    }
}

/// Where an object stands.
#[derive(Clone, Debug)]
pub struct Origin {
    /// File.
    pub file: Arc<str>,
    /// Line of its document, for when the fields have no places.
    pub first_line: usize,
    /// Places of the document's fields.
    pub places: Option<Arc<Node>>,
    /// Where the object stands in its document: not the root if the document is a `List`.
    pub inside: FieldPath,
}

impl Origin {
    /// Place of a field, or of the nearest thing above it.
    #[must_use]
    pub fn place(&self, path: &FieldPath) -> Place {
        let first = Place { line: self.first_line, column: 1 };
        self.places.as_ref().map_or(first, |places| places.place(&self.inside.join(path)))
    }

    /// A finding about a field of the object that stands here.
    #[must_use]
    pub fn finding(&self, object: Option<&ObjectRef>, violation: Violation) -> Finding {
        let Violation { path, message, remedy } = violation;
        let place = self.place(&path);
        Finding {
            line: Some(place.line),
            column: Some(place.column),
            object: object.map(label),
            path: Some(path),
            remedy,
            ..Finding::error(&self.file, message)
        }
    }
}

/// An object and where it stands.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The object.
    pub object: Object,
    /// Where it stands.
    pub origin: Origin,
}

impl Entry {
    /// A finding about a field of this object.
    #[must_use]
    pub fn finding(&self, violation: Violation) -> Finding {
        self.origin.finding(Some(&self.object.reference()), violation)
    }
}

/// A finding about the second of two objects with the same name.
#[must_use]
pub fn duplicate(entry: &Entry, before: &Entry) -> Finding {
    let path = FieldPath::read("metadata.name");
    let line = before.origin.place(&path).line;
    let violation = Violation::new(path, format!("stands in {}:{line} already", before.origin.file));
    entry.finding(violation).with_remedy("remove one of them, or rename it")
}
