//! A decision listener with TLS, and peers that show certificates.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::peers::question;
use crate::support::{Address, Connection, World};

/// An authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    certificate: CertificateDer<'static>,
}

/// A certificate and its key.
struct Certified {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    fn certify(&self, name: &str) -> Certified {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        Certified { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }
}

/// A Gatepost whose certificate is of `authority`, in a folder with its files.
fn start(folder: &Path, authority: &Authority, more: &[(&'static str, &str)]) -> World {
    let own = authority.certify("gatepost.test");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let certificate = write("certificate.pem", &own.certificate.pem());
    let key = write("key.pem", &own.key.serialize_pem());
    let own = [("decision.tls_certificate", certificate.as_str()), ("decision.tls_key", key.as_str())];
    World::without_passwords(&[&own, more].concat())
}

/// A connection of whoever trusts `authority`, and shows this certificate.
fn connect(world: &World, authority: &Authority, own: Option<&Certified>) -> Connection {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![own.certificate.der().clone()], key).unwrap()
        }
    };
    let name = ServerName::try_from("gatepost.test").unwrap();
    let Address::Tcp(address) = world.decision else { panic!("{} is no TCP address", world.decision) };
    let stream = TcpStream::connect(address).unwrap();
    Connection::within(StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream))
}

#[test]
fn proxies_may_ask_over_tls_and_nobody_without() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let world = start(folder.path(), &authority, &[]);
    let mut connection = connect(&world, &authority, None);
    for _ in 0..2 {
        let reply = connection.send(&question(&world));
        assert_eq!((reply.status, reply.header("remote-user")), (200, Some("ada")));
    }
    // What is said in the clear is TLS's alert, if anything.
    let Address::Tcp(address) = world.decision else { panic!("{} is no TCP address", world.decision) };
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(&question(&world)).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.windows(4).any(|bytes| bytes == b"HTTP"), "{answer:?}");
}

#[test]
fn only_whoever_shows_a_certificate_is_listened_to() {
    let (folder, authority, peers) = (tempfile::tempdir().unwrap(), Authority::new(), Authority::new());
    let ca = folder.path().join("peers.pem");
    std::fs::write(&ca, &peers.pem).unwrap();
    // A certificate tells more than an address: none is trusted.
    let settings = [("decision.tls_client_ca", ca.to_str().unwrap()), ("decision.trusted_peers", "")];
    let world = start(folder.path(), &authority, &settings);
    let proxy = peers.certify("proxy.test");
    assert_eq!(connect(&world, &authority, Some(&proxy)).send(&question(&world)).status, 200);
    // Everybody else, those with the server's own authority too.
    let stranger = authority.certify("proxy.test");
    assert!(connect(&world, &authority, Some(&stranger)).try_send(&question(&world)).is_none());
    assert!(connect(&world, &authority, None).try_send(&question(&world)).is_none());
}
