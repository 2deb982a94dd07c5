//! Responses of the gateway's own, and the bodies of all responses.

use crate::connection::BackendBody;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body: the gateway's own words, or a pod's bytes as they come.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    Words(Option<Bytes>),
    Backend(BackendBody),
}

/// A response of the gateway's own.
pub(crate) fn words(status: StatusCode, text: String) -> Response<ReplyBody> {
    let body = ReplyBody::Words(Some(Bytes::from(text + "\n")));
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Words(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Backend(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Words(text) => text.is_none(),
            Self::Backend(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Words(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Backend(body) => body.size_hint(),
        }
    }
}
