//! Reads the stored parts of a response: the beginning of its body, and its `Retry-After`.

use std::time::{Duration, SystemTime};

use oncharge_domain::time::Timestamp;
use tokio::time::{Instant, timeout_at};

/// How much of a response body is read and stored, in bytes.
const MAX_BODY_BYTES: usize = 1024;
/// Maximum pause; the schedule allows half a day at most.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads the beginning of the body, or the part received before it broke off or the deadline
/// passed. The rest is never read: dropping the response closes its connection.
pub(crate) async fn read_body_prefix(mut response: reqwest::Response, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() <= MAX_BODY_BYTES {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let remaining = (MAX_BODY_BYTES + 1).saturating_sub(bytes.len());
                bytes.extend(chunk.iter().take(remaining));
            }
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    sanitize(&bytes)
}

/// The first kilobyte as text: no control characters except line feeds, no partial character at the
/// end.
fn sanitize(bytes: &[u8]) -> String {
    let (prefix, is_cut) = match bytes.get(..MAX_BODY_BYTES) {
        Some(prefix) => (prefix, bytes.len() > MAX_BODY_BYTES),
        None => (bytes, false),
    };
    let mut text = String::new();
    let mut chunks = prefix.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let is_split_character = is_cut && chunks.peek().is_none();
        if !chunk.invalid().is_empty() && !is_split_character {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text.retain(|c| c == '\n' || !c.is_control());
    // A replacement character is longer than the bytes that it replaces.
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= MAX_BODY_BYTES).last();
    text.truncate(end.unwrap_or_default());
    text
}

/// Parses a `Retry-After` (RFC 9110, 10.2.3): whole seconds, or a date in any of HTTP's forms; a
/// date in the past is no pause.
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim_ascii();
    let delay = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that overflows is a very long pause.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        let now = SystemTime::from(now.as_offset_date_time());
        date.duration_since(now).unwrap_or_default()
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        // 2026-11-22 20:29:10 UTC, a Sunday.
        let now = Timestamp::from_unix_seconds(1_795_379_350).unwrap();
        retry_after(text, now).map(|delay| delay.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999999", Some(7 * 24 * 3600)),
            ("Sun, 22 Nov 2026 20:31:10 GMT", Some(120)),
            ("Sunday, 22-Nov-26 20:31:10 GMT", Some(120)),
            ("Sun Nov 22 20:31:10 2026", Some(120)),
            ("Sun, 22 Nov 2026 20:00:00 GMT", Some(0)),
            ("Thu, 22 Nov 2096 20:00:00 GMT", Some(7 * 24 * 3600)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("2026-11-22T20:31:10Z", None),
        ] {
            assert_eq!(seconds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_removed() {
        assert_eq!(sanitize(b"ok"), "ok");
        assert_eq!(sanitize(b""), "");
        assert_eq!(
            sanitize(b"a\0b\r\nc\td\x1b[31me\x7f\xc2\x85f"),
            "ab\ncd[31mef"
        );
        assert_eq!(sanitize("für ✓".as_bytes()), "für ✓");
    }

    #[test]
    fn invalid_utf_8_is_replaced_within_the_limit() {
        assert_eq!(sanitize(b"a\xffb"), "a\u{fffd}b");
        // Complete, and cut off at its end by its author.
        assert_eq!(sanitize(b"a\xe2\x9c"), "a\u{fffd}");
        let prefix = sanitize(&[0xff; 2000]);
        assert_eq!(prefix, "\u{fffd}".repeat(1024 / 3));
    }

    #[test]
    fn characters_are_not_split() {
        let body = format!("{}✓ and more", "x".repeat(1022));
        assert_eq!(sanitize(body.as_bytes()), "x".repeat(1022));
        let body = format!("{}✓ and more", "x".repeat(1021));
        assert_eq!(sanitize(body.as_bytes()), format!("{}✓", "x".repeat(1021)));
        let whole = "x".repeat(1024);
        assert_eq!(sanitize(whole.as_bytes()), whole);
    }
}
