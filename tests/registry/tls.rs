//! TLS: whose certificates are trusted, and that nothing is sent where they are not.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Authority;
use crate::{folder, skills, text};

/// A registry over TLS that has one tag; its host, and how many requests it has read.
fn start(authority: &Authority) -> (String, Arc<AtomicUsize>) {
    let made = folder();
    authority.renew(made.path(), 0);
    let chain =
        CertificateDer::pem_file_iter(made.path().join("tls.crt")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(made.path().join("tls.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            // A client that does not trust us says so and goes.
            while stream.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            if line != "\r\n" {
                continue;
            }
            seen.fetch_add(1, Ordering::Relaxed);
            let body = "{\"tags\":[\"1\"]}";
            let _ = write!(
                stream.get_mut(),
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.get_mut().conn.send_close_notify();
            let _ = stream.get_mut().flush();
        }
    });
    (host, count)
}

/// Who names a file of authorities and mistypes it would trust some hundred others.
#[test]
fn authorities_that_are_named_and_cannot_be_read_are_an_error() {
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let mut command = crate::command(&["tags", "registry.invalid/a/b"]);
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").env(name, "/nonexistent");
        let said = crate::said(command.output().unwrap());
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{}", said.stderr);
        let words = format!("the certificate authorities that {name} names: ");
        assert!(said.stderr.contains(&words) && !said.stderr.contains("Mozilla"), "{}", said.stderr);
    }
}

#[test]
fn a_certificate_authority_is_trusted_for_the_host_that_it_is_given_for() {
    let authority = Authority::new();
    let (host, count) = start(&authority);
    let out = folder();
    let (own, other) = (text(&out.path().join("own.pem")), text(&out.path().join("other.pem")));
    std::fs::write(&own, &authority.pem).unwrap();
    std::fs::write(&other, Authority::new().pem).unwrap();
    let repository = format!("{host}/a/b");
    for flag in [own.clone(), format!("{host}={own}"), format!("127.0.0.1={own}")] {
        let said = skills(&["tags", &repository, "--registry-ca", &flag]);
        assert_eq!((said.code, said.stdout.as_str()), (0, "1\n"), "{flag}: {}", said.stderr);
    }
    let said =
        skills(&["tags", &repository, "--registry-ca", &other, "--registry-ca", &format!("{host}={own}")]);
    assert_eq!((said.code, said.stdout.as_str()), (0, "1\n"), "the closer one counts: {}", said.stderr);
    let asked = count.load(Ordering::Relaxed);
    let said = skills(&["tags", &repository, "--registry-ca", &other]);
    assert_eq!((said.code, count.load(Ordering::Relaxed)), (4, asked));
    assert!(
        said.stderr.contains("is not trusted: name its certificate authority with --registry-ca"),
        "{}",
        said.stderr
    );
    let said = skills(&["tags", &repository, "--registry-ca", "/nonexistent.pem"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
}
