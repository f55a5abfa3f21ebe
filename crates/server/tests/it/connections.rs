//! While the API is flooded with connections, the operators' port still responds.

use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    binary::{ONCHARGE, data_dir},
    eventually,
};

/// The limit of open files of the server.
const DESCRIPTORS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn a_flooded_api_leaves_descriptors_to_the_operators() {
    let dir = TempDir::new().unwrap();
    let ready_file = dir.path().join("ready.json");
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            &format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\""),
        ])
        .args([ONCHARGE, "dev", "--port", "0", "--simulator-port", "0"])
        .args(["--shop-port", "0", "--ops-port", "0"])
        .arg("--ready-file")
        .arg(&ready_file)
        .arg("--data-dir")
        .arg(data_dir(dir.path()))
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let ready: Value = eventually(30, "the sandbox", || async {
        let text = fs::read(&ready_file).map_err(|error| error.to_string())?;
        serde_json::from_slice(&text).map_err(|error| error.to_string())
    })
    .await;
    let api = ready["base_url"].as_str().unwrap();
    let api = api.trim_start_matches("http://").to_owned();
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
    let mut flood = Vec::new();
    for _ in 0..DESCRIPTORS + 50 {
        let mut stream = TcpStream::connect(&api).unwrap();
        // These clients never read, so the server's responses fill their buffers.
        stream
            .set_write_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let _ = stream.write(&request);
        flood.push(stream);
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    for path in ["/readyz", "/healthz", "/metrics"] {
        let url = format!("{}{path}", ready["ops_url"].as_str().unwrap());
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
    }
    drop(flood);
    child.kill().unwrap();
    child.wait().unwrap();
}
