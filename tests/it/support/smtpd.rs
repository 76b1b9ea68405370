//! A mail server that nobody here wrote: aiosmtpd, as `smtpd.py` starts it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running mail server on `localhost`. It ends when this is dropped.
pub struct MailServer {
    pub port: u16,
    folder: TempDir,
    process: Child,
    lines: BufReader<ChildStdout>,
}

impl MailServer {
    /// With `settings` as `smtpd.py` describes them, and a certificate for `localhost` of an authority of its own.
    pub fn start(mut settings: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        settings["certificate"] = json!(folder.path().join("server.pem"));
        settings["key"] = json!(folder.path().join("server.key"));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/smtpd.py");
        let mut process = Command::new(super::program::find("GATEPOST_TEST_SMTPD", &[]))
            .arg(script)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        let mut server = Self { port: 0, folder, process, lines };
        server.port = server.next()["port"].as_u64().unwrap().try_into().unwrap();
        server
    }

    /// The next message that it took. Waits for one.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the mail server has ended");
        serde_json::from_str(&line).unwrap()
    }

    /// The certificate of the authority.
    pub fn ca_file(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Writes `ca.pem`, `server.pem` and `server.key`.
fn certificates(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);

    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(folder.join("server.pem"), server.pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}
