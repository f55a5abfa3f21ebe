//! Measures the latency of the response to a PSP's notification, compared with a request that only
//! inserts a row.

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
use oncharge::Components;
use oncharge_adapter_http::{Api, Settings, serve_api};
use oncharge_application::workers::runner;
use oncharge_ports::work_queue::QueueName;
use ring::hmac;
use serde_json::json;

use crate::{
    app,
    database::{Database, DatabaseArgs, Kind},
    load::{Load, RequestFactory},
    print, print_note,
    receiver::{Arrivals, NullSender},
    reference_server::{self, ReferenceServer},
    sample::Sample,
    table,
};

/// Numbers of concurrent connections.
const CONNECTIONS: [usize; 2] = [8, 32];
/// Duration of the load before the measurement.
const WARM_UP: Duration = Duration::from_millis(500);

/// The input of the measurement.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    databases: DatabaseArgs,
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Number of repetitions, in turns; the one with the median p99 counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,
}

/// The measured server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    /// The reference server.
    ReferenceRow,
    /// The service with its workers.
    All,
    /// The service's API without workers.
    Api,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::ReferenceRow => "one row",
            Self::All => "notification, with workers",
            Self::Api => "notification, API alone",
        }
    }
}

/// Measures and prints a table.
pub(crate) async fn run(args: Arguments) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for kind in Kind::BOTH {
        let database = args.databases.create(kind).await?;
        let setup = Setup::start(&database).await?;
        for connections in CONNECTIONS {
            lines.extend(setup.compare(&args, kind, connections).await?);
        }
        setup.end().await;
    }
    let header = [
        "database",
        "request",
        "connections",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "p50 ÷ one row",
        "p99 ÷ one row",
    ];
    Ok(print(table::table(header, lines))?)
}

/// The service and the reference server on one database.
struct Setup {
    components: Components,
    api: (SocketAddr, ServerHandle),
    reference_server: ReferenceServer,
}

impl Setup {
    #[expect(clippy::disallowed_methods, reason = "ended by `end`")]
    async fn start(database: &Database) -> anyhow::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let components = app::open(
            database,
            Arc::new(NullSender(Arc::new(Arrivals::default()))),
        )
        .await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let api = Api::new(components.app.clone(), Settings::sandbox());
        let server = serve_api(api, listener, threads)?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self {
            components,
            api: (address, handle),
            reference_server: ReferenceServer::start(database, threads).await?,
        })
    }

    async fn end(self) {
        self.api.1.stop(false).await;
        self.reference_server.stop().await;
    }

    async fn compare(
        &self,
        args: &Arguments,
        kind: Kind,
        connections: usize,
    ) -> anyhow::Result<Vec<[String; 8]>> {
        let servers = [Server::ReferenceRow, Server::All, Server::Api];
        let mut samples: [Vec<Sample>; 3] = Default::default();
        for _ in 0..args.times {
            for (server, samples) in servers.into_iter().zip(&mut samples) {
                print_note(format_args!(
                    "{}: {}, {connections} connections",
                    kind.name(),
                    server.name()
                ));
                let duration = Duration::from_secs(args.seconds);
                samples.push(self.load(server, connections, duration).await?);
            }
        }
        let medians = samples.map(|mut samples| {
            samples.sort_by(|one, other| one.percentile(99.0).total_cmp(&other.percentile(99.0)));
            let middle = samples.len() / 2;
            samples.swap_remove(middle)
        });
        let [row, ..] = &medians;
        let line = |(server, sample): (Server, &Sample)| {
            let ratio = |percent| sample.percentile(percent) / row.percentile(percent);
            [
                kind.name().to_owned(),
                server.name().to_owned(),
                connections.to_string(),
                table::integer(Some(sample.per_second())),
                table::two_decimals(Some(sample.percentile(50.0))),
                table::two_decimals(Some(sample.percentile(99.0))),
                table::two_decimals(Some(ratio(50.0))),
                table::two_decimals(Some(ratio(99.0))),
            ]
        };
        Ok(servers.into_iter().zip(&medians).map(line).collect())
    }

    /// Loads one server; afterwards the inbox is empty again.
    async fn load(
        &self,
        server: Server,
        connections: usize,
        duration: Duration,
    ) -> anyhow::Result<Sample> {
        let address = match server {
            Server::ReferenceRow => self.reference_server.address,
            Server::All | Server::Api => self.api.0,
        };
        let load = Load {
            address,
            make_request: notifications(address),
            expected: StatusCode::OK,
        };
        let mut workers = (server == Server::All).then(|| runner::start(&self.components.app));
        load.run(connections, WARM_UP).await?;
        let sample = load.run(connections, duration).await?;
        if let Some(error) = &sample.first_error {
            print_note(error);
        }
        ensure!(sample.errors == 0, "{} requests failed", sample.errors);
        if server == Server::Api {
            workers = Some(runner::start(&self.components.app));
        }
        if let Some(workers) = workers {
            self.wait_for_empty_inbox().await?;
            workers.stop().await;
        }
        Ok(sample)
    }

    async fn wait_for_empty_inbox(&self) -> anyhow::Result<()> {
        loop {
            let depths = self
                .components
                .store
                .work
                .depths(self.components.app.now())
                .await?;
            let is_waiting = depths
                .iter()
                .any(|depth| depth.queue == QueueName::Inbox && depth.depth > 0);
            if !is_waiting {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Notifications with unique ids, signed and as long as the simulator's. Their kind has no effect:
/// the worker claims, reads and settles each.
fn notifications(address: SocketAddr) -> RequestFactory {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let key = reference_server::key();
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
            .header(reference_server::SIGNATURE, signature);
        Ok(request.body(Full::new(body))?)
    })
}
