//! Whose name a region's is: one installation may call itself by it, and another one that does is refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use super::{
    agent::Agent,
    book::{self, Entry, SCHEMA},
};
use crate::{
    domain::Identity,
    ports::{Event, EventKind, Expect, LedgerError, ObjectRef},
};

/// Start of the name of the lease that a refused installation holds while it tries, so that the other one knows of it.
pub const REFUSED_LEASE: &str = "refused-";

/// By what an installation is known.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// Its own name; `None`: what its cluster says.
    pub installation: Option<Arc<str>>,
    /// The one whose place it takes.
    pub replaces: Option<Arc<str>>,
}

/// Which installation has a region's name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IdentityEntry {
    /// How to read it.
    pub schema: u32,
    /// Its name: the UID of its cluster's namespace `kube-system`, or what it was told.
    pub installation: Arc<str>,
}

/// The own name, as far as it is known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Own {
    /// Not asked for yet.
    #[default]
    Unasked,
    /// Whoever knows it does not answer, or nobody knows it.
    Unknown,
    /// This.
    Known(Arc<str>),
}

impl Agent {
    /// Asks for the own name until it is known. A task of its own: the API server may hang, and no lease must wait for it.
    pub(super) async fn learn_own_name(self: Arc<Self>) {
        if let Some(told) = self.settings.claim.installation.clone() {
            self.shared().own = Own::Known(told);
        }
        while !matches!(self.shared().own, Own::Known(_)) {
            let own = match self.ports.resources.installation().await {
                Ok(Some(name)) => Own::Known(name),
                Ok(None) => Own::Unknown,
                Err(error) => {
                    warn!(%error, "nobody says yet which installation this is; going on as the one that the ledger knows");
                    Own::Unknown
                }
            };
            self.shared().own = own;
            self.ports.clock.sleep(self.tenures.renewal_interval()).await;
        }
        std::future::pending().await
    }

    /// Whether somebody was asked who this is.
    pub(super) fn has_asked_for_its_name(&self) -> bool {
        self.shared().own != Own::Unasked
    }

    /// Whether this process may call itself by its region's name. While the ledger does not answer, as before.
    pub(super) async fn has_the_name(&self) -> bool {
        let own = self.shared().own.clone();
        let own = match own {
            // It cannot be told from the one that has the name, and is taken for it.
            Own::Unasked | Own::Unknown => return self.refused_by().is_none(),
            Own::Known(own) => own,
        };
        match self.owner_of_name(&own).await {
            Ok(owner) => {
                let refused = Some(owner).filter(|owner| *owner != own);
                self.note_refusal(refused.as_ref(), &own).await;
                refused.is_none()
            }
            Err(error) => {
                warn!(%error, "nobody says whose the region's name is");
                let shared = self.shared();
                shared.named && shared.refused_by.is_none()
            }
        }
    }

    /// Who has the name; it is taken if nobody has, or if whoever has it is replaced.
    async fn owner_of_name(&self, own: &Arc<str>) -> Result<Arc<str>, LedgerError> {
        let entry = Entry::Identity(self.settings.region.clone());
        let known = match self.mirror.is_ready() {
            true => self
                .mirror
                .identity(&self.settings.region)
                .map(|(version, known)| (version, (*known).clone())),
            false => book::get::<IdentityEntry>(self.ports.ledger.as_ref(), &entry).await?,
        };
        let expect = match known {
            Some((version, known)) if self.settings.claim.replaces.as_ref() == Some(&known.installation) => {
                warn!(before = %known.installation, now = %own, "takes over the region's name, as it was told to");
                Expect::Version(version)
            }
            Some((_, known)) => {
                self.shared().named = true;
                return Ok(known.installation);
            }
            None => Expect::Absent,
        };
        let value = IdentityEntry { schema: SCHEMA, installation: own.clone() };
        match book::put(self.ports.ledger.as_ref(), &entry, &value, expect, None).await {
            Ok(version) => self.mirror.wrote(&entry, version, &value),
            // Another replica was first, or another installation.
            Err(LedgerError::Conflict { .. }) => {
                let found = book::get::<IdentityEntry>(self.ports.ledger.as_ref(), &entry).await?;
                return Ok(found.map_or_else(|| own.clone(), |(_, found)| found.installation));
            }
            Err(error) => return Err(error),
        }
        self.shared().named = true;
        Ok(own.clone())
    }

    /// Tells who is refused, once, and lets the other one know for as long as it goes on.
    async fn note_refusal(&self, by: Option<&Arc<str>>, own: &Arc<str>) {
        let before = std::mem::replace(&mut self.shared().refused_by, by.cloned());
        let Some(by) = by else {
            if before.is_some() {
                info!(region = %self.settings.region, "no longer refused");
            }
            return;
        };
        let Some(text) = self.identity_trouble() else { return };
        if before.as_ref() != Some(by) {
            error!(region = %self.settings.region, installation = %own, owner = %by, "{text}");
            self.tell(self.event_on_region("RegionRefused", text)).await;
        }
        let lease = format!("{REFUSED_LEASE}{}", self.settings.region);
        let holder = Identity::new(format!("{} of installation {own}", self.settings.identity));
        if let Err(error) = self.ports.ledger.acquire(&lease, &holder, self.settings.lease_ttl).await {
            warn!(lease, %error, "the other installation is not told");
        }
    }

    /// Which installation has the name that this one was given.
    pub(super) fn refused_by(&self) -> Option<Arc<str>> {
        self.shared().refused_by.clone()
    }

    /// Why this process does nothing: another installation has its region's name. `None`: none has.
    #[must_use]
    pub fn identity_trouble(&self) -> Option<String> {
        let by = self.refused_by()?;
        let region = &self.settings.region;
        Some(format!(
            "region {region} is installation {by}, and this is another one: correct --region here; or, if this one takes \
             its place, give --replaces-installation {by}"
        ))
    }

    /// Another installation that calls itself by this region's name and was refused: its process.
    pub(super) fn rival(&self) -> Option<Identity> {
        self.mirror.holder_of(&format!("{REFUSED_LEASE}{}", self.settings.region))
    }

    /// Tells it on both sides: on this one when somebody else tries.
    pub(super) async fn look_for_rivals(&self) {
        let rival = self.rival();
        let refused = self.refused_by().is_some();
        self.ports.metrics.set_identity_conflict(refused || rival.is_some());
        let before = std::mem::replace(&mut self.shared().rival, rival.clone());
        if let Some(rival) = rival.filter(|rival| !refused && before.as_ref() != Some(rival)) {
            let text = rival_text(&rival);
            error!(region = %self.settings.region, "{text}");
            self.tell(self.event_on_region("SecondInstallation", text)).await;
        }
    }

    /// A warning on the Region of this process.
    pub(super) fn event_on_region(&self, reason: &str, note: String) -> Event {
        let name = self.settings.region.to_string();
        Event {
            object: ObjectRef { kind: "Region", namespace: String::new(), name },
            kind: EventKind::Warning,
            reason: reason.to_owned(),
            action: "Watch".to_owned(),
            note,
        }
    }
}

/// In words.
pub(super) fn rival_text(rival: &Identity) -> String {
    format!(
        "another installation calls itself by this region's name and is refused: {rival}; correct its --region"
    )
}
