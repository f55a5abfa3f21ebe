//! SIGTERM under load and disconnecting clients: each started operation is completed, once.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Database, Dev, Shop, eventually, on_both, shop::order};

on_both!(sigterm_under_load, a_client_that_resets_its_connection);

/// Number of refunds in progress at a slow PSP when the signal is sent.
const REFUNDS: u8 = 8;
/// Number of clients that create sessions during the stop.
const CLIENTS: u64 = 8;

fn refund_of(id: &str, number: u8) -> String {
    let order = json!({
        "session_id": id, "amount": 100, "currency": "EUR", "reference": format!("r-{number}"),
    });
    order.to_string()
}

/// Waits until this many refunds are stored, and therefore in progress.
async fn wait_for_refunds(shop: &Shop, id: &str, many: u8) {
    eventually(10, "refunds in progress", || async {
        let list = shop.get(&format!("/v1/refunds?session_id={id}")).await;
        let list = list.expect(200);
        let count = list["data"].as_array().unwrap().len();
        if count == usize::from(many) {
            Ok(())
        } else {
            Err(list.to_string())
        }
    })
    .await;
}

async fn sigterm_under_load(database: Database) {
    let mut dev = Dev::start(database, &[]).await;
    let mut shop = dev.shop();
    // One connection per request: on a kept connection, a request may be sent while the server
    // closes it.
    shop.http = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .build()
        .unwrap();
    let id = shop.captured().await;
    shop.faults(json!({ "latency_ms": [600, 600] })).await;
    let refunds: Vec<_> = (0..REFUNDS)
        .map(|number| {
            let (shop, body) = (shop.clone(), refund_of(&id, number));
            tokio::spawn(async move { shop.call("POST", "/v1/refunds", &body, None).await })
        })
        .collect();
    let (stopped, made) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (shop, stopped, made) = (shop.clone(), stopped.clone(), made.clone());
            tokio::spawn(create_until(shop, client, stopped, made))
        })
        .collect();
    wait_for_refunds(&shop, &id, REFUNDS).await;
    eventually(10, "load", || async {
        let made = made.load(Ordering::Relaxed);
        if made > 20 {
            Ok(())
        } else {
            Err(made.to_string())
        }
    })
    .await;

    let (status, took) = tokio::task::block_in_place(|| dev.terminate());
    stopped.store(true, Ordering::Relaxed);
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    let mut answered = Vec::new();
    for refund in refunds {
        let refund = refund.await.unwrap().expect(201);
        answered.push(refund["refund_id"].as_str().unwrap().to_owned());
    }
    let mut creations = Vec::new();
    for client in clients {
        creations.extend(client.await.unwrap());
    }

    dev.start_again();
    let shop = dev.shop();
    for refund in answered {
        let refund = shop.get(&format!("/v1/refunds/{refund}")).await.expect(200);
        assert_eq!(refund["status"], "refund_succeeded");
    }
    assert_eq!(
        shop.ledger_sum(&id, "refund").await,
        100 * i64::from(REFUNDS)
    );
    for (key, acknowledged) in creations {
        let again = create(&shop, &key).await.unwrap();
        let session = again.expect(201);
        if let Some(acknowledged) = acknowledged {
            assert_eq!(session["session_id"], acknowledged["session_id"], "{key}");
            assert!(again.replayed, "the response to {key} is lost");
        }
    }
}

async fn create(shop: &Shop, key: &str) -> Result<crate::support::ApiResponse, reqwest::Error> {
    let body = order(json!({ "reference": key })).to_string();
    let target = "/v1/checkout/sessions";
    shop.try_call("POST", target, &body, Some(key)).await
}

/// Creates sessions until connections are refused: each key, with the session in its response if
/// there was one.
async fn create_until(
    shop: Shop,
    client: u64,
    stopped: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
) -> Vec<(String, Option<Value>)> {
    let mut created = Vec::new();
    for number in 0.. {
        let key = format!("client-{client}-{number}");
        let Ok(response) = create(&shop, &key).await else {
            // Connection refused: the port is closed.
            created.push((key, None));
            break;
        };
        created.push((key, Some(response.expect(201))));
        made.fetch_add(1, Ordering::Relaxed);
        if stopped.load(Ordering::Relaxed) {
            break;
        }
    }
    created
}

async fn a_client_that_resets_its_connection(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    let id = shop.captured().await;
    shop.faults(json!({ "latency_ms": [1000, 1000] })).await;
    let (target, body) = ("/v1/refunds", refund_of(&id, 0));
    let host = shop.base.trim_start_matches("http://").to_owned();
    let signature = shop.signature("POST", target, &body);
    let signature = signature.map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\n{}Idempotency-Key: key\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        signature.concat(),
        body.len()
    );
    let mut stream = TcpStream::connect(&host).unwrap();
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .unwrap();
    wait_for_refunds(&shop, &id, 1).await;
    // Resets the connection instead of closing it, so unread and unsent data is discarded.
    let socket = socket2::SockRef::from(&stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);

    let response = eventually(20, "the key's response", || async {
        let response = shop.call("POST", target, &body, Some("key")).await;
        match response.status {
            201 => Ok(response),
            // While the first request is in progress.
            409 => Err(response.body),
            _ => panic!("{response:?}"),
        }
    })
    .await;
    assert!(response.replayed, "{response:?}");
    let refund = response.json();
    let refund = format!("/v1/refunds/{}", refund["refund_id"].as_str().unwrap());
    eventually(10, "the refund", || async {
        let refund = shop.get(&refund).await.expect(200);
        let is_done = refund["status"] == "refund_succeeded";
        is_done.then_some(()).ok_or_else(|| refund.to_string())
    })
    .await;
    let ledger = shop.ledger(&id).await;
    let refunds = ledger.iter().filter(|(kind, _)| kind == "refund").count();
    assert_eq!(refunds, 1, "{ledger:?}");
    assert_eq!(shop.session(&id).await["amount_refunded"], 100);
}
