//! Leases on `coordination.k8s.io/v1`.
//!
//! Taking over names the version that was judged, so a renewal in between wins.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, ResourceExt,
    api::{ListParams, ObjectMeta},
};

use super::{super::known::Known, names::object_name, parameters};
use crate::{
    domain::{Identity, LeaseMark, Term, Tick},
    ports::{Clock, LeaseState},
};

/// Says that a `Lease` is one of Bongsu's.
const LABEL: (&str, &str) = ("bongsu.io/ledger", "lease");

/// The lease's name as Bongsu says it; the object's name may be a shortened form.
const NAME: &str = "bongsu.io/lease";

/// Used for a record without a duration, which Bongsu never writes: four times its usual 15 s, to be on the safe side.
const TTL_UNKNOWN: Duration = Duration::from_secs(60);

/// A release that collides with a renewal of ours on its way; more than one of those cannot be.
const RELEASE_ATTEMPTS: usize = 3;

type Result<T> = std::result::Result<T, kube::Error>;

/// The leases in one namespace.
pub(super) struct Leases {
    api: Api<Lease>,
    clock: Arc<dyn Clock>,
    /// Of a lease of ours the record as we wrote it last: renewing it needs no read before. If somebody else wrote since,
    /// its version is old and the API server refuses.
    known: Known<Lease>,
}

impl Leases {
    pub(super) fn new(api: Api<Lease>, clock: Arc<dyn Clock>) -> Self {
        Self { api, known: Known::new(clock.clone()), clock }
    }

    /// Takes or renews a lease; its term if it is ours.
    pub(super) async fn acquire(
        &self,
        lease: &str,
        holder: &Identity,
        ttl: Duration,
    ) -> Result<Option<Term>> {
        let ours = self.known.ours(lease);
        if let Some(ours) = ours.filter(|ours| holder_of(ours).as_ref() == Some(holder)) {
            let term = self.write(lease, self.held(lease, ours, holder, ttl)).await?;
            if term.is_some() {
                return Ok(term);
            }
            self.known.forget(lease);
        }
        let asked = self.known.tick();
        let Some(found) = self.api.get_opt(&lease_name(lease)).await? else {
            return self.create(lease, holder, ttl).await;
        };
        if self.is_held_by_another(lease, &found, holder, asked) {
            return Ok(None);
        }
        self.write(lease, self.held(lease, found, holder, ttl)).await
    }

    /// Gives a lease back if it is ours.
    pub(super) async fn release(&self, lease: &str, holder: &Identity) -> Result<()> {
        self.known.remove(lease);
        for _ in 0..RELEASE_ATTEMPTS {
            let found = self.api.get_opt(&lease_name(lease)).await?;
            let Some(mut found) = found.filter(|found| holder_of(found).as_ref() == Some(holder)) else {
                return Ok(());
            };
            if let Some(spec) = found.spec.as_mut() {
                spec.holder_identity = None;
            }
            match self.api.replace(&lease_name(lease), &parameters(), &found).await {
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                answer => return answer.map(drop),
            }
        }
        Ok(())
    }

    /// Whether a lease is held in this term, as far as one look can tell.
    pub(super) async fn is_held(&self, lease: &str, term: Term) -> Result<bool> {
        let found = self.api.get_opt(&lease_name(lease)).await?;
        Ok(found.is_some_and(|found| holder_of(&found).is_some() && term_of(&found) == term))
    }

    /// Every lease, judged.
    pub(super) async fn all(&self) -> Result<Vec<LeaseState>> {
        let asked = self.known.tick();
        let ours = ListParams::default().labels(&format!("{}={}", LABEL.0, LABEL.1));
        let found = self.api.list(&ours).await?;
        let judged = found.items.into_iter().filter_map(|lease| {
            let name = lease.annotations().get(NAME)?.clone();
            let expired = self.expired(&name, &lease, asked);
            let holder = holder_of(&lease);
            Some(LeaseState { alive: holder.is_some() && !expired, name, holder, term: term_of(&lease) })
        });
        Ok(judged.collect())
    }

