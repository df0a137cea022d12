//! Many useless connections of one address while another address sends reviews: every review is answered. Times are
//! printed, not asserted: they depend on the machine. `FLOOD=2000` makes as many of either kind; 200 by default.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection};

use crate::client::Client;
use crate::protocol::{JSON, PATH, Running, body, running, runtime};
use crate::tls;

/// How a useless connection behaves.
#[derive(Clone, Copy)]
enum Kind {
    Idle,
    SlowHandshake,
    SlowHead,
    SlowBody,
}

struct Useless {
    stream: TcpStream,
    tls: Option<ClientConnection>,
    kind: Kind,
}

impl Useless {
    /// None if the server did not let it get so far, which is its right.
    fn open(address: SocketAddr, config: &Arc<ClientConfig>, kind: Kind) -> Option<Self> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        if matches!(kind, Kind::SlowHandshake) {
            stream.write_all(&[0x16, 0x03, 0x01]).ok()?;
            return Some(Self { stream, tls: None, kind });
        }
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let mut tls = ClientConnection::new(Arc::clone(config), name).expect("a connection");
        while tls.is_handshaking() {
            tls.complete_io(&mut stream).ok()?;
        }
        let text = match kind {
            Kind::Idle | Kind::SlowHandshake => String::new(),
            Kind::SlowHead => format!("POST {PATH} HTTP/1.1\r\nHost: w"),
            Kind::SlowBody => Client::head("POST", PATH, JSON, 100_000),
        };
        tls.writer().write_all(text.as_bytes()).ok()?;
        while tls.wants_write() {
            tls.write_tls(&mut stream).ok()?;
        }
        Some(Self { stream, tls: Some(tls), kind })
    }

    /// One more byte; a closed connection stays closed.
    fn trickle(&mut self) {
        match (&mut self.tls, self.kind) {
            (_, Kind::Idle) => {}
            (None, _) => drop(self.stream.write_all(&[0])),
            (Some(tls), _) => {
                drop(tls.writer().write_all(b"a"));
                while tls.wants_write() && tls.write_tls(&mut self.stream).is_ok_and(|written| written > 0) {}
            }
        }
    }
}

/// 512 idle connections of one client once switched the webhook off for two minutes, and nothing said so.
#[test]
fn one_address_that_holds_connections_does_not_keep_reviews_of_another_waiting() {
    let count: usize = std::env::var("FLOOD").ok().and_then(|text| text.parse().ok()).unwrap_or(200).max(200);
    let Running { program, authority, directory: _directory, .. } = running(&[], false);
    let port = program.address.rsplit(':').next().expect("a port").to_owned();
    let hostile: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
    let done = Arc::new(AtomicBool::new(false));
    let config = tls::trusting([CertificateDer::from(authority.der.clone())]);
    let ended = Arc::clone(&done);
    let flood = std::thread::spawn(move || {
        // Handshakes of one address wait for one another, so the slow ones come last.
        let slow = |number: usize| [Kind::SlowHead, Kind::SlowBody, Kind::SlowHandshake][number * 3 / count];
        let kinds = (0..count).map(|_| Kind::Idle).chain((0..count).map(slow));
        let mut held: Vec<Useless> = kinds.filter_map(|kind| Useless::open(hostile, &config, kind)).collect();
        while !ended.load(Ordering::Relaxed) {
            held.iter_mut().for_each(Useless::trickle);
            std::thread::sleep(Duration::from_millis(500));
        }
        held.len()
    });
    let review = body(&runtime("a", "/skills/a"));
    let mut times = Vec::new();
    let mut full = String::new();
    let begun = Instant::now();
    let mut client = Client::connect_from("127.0.0.2", &format!("127.0.0.1:{port}"), &authority.der);
    while begun.elapsed() < Duration::from_secs(6)
        || (full.is_empty() && begun.elapsed() < Duration::from_secs(60))
    {
        let sent = Instant::now();
        if times.len() % 10 == 0 {
            client = Client::connect_from("127.0.0.2", &format!("127.0.0.1:{port}"), &authority.der);
        }
        let answer = client.request("POST", PATH, JSON, &review);
        assert_eq!(answer.json()["response"]["allowed"], true, "{answer:?}");
        times.push(sent.elapsed());
        let ready = program.get("/readyz");
        assert_eq!(ready.0, 200, "{ready:?}: others are served");
        if full.is_empty() && ready.1.contains("full: 127.0.0.1 holds 256 connections") {
            full = ready.1;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let metrics = program.get("/metrics").1;
    done.store(true, Ordering::Relaxed);
    let held = flood.join().expect("a flood");
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    println!(
        "{held} useless connections of {}, {} reviews: median {:?}, 99 % within {:?}, longest {:?}",
        2 * count,
        times.len(),
        at(500),
        at(990),
        at(1000)
    );
    assert!(!full.is_empty(), "/readyz never says that an address holds its whole share\n{metrics}");
    assert!(
        !metrics.contains("kubectl_skills_webhook_connections_evicted_total{phase=\"answering\"}"),
        "{metrics}"
    );
    for name in ["connections_refused_total ", "connections_full ", "connections_open "] {
        assert!(metrics.contains(&format!("kubectl_skills_webhook_{name}")), "no {name} in\n{metrics}");
    }
    program.logged("connections are full: 127.0.0.1 holds");
}
