//! TLS at a listener: certificates from files, read again when they change, and who the sender is by its certificate.
//!
//! New files are taken for new connections only, and only when they fit together; until they do, the old ones stay in
//! force. Which versions and ciphers are spoken is left to rustls: TLS 1.2 with forward secrecy and TLS 1.3.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::{Error, settings::TlsFiles};

/// How often the files are looked at, when connections come.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Largest file that is read as certificates.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Names of a sender's certificate that are looked at.
const NAMES_MAX: usize = 32;

/// The certificates of one listener.
pub(crate) struct Certificates {
    files: TlsFiles,
    check_every: Duration,
    state: Mutex<State>,
}

struct State {
    config: Arc<ServerConfig>,
    /// The files as they were when last read, well or not.
    stamps: Vec<Stamp>,
    checked: Instant,
}

/// Device-independent identity of a file's content: inode, length, time of change.
type Stamp = Option<(u64, u64, i64, i64)>;

fn stamps(files: &TlsFiles) -> Vec<Stamp> {
    let paths = [Some(&files.certificate), Some(&files.key), files.client_ca.as_ref()];
    let stamp = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()));
    paths.into_iter().flatten().map(|path| stamp(path)).collect()
}

impl Certificates {
    /// Reads the files, or says which one cannot be used and why.
    pub fn load(files: &TlsFiles) -> Result<Self, Error> {
        Self::checked_every(files, CHECK_EVERY)
    }

    pub fn checked_every(files: &TlsFiles, check_every: Duration) -> Result<Self, Error> {
        let stamps = stamps(files);
        let config = Arc::new(config(files)?);
        let state = State { config, stamps, checked: Instant::now() };
        Ok(Self { files: files.clone(), check_every, state: Mutex::new(state) })
    }

    /// What accepts the next connection; looks at the files first, when it is time.
    pub fn acceptor(&self) -> TlsAcceptor {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.checked.elapsed() >= self.check_every {
            state.checked = Instant::now();
            let stamps = stamps(&self.files);
            if stamps != state.stamps {
                self.reload(&mut state);
                state.stamps = stamps;
            }
        }
        TlsAcceptor::from(Arc::clone(&state.config))
    }

    fn reload(&self, state: &mut State) {
        let certificate = self.files.certificate.display();
        match config(&self.files) {
            Ok(config) => {
                state.config = Arc::new(config);
                info!(%certificate, "took changed TLS certificates");
            }
            Err(error) => {
                warn!(%error, %certificate, "failed to take changed TLS certificates; the old ones stay in force");
            }
        }
    }
}

/// Reads the files without keeping anything: for checks of a configuration.
pub fn check(files: &TlsFiles) -> Result<(), Error> {
    config(files).map(drop)
}

fn config(files: &TlsFiles) -> Result<ServerConfig, Error> {
    let bad = |path: &Path, reason: String| Error::Tls { path: path.to_owned(), reason };
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(&files.certificate, error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(path)? {
                roots.add(root).map_err(|error| bad(path, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| bad(path, error.to_string()))?)
        }
    };
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|error| bad(&files.key, format!("it holds no private key in PEM: {error}")))?;
    builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => bad(&files.key, format!("it is not the key of {}", files.certificate.display())),
        error => bad(&files.certificate, error.to_string()),
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bad = |reason: String| Error::Tls { path: path.to_owned(), reason };
    let text = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| bad(format!("it is no PEM: {error}")))?;
    if all.is_empty() {
        return Err(bad("it holds no certificate in PEM".into()));
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let open = |source| Error::Open { path: path.to_owned(), source };
    if fs::metadata(path).map_err(open)?.len() > FILE_BYTES_MAX {
        return Err(Error::Tls { path: path.to_owned(), reason: format!("it has more than {FILE_BYTES_MAX} bytes") });
    }
    fs::read(path).map_err(open)
}

/// Who a sender is by the certificate that it showed and that was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// SHA-256 of the certificate, 64 hexadecimal digits.
    pub fingerprint: String,
    /// DNS names; where there are none, the common name (RFC 5425 §5.2). In lower case.
    pub names: Vec<String>,
}

impl Identity {
    pub(crate) fn of(session: &ServerConnection) -> Option<Self> {
        let certificate = session.peer_certificates()?.first()?;
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else {
            return Some(Self { fingerprint, names: Vec::new() });
        };
        let mut names: Vec<String> = parsed.valid_dns_names().take(NAMES_MAX).map(str::to_ascii_lowercase).collect();
        if names.is_empty() {
            names.extend(common_name(parsed.subject()));
        }
        Some(Self { fingerprint, names })
    }
}

