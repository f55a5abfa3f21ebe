//! The operators' view, `/ops/`.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use oncharge_application::{
    checkout::{
        create::NewCheckout,
        list::{self, ListSessions},
    },
    webhooks::endpoint,
};
use oncharge_domain::{
    merchant::ApiKeyHash,
    psp::RefusalReason,
    text::{Contact, Email, Metadata, Phone},
};
use oncharge_ports::{
    CheckoutRepository as _, MerchantRepository, WebhookRepository as _, WorkQueue as _,
    work_queue::DeliveryClaimFilter,
};
use oncharge_testkit::{Builder, Call, Fault, Reply, build::endpoint_url};

use crate::support::{
    Checkout, Response, TestApp, get, new_checkout, ops, page, send_head, start, start_ops_server,
};

/// Text that is harmful if it is not escaped.
const HOSTILE: &str =
    "<script>alert('x')</script>\"><img src=x onerror=alert(1)> 4242 4242 4242 4242";
/// The same text as a page shows it, with the card number masked.
const ESCAPED: &str = "&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;&#34;&#62;&#60;img src=x \
     onerror=alert(1)&#62; ****4242";

/// The ids of the sessions on a page of the list, in order.
fn listed(page: &str) -> Vec<&str> {
    let rows = page
        .split("data-label=\"Session\"><a href=\"/ops/sessions/")
        .skip(1);
    rows.map(|row| row.split('"').next().unwrap()).collect()
}

async fn found(address: SocketAddr, query: &str) -> Vec<String> {
    let page = page(address, &format!("/ops/sessions{query}")).await;
    listed(&page).into_iter().map(str::to_owned).collect()
}

#[actix_web::test]
async fn every_page_has_strict_security_headers() {
    let app = TestApp::start().await;
    let address = start_ops_server(Some(&app));
    for (path, status) in [
        ("/ops", 308),
        ("/ops/", 200),
        ("/ops/sessions", 200),
        ("/ops/sessions?status=paid", 400),
        ("/ops/sessions/cs_1", 404),
        ("/ops/style.css", 200),
        ("/ops/nothing", 404),
    ] {
        let response = get(address, path).await;
        assert_eq!(response.status, status, "{path}");
        assert_security_headers(&response, path);
    }
    let page = page(address, "/ops/").await;
    assert!(
        !page.contains("<script") && !page.contains("style="),
        "{page}"
    );
}

fn assert_security_headers(response: &Response, what: &str) {
    let policy = response.header("content-security-policy").unwrap();
    assert_eq!(
        policy,
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; \
         frame-ancestors 'none'",
        "{what}"
    );
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(response.header(name), Some(value), "{what}: {name}");
    }
}

#[actix_web::test]
async fn only_reads_under_own_addresses_are_allowed() {
    let app = TestApp::start().await;
    let checkout = app.created().await;
    let address = start_ops_server(Some(&app));
    let path = format!("/ops/sessions/{}", checkout.id);
    for head in [
        format!("GET {path} HTTP/1.1\r\nHost: evil.example"),
        format!(
            "GET {path} HTTP/1.1\r\nHost: evil.example:{}",
            address.port()
        ),
        format!("GET {path} HTTP/1.1\r\nHost: 10.0.0.1"),
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"),
        format!("GET {path} HTTP/1.1\r\nHost:"),
        format!("GET {path} HTTP/1.0"),
        format!("GET http://evil.example{path} HTTP/1.1\r\nHost: localhost"),
    ] {
        let response = send_head(address, &head).await;
        assert!(matches!(response.status, 400 | 421), "{head}: {response:?}");
        assert!(
            !response.text().contains(&checkout.id.to_string()),
            "{head}"
        );
        if response.status == 421 {
            assert_security_headers(&response, &head);
            let body = response.text();
            assert!(
                body.contains("network.ops_hosts"),
                "the error does not say what to do: {body}"
            );
            assert!(
                !body.contains("evil"),
                "the error echoes the request: {body}"
            );
        }
    }
    let own = format!("GET {path} HTTP/1.1\r\nHost: {address}");
    assert_eq!(send_head(address, &own).await.status, 200);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = send_head(
            address,
            &format!("{method} /ops/ HTTP/1.1\r\nHost: localhost"),
        )
        .await;
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD"), "{method}");
    }
    let head = send_head(address, "HEAD /ops/ HTTP/1.1\r\nHost: localhost").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for path in ["/", "/healthz", "/readyz", "/metrics"] {
        let rebound = format!("GET {path} HTTP/1.1\r\nHost: evil.example");
        let response = send_head(address, &rebound).await;
        assert_eq!(
            response.status, 421,
            "{path}: the port is bound to loopback"
        );
    }
}

