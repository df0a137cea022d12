//! An HTTP client that is not the program under test: a method, a path and a body in, a code and a body out, over one
//! connection a thread that stays open. A process and a handshake for each of thousands of requests would be most of the
//! time that these tests take.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, StreamOwned};

use crate::tls;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

type Tls = StreamOwned<ClientConnection, TcpStream>;

thread_local! {
    /// Connections of this thread, by address.
    static OPEN: RefCell<HashMap<String, BufReader<Tls>>> = RefCell::default();
}

/// One request.
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub content_type: &'a str,
    pub token: &'a str,
    pub body: &'a [u8],
}

/// Sends a request to `https://HOST:PORT`; the answer's code and body. A connection that was kept and has ended meanwhile
/// is opened anew.
pub fn send(address: &str, authority: &Path, request: &Request<'_>) -> std::io::Result<(u16, Vec<u8>)> {
    OPEN.with_borrow_mut(|open| {
        if let Some(mut kept) = open.remove(address)
            && let Ok(answer) = exchange(&mut kept, request)
        {
            open.insert(address.to_owned(), kept);
            return Ok(answer);
        }
        let mut connection = BufReader::new(connect(address, authority)?);
        let answer = exchange(&mut connection, request)?;
        open.insert(address.to_owned(), connection);
        Ok(answer)
    })
}

/// A connection to `https://HOST:PORT`; a read of it waits for [`PATIENCE`] at most.
pub fn connect(address: &str, authority: &Path) -> std::io::Result<Tls> {
    let authorities = CertificateDer::pem_file_iter(authority).expect("an authority");
    let config = tls::trusting(authorities.map(|certificate| certificate.expect("a certificate")));
    let place = address.strip_prefix("https://").expect("an address of https");
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host).to_owned();
    let name = ServerName::try_from(host).expect("a name");
    let connection = ClientConnection::new(config, name).expect("a connection");
    let socket = TcpStream::connect(place)?;
    // A request in two writes would wait for the acknowledgement of the first.
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(StreamOwned::new(connection, socket))
}

fn exchange(connection: &mut BufReader<Tls>, request: &Request<'_>) -> std::io::Result<(u16, Vec<u8>)> {
    let Request { method, path, content_type, token, body } = request;
    let mut text = format!(
        "{method} {path} HTTP/1.1\r\nHost: server\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    text.extend_from_slice(body);
    let stream = connection.get_mut();
    stream.write_all(&text)?;
    stream.flush()?;
    answer(connection)
}

fn answer(connection: &mut BufReader<Tls>) -> std::io::Result<(u16, Vec<u8>)> {
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let code = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    let (mut length, mut chunked) = (0, false);
    loop {
        line.clear();
        if connection.read_line(&mut line)? == 0 {
            return Err(broken());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(|_| broken())?,
            "transfer-encoding" => chunked = value.trim() == "chunked",
            _ => {}
        }
    }
    let mut body = Vec::new();
    if !chunked {
        body.resize(length, 0);
        connection.read_exact(&mut body)?;
        return Ok((code, body));
    }
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(|_| broken())?;
        let from = body.len();
        body.resize(from + size, 0);
        connection.read_exact(&mut body[from..])?;
        line.clear();
        connection.read_line(&mut line)?;
        if size == 0 {
            return Ok((code, body));
        }
    }
}