    fn is_held_by_another(&self, lease: &str, found: &Lease, holder: &Identity, asked: Tick) -> bool {
        let expired = self.expired(lease, found, asked);
        holder_of(found).is_some_and(|other| other != *holder) && !expired
    }

    fn expired(&self, lease: &str, found: &Lease, asked: Tick) -> bool {
        let mark = LeaseMark(Arc::from(found.resource_version().unwrap_or_default()));
        self.known.expired(lease, mark, ttl_of(found), asked)
    }

    async fn create(&self, lease: &str, holder: &Identity, ttl: Duration) -> Result<Option<Term>> {
        let text = |(name, value): (&str, &str)| [(name.to_owned(), value.to_owned())].into();
        let metadata = ObjectMeta {
            name: Some(lease_name(lease)),
            labels: Some(text(LABEL)),
            annotations: Some(text((NAME, lease))),
            ..ObjectMeta::default()
        };
        let new = self.held(lease, Lease { metadata, spec: None }, holder, ttl);
        let sent_at = self.known.tick();
        let answer = self.api.create(&parameters(), &new).await;
        self.written(lease, sent_at, answer)
    }

    async fn write(&self, lease: &str, record: Lease) -> Result<Option<Term>> {
        let sent_at = self.known.tick();
        let answer = self.api.replace(&lease_name(lease), &parameters(), &record).await;
        self.written(lease, sent_at, answer)
    }

    /// Remembers a record of ours; `None` if somebody else was faster.
    fn written(&self, lease: &str, sent_at: Tick, answer: Result<Lease>) -> Result<Option<Term>> {
        match answer {
            Ok(record) => {
                let term = term_of(&record);
                self.known.wrote(lease, record, sent_at);
                Ok(Some(term))
            }
            // `AlreadyExists` is a 409 as well, but not a `Conflict` to the client.
            Err(kube::Error::Api(status))
                if status.is_conflict() || status.is_already_exists() || status.is_not_found() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The record as it is when this holder has it from now on.
    fn held(&self, name: &str, mut lease: Lease, holder: &Identity, ttl: Duration) -> Lease {
        let now = Timestamp::from_millisecond(self.clock.wall().0).ok().map(MicroTime);
        let before = lease.spec.take().unwrap_or_default();
        let same =
            self.known.in_time(name, ttl) && before.holder_identity.as_deref() == Some(holder.as_str());
        let transitions = before.lease_transitions.unwrap_or(0);
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(holder.to_string()),
            lease_duration_seconds: Some(whole_seconds(ttl)),
            renew_time: now.clone(),
            acquire_time: if same { before.acquire_time } else { now },
            lease_transitions: Some(if same { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        });
        lease
    }
}

fn lease_name(lease: &str) -> String {
    object_name(&format!("bongsu-{lease}"))
}

/// Who holds it. Other clients give a lease back by an empty name.
fn holder_of(lease: &Lease) -> Option<Identity> {
    let name = lease.spec.as_ref()?.holder_identity.as_ref()?;
    (!name.is_empty()).then(|| Identity::new(name))
}

/// The API server counts by the same rule: a transition each time that the lease is taken.
fn term_of(lease: &Lease) -> Term {
    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    Term(transitions.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

fn ttl_of(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds);
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(TTL_UNKNOWN, Duration::from_secs)
}

/// Rounded up, because the record knows whole seconds only and others must not take over early.
fn whole_seconds(ttl: Duration) -> i32 {
    let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
    i32::try_from(seconds.max(1)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_rounded_up_so_that_nobody_takes_over_early() {
        let written = [1_500, 15_000, 0].map(|millis| whole_seconds(Duration::from_millis(millis)));
        assert_eq!(written, [2, 15, 1]);
    }
}
