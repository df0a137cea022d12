//! Loads the certificate for handshakes from PEM files, and reloads it when they change. The files are compared by content,
//! so it does not matter how they are replaced: in place, by rename, or by the swapped link of a mounted Secret. Open
//! connections keep the certificate they began with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::certificate_expiry;
use crate::server::metrics::{Metric, Metrics};

/// Where certificate and key are, under the names of a `kubernetes.io/tls` Secret.
#[derive(Debug, Clone)]
pub struct Files {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

impl Files {
    /// `tls.crt` and `tls.key` in a directory.
    pub fn within(directory: &Path) -> Self {
        Self { certificate: directory.join("tls.crt"), key: directory.join("tls.key") }
    }
}

/// What the files held when they were last read.
#[derive(Debug, PartialEq, Eq)]
struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// The certificate in use.
#[derive(Debug)]
pub struct Certificates {
    files: Files,
    current: RwLock<Arc<CertifiedKey>>,
    metrics: Metrics,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read or do not hold a certificate and its key: who starts without would answer nobody.
    pub fn load(files: Files, metrics: Metrics) -> Result<(Arc<Self>, Loaded), String> {
        let content = read(&files)?;
        let key = parse(&files, &content)?;
        let certificates = Self { files, current: RwLock::new(Arc::clone(&key)), metrics };
        certificates.report_expiry(&key);
        Ok((Arc::new(certificates), Loaded(content)))
    }

    /// Reads the files again and again; returns only when dropped. What cannot be used is reported once and changes nothing.
    pub async fn reload(self: Arc<Self>, loaded: Loaded, every: Duration) {
        let mut used = loaded.0;
        let mut complaint = String::new();
        loop {
            tokio::time::sleep(every).await;
            let files = self.files.clone();
            let outcome = match tokio::task::spawn_blocking(move || read(&files)).await {
                Ok(outcome) => outcome,
                Err(error) => Err(error.to_string()),
            };
            let outcome = outcome.and_then(|content| {
                if content == used {
                    return Ok(None);
                }
                // Two files cannot be replaced at one moment: a key alongside another's certificate is read again.
                parse(&self.files, &content).map(|key| Some((content, key)))
            });
            match outcome {
                Ok(None) => complaint.clear(),
                Ok(Some((content, key))) => {
                    self.report_expiry(&key);
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = key;
                    used = content;
                    complaint.clear();
                    self.metrics.count(Metric::CertificateLoads, &["loaded"]);
                    tracing::info!(file = %self.files.certificate.display(), "a new certificate is in use");
                }
                Err(message) if message == complaint => {}
                Err(message) => {
                    self.metrics.count(Metric::CertificateLoads, &["failed"]);
                    tracing::warn!("the certificate stays as it is: {message}");
                    complaint = message;
                }
            }
        }
    }

    fn report_expiry(&self, key: &CertifiedKey) {
        let Some(end) = key.cert.first().and_then(|certificate| certificate_expiry::not_after(certificate))
        else {
            return;
        };
        self.metrics.set(Metric::CertificateEnd, &[], end as f64);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        if end <= now {
            tracing::warn!(
                "the certificate in {} has expired; API servers will refuse it",
                self.files.certificate.display()
            );
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// What [`Certificates::reload`] compares against.
#[derive(Debug)]
pub struct Loaded(Content);

fn read(files: &Files) -> Result<Content, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    Ok(Content { certificate: read(&files.certificate)?, key: read(&files.key)? })
}

fn parse(files: &Files, content: &Content) -> Result<Arc<CertifiedKey>, String> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&content.certificate)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{certificate}: not PEM: {error}"))?;
    if chain.is_empty() {
        return Err(format!("{certificate}: no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_slice(&content.key)
        .map_err(|error| format!("{key}: no private key in it: {error}"))?;
    let private = rustls::crypto::ring::sign::any_supported_type(&private)
        .map_err(|error| format!("{key}: the key is of no kind that we know: {error}"))?;
    let certified = CertifiedKey::new(chain, private);
    match certified.keys_match() {
        // A key that does not tell its public half cannot be compared; the first handshake will.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(error) => Err(format!("{key}: not the key of {certificate}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_in(directory: &Path, certificate: &str, key: &str) -> Files {
        let files = Files::within(directory);
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        files
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn load(files: Files) -> Result<Arc<Certificates>, String> {
        Certificates::load(files, Metrics::default()).map(|(certificates, _)| certificates)
    }

    /// A start that hides which file is wrong costs an evening.
    #[test]
    fn what_is_wrong_with_the_files_is_reported_by_file() {
        let directory = tempfile::tempdir().unwrap();
        let ((certificate, key), (_, other)) = (pair(), pair());
        let reported =
            |certificate: &str, key: &str| load(files_in(directory.path(), certificate, key)).unwrap_err();
        assert!(reported("", &key).ends_with("tls.crt: no certificate in it"));
        assert!(reported(&certificate, "").contains("tls.key: no private key in it"));
        assert!(reported(&certificate, &other).contains("tls.key: not the key of "));
        assert!(
            load(Files::within(&directory.path().join("absent"))).unwrap_err().contains("absent/tls.crt: ")
        );
        assert!(load(files_in(directory.path(), &certificate, &key)).is_ok());
    }

    /// As a mounted Secret is renewed: the files are links through `..data`, which is swapped.
    #[tokio::test]
    async fn a_swapped_link_brings_the_new_certificate_and_half_a_swap_keeps_the_old() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let put = |folder: &str, (certificate, key): &(String, String)| {
            std::fs::create_dir(root.path().join(folder)).unwrap();
            files_in(&root.path().join(folder), certificate, key);
        };
        let (first, second) = (pair(), pair());
        put("..1", &first);
        put("..2", &second);
        put("..half", &(second.0.clone(), first.1.clone()));
        let point_to = |folder: &str| {
            symlink(folder, root.path().join("..new")).unwrap();
            std::fs::rename(root.path().join("..new"), root.path().join("..data")).unwrap();
        };
        point_to("..1");
        symlink("..data/tls.crt", root.path().join("tls.crt")).unwrap();
        symlink("..data/tls.key", root.path().join("tls.key")).unwrap();
        let metrics = Metrics::default();
        metrics.report(crate::server::metrics::Part::Webhook);
        let (certificates, loaded) = Certificates::load(Files::within(root.path()), metrics.clone()).unwrap();
        let follower = tokio::spawn(Arc::clone(&certificates).reload(loaded, Duration::from_millis(5)));
        let in_use = || certificates.current.read().unwrap().cert[0].to_vec();
        let begin = in_use();
        let until = async |text: &str| {
            for _ in 0..1000 {
                if metrics.text().contains(text) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            panic!("no {text} in\n{}", metrics.text());
        };
        point_to("..half");
        until("certificate_loads_total{outcome=\"failed\"} 1\n").await;
        assert_eq!(in_use(), begin);
        point_to("..2");
        until("certificate_loads_total{outcome=\"loaded\"} 1\n").await;
        assert_ne!(in_use(), begin);
        follower.abort();
    }
}
