//! What is kept of an answer: the beginning of its body, and the pause that it asks for.

use std::time::{Duration, SystemTime};

use oncharge_domain::time::Timestamp;
use tokio::time::{Instant, timeout_at};

/// How much of an answer's body is read and kept, in bytes.
const MOST_KEPT: usize = 1024;
/// No pause is longer than this: the schedule grants half a day at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The beginning of the body, or what there was of it when it broke or the deadline came. The rest
/// is never read: with the response its connection goes.
pub(crate) async fn beginning(mut response: reqwest::Response, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    while bytes.len() <= MOST_KEPT {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                let room = (MOST_KEPT + 1).saturating_sub(bytes.len());
                bytes.extend(chunk.iter().take(room));
            }
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    text(&bytes)
}

/// The first kilobyte as text: no control characters but line feeds, no half character at the end.
fn text(bytes: &[u8]) -> String {
    let (kept, is_cut) = match bytes.get(..MOST_KEPT) {
        Some(kept) => (kept, bytes.len() > MOST_KEPT),
        None => (bytes, false),
    };
    let mut text = String::new();
    let mut chunks = kept.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        let is_half = is_cut && chunks.peek().is_none();
        if !chunk.invalid().is_empty() && !is_half {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text.retain(|c| c == '\n' || !c.is_control());
    // A replacement takes more room than what it stands for.
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= MOST_KEPT).last();
    text.truncate(end.unwrap_or_default());
    text
}

/// Reads a `Retry-After` (RFC 9110, 10.2.3): whole seconds, or a date in any of HTTP's forms; one
/// that is past asks for no pause.
pub(crate) fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim_ascii();
    let pause = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long pause.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        let now = SystemTime::from(now.as_offset_date_time());
        date.duration_since(now).unwrap_or_default()
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        // 2026-11-22 20:29:10 UTC, a Sunday.
        let now = Timestamp::from_unix_seconds(1_795_379_350).unwrap();
        retry_after(text, now).map(|pause| pause.as_secs())
    }

    #[test]
    fn a_pause_is_seconds_or_a_date() {
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
    fn text_is_kept_without_control_characters() {
        assert_eq!(text(b"ok"), "ok");
        assert_eq!(text(b""), "");
        assert_eq!(text(b"a\0b\r\nc\td\x1b[31me\x7f\xc2\x85f"), "ab\ncd[31mef");
        assert_eq!(text("für ✓".as_bytes()), "für ✓");
    }

    #[test]
    fn what_is_no_utf_8_is_replaced_and_still_takes_one_kilobyte_at_most() {
        assert_eq!(text(b"a\xffb"), "a\u{fffd}b");
        // Whole, and broken at its end by its author.
        assert_eq!(text(b"a\xe2\x9c"), "a\u{fffd}");
        let kept = text(&[0xff; 2000]);
        assert_eq!(kept, "\u{fffd}".repeat(1024 / 3));
    }

    #[test]
    fn no_character_is_cut_in_two() {
        let body = format!("{}✓ and more", "x".repeat(1022));
        assert_eq!(text(body.as_bytes()), "x".repeat(1022));
        let body = format!("{}✓ and more", "x".repeat(1021));
        assert_eq!(text(body.as_bytes()), format!("{}✓", "x".repeat(1021)));
        let whole = "x".repeat(1024);
        assert_eq!(text(whole.as_bytes()), whole);
    }
}
