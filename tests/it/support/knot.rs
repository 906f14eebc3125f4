//! Knot DNS.

use std::path::Path;

use super::dns_server::{DnsServer, SECRET_BASE64, ZONE};

/// Starts `knotd` as primary of the zone.
pub async fn start() -> DnsServer {
    DnsServer::start("/usr/sbin/knotd", configure).await
}

fn configure(dir: &Path, port: u16) -> Vec<String> {
    let home = dir.display();
    let text = format!(
        "\
server:
    rundir: \"{home}\"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: info
database:
    storage: \"{home}\"
key:
  - id: bongsu
    algorithm: hmac-sha256
    secret: {SECRET_BASE64}
  - id: reader
    algorithm: hmac-sha256
    secret: {SECRET_BASE64}
acl:
  - id: writes
    key: bongsu
    action: update
  - id: reads
    key: reader
    action: [query, transfer]
zone:
  - domain: {ZONE}
    storage: \"{home}\"
    file: zone
    acl: [writes, reads]
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: all
"
    );
    let file = dir.join("knot.conf");
    std::fs::write(&file, text).unwrap();
    vec!["--config".to_owned(), file.display().to_string()]
}
