//! Where the ledger is kept.

mod kube;
mod memory;
mod metered;

pub use kube::{KubeLedger, object_name};
pub use memory::MemoryLedger;
pub use metered::MeteredLedger;
