//! The framework's limit: actix-web with a constant response, in its own process.

use std::{
    io::{BufRead, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
};

use actix_web::{App, HttpResponse, HttpServer, http::header::ContentType, web};
use anyhow::Context;

/// About as long as the response to a get.
const RESPONSE_BODY: &str = r#"{"session_id":"cs_01a2048c1adc7788b581876e6a91ce45","status":"created","amount":9999,"currency":"EUR","reference":"order-1","order_id":null,"return_url":"https://shop.example.com/thanks","metadata":{"cart":"c-81723"},"capture":"automatic","customer":{"email":"shopper@example.com","phone":null},"psp_reference":null,"amount_authorized":0,"amount_captured":0,"amount_refunded":0,"amount_refundable":0,"pending_operation":null,"retry_until":null,"failure":null,"created_at":"2026-11-22T18:37:00Z","updated_at":"2026-11-22T18:37:00Z","expires_at":"2026-11-22T19:07:00Z"}"#;

/// Serves the constant response on a free port until it is killed.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let respond = || async {
        HttpResponse::Ok()
            .insert_header(ContentType::json())
            .body(RESPONSE_BODY)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let server = HttpServer::new(move || App::new().default_service(web::to(respond)))
        .workers(threads)
        .bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = server.addrs().first().context("no address")?.port();
    let mut out = std::io::stdout();
    writeln!(out, "{port}")?;
    out.flush()?;
    server.run().await?;
    Ok(())
}

/// The server as a child process, killed when it is dropped.
pub(crate) struct Baseline {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Baseline {
    /// Starts this binary with `baseline`.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("baseline")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .context("the constant server does not start")?;
        let out = child.stdout.take().context("no standard output")?;
        let mut baseline = Self {
            child,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
        };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        baseline
            .address
            .set_port(line.trim().parse().context("no port was printed")?);
        Ok(baseline)
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
