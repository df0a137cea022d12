//! Certificates for tests: an authority, and directories with a server's certificate as a Secret is mounted.

use std::os::unix::fs::symlink;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// An authority that signs for 127.0.0.1.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    #[allow(dead_code, reason = "a real API server is given the text")]
    pub der: Vec<u8>,
    /// The same as PEM.
    #[allow(dead_code, reason = "only a real API server is given it")]
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "tests");
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        Self { der: made.der().to_vec(), pem: made.pem(), issuer: Issuer::new(params, key) }
    }

    /// Puts a new certificate in place of the old one, as the kubelet does: a new directory, and a link to it that is
    /// swapped. Gives the certificate.
    pub fn renew(&self, directory: &Path, round: u32) -> Vec<u8> {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        let key = KeyPair::generate().expect("a key");
        let made = params.signed_by(&key, &self.issuer).expect("a certificate");
        let folder = format!("..{round}");
        std::fs::create_dir(directory.join(&folder)).expect("a directory");
        std::fs::write(directory.join(&folder).join("tls.crt"), made.pem()).expect("a file");
        std::fs::write(directory.join(&folder).join("tls.key"), key.serialize_pem()).expect("a file");
        symlink(&folder, directory.join("..data_tmp")).expect("a link");
        std::fs::rename(directory.join("..data_tmp"), directory.join("..data")).expect("a swap");
        if round == 0 {
            for name in ["tls.crt", "tls.key"] {
                symlink(Path::new("..data").join(name), directory.join(name)).expect("a link");
            }
        }
        made.der().to_vec()
    }
}
