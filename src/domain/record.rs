//! What the ledger keeps of a service.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Epoch, RegionName, RunId, Timestamp, Trigger};

/// Who serves, under which epoch, and what is going on. Written only by compare-and-set.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Fencing epoch.
    pub epoch: Epoch,
    /// Regions that serve under it. Never empty (I3).
    pub serving: BTreeSet<RegionName>,
    /// Members that a move took away and that have not come back, and why. Only those taken away by Bongsu come back
    /// by themselves.
    #[serde(default)]
    pub away: BTreeMap<RegionName, Trigger>,
    /// When `serving` changed.
    pub changed_at: Timestamp,
    /// When the last automatic move was completed. Arms the cooldown.
    #[serde(default)]
    pub last_automatic: Option<Timestamp>,
    /// The run that is going on.
    #[serde(default)]
    pub run: Option<RunId>,
    /// Nobody may write: a move waits until the gate of who wrote has shut. Until the epoch is raised, or the move is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fenced: bool,
}

impl Record {
    /// The record after a change of who serves.
    #[must_use]
    pub fn moved(
        &self,
        epoch: Epoch,
        serving: &BTreeSet<RegionName>,
        trigger: Trigger,
        now: Timestamp,
    ) -> Self {
        let mut away = self.away.clone();
        away.extend(self.serving.difference(serving).map(|region| (region.clone(), trigger)));
        away.retain(|region, _| !serving.contains(region));
        Self { epoch, serving: serving.clone(), away, changed_at: now, fenced: false, ..self.clone() }
    }
}
