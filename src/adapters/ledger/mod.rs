//! Where the ledger is kept.

mod etcd;
mod known;
mod kube;
mod memory;
mod metered;

pub use etcd::{ETCD_TIMEOUT, EtcdConfig, EtcdConfigError, EtcdLedger};
pub use kube::{KubeLedger, object_name};
pub use memory::MemoryLedger;
pub use metered::MeteredLedger;

use crate::ports::{Key, LedgerError, Under};

fn not_holder(key: &Key, under: &Under) -> LedgerError {
    LedgerError::NotHolder { key: key.to_string(), lease: under.lease.to_string() }
}