#[actix_web::test]
async fn configured_names_are_allowed() {
    let app = TestApp::start().await;
    let address = start(ops(Some(&app)), &["ops.example.com".to_owned()]);
    for (host, status) in [
        ("ops.example.com", 200),
        ("Ops.Example.com:443", 200),
        ("localhost", 200),
        ("example.com", 421),
        ("evil.ops.example.com", 421),
    ] {
        let head = format!("GET /ops/ HTTP/1.1\r\nHost: {host}");
        assert_eq!(send_head(address, &head).await.status, status, "{host}");
    }
}

#[actix_web::test]
async fn sessions_are_found_by_each_identifier() {
    let app = TestApp::start().await;
    let first = app.create(new_checkout("a & b", Some("2026/7"))).await;
    app.pay(&first, "tok_good").await;
    let session = app.store.session(first.id).await.unwrap().unwrap();
    app.clock.advance(1);
    let second = app.created().await;
    let address = start_ops_server(Some(&app));
    let reference = session.psp_reference().unwrap().as_str();
    for (query, wanted) in [
        (format!("?q={}", first.id), vec![&first]),
        ("?q=a+%26+b".to_owned(), vec![&first]),
        ("?q=2026/7".to_owned(), vec![&first]),
        (format!("?q=%20{reference}%20"), vec![&first]),
        ("?q=order-42".to_owned(), vec![&second]),
        ("?status=authorized".to_owned(), vec![&first]),
        ("?status=created&q=order-42".to_owned(), vec![&second]),
        ("?q=nobody".to_owned(), vec![]),
        ("?q=a".to_owned(), vec![]),
        ("?to=2000-01-01".to_owned(), vec![]),
        (
            "?from=2000-01-01&to=2100-01-01T00:00&q=2026/7".to_owned(),
            vec![&first],
        ),
        (
            "?merchant=mer_00000000000000000000000000000000".to_owned(),
            vec![],
        ),
    ] {
        let wanted: Vec<String> = wanted.iter().map(|one| one.id.to_string()).collect();
        assert_eq!(found(address, &query).await, wanted, "{query}");
    }
    let all = found(address, "").await;
    assert_eq!(
        all,
        [second.id.to_string(), first.id.to_string()],
        "newest first"
    );
    let of_merchant = found(address, &format!("?merchant={}", app.merchant.id)).await;
    assert_eq!(of_merchant, all, "both sessions of the merchant");
    let nothing = page(address, "/ops/sessions?q=nobody").await;
    assert!(
        nothing.contains("No session matches this search."),
        "{nothing}"
    );
}

#[actix_web::test]
async fn an_invalid_search_names_its_fields() {
    let app = TestApp::start().await;
    let address = start_ops_server(Some(&app));
    let query = "?merchant=%22%3E%3Cb%3E&status=paid&from=yesterday&to=2026-13-01&q=kept";
    let response = get(address, &format!("/ops/sessions{query}")).await;
    assert_eq!(response.status, 400);
    let page = response.text();
    for field in ["merchant", "status", "from", "to"] {
        assert!(
            page.contains(&format!("id=\"{field}-rule\"")),
            "{field}: {page}"
        );
    }
    assert!(page.contains("value=\"&#34;&#62;&#60;b&#62;\""), "{page}");
    assert!(page.contains("value=\"kept\""), "{page}");
    assert!(!page.contains("<b>"), "{page}");
}

