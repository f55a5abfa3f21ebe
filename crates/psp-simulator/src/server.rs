//! Starts and stops a simulator with its listener and tasks.

pub(crate) mod connections;
pub(crate) mod listener_control;
mod listener_task;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web;
use anyhow::Context as _;
use oncharge_http_server::AllowedHosts;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{Notifiers, Simulator};
use crate::config::Config;
use crate::faults::Faults;
use crate::notifications::delivery::{self, Sender};
use crate::scheduler;
use crate::store::{Store, StoreError};
use crate::stripe::account::Account;
use listener_control::ListenerControl;
use listener_task::ListenerTask;

/// A running simulator. Dropping it requests a stop; [`Running::stop`] also waits for it.
pub struct Running {
    url: String,
    simulator: web::Data<Simulator>,
    stop: watch::Sender<bool>,
    listener_task: Mutex<Option<JoinHandle<()>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// The simulator's origin, such as `http://127.0.0.1:8081`, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Closes the listener, ends the tasks, completes the current write and closes the file.
    /// Pending work is resumed by the next simulator on the same file.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let listener_task = self
            .listener_task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(listener_task) = listener_task {
            let _ = listener_task.await;
        }
        for task in &self.tasks {
            task.abort();
        }
        let simulator = self.simulator.clone();
        let _ = tokio::task::spawn_blocking(move || simulator.store.close()).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Starts a simulator on the current tokio runtime, which must be multi-threaded if other actix
/// servers share it. Returns once the port is open.
///
/// # Errors
/// The file cannot be opened or is in use by another simulator, or the port is taken.
pub async fn start(config: Config) -> anyhow::Result<Running> {
    let database = config.database.clone();
    let store = tokio::task::spawn_blocking(move || Store::open(&database))
        .await
        .context("opening the database was interrupted")??;
    let faults = store
        .read(Faults::load)
        .await
        .map_err(|error: StoreError| anyhow::Error::new(error).context("cannot load the faults"))?;
    let listener = listener_task::bind(SocketAddr::new(config.bind, config.port))
        .with_context(|| format!("cannot listen on {}:{}", config.bind, config.port))?;
    let address = listener
        .local_addr()
        .context("cannot read the port's address")?;
    let url = format!("http://{}", local_address(address));

    let mut names = config.hosts;
    let public_host = config.public_url.as_deref().and_then(url_host);
    names.extend(public_host);
    let (listener_control, outages) = ListenerControl::new();
    let public_url = config.public_url.unwrap_or_else(|| url.clone());
    let stripe = config
        .stripe
        .map(|account| Arc::new(Account::new(account, &public_url)));
    let sender = Sender::new(config.notification_key.bytes(), stripe.clone())?;
    let simulator = web::Data::new(Simulator {
        store,
        faults,
        bearer: config.bearer,
        stripe,
        public_url,
        hosts: AllowedHosts::new(config.bind, &names),
        notifiers: Notifiers::default(),
        listener_control,
    });
    let (stop, stopped) = watch::channel(false);
    let listener_task = ListenerTask::open(listener, address, simulator.clone())
        .context("cannot start the HTTP server")?;
    let listener_task = spawn(listener_task.run(outages, stopped));
    let tasks = vec![
        spawn(scheduler::run(simulator.clone())),
        spawn(delivery::run(simulator.clone(), sender)),
    ];
    tracing::info!(%url, "the PSP simulator is ready");
    Ok(Running {
        url,
        simulator,
        stop,
        listener_task: Mutex::new(Some(listener_task)),
        tasks,
    })
}

fn url_host(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    url.host_str().map(str::to_owned)
}

/// The address at which a local process reaches the port.
fn local_address(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}

/// Starts a task owned by [`Running`] or, for a server, by its [`ListenerTask`].
#[expect(
    clippy::disallowed_methods,
    reason = "the one place; the handle goes to a stated owner"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}
