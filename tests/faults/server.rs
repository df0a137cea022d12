//! A scripted API server on loopback, plain HTTP: a function from request to answer, and answers that never come or
//! break off in the middle.

#[path = "received.rs"]
mod received;

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use received::{Received, receive};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// What the server does with it.
#[derive(Debug, Clone)]
pub enum Answer {
    Json(u16, Value),
    /// With a Retry-After header, in seconds.
    Later(u16, u64),
    /// No answer while the client waits.
    Silence,
    /// A body announced longer than what comes, then the connection ends.
    BreakOff(Value),
    Text(u16, &'static str),
    /// A body of this text again and again, without end.
    Endless(&'static str),
    /// A watch: its events, and whether it then stays open or ends.
    Watch(Vec<Value>, bool),
}

/// The server; it ends with the test process.
pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, seen) = (Arc::new(script), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
                // A client that goes away ends the conversation; that is no failure of the server.
                std::thread::spawn(move || drop(serve(stream, script.as_ref(), &seen)));
            }
        });
        Self { address, requests }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("the list").clone()
    }

    /// How many writes came that were not dry runs.
    pub fn writes(&self) -> usize {
        self.requests()
            .iter()
            .filter(|request| request.method != "GET" && !request.query.contains("dryRun=All"))
            .count()
    }
}

fn serve(
    stream: TcpStream,
    script: &(dyn Fn(&Request) -> Answer + Send + Sync),
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    loop {
        let Some(Received { method, path, query, headers, body }) = receive(&mut reader)? else {
            return Ok(());
        };
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let request = Request { method, path, query, headers, body };
        let answer = script(&request);
        seen.lock().expect("the list").push(request);
        match answer {
            Answer::Json(code, value) => send(&mut out, code, "", "application/json", &value.to_string())?,
            Answer::Text(code, text) => send(&mut out, code, "", "text/plain", text)?,
            Answer::Later(code, seconds) => {
                send(
                    &mut out,
                    code,
                    &format!("Retry-After: {seconds}\r\n"),
                    "text/plain",
                    "too many requests",
                )?;
            }
            Answer::Watch(events, stays) => {
                out.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
                )?;
                for event in events {
                    let line = format!("{event}\n");
                    write!(out, "{:x}\r\n{line}\r\n", line.len())?;
                }
                out.flush()?;
                if stays {
                    std::thread::sleep(Duration::from_secs(600));
                }
                out.write_all(b"0\r\n\r\n")?;
            }
            Answer::Endless(text) => {
                out.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                loop {
                    write!(out, "{:x}\r\n{text}\r\n", text.len())?;
                }
            }
            Answer::Silence => std::thread::sleep(Duration::from_secs(600)),
            Answer::BreakOff(value) => {
                let text = value.to_string();
                let (half, _) = text.split_at(text.len() / 2);
                write!(
                    out,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{half}",
                    text.len()
                )?;
                return out.shutdown(std::net::Shutdown::Both);
            }
        }
    }
}

fn send(out: &mut TcpStream, code: u16, more: &str, kind: &str, text: &str) -> std::io::Result<()> {
    write!(
        out,
        "HTTP/1.1 {code} Said\r\nContent-Type: {kind}\r\n{more}Content-Length: {}\r\n\r\n{text}",
        text.len()
    )?;
    out.flush()
}
