//! Tests of the sender's port against real servers on this machine.

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
    webhook_sender::{SendOutcome, Webhook, WebhookSender},
};

use crate::{HttpSender, config::SenderConfig, resolver::DnsLookup};

/// 2026-11-22 20:29:10 UTC.
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_795_379_350).unwrap()
    }
}

/// The configuration of a sandbox, changed by a test.
fn config(change: impl FnOnce(&mut SenderConfig)) -> SenderConfig {
    let mut config = SenderConfig::new(Arc::new(FixedClock), true);
    change(&mut config);
    config
}

fn sender(change: impl FnOnce(&mut SenderConfig)) -> HttpSender {
    HttpSender::from_config(config(change)).unwrap()
}

/// A sandbox's sender with the production limits.
fn sandbox() -> HttpSender {
    sender(|_| {})
}

/// A sender with a short time limit.
fn sender_with_timeout(millis: u64) -> HttpSender {
    sender(|config| config.timeout = Duration::from_millis(millis))
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

async fn send(sender: &HttpSender, url: &str) -> SendOutcome {
    sender.send(&webhook(url)).await
}

/// A resolver that returns one result after the other, and repeats the last.
struct ScriptedLookup {
    responses: Vec<Vec<IpAddr>>,
    calls: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl ScriptedLookup {
    fn new(responses: &[&[&str]]) -> Arc<Self> {
        let parse = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self {
            responses: responses.iter().map(parse).collect(),
            calls: AtomicUsize::new(0),
            names: Mutex::default(),
        })
    }

    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }
}

#[async_trait]
impl DnsLookup for ScriptedLookup {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.names.lock().unwrap().push(name.to_owned());
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let response = self.responses.get(number).or(self.responses.last());
        response
            .cloned()
            .ok_or_else(|| io::Error::other("no such name"))
    }
}