/// The last common name of a subject, found by its object identifier (2.5.4.3).
fn common_name(subject: &[u8]) -> Option<String> {
    const OID: &[u8] = &[0x06, 0x03, 0x55, 0x04, 0x03];
    let at = memchr::memmem::rfind(subject, OID)? + OID.len();
    // A string type, then its length; a common name of 64 characters never needs the long form of a length.
    let (&tag, &length) = (subject.get(at)?, subject.get(at + 1)?);
    let is_text = matches!(tag, 0x0c | 0x13 | 0x16);
    let text = subject.get(at + 2..at + 2 + usize::from(length)).filter(|_| is_text && length < 0x80)?;
    Some(std::str::from_utf8(text).ok()?.to_lowercase())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::PathBuf;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    /// A made-up authority with a folder of its own.
    pub(crate) struct Authority {
        pub dir: tempfile::TempDir,
        params: CertificateParams,
        key: KeyPair,
    }

    impl Authority {
        pub fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, "Sở TT&TT root");
            let root = params.self_signed(&key).unwrap();
            fs::write(dir.path().join("ca.pem"), root.pem()).unwrap();
            Self { dir, params, key }
        }

        pub fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        /// Writes `<name>.pem` and `<name>.key` anew, as new files.
        pub fn issue(&self, name: &str, common_name: &str, dns: &[&str]) {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(dns.iter().map(|dns| (*dns).to_owned()).collect::<Vec<_>>()).unwrap();
            params.distinguished_name.push(DnType::CommonName, common_name);
            let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)).unwrap();
            for (end, text) in [("pem", certificate.pem()), ("key", key.serialize_pem())] {
                let draft = self.path("draft");
                fs::write(&draft, text).unwrap();
                fs::rename(&draft, self.path(&format!("{name}.{end}"))).unwrap();
            }
        }

        pub fn files(&self, name: &str, with_clients: bool) -> TlsFiles {
            TlsFiles {
                certificate: self.path(&format!("{name}.pem")),
                key: self.path(&format!("{name}.key")),
                client_ca: with_clients.then(|| self.path("ca.pem")),
            }
        }

        /// A client that trusts this authority, with a certificate or without.
        pub fn client(&self, name: Option<&str>) -> rustls::ClientConfig {
            let mut roots = RootCertStore::empty();
            roots.add(certificates(&self.path("ca.pem")).unwrap().remove(0)).unwrap();
            let builder = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
            match name {
                None => builder.with_no_client_auth(),
                Some(name) => {
                    let files = self.files(name, false);
                    let key = PrivateKeyDer::from_pem_slice(&read(&files.key).unwrap()).unwrap();
                    builder.with_client_auth_cert(certificates(&files.certificate).unwrap(), key).unwrap()
                }
            }
        }
    }

    #[test]
    fn a_bad_file_is_named_with_the_reason() {
        let authority = Authority::new();
        authority.issue("server", "siem", &["localhost"]);
        authority.issue("other", "other", &["localhost"]);
        let good = authority.files("server", true);
        check(&good).unwrap();
        let garbage = authority.path("garbage.pem");
        fs::write(&garbage, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
        let empty = authority.path("empty.pem");
        fs::write(&empty, "").unwrap();
        let reason = |files: TlsFiles| {
            let error = check(&files).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Fix);
            error.to_string()
        };
        let missing = reason(TlsFiles { certificate: authority.path("no.pem"), ..good.clone() });
        assert!(missing.contains("no.pem"), "{missing}");
        let swapped = reason(TlsFiles { key: authority.path("other.key"), ..good.clone() });
        assert!(swapped.contains("other.key: it is not the key of") && swapped.contains("server.pem"), "{swapped}");
        for bad in [&garbage, &empty] {
            let name = bad.file_name().unwrap().to_str().unwrap();
            for files in [
                TlsFiles { certificate: bad.clone(), ..good.clone() },
                TlsFiles { key: bad.clone(), ..good.clone() },
                TlsFiles { client_ca: Some(bad.clone()), ..good.clone() },
            ] {
                assert!(reason(files).contains(name));
            }
        }
    }

    #[test]
    fn a_common_name_is_read_from_its_der() {
        let subject = |tag: u8, text: &str| {
            [&[0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, tag, text.len() as u8], text.as_bytes()].concat()
        };
        assert_eq!(common_name(&subject(0x0c, "FW-Sở")), Some("fw-sở".into()));
        assert_eq!(common_name(&subject(0x02, "x")), None, "a number is no name");
        for end in 0..13 {
            assert_eq!(common_name(&subject(0x13, "abc")[..end]), None);
        }
    }
}
