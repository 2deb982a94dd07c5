//! Connections to pods, kept open between requests.
//!
//! A connection is driven by whoever uses it, within the same task: nothing is handed from task to
//! task on the way of a request, and an idle connection costs nothing.

use crate::body::OutBody;
use crate::config::{CONNECT_TIMEOUT, IDLE_TIMEOUT, MAX_IDLE};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection as Driver, SendRequest};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The idle connections to one pod.
#[derive(Debug)]
pub(crate) struct Pool {
    address: SocketAddr,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

/// A connection to a pod.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<OutBody>,
    driver: Driver<TokioIo<TcpStream>, OutBody>,
    state: State,
    /// Whether it has carried a request before, so that the pod may have closed it meanwhile.
    pub(crate) reused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
}

/// Why a request was not answered.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: hyper::Error,
    /// The request, if nothing of it was sent.
    pub(crate) unsent: Option<Request<OutBody>>,
}

impl Pool {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// An idle connection that is still open, or a new one.
    pub(crate) async fn connection(&self) -> io::Result<Box<Connection>> {
        while let Some(mut idle) = self.pop() {
            if idle.is_usable() {
                return Ok(idle.connection);
            }
        }
        self.connect().await
    }

    /// Closes the connections that were idle for too long.
    pub(crate) fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(Idle::is_usable);
    }

    fn pop(&self) -> Option<Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: Box<Connection>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> io::Result<Box<Connection>> {
        let connecting = TcpStream::connect(self.address);
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await??;
        stream.set_nodelay(true)?;
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (sender, driver) = made.map_err(io::Error::other)?;
        Ok(Box::new(Connection { sender, driver, state: State::Open, reused: false }))
    }
}

impl Idle {
    fn is_usable(&mut self) -> bool {
        self.since.elapsed() < IDLE_TIMEOUT && self.connection.is_idle()
    }
}

impl Connection {
    /// Sends a request and waits for the head of its response.
    pub(crate) async fn exchange(
        mut self: Box<Self>,
        request: Request<OutBody>,
        pool: &Arc<Pool>,
    ) -> Result<Response<BackendBody>, Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let Self { driver, state, .. } = &mut *self;
        let answer = poll_fn(|cx| {
            drive(driver, state, cx);
            answer.as_mut().poll(cx)
        });
        match answer.await {
            Ok(response) => {
                let connection = Some((self, pool.clone()));
                Ok(response.map(|body| BackendBody { body, connection }))
            }
            Err(mut refused) => {
                let unsent = refused.take_message();
                Err(Unanswered { error: refused.into_error(), unsent })
            }
        }
    }

    /// Whether it is open and waits for a request.
    fn is_idle(&mut self) -> bool {
        drive(&mut self.driver, &mut self.state, &mut Context::from_waker(Waker::noop()));
        self.state == State::Open && self.sender.is_ready()
    }
}

fn drive(
    driver: &mut Driver<TokioIo<TcpStream>, OutBody>,
    state: &mut State,
    cx: &mut Context<'_>,
) {
    if *state == State::Open && Pin::new(driver).poll(cx).is_ready() {
        *state = State::Closed;
    }
}

/// The body of a pod's response; its connection goes back to the pool when all of it was read.
#[derive(Debug)]
pub(crate) struct BackendBody {
    body: Incoming,
    connection: Option<(Box<Connection>, Arc<Pool>)>,
}

impl Body for BackendBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if let Some((connection, _)) = &mut this.connection {
            drive(&mut connection.driver, &mut connection.state, cx);
        }
        Pin::new(&mut this.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for BackendBody {
    fn drop(&mut self) {
        if let Some((mut connection, pool)) = self.connection.take()
            && connection.is_idle()
        {
            connection.reused = true;
            pool.keep(connection);
        }
    }
}
