//! The bodies of requests to pods: the client's, nothing, or one that several pods get at once.
//!
//! **Invariant.** A copy never holds up the body it is a copy of: one whose reader is too slow ends in an
//! error, and so never looks whole.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Parts of a body that may wait for the reader of a copy.
const WAITING: usize = 16;

/// The body of a request to a pod.
#[derive(Debug)]
pub(crate) enum OutBody {
    /// The client's.
    Client(Incoming),
    Nothing,
    /// The client's, each part of which is told to copies.
    Told(Incoming, Vec<Sender<Part>>),
    Copy(Receiver<Part>),
}

/// A piece of a body, or its end.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Data(Bytes),
    End,
}

/// Why a body breaks off.
type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that is yet to be told of, and where it is told.
pub(crate) fn copy() -> (Sender<Part>, OutBody) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (sender, OutBody::Copy(receiver))
}

/// Tells the copies; those that cannot take it break off.
fn tell(copies: &mut Vec<Sender<Part>>, part: &Part) {
    copies.retain(|copy| copy.try_send(part.clone()).is_ok());
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(match self.get_mut() {
            Self::Client(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(Into::into))
            }
            Self::Nothing => None,
            Self::Told(body, copies) => {
                let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
                match frame.as_ref().map(|frame| frame.as_ref().map(Frame::data_ref)) {
                    Some(Ok(Some(data))) => tell(copies, &Part::Data(data.clone())),
                    Some(Ok(None)) => {}
                    Some(Err(_)) => copies.clear(),
                    None => tell(copies, &Part::End),
                }
                if body.is_end_stream() && frame.is_some() {
                    // Nobody asks again for a body whose length was known.
                    tell(copies, &Part::End);
                    copies.clear();
                }
                frame.map(|frame| frame.map_err(Into::into))
            }
            Self::Copy(parts) => match ready!(parts.poll_recv(cx)) {
                Some(Part::Data(data)) => Some(Ok(Frame::data(data))),
                Some(Part::End) => None,
                None => Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
            },
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Client(body) | Self::Told(body, _) => body.is_end_stream(),
            Self::Nothing => true,
            Self::Copy(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Client(body) | Self::Told(body, _) => body.size_hint(),
            Self::Nothing => SizeHint::with_exact(0),
            Self::Copy(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_copy_whose_original_breaks_off_never_looks_whole() {
        for (parts, whole) in [
            (vec![Part::Data(Bytes::from_static(b"a")), Part::End], true),
            (vec![Part::Data(Bytes::from_static(b"a"))], false),
            (vec![], false),
        ] {
            let (sender, copy) = copy();
            let mut copies = vec![sender];
            for part in &parts {
                tell(&mut copies, part);
            }
            drop(copies);
            assert_eq!(copy.collect().await.is_ok(), whole, "{parts:?}");
        }
    }

    #[tokio::test]
    async fn a_copy_that_nobody_reads_is_given_up() {
        let (sender, copy) = copy();
        let mut copies = vec![sender];
        for _ in 0..=WAITING {
            tell(&mut copies, &Part::Data(Bytes::from_static(b"a")));
        }
        assert!(copies.is_empty());
        assert!(copy.collect().await.is_err());
    }
}
