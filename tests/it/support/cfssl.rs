//! CFSSL, whose OCSP is Go's: answers are signed beforehand and served by serial number (RFC 5019).

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::Value;
use tokio::net::TcpStream;

use super::{
    authority::{Authority, Issued},
    control_plane::Leashed,
    dns_server::free_port,
    programs::{program, run},
    wait::until,
};

/// `cfssl ocspserve` on this host. It ends with the value.
pub struct Cfssl {
    pub address: SocketAddr,
    _process: Leashed,
}

impl Cfssl {
    /// Serves what this certificate signs now about the authority's serial numbers: `good`, `revoked` or `unknown`. It is good
    /// for so long, such as `96h`, from the last full hour on.
    pub async fn serve(
        authority: &Authority,
        signer: &Issued,
        lasts: &str,
        statuses: &[(&str, &str)],
    ) -> Self {
        let answers: Vec<String> = statuses
            .iter()
            .map(|(serial, status)| answer(authority, signer, lasts, serial, status))
            .collect();
        let file = authority.path("answers.txt");
        fs::write(&file, answers.join("\n")).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let arguments = [
            "ocspserve".to_owned(),
            format!("-address={}", address.ip()),
            format!("-port={}", address.port()),
            format!("-responses={}", file.display()),
        ];
        let log = authority.path("cfssl.log");
        let process = Leashed::start(Path::new(""), &program("cfssl"), &arguments, &log);
        until("cfssl listens", Duration::from_secs(20), async || TcpStream::connect(address).await.ok())
            .await;
        Self { address, _process: process }
    }
}

/// One answer in base64. CFSSL wants to see the certificate that it is about, so one is made.
fn answer(authority: &Authority, signer: &Issued, lasts: &str, serial: &str, status: &str) -> String {
    authority.openssl(&format!(
        "req -x509 -CA ca.pem -CAkey ca.key -key ca.key -subj /CN=citizen -set_serial 0x{serial} -out citizen.pem"
    ));
    let mut command = Command::new(program("cfssl"));
    command.args(["ocspsign", "-status", status, "-interval", lasts]);
    // Its own default is a reason that it refuses.
    command.args(["-reason", "keycompromise"]);
    for (flag, file) in [
        ("-ca", &authority.path("ca.pem")),
        ("-cert", &authority.path("citizen.pem")),
        ("-responder", &signer.certificate),
        ("-responder-key", &signer.key),
    ] {
        command.arg(flag).arg(file);
    }
    let said: Value = serde_json::from_str(&run(&mut command, "").unwrap()).unwrap();
    said["ocspResponse"].as_str().unwrap_or_else(|| panic!("no answer from cfssl: {said}")).to_owned()
}
