//! One address that wants many useless connections, and opens each again when it is closed, while another address sends
//! reviews: every review is answered. Times are printed, not asserted: they depend on the machine. `FLOOD=2000`
//! (`make flood`) wants as many idle and as many slow ones; 200 of either by default. An address never holds more than its
//! share, so what a flood costs is its attempts.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

    /// Whether the server has not closed it.
    fn is_open(&self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        let mut taken = [0; 4096];
        loop {
            match (&self.stream).read(&mut taken) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// One more byte.
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

/// What a flood has done so far.
#[derive(Default)]
struct Flood {
    ended: AtomicBool,
    attempts: AtomicUsize,
    established: AtomicUsize,
    /// Threads that have tried all of their connections at least once.
    rounds: AtomicUsize,
}

impl Flood {
    /// Keeps connections of these kinds open, as far as the server lets it. Gives how many are open at the end.
    fn run(&self, address: SocketAddr, config: &Arc<ClientConfig>, kinds: &[Kind]) -> usize {
        let mut held: Vec<Option<Useless>> = kinds.iter().map(|_| None).collect();
        let mut round = 0;
        loop {
            for (held, kind) in held.iter_mut().zip(kinds) {
                if self.ended.load(Ordering::Relaxed) {
                    break;
                }
                match held {
                    Some(open) if open.is_open() => open.trickle(),
                    _ => {
                        self.attempts.fetch_add(1, Ordering::Relaxed);
                        *held = Useless::open(address, config, *kind);
                        self.established.fetch_add(usize::from(held.is_some()), Ordering::Relaxed);
                    }
                }
            }
            if round == 0 {
                self.rounds.fetch_add(1, Ordering::Relaxed);
            }
            round += 1;
            if self.ended.load(Ordering::Relaxed) {
                return held.iter().flatten().filter(|one| one.is_open()).count();
            }
            std::thread::sleep(Duration::from_millis(500));
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
    let config = tls::trusting([CertificateDer::from(authority.der.clone())]);
    let slow = |number: usize| [Kind::SlowHead, Kind::SlowBody, Kind::SlowHandshake][number * 3 / count];
    let kinds: Vec<Kind> = (0..count).map(|_| Kind::Idle).chain((0..count).map(slow)).collect();
    let flood = Arc::new(Flood::default());
    // Handshakes of one address wait for one another, so one thread alone would try few.
    let threads: Vec<_> = (0..count / 32)
        .map(|first| {
            let kinds: Vec<Kind> = kinds.iter().skip(first).step_by(count / 32).copied().collect();
            let (flood, config) = (Arc::clone(&flood), Arc::clone(&config));
            std::thread::spawn(move || flood.run(hostile, &config, &kinds))
        })
        .collect();
    let review = body(&runtime("a", "/skills/a"));
    let mut times = Vec::new();
    let mut full = String::new();
    let begun = Instant::now();
    let mut client = Client::connect_from("127.0.0.2", &format!("127.0.0.1:{port}"), &authority.der);
    let all_tried = || flood.rounds.load(Ordering::Relaxed) == threads.len();
    let least = Duration::from_secs(6).max(Duration::from_millis(10 * count as u64));
    while begun.elapsed() < least
        || ((full.is_empty() || !all_tried()) && begun.elapsed() < Duration::from_secs(120))
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
    assert!(all_tried(), "the flood never came to its last connection");
    let (attempts, established) =
        [&flood.attempts, &flood.established].map(|count| count.load(Ordering::Relaxed)).into();
    flood.ended.store(true, Ordering::Relaxed);
    let held: usize = threads.into_iter().map(|thread| thread.join().expect("a flood")).sum();
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    println!(
        "{} useless connections wanted, {attempts} attempts in {:.1?}, {established} established, {held} open at the end; {} \
         reviews: median {:?}, 99 % within {:?}, longest {:?}",
        2 * count,
        begun.elapsed(),
        times.len(),
        at(500),
        at(990),
        at(1000)
    );
    for line in metrics.lines().filter(|line| line.starts_with("kubectl_skills_webhook_connections_")) {
        println!("{line}");
    }
    assert!(held <= 256, "{held} connections of one address are open");
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