#[actix_web::test]
async fn pages_link_to_older_sessions() {
    let app = TestApp::start().await;
    let mut created = Vec::new();
    for number in 0..53 {
        if number % 10 == 0 {
            app.clock.advance(1);
        }
        created.push(app.created().await.id.to_string());
    }
    created.sort_by(|one, other| other.cmp(one));
    let address = start_ops_server(Some(&app));
    let first = page(address, "/ops/sessions?q=order-42").await;
    let next = first
        .split("<a href=\"")
        .find(|link| link.contains("rel=\"next\""));
    let next = next
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&");
    assert!(
        next.starts_with("/ops/sessions?q=order-42&cursor="),
        "{next}"
    );
    let second = page(address, &next).await;
    let seen: Vec<&str> = [listed(&first), listed(&second)].concat();
    assert_eq!(seen.len(), 53);
    let mut sorted = seen.clone();
    sorted.sort_by(|one, other| other.cmp(one));
    assert_eq!(sorted, created, "each once");
    assert!(
        !second.contains("rel=\"next\""),
        "the last page links to a next page"
    );
    assert!(
        second.contains(">Newest</a>"),
        "the last page has no link to the first"
    );
    // A cursor of one merchant's list is not valid for another's.
    let wanted = ListSessions {
        limit: 1,
        ..ListSessions::default()
    };
    let theirs = list::list(&app.app, app.merchant.id, wanted).await.unwrap();
    let theirs = theirs.next_cursor.unwrap();
    for cursor in [theirs.as_str(), "AAAA", "%00"] {
        let response = get(address, &format!("/ops/sessions?cursor={cursor}")).await;
        let status = if cursor == "%00" { 200 } else { 400 };
        assert_eq!(response.status, status, "{cursor}");
    }
}

/// A refused and an approved attempt of a shopper with hostile texts, delivered to a hostile
/// endpoint.
async fn create_hostile_session(app: &TestApp) -> Checkout {
    let hash = ApiKeyHash::of(&app.pair.api_key);
    let (key, _) = MerchantRepository::key(&*app.store, &hash)
        .await
        .unwrap()
        .unwrap();
    let url = endpoint_url("https://shop.example.com/?wc-api=oncharge_callback");
    endpoint::set(&app.app, app.merchant.id, key.id, url)
        .await
        .unwrap();
    let pairs =
        [("note", HOSTILE), ("<b>", "x")].map(|(key, text)| (key.to_owned(), text.to_owned()));
    let checkout = app
        .create(NewCheckout {
            metadata: Metadata::new(BTreeMap::from(pairs)).unwrap(),
            contact: Contact {
                email: Some(Email::parse("shopper@example.com").unwrap()),
                phone: Some(Phone::parse("+15551234567").unwrap()),
            },
            ..new_checkout(HOSTILE, Some(HOSTILE))
        })
        .await;
    let refused = Reply::Refused(RefusalReason::CardDeclined);
    app.psp.reply(Call::Authorize, refused);
    app.pay(&checkout, "tok_secret_1").await;
    app.clock.advance(1);
    app.psp.fail(Call::Authorize, Fault::UnknownBefore);
    app.pay(&checkout, "tok_secret_2").await;
    record_hostile_attempt(app).await;
    checkout
}

/// Records a delivery attempt whose response contains hostile text.
async fn record_hostile_attempt(app: &TestApp) {
    let build = Builder::new(77);
    let wanted = DeliveryClaimFilter {
        limit: 1,
        per_merchant: 1,
        busy: Vec::new(),
    };
    let lease = Duration::from_secs(60);
    let claimed = app.store.claim_deliveries(&wanted, lease);
    let claimed = claimed.await.unwrap();
    let outgoing = app.store.outgoing(&[claimed[0].event]).await.unwrap();
    let mut attempt_record =
        build.attempt_record(claimed[0].lease, &outgoing[0].delivery, Ok(500), None);
    let attempt = attempt_record.attempt.as_mut().unwrap();
    attempt.response = format!("{HOSTILE}\nsecond line\n{}the end", "more\n".repeat(50));
    app.store.record(&attempt_record).await.unwrap();
}

