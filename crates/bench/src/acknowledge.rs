//! How long a PSP waits for the answer to a notification, beside how long a request takes that
//! only inserts a row.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::dev::ServerHandle;
use anyhow::ensure;
use clap::Args;
use http_body_util::Full;
use hyper::{Request, StatusCode, body::Bytes, header};
use oncharge_adapter_http::{Api, Settings, serve_api};
use oncharge_application::workers::runner;
use oncharge_ports::work_queue::Queue;
use ring::hmac;
use serde_json::json;

use crate::{
    load::{Load, Make},
    note,
    peer::{self, Peer},
    place::{Kind, Place, Places},
    receiver::{Arrivals, Nowhere},
    sample::Sample,
    say, table,
    wired::Wired,
};

/// How many connections load at once.
const CONNECTIONS: [usize; 2] = [8, 32];
/// How long each load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// What to measure with.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    places: Places,
    /// How many seconds each measurement lasts.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How often each is measured, in turns; the middle one by its p99 counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
}

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// The peer.
    Row,
    /// The service, with its workers.
    All,
    /// The service's API alone.
    Api,
}

impl Who {
    fn name(self) -> &'static str {
        match self {
            Self::Row => "one row",
            Self::All => "notification, workers beside it",
            Self::Api => "notification, API alone",
        }
    }
}

/// Measures and prints a table.
pub(crate) async fn run(with: Arguments) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for kind in Kind::BOTH {
        let place = with.places.fresh(kind).await?;
        let stage = Stage::set(&place).await?;
        for connections in CONNECTIONS {
            lines.extend(stage.compare(&with, (kind, connections)).await?);
        }
        stage.end().await;
    }
    let head = [
        "database",
        "request",
        "connections",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "p50 ÷ one row",
        "p99 ÷ one row",
    ];
    Ok(say(table::table(&head, lines.into_iter()))?)
}

/// The service and the peer on one database.
struct Stage {
    wired: Wired,
    api: (SocketAddr, ServerHandle),
    peer: Peer,
}

impl Stage {
    #[expect(clippy::disallowed_methods, reason = "ended by `end`")]
    async fn set(place: &Place) -> anyhow::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let wired = Wired::open(place, Arc::new(Nowhere(Arc::new(Arrivals::default())))).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let api = Api::new(wired.app.clone(), Settings::sandbox());
        let server = serve_api(api, listener, threads)?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            wired,
            api: (address, handle),
            peer: Peer::start(place, threads).await?,
        })
    }

    async fn end(self) {
        self.api.1.stop(false).await;
        self.peer.stop().await;
    }

    async fn compare(
        &self,
        with: &Arguments,
        (kind, connections): (Kind, usize),
    ) -> anyhow::Result<Vec<Vec<String>>> {
        let everybody = [Who::Row, Who::All, Who::Api];
        let mut samples: [Vec<Sample>; 3] = Default::default();
        for _ in 0..with.times {
            for (who, samples) in everybody.into_iter().zip(&mut samples) {
                note(format_args!(
                    "{}: {}, {connections} connections",
                    kind.name(),
                    who.name()
                ));
                let lasting = Duration::from_secs(with.seconds);
                samples.push(self.load(who, connections, lasting).await?);
            }
        }
        let middle = samples.map(|mut samples| {
            samples.sort_by(|one, other| one.percentile(99).total_cmp(&other.percentile(99)));
            let at = samples.len() / 2;
            samples.swap_remove(at)
        });
        let [row, ..] = &middle;
        let line = |(who, sample): (Who, &Sample)| {
            let over = |percent| sample.percentile(percent) / row.percentile(percent);
            vec![
                kind.name().to_owned(),
                who.name().to_owned(),
                connections.to_string(),
                table::whole(Some(sample.per_second())),
                table::two(Some(sample.percentile(50))),
                table::two(Some(sample.percentile(99))),
                table::two(Some(over(50))),
                table::two(Some(over(99))),
            ]
        };
        Ok(everybody.into_iter().zip(&middle).map(line).collect())
    }

    /// A load on one of them; afterwards the inbox is empty again.
    async fn load(
        &self,
        who: Who,
        connections: usize,
        lasting: Duration,
    ) -> anyhow::Result<Sample> {
        let address = match who {
            Who::Row => self.peer.address,
            Who::All | Who::Api => self.api.0,
        };
        let load = Load {
            address,
            make: notifications(address),
            expected: StatusCode::OK,
        };
        let mut workers = (who == Who::All).then(|| runner::start(&self.wired.app));
        load.run(connections, WARM_UP).await?;
        let sample = load.run(connections, lasting).await?;
        if let Some(error) = &sample.first_error {
            note(error);
        }
        ensure!(sample.errors == 0, "{} requests failed", sample.errors);
        if who == Who::Api {
            workers = Some(runner::start(&self.wired.app));
        }
        if let Some(workers) = workers {
            self.emptied().await?;
            workers.stop().await;
        }
        Ok(sample)
    }

    async fn emptied(&self) -> anyhow::Result<()> {
        loop {
            let depths = self.wired.work.depths(self.wired.app.now()).await?;
            let waits = depths
                .iter()
                .any(|depth| depth.queue == Queue::Inbox && depth.depth > 0);
            if !waits {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Notifications that are signed as the simulator signs, each with an id of its own, as long as its
/// own are. Of a kind that nothing follows from: the worker claims, reads and settles each.
fn notifications(address: SocketAddr) -> Make {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let key = peer::key();
    Arc::new(move |_, _| {
        let body = json!({
            "id": format!("ntf_{:032x}", NEXT.fetch_add(1, Ordering::Relaxed)),
            "type": "report",
            "psp_reference": "psp_01a2048c1adc7788b581876e6a91ce45",
            "reference": "cs_01a2048c1adc7788b581876e6a91ce45",
            "idempotency_key": "op_01a2048c1adc7788b581876e6a91ce45",
            "success": true, "amount": 9_999, "currency": "EUR", "reason": null,
            "created_at": "2026-11-22T18:37:00Z",
        });
        let body = Bytes::from(body.to_string());
        let signature = hex::encode(hmac::sign(&key, &body));
        let request = Request::post("/webhooks/psp/simulator/default")
            .header(header::HOST, address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(peer::SIGNATURE, signature);
        Ok(request.body(Full::new(body))?)
    })
}
