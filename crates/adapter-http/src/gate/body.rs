//! Reads a request's whole body, limited in size and time.

use std::time::Duration;

use actix_web::{
    dev::Payload,
    http::header::{CONTENT_LENGTH, HeaderMap},
    web,
};
use futures_util::StreamExt as _;

use crate::problem::Problem;

/// Refuses a body whose `Content-Length` exceeds `max`, before reading it.
pub(crate) fn check_content_length(headers: &HeaderMap, max: usize) -> Result<(), Problem> {
    let content_length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let is_too_large = content_length
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max));
    if is_too_large {
        Err(Problem::PayloadTooLarge(max))
    } else {
        Ok(())
    }
}

/// Reads the whole body; fails as soon as it exceeds `max` bytes or the time limit.
pub(crate) async fn read(
    mut payload: Payload,
    max: usize,
    timeout: Duration,
) -> Result<web::Bytes, Problem> {
    let read_all = async {
        // A body in one chunk, the usual case, is not copied.
        let mut first = web::Bytes::new();
        let mut body = web::BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::IncompleteBody)?;
            let length = first.len().saturating_add(body.len());
            if length.saturating_add(chunk.len()) > max {
                return Err(Problem::PayloadTooLarge(max));
            }
            if length == 0 {
                first = chunk;
            } else {
                body.extend_from_slice(&std::mem::take(&mut first));
                body.extend_from_slice(&chunk);
            }
        }
        Ok(if first.is_empty() {
            body.freeze()
        } else {
            first
        })
    };
    tokio::time::timeout(timeout, read_all)
        .await
        .map_err(|_| Problem::BodyTimeout)?
}
