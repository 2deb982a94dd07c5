//! Our engine behind a socket, which costs about what Prometheus' costs it.

use crate::recorded::{ORIGIN, store};
use jiff::Timestamp;
use metrics::{
    http_api::{Parameters, Request, respond},
    promql::Options,
    series::SeriesStore,
};
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

/// Serves the recorded samples to one connection.
pub(crate) fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        answer_all(stream, &store())
    });
    address
}

fn answer_all(stream: TcpStream, store: &SeriesStore) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if stream.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while stream.read_line(&mut header)? > 2 {
            header.clear();
        }
        let (status, body) = answer(&request, store);
        let head = format!(
            "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    }
}

fn answer(request: &str, store: &SeriesStore) -> (u16, String) {
    let target = request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
    let parameters = Parameters::new(pairs);
    let path = path.trim_start_matches("/api/v1/");
    let now = Timestamp::from_second(ORIGIN).unwrap();
    let reply = respond(store, Request { path, parameters: &parameters, now }, &Options::default());
    (reply.status, reply.body)
}
