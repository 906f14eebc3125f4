//! Events: what changed between two states of the same object.

use super::failover::is_alarming;
use crate::{
    api::{FailoverStatus, SharedServiceStatus},
    domain::{Run, ServiceKey},
    ports::{Event, EventKind, ObjectRef},
};

/// Longest note of an event that an API server takes: 1 kB, with room for what it adds.
const NOTE_MAX: usize = 1000;

/// What changed of a service.
pub(super) fn of_service(
    key: &ServiceKey,
    before: &SharedServiceStatus,
    now: &SharedServiceStatus,
) -> Vec<Event> {
    let object =
        ObjectRef { kind: "SharedService", namespace: key.namespace.to_string(), name: key.name.to_string() };
    let event = |kind, reason: String, action: &str, note: String| Event {
        object: object.clone(),
        kind,
        reason,
        action: action.to_owned(),
        note: note.chars().take(NOTE_MAX).collect(),
    };
    let mut events = Vec::new();
    if before.epoch.is_some() && before.serving != now.serving {
        let note = format!("epoch {}: {} serves", now.epoch.unwrap_or_default(), now.serving.join(", "));
        events.push(event(EventKind::Normal, "ServingChanged".to_owned(), "Move", note));
    }
    for member in &now.members {
        let old = before.members.iter().find(|m| m.region == member.region).map(|m| m.health.as_str());
        if old.unwrap_or("Unknown") != member.health {
            let kind = if member.health == "Healthy" { EventKind::Normal } else { EventKind::Warning };
            let seen: Vec<String> = member
                .vantages
                .iter()
                .map(|v| match &v.reason {
                    Some(reason) => format!("{} says {} ({reason})", v.vantage, v.verdict),
                    None => format!("{} says {}", v.vantage, v.verdict),
                })
                .collect();
            let diagnosis = member.diagnosis.iter().map(|diagnosis| diagnosis.message.clone());
            let words: Vec<String> = diagnosis.chain(seen).collect();
            let note = format!("{} is {}: {}", member.region, member.health, words.join("; "));
            events.push(event(kind, format!("Member{}", member.health), "Judge", note));
        }
    }
    let outcome = |status: &SharedServiceStatus| status.next_move.as_ref().map(|next| next.outcome.clone());
    if let Some(next) = now.next_move.as_ref().filter(|_| outcome(before) != outcome(now)) {
        let kind = if next.outcome == "Ready" { EventKind::Normal } else { EventKind::Warning };
        events.push(event(kind, format!("Failover{}", next.outcome), "Decide", next.message.clone()));
    }
    let promised = |status: &SharedServiceStatus| status.fence.as_ref().is_some_and(|fence| fence.promised);
    if let Some(fence) = now.fence.as_ref().filter(|_| promised(before) != promised(now)) {
        let (kind, reason) = match fence.promised {
            true => (EventKind::Warning, "WriterPromised"),
            false => (EventKind::Normal, "WriterPromiseOver"),
        };
        events.push(event(kind, reason.to_owned(), "Promise", fence.message.clone()));
    }
    for condition in &now.conditions {
        // A move changes who is ready for the next one, and what is not ready has an alert of its own.
        let told_otherwise = matches!(
            condition.type_.as_str(),
            "FailoverReady" | "Reconciling" | "Ready" | "ReadyToSwitch" | "Stalled"
        );
        let old = before.conditions.iter().find(|c| c.type_ == condition.type_).map(|c| c.status.as_str());
        if told_otherwise || old == Some(condition.status.as_str()) || condition.status == "Unknown" {
            continue;
        }
        let good = condition.status == "True";
        if good && old.is_none() {
            continue;
        }
        let kind = if good { EventKind::Normal } else { EventKind::Warning };
        let reason = format!("{}{}", condition.type_, condition.status);
        events.push(event(kind, reason, "Judge", condition.message.clone()));
    }
    events
}

/// What changed of a Failover: one event for each phase.
pub(super) fn of_failover(run: &Run, before: &FailoverStatus, now: &FailoverStatus) -> Option<Event> {
    if before.phase == now.phase {
        return None;
    }
    let phase = now.phase.map(|phase| format!("{phase:?}")).unwrap_or_default();
    let kind = if is_alarming(run) { EventKind::Warning } else { EventKind::Normal };
    let change = format!("{} → {} under epoch {}", now.from.join(", "), now.to.join(", "), run.plan.epoch);
    let note = format!("{change}: {}", now.message.clone().unwrap_or_default());
    Some(Event {
        object: ObjectRef {
            kind: "Failover",
            namespace: run.service.namespace.to_string(),
            name: run.id.to_string(),
        },
        kind,
        reason: phase,
        action: run.plan.change.trigger.as_str().to_owned(),
        note: note.chars().take(NOTE_MAX).collect(),
    })
}
