//! The webhooks that came, kept in a file beside the shop's orders: each event once, however often
//! it is delivered.

use std::{
    collections::VecDeque,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use oncharge_client::WebhookEvent;
use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::config::write_private;

/// How many events are kept; the oldest arrivals go first.
const KEPT: usize = 2000;

/// An event that came by webhook, its signature verified: nothing else is kept here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Received {
    /// The event's id: the same whenever it is delivered again.
    pub(super) id: String,
    /// Its name, `payment.authorized` and so on.
    pub(super) event: String,
    pub(super) session_id: String,
    /// Its number in the session.
    pub(super) sequence: u32,
    /// The session's status after it.
    pub(super) status: String,
    /// The session's amount or the refund's, in minor units.
    pub(super) amount: i64,
    pub(super) currency: String,
    /// The refund that it is about.
    #[serde(default)]
    pub(super) refund_id: Option<String>,
    /// When it happened.
    pub(super) created_at: Moment,
    /// When it came, the first time.
    pub(super) came_at: Moment,
    /// How often it came.
    pub(super) times: u32,
}

impl Received {
    /// An event that came just now.
    pub(super) fn new(event: WebhookEvent, came_at: Moment) -> Self {
        Self {
            id: event.id,
            event: event.kind.to_string(),
            session_id: event.session_id,
            sequence: event.sequence,
            status: event.status.as_str().to_owned(),
            amount: event.amount,
            currency: event.currency,
            refund_id: event.refund_id,
            created_at: event.created_at.into(),
            came_at,
            times: 1,
        }
    }
}

/// All that came. Cheap to clone; clones are the same inbox.
#[derive(Clone)]
pub(super) struct Inbox(Arc<Mutex<Kept>>);

struct Kept {
    /// One arrival a line, as JSON; rewritten when it holds twice as many as are kept.
    path: PathBuf,
    file: std::fs::File,
    lines: usize,
    /// In the order in which they came.
    events: VecDeque<Received>,
}

impl Inbox {
    /// Opens the inbox where the last start left it. A line that a crash cut short was never
    /// acknowledged: it is dropped, and comes again.
    pub(super) fn open(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join("shop-webhooks.jsonl");
        let text = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let mut events = VecDeque::new();
        let lines = text.split(|byte| *byte == b'\n');
        for arrival in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
            enter(&mut events, arrival);
        }
        let file = rewrite(&path, &events)?;
        let lines = events.len();
        Ok(Self(Arc::new(Mutex::new(Kept {
            path,
            file,
            lines,
            events,
        }))))
    }

    /// Keeps an arrival; once this returns, the end of this process does not undo it. Returns
    /// whether the event is new. Blocks on the disk.
    pub(super) fn keep(&self, arrival: Received) -> anyhow::Result<bool> {
        let mut kept = self.lock();
        if kept.lines >= KEPT.saturating_mul(2) {
            kept.file = rewrite(&kept.path, &kept.events)?;
            kept.lines = kept.events.len();
        }
        let mut line = serde_json::to_vec(&arrival)?;
        line.push(b'\n');
        // One write, so that a line is there whole or not at all.
        kept.file.write_all(&line)?;
        kept.lines = kept.lines.saturating_add(1);
        Ok(enter(&mut kept.events, arrival))
    }

    /// The events of this session by their sequence.
    pub(super) fn of_session(&self, session_id: &str) -> Vec<Received> {
        let kept = self.lock();
        let of_session = kept
            .events
            .iter()
            .filter(|event| event.session_id == session_id);
        let mut events: Vec<_> = of_session.cloned().collect();
        events.sort_by_key(|event| event.sequence);
        events
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enters an arrival; whether its event is new.
fn enter(events: &mut VecDeque<Received>, arrival: Received) -> bool {
    // What comes again comes soon after: from the end it is found quickly.
    let known = events.iter_mut().rev().find(|event| event.id == arrival.id);
    if let Some(known) = known {
        known.times = known.times.saturating_add(arrival.times);
        return false;
    }
    events.push_back(arrival);
    if events.len() > KEPT {
        events.pop_front();
    }
    true
}

/// Replaces the file by one that holds these events, and opens it for the next ones.
fn rewrite(path: &Path, events: &VecDeque<Received>) -> anyhow::Result<std::fs::File> {
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, event)?;
        text.push(b'\n');
    }
    write_private(path, &text)?;
    let mut options = std::fs::OpenOptions::new();
    let file = options.append(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(id: &str, sequence: u32) -> Received {
        Received {
            id: id.to_owned(),
            event: "payment.captured".to_owned(),
            session_id: "cs_1".to_owned(),
            sequence,
            status: "captured".to_owned(),
            amount: 1000,
            currency: "USD".to_owned(),
            refund_id: None,
            created_at: Moment::now(),
            came_at: Moment::now(),
            times: 1,
        }
    }

    fn kept(inbox: &Inbox) -> Vec<(String, u32)> {
        let events = inbox.of_session("cs_1").into_iter();
        events.map(|event| (event.id, event.times)).collect()
    }

    #[test]
    fn each_event_is_there_once_by_sequence_and_after_a_restart_too() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(dir.path()).unwrap();
        assert!(inbox.keep(arrival("evt_b", 2)).unwrap());
        assert!(inbox.keep(arrival("evt_a", 1)).unwrap());
        assert!(!inbox.keep(arrival("evt_b", 2)).unwrap());
        let expected = [("evt_a".to_owned(), 1), ("evt_b".to_owned(), 2)];
        assert_eq!(kept(&inbox), expected);
        assert!(inbox.of_session("cs_2").is_empty());
        drop(inbox);
        let inbox = Inbox::open(dir.path()).unwrap();
        assert_eq!(kept(&inbox), expected);
        assert!(!inbox.keep(arrival("evt_a", 1)).unwrap());
    }

    #[test]
    fn a_line_that_was_cut_short_is_dropped_and_the_next_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        drop(Inbox::open(dir.path()).unwrap());
        let path = dir.path().join("shop-webhooks.jsonl");
        let whole = serde_json::to_string(&arrival("evt_a", 1)).unwrap();
        std::fs::write(&path, format!("{whole}\n{}", &whole[..40])).unwrap();
        let inbox = Inbox::open(dir.path()).unwrap();
        assert!(inbox.keep(arrival("evt_b", 2)).unwrap());
        drop(inbox);
        let inbox = Inbox::open(dir.path()).unwrap();
        let ids: Vec<_> = kept(&inbox).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["evt_a", "evt_b"]);
    }

    #[test]
    fn neither_memory_nor_file_grows_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(dir.path()).unwrap();
        for number in 0..5 * u32::try_from(KEPT).unwrap() {
            inbox
                .keep(arrival(&format!("evt_{number}"), number))
                .unwrap();
        }
        assert_eq!(kept(&inbox).len(), KEPT);
        let text = std::fs::read_to_string(dir.path().join("shop-webhooks.jsonl")).unwrap();
        assert!(text.lines().count() <= 2 * KEPT);
    }
}
