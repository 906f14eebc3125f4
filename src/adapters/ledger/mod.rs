//! Where the ledger is kept.

mod kube;
mod memory;

pub use kube::KubeLedger;
pub use memory::MemoryLedger;
