//! Who has a name: one key in the ledger for each, so that nobody has to read the records of all others.
//!
//! A name is claimed before its record is written, and asked for again afterwards. A claim whose record is not there, or has another
//! name by now, may be taken over; whoever does that looks for the record once more. So of two that are at it at the same
//! moment at most one goes on, whatever comes in between.

use serde::{Deserialize, Serialize};

use super::{SERVER, parsed, record::Record, unreachable};
use crate::ports::{Expect, Key, Ledger, LedgerError, TrafficError, Version};

/// Where the claims are.
const PREFIX: &str = "claim/";

/// Attempts when others write in between.
const ATTEMPTS: u32 = 3;

/// A claim as it stands in the ledger.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    /// The key of the record that has the name.
    record: String,
}

/// The claim of one record to its name.
pub(super) struct Claiming<'a> {
    pub ledger: &'a dyn Ledger,
    /// Where the record is, or will be.
    pub record: &'a Key,
    pub name: &'a str,
}

impl Claiming<'_> {
    /// Claims the name.
    ///
    /// # Errors
    /// `Claimed`: another record has it. `Unreachable`: the ledger did not answer.
    pub(super) async fn take(&self) -> Result<(), TrafficError> {
        for _ in 0..ATTEMPTS {
            let Some((version, holder)) = self.holder().await? else {
                if self.put(self.record, Expect::Absent).await?.is_some() {
                    return Ok(());
                }
                continue;
            };
            if holder.as_ref() == Some(self.record) {
                return Ok(());
            }
            self.refuse_if_published(holder.as_ref()).await?;
            let Some(version) = self.put(self.record, Expect::Version(version)).await? else { continue };
            // Whoever had it may have published meanwhile, and asked before this claim was there.
            if let Some(holder) = &holder
                && let Err(error) = self.refuse_if_published(Some(holder)).await
            {
                self.put(holder, Expect::Version(version)).await?;
                return Err(error);
            }
            return Ok(());
        }
        Err(TrafficError::Refused {
            server: SERVER.to_owned(),
            answer: format!("that the claim to {} changed during {ATTEMPTS} attempts", self.name),
            remedy: "find out which other services want the name".to_owned(),
        })
    }

    /// Asks once more, when the record is written.
    ///
    /// # Errors
    /// `Claimed`: another record has taken the name over, before this one was there. `Unreachable`: the ledger did not answer.
    pub(super) async fn still_holds(&self) -> Result<(), TrafficError> {
        match self.holder().await? {
            Some((_, Some(holder))) if holder == *self.record => Ok(()),
            Some((_, Some(holder))) => Err(claimed(owner(&holder))),
            _ => Err(claimed("nobody: somebody has removed the claim, trying again".to_owned())),
        }
    }

    /// Gives the name back, for another one was taken.
    ///
    /// # Errors
    /// `Unreachable`: the ledger did not answer.
    pub(super) async fn give_back(&self) -> Result<(), TrafficError> {
        match self.holder().await? {
            Some((version, Some(holder))) if holder == *self.record => {
                match self.ledger.delete(&self.key(), version).await {
                    Ok(()) | Err(LedgerError::Conflict { .. }) => Ok(()),
                    Err(error) => Err(unreachable(error)),
                }
            }
            _ => Ok(()),
        }
    }

    fn key(&self) -> Key {
        Key::new(format!("{PREFIX}{}", self.name))
    }

    /// The record that has the name. A claim that cannot be read is nobody's: it is written anew.
    async fn holder(&self) -> Result<Option<(Version, Option<Key>)>, TrafficError> {
        let found = self.ledger.get(&self.key()).await.map_err(unreachable)?;
        Ok(found.map(|found| {
            let claim = serde_json::from_str::<Claim>(&found.value);
            (found.version, claim.ok().map(|claim| Key::new(claim.record)))
        }))
    }

    /// `None`: somebody else wrote in between.
    async fn put(&self, record: &Key, expect: Expect) -> Result<Option<Version>, TrafficError> {
        let claim = Claim { record: record.to_string() };
        let text = serde_json::to_string(&claim).unwrap_or_default();
        match self.ledger.put(&self.key(), &text, expect).await {
            Ok(version) => Ok(Some(version)),
            Err(LedgerError::Conflict { .. }) => Ok(None),
            Err(error) => Err(unreachable(error)),
        }
    }

    async fn refuse_if_published(&self, holder: Option<&Key>) -> Result<(), TrafficError> {
        let Some(holder) = holder else { return Ok(()) };
        let Some(found) = self.ledger.get(holder).await.map_err(unreachable)? else { return Ok(()) };
        let record: Record = parsed(holder, &found)?;
        if record.name == self.name { Err(claimed(record.service.to_string())) } else { Ok(()) }
    }
}

fn claimed(owner: String) -> TrafficError {
    TrafficError::Claimed { server: SERVER.to_owned(), owner }
}

/// The service in the key of a record.
fn owner(record: &Key) -> String {
    let text = record.to_string();
    let path = text.split_once('/').map_or("", |(_, path)| path);
    path.rsplit_once('/').map_or(path, |(service, _)| service).to_owned()
}

#[cfg(test)]
mod tests;
