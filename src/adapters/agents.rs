//! Promises between the Bongsu of different regions without the ledger: JSON over HTTP/1.1 and mutual TLS, with an authority
//! of their own. Who shows a certificate of that authority may ask; nobody else gets an answer.

mod client;
mod credentials;
mod seat;
mod server;

pub use client::HttpAgents;
pub use credentials::{Credentials, CredentialsError};
pub use seat::DirectorySeat;
pub use server::answer;

/// Where promises are asked for.
const PROMISE: &str = "/v1/promise";

/// Where it is asked that nothing more is promised.
const WITHHOLD: &str = "/v1/withhold";
