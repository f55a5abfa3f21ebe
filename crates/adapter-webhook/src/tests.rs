//! The sender against real servers on this machine, through its port.

mod addresses;
mod exchange;
mod server;
mod tls;

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use oncharge_domain::{time::Timestamp, webhook::EndpointUrl};
use oncharge_ports::{
    clock::Clock,
    webhook_sender::{Sent, Webhook, WebhookSender},
};

use crate::{HttpSender, resolver::Lookup, sender::Parts};

/// 2026-11-22 20:29:10 UTC.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_379_350).unwrap()
    }
}

/// What a sandbox sends with, changed by a test.
fn parts(change: impl FnOnce(&mut Parts)) -> Parts {
    let mut parts = Parts::new(Arc::new(Stopped), true);
    change(&mut parts);
    parts
}

fn sender(change: impl FnOnce(&mut Parts)) -> HttpSender {
    HttpSender::from_parts(parts(change)).unwrap()
}

/// A sandbox's sender with the product's own limits.
fn sandbox() -> HttpSender {
    sender(|_| {})
}

/// A sender whose patience ends soon.
fn impatient(millis: u64) -> HttpSender {
    sender(|parts| parts.limit = Duration::from_millis(millis))
}

fn webhook(url: &str) -> Webhook {
    Webhook {
        url: EndpointUrl::parse(url, true).unwrap(),
        headers: vec![
            ("X-Oncharge-Signature", "00ff".to_owned()),
            ("webhook-id", "evt_1".to_owned()),
        ],
        body: br#"{"event":"payment.captured"}"#.to_vec(),
    }
}

async fn send(sender: &HttpSender, url: &str) -> Sent {
    sender.send(&webhook(url)).await
}

/// A look-up that gives one answer after the other, the last for ever.
struct Scripted {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            answers: answers.iter().map(parse).collect(),
            asked: AtomicUsize::new(0),
            names: Mutex::default(),
        })
    }

    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }
}

#[async_trait]
impl Lookup for Scripted {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.names.lock().unwrap().push(name.to_owned());
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.get(number).or(self.answers.last());
        answer
            .cloned()
            .ok_or_else(|| io::Error::other("no such name"))
    }
}
