//! A scripted server on loopback, plain HTTP: a function from request to answer, and answers that are cut off or never end.

#[path = "../faults/received.rs"]
mod received;

use std::io::{BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use received::{Received, receive};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// As it stands in the first line: with the host where a proxy is asked.
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// Method and target, for lists of requests.
    pub fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }
}

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    /// The connection is cut after so many bytes of the body.
    Cut(usize),
    /// The connection is cut before any answer.
    Nothing,
    /// Nothing comes after so many bytes, while the client waits.
    Silent(usize),
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub struct Answer {
    pub code: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub end: End,
}

impl Answer {
    pub fn new(code: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { code, headers: Vec::new(), body: body.into(), end: End::Whole }
    }

    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// The server; it ends with the test process.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub host: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, seen): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                // A client that goes away ends the conversation; that is no failure of the server.
                std::thread::spawn(move || drop(serve(stream, script.as_ref(), &seen)));
            }
        });
        Self { host, requests }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the list").clone()
    }

    /// The same as lines.
    pub fn lines(&self) -> Vec<String> {
        self.requests().iter().map(Request::line).collect()
    }
}

fn serve(stream: TcpStream, script: &Script, seen: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let Some(Received { method, path, query, headers, body }) = receive(&mut reader)? else {
            return Ok(());
        };
        let request = Request { method, path, query, headers, body };
        let answer = script(&request);
        let is_head = request.method == "HEAD";
        seen.lock().expect("the list").push(request);
        if answer.end == End::Nothing {
            return out.shutdown(Shutdown::Both);
        }
        write!(out, "HTTP/1.1 {} Said\r\n", answer.code)?;
        let mut length = Some(answer.body.len());
        for (name, value) in &answer.headers {
            write!(out, "{name}: {value}\r\n")?;
            if name == "Content-Length" {
                length = None;
            }
        }
        if let Some(length) = length.filter(|_| answer.code != 204) {
            write!(out, "Content-Length: {length}\r\n")?;
        }
        out.write_all(b"\r\n")?;
        if is_head {
            continue;
        }
        let sent = match answer.end {
            End::Whole | End::Nothing => answer.body.len(),
            End::Cut(length) | End::Silent(length) => length.min(answer.body.len()),
        };
        out.write_all(&answer.body[..sent])?;
        out.flush()?;
        match answer.end {
            End::Whole | End::Nothing => {}
            End::Cut(_) => return out.shutdown(Shutdown::Both),
            End::Silent(_) => std::thread::sleep(Duration::from_secs(600)),
        }
    }
}
