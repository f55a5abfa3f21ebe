//! Received webhooks, stored in a file beside the shop's orders: each event once, however often it
//! is delivered.

use std::{
    collections::VecDeque,
    io::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oncharge_client::WebhookEvent;
use serde::{Deserialize, Serialize};

use crate::{DataDir, moment::Moment};

/// The file of all deliveries.
const FILE: &str = "shop-webhooks.jsonl";
/// Maximum number of events kept; the oldest are dropped first.
const MAX_EVENTS: usize = 2000;

/// An event received by webhook, stored only after its signature was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceivedEvent {
    /// The event id, the same for every delivery.
    pub(crate) id: String,
    /// The event type, such as `payment.authorized`.
    pub(crate) event: String,
    pub(crate) session_id: String,
    /// Its sequence number in the session.
    pub(crate) sequence: u32,
    /// The session's status after the event.
    pub(crate) status: String,
    /// The session's amount or the refund's, in minor units.
    pub(crate) amount: i64,
    pub(crate) currency: String,
    /// The refund that the event is about.
    #[serde(default)]
    pub(crate) refund_id: Option<String>,
    /// When it happened.
    pub(crate) created_at: Moment,
    /// When it was first received.
    pub(crate) came_at: Moment,
    /// How often it was received.
    pub(crate) times: u32,
}

impl ReceivedEvent {
    /// An event that was just received.
    pub(crate) fn new(event: WebhookEvent, came_at: Moment) -> Self {
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

/// All received events. Cheap to clone; clones share the inbox.
#[derive(Clone)]
pub(crate) struct Inbox(Arc<Mutex<InboxState>>);

struct InboxState {
    /// One delivery per line, as JSON; rewritten when it has twice as many lines as events are
    /// kept.
    data_dir: DataDir,
    file: std::fs::File,
    lines: usize,
    /// In the order of their arrival.
    events: VecDeque<ReceivedEvent>,
}

impl Inbox {
    /// Opens the inbox of the last run. A line truncated by a crash was not acknowledged: it is
    /// dropped and will be delivered again.
    pub(crate) fn open(data_dir: DataDir) -> anyhow::Result<Self> {
        let text = data_dir.read(FILE)?.unwrap_or_default();
        let mut events = VecDeque::new();
        let lines = text.split(|byte| *byte == b'\n');
        for arrival in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
            insert(&mut events, arrival);
        }
        let file = rewrite(&data_dir, &events)?;
        let lines = events.len();
        Ok(Self(Arc::new(Mutex::new(InboxState {
            data_dir,
            file,
            lines,
            events,
        }))))
    }

    /// Stores a delivery durably: it survives the end of the process once this returns. Returns
    /// whether the event is new. Blocks on disk I/O.
    pub(crate) fn store(&self, arrival: ReceivedEvent) -> anyhow::Result<bool> {
        let mut state = self.lock();
        if state.lines >= MAX_EVENTS.saturating_mul(2) {
            state.file = rewrite(&state.data_dir, &state.events)?;
            state.lines = state.events.len();
        }
        let mut line = serde_json::to_vec(&arrival)?;
        line.push(b'\n');
        // A single write, so that the line is written entirely or not at all.
        state.file.write_all(&line)?;
        state.lines = state.lines.saturating_add(1);
        Ok(insert(&mut state.events, arrival))
    }

    /// The events of this session by sequence number.
    pub(crate) fn of_session(&self, session_id: &str) -> Vec<ReceivedEvent> {
        let state = self.lock();
        let of_session = state
            .events
            .iter()
            .filter(|event| event.session_id == session_id);
        let mut events: Vec<_> = of_session.cloned().collect();
        events.sort_by_key(|event| event.sequence);
        events
    }

    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Inserts a delivery; returns whether its event is new.
fn insert(events: &mut VecDeque<ReceivedEvent>, arrival: ReceivedEvent) -> bool {
    // Repeated deliveries come soon after the first: search from the end.
    let existing = events.iter_mut().rev().find(|event| event.id == arrival.id);
    if let Some(existing) = existing {
        existing.times = existing.times.saturating_add(arrival.times);
        return false;
    }
    events.push_back(arrival);
    if events.len() > MAX_EVENTS {
        events.pop_front();
    }
    true
}

/// Replaces the file by one with these events, and opens it for appending.
fn rewrite(data_dir: &DataDir, events: &VecDeque<ReceivedEvent>) -> anyhow::Result<std::fs::File> {
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, event)?;
        text.push(b'\n');
    }
    data_dir.write(FILE, &text)?;
    data_dir.append(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::data_dir;

    fn arrival(id: &str, sequence: u32) -> ReceivedEvent {
        ReceivedEvent {
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

    fn state(inbox: &Inbox) -> Vec<(String, u32)> {
        let events = inbox.of_session("cs_1").into_iter();
        events.map(|event| (event.id, event.times)).collect()
    }

    #[test]
    fn events_are_deduplicated_and_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(data_dir(dir.path())).unwrap();
        assert!(inbox.store(arrival("evt_b", 2)).unwrap());
        assert!(inbox.store(arrival("evt_a", 1)).unwrap());
        assert!(!inbox.store(arrival("evt_b", 2)).unwrap());
        let expected = [("evt_a".to_owned(), 1), ("evt_b".to_owned(), 2)];
        assert_eq!(state(&inbox), expected);
        assert!(inbox.of_session("cs_2").is_empty());
        drop(inbox);
        let inbox = Inbox::open(data_dir(dir.path())).unwrap();
        assert_eq!(state(&inbox), expected);
        assert!(!inbox.store(arrival("evt_a", 1)).unwrap());
    }

    #[test]
    fn a_truncated_line_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        drop(Inbox::open(data_dir(dir.path())).unwrap());
        let path = dir.path().join(FILE);
        let whole = serde_json::to_string(&arrival("evt_a", 1)).unwrap();
        std::fs::write(&path, format!("{whole}\n{}", &whole[..40])).unwrap();
        let inbox = Inbox::open(data_dir(dir.path())).unwrap();
        assert!(inbox.store(arrival("evt_b", 2)).unwrap());
        drop(inbox);
        let inbox = Inbox::open(data_dir(dir.path())).unwrap();
        let ids: Vec<_> = state(&inbox).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, ["evt_a", "evt_b"]);
    }

    #[test]
    fn memory_and_file_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(data_dir(dir.path())).unwrap();
        for number in 0..5 * u32::try_from(MAX_EVENTS).unwrap() {
            inbox
                .store(arrival(&format!("evt_{number}"), number))
                .unwrap();
        }
        assert_eq!(state(&inbox).len(), MAX_EVENTS);
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(text.lines().count() <= 2 * MAX_EVENTS);
    }
}
