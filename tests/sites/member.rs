//! The member of a service in one site, as a process of its own: it answers every request with the name of its region, and
//! what is posted to `/echo` with the same.

use std::path::Path;

use axum::{
    Router,
    body::Bytes,
    http::header::{CONNECTION, CONTENT_TYPE},
    routing::post,
};

use crate::support::{control_plane::Leashed, http_server::Server, place::Place};

/// First argument of this program when it is a member.
pub const ROLE: &str = "as-member";

/// Starts a member of a region somewhere.
pub fn start(place: &Place, region: &str, port: u16, log: &Path) -> Leashed {
    let arguments = [ROLE.to_owned(), format!("{}:{port}", place.ip), region.to_owned()];
    place.start(Path::new(""), &crate::this_program(), &arguments, log)
}

/// What such a process does until it is killed.
pub async fn run(arguments: &[String]) {
    let [address, region] = arguments else { panic!("a member needs an address and a region") };
    let body: &str = format!(r#"{{"result": "good", "region": "{region}"}}"#).leak();
    let answer = move || async move { ([(CONNECTION, "close"), (CONTENT_TYPE, "application/json")], body) };
    let echo = |body: Bytes| async { ([(CONNECTION, "close")], body) };
    let router = Router::new().route("/echo", post(echo)).fallback(answer);
    let _server = Server::axum_at(address.parse().unwrap(), router, None).await;
    std::future::pending::<()>().await;
}

/// The region in an answer of a member.
pub fn region_in(answer: &str) -> Option<&str> {
    answer.split_once(r#""region": ""#)?.1.split_once('"').map(|(region, _)| region)
}
