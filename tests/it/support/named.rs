//! BIND 9.

use std::path::Path;

use super::dns_server::{DnsServer, SECRET_BASE64, ZONE, ZONE_FILE};

/// Starts `named` as primary of the zone.
pub async fn start() -> DnsServer {
    start_with("allow-update { key bongsu; };").await
}

/// The same with another clause on who may update what.
pub async fn start_with(who_may: &str) -> DnsServer {
    DnsServer::start("/usr/sbin/named", |dir, port| configure(dir, port, who_may)).await
}

/// The same with more in its zone.
pub async fn start_with_records(records: &str) -> DnsServer {
    DnsServer::start("/usr/sbin/named", |dir, port| {
        std::fs::write(dir.join("zone"), [ZONE_FILE, records].concat()).unwrap();
        configure(dir, port, "")
    })
    .await
}

fn configure(dir: &Path, port: u16, who_may: &str) -> Vec<String> {
    let home = dir.display();
    let key = |name: &str| format!("key {name} {{ algorithm hmac-sha256; secret \"{SECRET_BASE64}\"; }};\n");
    let options = format!(
        "options {{ directory \"{home}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
         pid-file none; lock-file none; session-keyfile \"{home}/session.key\"; recursion no; \
         dnssec-validation no; notify no; }};\ncontrols {{ }};\n"
    );
    let zone = format!("zone \"{ZONE}\" {{ type primary; file \"{home}/zone\"; {who_may} }};\n");
    let file = dir.join("named.conf");
    std::fs::write(&file, [options, key("bongsu"), key("reader"), zone].concat()).unwrap();
    ["-f", "-g", "-4", "-n", "1", "-c", &file.display().to_string()].map(str::to_owned).to_vec()
}
