//! The OpenAPI document: the committed file is up to date, and matches the responses.

use oncharge_domain::session::EventKind;
use serde_json::{Value, json};

use crate::support::{ENDPOINT_URL, TestApp};

#[test]
fn the_committed_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == oncharge_adapter_http::openapi::document(),
        "openapi.json is outdated: regenerate it with `just openapi`"
    );
}

#[actix_web::test]
async fn every_documented_path_exists() {
    let app = TestApp::start().await;
    let response = app.get("/openapi.json").unsigned().send().await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    let document = response.json();
    assert_eq!(document["openapi"].as_str().unwrap().split_at(3).0, "3.1");
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 19, "{:?}", paths.keys());
    for (path, methods) in paths {
        for method in methods.as_object().unwrap().keys() {
            let target = path.replace("{id}", "x").replace("{key_id}", "x");
            let response = app.request(&method.to_uppercase(), &target).send().await;
            let known = response.status != 405 && response.json()["message"] != "No such path";
            assert!(known, "{method} {path}: {response:?}");
        }
    }
}

#[test]
fn all_references_resolve() {
    let document: Value =
        serde_json::from_str(&oncharge_adapter_http::openapi::document()).unwrap();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 50, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_default();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members
                .values()
                .for_each(|inner| collect_references(inner, found));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|inner| collect_references(inner, found)),
        _ => {}
    }
}

#[actix_web::test]
async fn responses_have_the_documented_members() {
    let app = TestApp::start().await;
    let document: Value =
        serde_json::from_str(&oncharge_adapter_http::openapi::document()).unwrap();
    let members = |schema: &str| -> Vec<String> {
        let schema = &document["components"]["schemas"][schema];
        let required = schema["required"]
            .as_array()
            .unwrap_or_else(|| panic!("{schema}"));
        let mut names: Vec<_> = required
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let keys = |json: &Value| -> Vec<String> {
        let mut names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let checkout = app.captured().await;
    assert_eq!(keys(&app.session(&checkout).await), members("Session"));
    let requested = app.refund(&checkout, 1).await.json();
    assert_eq!(keys(&requested), members("RequestedRefund"));
    let endpoint = app.set_endpoint(&app.pair, ENDPOINT_URL).await;
    let mut shown = members("WebhookEndpoint");
    shown.push("signing_secret".to_owned());
    shown.sort();
    assert_eq!(keys(&endpoint), shown);
    let listed = app.get("/v1/api_keys").send().await.json();
    assert_eq!(keys(&listed["data"][0]), members("ApiKey"));
    let tested = app.post("/v1/webhook_endpoint/test", "").send().await;
    assert_eq!(keys(&tested.json()), members("Attempt"));
    let test = &app.sender.bodies(ENDPOINT_URL)[0];
    let test = serde_json::from_str(test).unwrap();
    assert_eq!(keys(&test), members("EndpointTest"));
    let events = app.get("/v1/events").send().await.json();
    let captured = &events["data"][2];
    assert_eq!(captured["event"], "payment.captured");
    assert_eq!(keys(captured), members("Event"));
    let rotated = app.post("/v1/api_keys/rotate", "").send().await;
    assert_eq!(keys(&rotated.json()), members("RotatedPair"));
}

#[test]
fn every_event_is_described_as_a_webhook() {
    let document: Value =
        serde_json::from_str(&oncharge_adapter_http::openapi::document()).unwrap();
    let webhooks = document["webhooks"].as_object().unwrap();
    let kinds = EventKind::ALL.iter().map(|kind| kind.name());
    let mut names: Vec<_> = kinds.chain(["endpoint.test"]).collect();
    names.sort_unstable();
    let mut described: Vec<_> = webhooks.keys().collect();
    described.sort_unstable();
    assert_eq!(described, names);
    for (name, item) in webhooks {
        let posted = &item["post"];
        assert_eq!(
            posted["security"],
            json!([]),
            "a webhook requires authentication: {name}"
        );
        let content = &posted["requestBody"]["content"]["application/json"];
        let example = content["example"].as_object().unwrap();
        assert_eq!(example["event"], **name);
        let schema = content["schema"]["$ref"].as_str().unwrap();
        let schema = document.pointer(&schema[1..]).unwrap();
        let required = schema["required"].as_array().unwrap();
        let missing = required
            .iter()
            .find(|member| !example.contains_key(member.as_str().unwrap()));
        assert_eq!(missing, None, "{name}");
        let unknown = example
            .keys()
            .find(|member| schema["properties"].get(member).is_none());
        assert_eq!(unknown, None, "{name}");
        let is_retried = ["payment.refused", "payment.error"].contains(&name.as_str());
        assert_eq!(example.contains_key("retry_until"), is_retried, "{name}");
        let is_refund = name.starts_with("refund.");
        assert_eq!(example.contains_key("refund_id"), is_refund, "{name}");
    }
}
