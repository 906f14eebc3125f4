//! The member of a service in one site, as a process of its own: it answers every request with the name of its region.

use std::path::Path;

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
    let body = format!(r#"{{"result": "good", "region": "{region}"}}"#);
    let _server = Server::good_at(address.parse().unwrap(), body.leak()).await;
    std::future::pending::<()>().await;
}

/// The region in an answer of a member.
pub fn region_in(answer: &str) -> Option<&str> {
    answer.split_once(r#""region": ""#)?.1.split_once('"').map(|(region, _)| region)
}
