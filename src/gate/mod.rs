//! The gate of a writer. A lease alone fences nothing: if the process that should stop the writer dies or is frozen, the
//! lease runs out and the writer writes on. The gate holds the lease itself and stands in the way of the writer, around
//! it or before it, so that nothing is written an instant longer than the lease lasts, whatever becomes of Bongsu, of the
//! network and of the API server (ADR 11). It needs the ledger and nothing else.

mod door;
mod guard;
mod keeper;
mod promised;
mod proxy;
mod standing;
mod supervisor;
mod watchdog;

pub use door::{Door, Inside, Opening};
pub use guard::{guard, launch};
pub use keeper::Keeper;
pub use promised::Promised;
pub use proxy::Proxy;
pub use standing::{Renewals, Rounds, Said, Standing};
pub use supervisor::Supervisor;
