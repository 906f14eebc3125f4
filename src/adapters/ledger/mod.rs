//! Where the ledger is kept.

mod kube;
mod memory;
mod metered;

pub use kube::KubeLedger;
pub use memory::MemoryLedger;
pub use metered::MeteredLedger;
