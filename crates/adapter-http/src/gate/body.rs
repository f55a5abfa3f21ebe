//! Reads a request's body whole: bounded in size and in time.

use std::time::Duration;

use actix_web::{
    dev::Payload,
    http::header::{CONTENT_LENGTH, HeaderMap},
    web,
};
use futures_util::StreamExt as _;

use crate::problem::Problem;

/// Refuses a body that says of itself that it is too large, before a byte of it is read.
pub(crate) fn check_announced(headers: &HeaderMap, most: usize) -> Result<(), Problem> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    let too_large = announced
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|length| usize::try_from(length).map_or(true, |length| length > most));
    if too_large {
        Err(Problem::PayloadTooLarge(most))
    } else {
        Ok(())
    }
}

/// The whole body; refused as soon as more than `most` bytes have come, or the time is over.
pub(crate) async fn read(
    mut payload: Payload,
    most: usize,
    within: Duration,
) -> Result<web::Bytes, Problem> {
    let whole = async {
        // What comes in one piece, as nearly all does, is not copied.
        let mut first = web::Bytes::new();
        let mut body = web::BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::BrokenBody)?;
            let length = first.len().saturating_add(body.len());
            if length.saturating_add(chunk.len()) > most {
                return Err(Problem::PayloadTooLarge(most));
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
    tokio::time::timeout(within, whole)
        .await
        .map_err(|_| Problem::SlowBody)?
}
