//! An HTTP client over TLS that is not the program's own: one connection that stays open, requests by halves if need be.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use crate::tls;

/// A connection.
pub struct Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Client {
    /// Connects; the handshake is done when this returns.
    pub fn connect(address: &str, authority: &[u8]) -> Self {
        Self::over(TcpStream::connect(address).expect("a listener"), authority)
    }

    /// The same from an address of ours, such as 127.0.0.2.
    pub fn connect_from(source: &str, address: &str, authority: &[u8]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind(format!("{source}:0").parse().expect("an address"))?;
            socket.connect(address.parse().expect("an address")).await?.into_std()
        });
        let stream = stream.expect("a listener");
        stream.set_nonblocking(false).expect("a socket");
        Self::over(stream, authority)
    }

    fn over(socket: TcpStream, authority: &[u8]) -> Self {
        let config = tls::trusting([CertificateDer::from(authority.to_vec())]);
        let name = ServerName::try_from("127.0.0.1").expect("a name");
        let connection = ClientConnection::new(config, name).expect("a connection");
        // A request in two writes would wait for the acknowledgement of the first.
        socket.set_nodelay(true).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).expect("a handshake");
        }
        Self { stream }
    }

    /// The certificate that the server showed.
    pub fn certificate(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().expect("certificates")[0].to_vec()
    }

    pub fn send(&mut self, text: &[u8]) {
        self.stream.write_all(text).expect("an open connection");
        self.stream.flush().expect("an open connection");
    }

    /// The head of a request with that many bytes after it.
    pub fn head(method: &str, path: &str, kind: &str, length: usize) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: webhook\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
        )
    }

    pub fn request(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        self.send(Self::head(method, path, kind, body.len()).as_bytes());
        self.send(body);
        self.answer()
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> Answer {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            assert!(self.stream.read(&mut byte).expect("an answer") == 1, "the connection ended");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text");
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body).expect("a body");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code");
        Answer { code, head, body: String::from_utf8(body).expect("text") }
    }

    /// Whether the server has closed the connection properly.
    pub fn ended(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte), Ok(0))
    }
}