#[actix_web::test]
async fn the_session_page_shows_everything_escaped() {
    let app = TestApp::start().await;
    let checkout = create_hostile_session(&app).await;
    let address = start_ops_server(Some(&app));
    let page_text = page(address, &format!("/ops/sessions/{}", checkout.id)).await;
    assert!(page_text.matches(ESCAPED).count() >= 4, "{page_text}");
    for word in [
        "<script",
        "<img",
        "<b>",
        "onerror=alert(1)>",
        "4242 4242 4242",
    ] {
        assert!(!page_text.contains(word), "{word}: {page_text}");
    }
    for shown in [
        "payment.refused",
        "card_declined",
        ">failed<",
        ">requested<",
        "sent, outcome unknown",
        "next recovery attempt",
        "payment.refused: attempt 1",
        "payment.refused: next attempt",
        ">500<",
        "17 ms",
        "second line",
        "e-mail and phone stored, encrypted",
        "https://shop.example.com",
        "&#60;b&#62;",
    ] {
        assert!(page_text.contains(shown), "{shown}: {page_text}");
    }
    assert!(
        !page_text.contains("the end"),
        "only the first lines of a response are shown"
    );
    for operation in app.store.operations_of(checkout.id) {
        assert!(
            page_text.contains(&format!("id=\"{}\"", operation.id)),
            "{page_text}"
        );
    }
}

#[actix_web::test]
async fn no_secrets_are_shown() {
    let app = TestApp::start().await;
    let checkout = create_hostile_session(&app).await;
    let endpoint = app.store.endpoint_of(app.merchant.id).unwrap();
    let signing = endpoint.secrets.current.text();
    app.clock.advance(100_000);
    let address = start_ops_server(Some(&app));
    let open_operation = app.store.operations_of(checkout.id).pop().unwrap();
    for path in [
        "/ops/".to_owned(),
        "/ops/sessions".to_owned(),
        format!("/ops/sessions/{}", checkout.id),
    ] {
        let page = page(address, &path).await;
        for secret in [
            checkout.token.as_str(),
            "pt_",
            "shopper@example.com",
            "15551234567",
            app.pair.api_key.as_str(),
            app.pair.api_secret.as_str(),
            signing.as_str(),
            "whsec_",
            "tok_secret",
            "wc-api=",
            "request of",
        ] {
            assert!(!page.contains(secret), "{path} shows {secret}: {page}");
        }
        let id = if path == "/ops/sessions" {
            checkout.id.to_string()
        } else {
            open_operation.id.to_string()
        };
        assert!(page.contains(&id), "{path} does not contain its id: {page}");
    }
}

#[actix_web::test]
async fn missing_objects_have_error_pages() {
    let app = TestApp::start().await;
    let address = start_ops_server(Some(&app));
    for id in [
        "cs_00000000000000000000000000000000",
        "cs_",
        "x",
        "%3Cb%3E",
        "cs_%00",
    ] {
        let response = get(address, &format!("/ops/sessions/{id}")).await;
        assert_eq!(response.status, 404, "{id}");
        assert!(
            response
                .text()
                .contains("There is no session with this id."),
            "{id}"
        );
    }
    let nowhere = get(address, "/ops/nowhere").await;
    assert!(nowhere.text().contains("There is no such page in"));
    let empty = page(address, "/ops/sessions").await;
    assert!(empty.contains("No session yet."), "{empty}");
    let waiting = start_ops_server(None);
    for path in ["/ops/", "/ops/sessions", "/ops/sessions/cs_1"] {
        let response = get(waiting, path).await;
        assert_eq!(response.status, 503, "{path}");
        assert!(
            response.text().contains("Waiting for the database"),
            "{path}"
        );
        assert_security_headers(&response, path);
    }
}
