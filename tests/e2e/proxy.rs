//! A proxy in front of an API server, plain HTTP on loopback: a request goes on as it came, or is answered by a fault in
//! its place. Everything that came is remembered.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http;
use crate::server::Server;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Answered by a fault.
    pub faulty: bool,
    pub at: Instant,
}

impl Seen {
    /// Whether it would change what is stored.
    pub fn writes(&self) -> bool {
        self.method != "GET" && !self.query.contains("dryRun=All")
    }
}

/// What is answered instead of the server: code and body.
pub type Fault = Box<dyn Fn(&Seen) -> Option<(u16, Value)> + Send + Sync>;

/// Whether the answer to a request is lost, after the server has carried it out.
pub type Loss = Box<dyn Fn(&Seen) -> bool + Send + Sync>;

/// A running proxy. Its connections end with it.
pub struct Proxy {
    pub address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    ended: Arc<AtomicBool>,
}

struct Way {
    server: String,
    authority: PathBuf,
    token: String,
    fault: Fault,
    loss: Loss,
    seen: Arc<Mutex<Vec<Seen>>>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    /// Starts one. Requests go on as the administrator's.
    pub fn start(server: &Server, fault: Fault) -> Self {
        Self::with(server, fault, Box::new(|_| false))
    }

    /// One whose client does not learn what became of some requests: its connection ends where the answer would begin.
    pub fn losing(server: &Server, loss: Loss) -> Self {
        Self::with(server, Box::new(|_| None), loss)
    }

    fn with(server: &Server, fault: Fault, loss: Loss) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (seen, ended) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let way = Arc::new(Way {
            server: server.address(),
            authority: server.kubeconfig().with_file_name("ca.crt"),
            token: server.token(),
            fault,
            loss,
            seen: Arc::clone(&seen),
            ended: Arc::clone(&ended),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let way = Arc::clone(&way);
                if way.ended.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away ends the conversation; that is no failure of the proxy.
                std::thread::spawn(move || drop(way.serve(stream)));
            }
        });
        Self { address, seen, ended }
    }

    /// What came so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("the list").clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // The listener looks at the next connection.
        drop(TcpStream::connect(self.address.trim_start_matches("http://")));
    }
}

impl Way {
    /// One request after the other, until one went on to the server: its answer ends with the connection.
    fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(client.try_clone()?);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut words = line.split(' ');
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let mut seen = Seen {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                faulty: false,
                at: Instant::now(),
            };
            let mut head = line.clone();
            let mut length = 0;
            loop {
                let mut header = String::new();
                if reader.read_line(&mut header)? == 0 {
                    return Ok(());
                }
                let Some((name, value)) = header.trim_end().split_once(':') else { break };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().unwrap_or(0),
                    "authorization" | "connection" | "host" => continue,
                    _ => {}
                }
                head.push_str(&header);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let fault = (self.fault)(&seen);
            seen.faulty = fault.is_some();
            let lost = !seen.faulty && (self.loss)(&seen);
            self.seen.lock().expect("the list").push(seen);
            let Some((code, answer)) = fault else {
                head.push_str(&format!(
                    "Host: server\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
                    self.token
                ));
                return self.pass_on(&mut client, &[head.as_bytes(), &body].concat(), lost);
            };
            let text = answer.to_string();
            write!(
                client,
                "HTTP/1.1 {code} Fault\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            )?;
        }
    }

    fn pass_on(&self, client: &mut TcpStream, request: &[u8], lost: bool) -> std::io::Result<()> {
        let mut server = http::connect(&self.server, &self.authority)?;
        server.write_all(request)?;
        server.flush()?;
        // Short waits: a watch is silent for a minute, and must end with the proxy.
        server.sock.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut part = vec![0; 16 * 1024];
        while !self.ended.load(Ordering::Relaxed) {
            match server.read(&mut part) {
                Ok(0) => break,
                Ok(_) if lost => {}
                Ok(length) => client.write_all(&part[..length])?,
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) => {}
                // The server ends the connection without TLS's own farewell.
                Err(_) => break,
            }
        }
        client.shutdown(std::net::Shutdown::Both)
    }
}
