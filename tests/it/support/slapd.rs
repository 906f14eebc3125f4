//! OpenLDAP.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use super::{
    control_plane::{Leashed, free_ports, scratch_dir},
    programs::{program, run},
    wait::until,
};

/// Where every directory's tree begins.
pub const BASE: &str = "o=gpki.example";

/// Time for a directory to start. Generous, because the machine may be busy.
const START_LIMIT: Duration = Duration::from_secs(20);

/// What a directory is like.
#[derive(Default)]
pub struct Settings {
    /// More lines of `slapd.conf`.
    pub more: &'static str,
    /// More entries, in LDIF.
    pub entries: String,
    /// Certificate and key in PEM; with them it does TLS.
    pub identity: Option<(String, String)>,
}

/// A running directory. It ends with the value.
pub struct Slapd {
    pub plain: SocketAddr,
    /// Where it does TLS from the first byte, if it has a certificate.
    pub secure: SocketAddr,
    pub process: Leashed,
    _dir: TempDir,
}

impl Slapd {
    /// Starts a directory and waits until it takes connections.
    pub async fn start(settings: Settings) -> Self {
        // Another process may take a port between finding and using it.
        for _ in 0..3 {
            let dir = scratch_dir();
            let configuration = configure(dir.path(), &settings);
            let [plain, secure] = free_ports().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            let urls = match settings.identity {
                Some(_) => format!("ldap://{plain}/ ldaps://{secure}/"),
                None => format!("ldap://{plain}/"),
            };
            // At this level it stays in the foreground and says what it cannot do.
            let arguments = ["-d", "none", "-f", &configuration, "-h", &urls].map(str::to_owned);
            let log = dir.path().join("log");
            let process = Leashed::start(Path::new(""), &program("slapd"), &arguments, &log);
            let listens = until("slapd takes connections", START_LIMIT, async || {
                let answers = TcpStream::connect(plain).is_ok();
                (answers || !process.runs()).then_some(answers && process.runs())
            });
            if listens.await {
                return Self { plain, secure, process, _dir: dir };
            }
        }
        panic!("slapd ended three times before it took connections");
    }
}

/// Writes `slapd.conf` and fills the database; returns the path.
fn configure(dir: &Path, settings: &Settings) -> String {
    let home = dir.display();
    let mut text = format!(
        "include /etc/ldap/schema/core.schema\npidfile {home}/pid\nargsfile {home}/args\n\
         modulepath /usr/lib/ldap\nmoduleload back_mdb\n{}\n",
        settings.more
    );
    if let Some((certificate, key)) = &settings.identity {
        std::fs::write(dir.join("tls.crt"), certificate).unwrap();
        std::fs::write(dir.join("tls.key"), key).unwrap();
        text += &format!("TLSCertificateFile {home}/tls.crt\nTLSCertificateKeyFile {home}/tls.key\n");
    }
    text += &format!("database mdb\nsuffix \"{BASE}\"\ndirectory {home}\ndbnosync\n");
    let file = dir.join("slapd.conf");
    std::fs::write(&file, text).unwrap();
    let root = format!("dn: {BASE}\nobjectClass: organization\no: gpki.example\n\n{}", settings.entries);
    let mut fill = Command::new(program("slapadd"));
    fill.args(["-q", "-f"]).arg(&file);
    run(&mut fill, &root).unwrap_or_else(|complaint| panic!("slapadd: {complaint}"));
    file.display().to_string()
}
