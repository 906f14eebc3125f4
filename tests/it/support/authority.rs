//! A certificate authority made by `openssl` for one test: certificates, lists of revoked ones, and a responder.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tempfile::TempDir;

use super::{
    control_plane::Leashed,
    dns_server::free_port,
    programs::{program, run},
    wait::until,
};

/// Serial numbers of certificates whose status every authority knows. The requests for some have a `/` or `+` in base64.
pub const GOOD: &str = "1001";
pub const ALSO_GOOD: &str = "3FFFEFBE";
pub const REVOKED: &str = "2002";
/// One that no authority knows.
pub const UNKNOWN: &str = "7777";

/// Extensions of who answers for an authority.
pub const RESPONDER: &str = "extendedKeyUsage = OCSPSigning\nkeyUsage = digitalSignature\n";

/// The authority of one test.
pub struct Authority {
    dir: TempDir,
}

/// A certificate with its key.
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `openssl ocsp` on this host. It ends with the value.
pub struct Responder {
    pub address: SocketAddr,
    _process: Leashed,
}

impl Authority {
    /// One with a key of 2,048 bits, as the Korean certificate policy has.
    pub fn new(name: &str) -> Self {
        let authority = Self { dir: tempfile::tempdir().unwrap() };
        let lines = [
            format!("V\t401231235959Z\t\t{GOOD}\tunknown\t/CN=good"),
            format!("V\t401231235959Z\t\t{ALSO_GOOD}\tunknown\t/CN=also good"),
            format!("R\t401231235959Z\t230101000000Z\t{REVOKED}\tunknown\t/CN=revoked"),
        ];
        authority.write("index.txt", &(lines.join("\n") + "\n"));
        authority.write("crlnumber", "0A\n");
        let home = authority.path("").display().to_string();
        authority.write(
            "ca.conf",
            &format!(
                "[ca]\ndefault_ca = this\n[this]\ndatabase = {home}/index.txt\ncrlnumber = {home}/crlnumber\n\
                 certificate = {home}/ca.pem\nprivate_key = {home}/ca.key\ndefault_md = sha256\ndefault_crl_days = 10\n\
                 unique_subject = no\ncrl_extensions = number\n[number]\nauthorityKeyIdentifier = keyid\n"
            ),
        );
        authority.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN={name} -addext \
             basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
        ));
        authority
    }

    /// An authority that this one has certified, with these extensions.
    pub fn below(&self, name: &str, extensions: &str) -> Self {
        let below = Self::new(name);
        let issued = self.issue(name, 100, extensions);
        fs::copy(issued.certificate, below.path("ca.pem")).unwrap();
        fs::copy(issued.key, below.path("ca.key")).unwrap();
        below
    }

    /// Its certificate in PEM.
    pub fn pem(&self) -> String {
        fs::read_to_string(self.path("ca.pem")).unwrap()
    }

    /// A certificate with these extensions, good for so many days.
    pub fn issue(&self, name: &str, days: u32, extensions: &str) -> Issued {
        self.issue_with_key("rsa:2048", name, days, extensions)
    }

    /// The same with another kind of key, as `openssl req -newkey` has it.
    pub fn issue_with_key(&self, key: &str, name: &str, days: u32, extensions: &str) -> Issued {
        self.write(&format!("{name}.ext"), extensions);
        self.openssl(&format!(
            "req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile {name}.ext -out \
             {name}.pem"
        ));
        Issued { certificate: self.path(&format!("{name}.pem")), key: self.path(&format!("{name}.key")) }
    }

    /// Its own certificate and key.
    pub fn itself(&self) -> Issued {
        Issued { certificate: self.path("ca.pem"), key: self.path("ca.key") }
    }

    /// A certificate of who may answer for it.
    pub fn delegate(&self) -> Issued {
        self.issue("responder", 100, RESPONDER)
    }

    /// A list of revoked certificates in DER, made with these options.
    pub fn revocations(&self, options: &str) -> Vec<u8> {
        self.openssl(&format!("ca -config ca.conf -gencrl -out list.pem {options}"));
        self.openssl("crl -in list.pem -outform DER -out list.der");
        fs::read(self.path("list.der")).unwrap()
    }

    /// Answers that this certificate signs, for this authority's index.
    pub async fn responder(&self, signer: &Issued, options: &str) -> Responder {
        let port = free_port();
        self.write("responder.log", "");
        let own = format!(
            "ocsp -port {port} -index index.txt -CA ca.pem -rsigner {} -rkey {} -ignore_err {options}",
            signer.certificate.display(),
            signer.key.display()
        );
        let arguments: Vec<String> = words(&self.absolute(&own));
        let process =
            Leashed::start(Path::new(""), &program("openssl"), &arguments, &self.path("responder.log"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        // Not by a connection: one that is closed without a request keeps it waiting for ever.
        until("the responder listens", Duration::from_secs(20), async || {
            let log = fs::read_to_string(self.path("responder.log")).unwrap_or_default();
            log.contains("waiting for OCSP client").then_some(())
        })
        .await;
        Responder { address, _process: process }
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs `openssl` in the authority's directory.
    pub fn openssl(&self, line: &str) {
        let mut command = Command::new(program("openssl"));
        run(command.args(words(line)).current_dir(self.dir.path()), "").unwrap();
    }

    /// The same line for a process that does not run in the directory.
    fn absolute(&self, line: &str) -> String {
        ["index.txt", "ca.pem"].into_iter().fold(line.to_owned(), |line, name| {
            line.replace(&format!(" {name}"), &format!(" {}", self.path(name).display()))
        })
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
