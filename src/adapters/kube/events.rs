//! Events for `kubectl describe`, written beside the work and never in its way.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event as KubeEvent, EventType, Recorder, Reporter},
};
use tokio::sync::mpsc;
use tracing::warn;

use super::{
    client::{API_TIMEOUT, CallError, bounded},
    error::describe,
    index::Index,
};
use crate::{
    api::{FIELD_MANAGER, GROUP, VERSION},
    ports::{Event, EventKind},
};

/// Events that may wait. A move of a service makes fewer than ten, so this is the loss of a region with a hundred
/// services; what does not fit is in the log.
const QUEUE: usize = 1024;

/// The API server's limit for a note is 1024 bytes.
const NOTE_BYTES: usize = 1024;

/// Takes events.
pub(crate) struct Events {
    queue: mpsc::Sender<Event>,
}

impl Events {
    /// The entrance, and the work behind it, which the caller must run.
    pub(crate) fn new(
        client: Client,
        index: Arc<Index>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        (Self { queue }, publish_all(client, index, waiting))
    }

    /// Takes an event, or forgets it if too many wait.
    pub(crate) fn emit(&self, event: Event) {
        if let Err(refused) = self.queue.try_send(event) {
            let event = refused.into_inner();
            warn!(object = ?event.object, reason = event.reason, note = event.note, "event dropped: too many wait");
        }
    }
}

async fn publish_all(client: Client, index: Arc<Index>, mut waiting: mpsc::Receiver<Event>) {
    let recorder = Recorder::new(client, Reporter::from(FIELD_MANAGER));
    while let Some(event) = waiting.recv().await {
        let object = reference(&event, index.uid(&event.object));
        let cause = match bounded(recorder.publish(&kube_event(&event), &object)).await {
            Ok(()) => continue,
            Err(CallError::Timeout) => format!("no answer within {API_TIMEOUT:?}"),
            Err(CallError::Answer(error)) => describe(&error),
        };
        warn!(object = ?event.object, reason = event.reason, note = event.note, cause, "event not written");
    }
}

fn reference(event: &Event, uid: Option<String>) -> ObjectReference {
    let namespace = &event.object.namespace;
    ObjectReference {
        api_version: Some(format!("{GROUP}/{VERSION}")),
        kind: Some(event.object.kind.to_owned()),
        name: Some(event.object.name.clone()),
        namespace: (!namespace.is_empty()).then(|| namespace.clone()),
        uid,
        ..ObjectReference::default()
    }
}

fn kube_event(event: &Event) -> KubeEvent {
    KubeEvent {
        type_: match event.kind {
            EventKind::Normal => EventType::Normal,
            EventKind::Warning => EventType::Warning,
        },
        reason: event.reason.clone(),
        action: event.action.clone(),
        note: Some(shortened(&event.note)),
        secondary: None,
    }
}

/// The note, cut between two characters and not within one.
fn shortened(note: &str) -> String {
    if note.len() <= NOTE_BYTES {
        return note.to_owned();
    }
    let mark = "…";
    let fits = |end: &usize| note.is_char_boundary(*end);
    let end = (0..=NOTE_BYTES - mark.len()).rev().find(fits).unwrap_or_default();
    format!("{}{mark}", &note[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "절체".repeat(400);
        let cut = shortened(&long);
        assert!(cut.len() <= NOTE_BYTES && cut.ends_with('…'), "{}", cut.len());
    }
}
