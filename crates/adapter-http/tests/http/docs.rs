//! The API reference: complete, valid links, small, and without requests to other hosts.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Response, TestApp};

async fn docs(app: &TestApp) -> Response {
    let response = app.get("/docs").unsigned().send().await;
    assert_eq!(response.status, 200);
    response
}

/// The values of an attribute in all tags.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let marker = format!(" {attribute}=\"");
    let tags = html.split('<').filter_map(|rest| rest.split('>').next());
    let rest = tags.filter_map(|tag| Some(tag.split_once(marker.as_str())?.1));
    rest.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[actix_web::test]
async fn the_reference_has_security_headers_and_an_etag() {
    let app = TestApp::start().await;
    let response = docs(&app).await;
    let header = |name: &str| response.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "public, max-age=300");
    assert_eq!(
        header("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    assert!(
        response.body.len() < 400_000,
        "{} bytes",
        response.body.len()
    );
    let again = app.get("/docs").unsigned();
    let again = again.set("If-None-Match", &header("etag")).send().await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    let posted = app.post("/docs", "").unsigned().send().await;
    assert_eq!(posted.status, 405);
    let slash = app.get("/docs/").unsigned().send().await;
    assert_eq!(
        (slash.status, slash.header("location")),
        (308, Some("/docs"))
    );
}

#[actix_web::test]
async fn the_reference_loads_only_own_files() {
    let app = TestApp::start().await;
    let page = docs(&app).await;
    let html = page.text();
    assert!(!html.contains("<style") && !html.contains(" style=\""));
    let scripts: Vec<_> = html.split("<script").skip(1).collect();
    assert_eq!(scripts.len(), 1);
    assert!(
        scripts[0].contains("defer></script>"),
        "{}",
        &scripts[0][..80]
    );
    let files: Vec<_> = values(html, "href")
        .into_iter()
        .chain(values(html, "src"))
        .filter(|target| target.contains("?v="))
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let response = app.get(file).unsigned().send().await;
        assert_eq!(response.status, 200, "{file}");
        assert!(response.header("etag").is_some(), "{file}");
    }
}

#[actix_web::test]
async fn anchors_are_unique_and_links_resolve() {
    let app = TestApp::start().await;
    let page = docs(&app).await;
    let html = page.text();
    let ids = values(html, "id");
    let known: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "an anchor occurs twice");
    for target in values(html, "href") {
        if let Some(anchor) = target.strip_prefix('#') {
            assert!(known.contains(anchor), "{target} leads nowhere");
        } else if !target.starts_with("https://") && !target.starts_with("data:") {
            let response = app.get(target).unsigned().send().await;
            assert_eq!(response.status, 200, "{target}");
        }
    }
    for attribute in ["for", "aria-describedby"] {
        let targets = values(html, attribute);
        assert!(targets.iter().all(|id| known.contains(id)), "{attribute}");
    }
}

#[actix_web::test]
async fn the_reference_covers_the_openapi_document() {
    let app = TestApp::start().await;
    let page = docs(&app).await;
    let html = page.text();
    let document = app.get("/openapi.json").unsigned().send().await.json();
    let ids: BTreeSet<_> = values(html, "id").into_iter().collect();
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(html.contains(&format!("<code>{path}</code>")), "{path}");
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.contains(id), "{id}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let anchor = format!("{id}-{}", parameter["name"].as_str().unwrap());
                assert!(ids.contains(anchor.as_str()), "{anchor}");
            }
        }
    }
    for event in document["webhooks"].as_object().unwrap().keys() {
        assert!(ids.contains(event.as_str()), "{event}");
    }
    for field in [
        "amount",
        "currency",
        "reference",
        "return_url",
        "metadata",
        "capture",
    ] {
        assert!(
            ids.contains(format!("createSession-{field}").as_str()),
            "{field}"
        );
    }
    for code in [
        "missing_auth",
        "method_not_allowed",
        "psp_rejected",
        "internal_error",
    ] {
        assert!(ids.contains(format!("error-{code}").as_str()), "{code}");
    }
    assert!(html.contains("<h2><a href=\"#signing\">Signing</a></h2>"));
}

#[actix_web::test]
async fn examples_match_their_schemas() {
    let app = TestApp::start().await;
    let document = app.get("/openapi.json").unsigned().send().await.json();
    let mut checked = 0;
    check_examples(&document, &document, &mut checked);
    assert!(checked > 30, "{checked}");
}

/// Checks each media type that has an example.
fn check_examples(document: &Value, value: &Value, checked: &mut usize) {
    match value {
        Value::Object(members) => {
            if let (Some(schema), Some(example)) = (members.get("schema"), members.get("example")) {
                *checked += 1;
                let schema_error = schema_error(document, schema, example);
                assert!(
                    schema_error.is_none(),
                    "{}: {example}",
                    schema_error.unwrap_or_default()
                );
            }
            members
                .values()
                .for_each(|inner| check_examples(document, inner, checked));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|inner| check_examples(document, inner, checked)),
        _ => {}
    }
}

/// Why an example does not match its schema: types, enum values, missing or unknown fields.
fn schema_error(document: &Value, schema: &Value, example: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return schema_error(
            document,
            document.pointer(&reference[1..]).unwrap(),
            example,
        );
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let fits = |option: &Value| schema_error(document, option, example).is_none();
        return (!options.iter().any(fits)).then(|| format!("none of {options:?}"));
    }
    let kind = match example {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = &schema["type"];
    let is_kind = kinds == kind
        || kinds
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == kind));
    if !is_kind && schema["allOf"].is_null() {
        return Some(format!("{kind} instead of {kinds}"));
    }
    let allowed_values = schema["enum"].as_array();
    if allowed_values
        .is_some_and(|allowed_values| !example.is_null() && !allowed_values.contains(example))
    {
        return Some(format!("{example} is not a value of it"));
    }
    if let (Some(items), Some(each)) = (schema.get("items"), example.as_array()) {
        return each
            .iter()
            .find_map(|one| schema_error(document, items, one));
    }
    let given = example.as_object()?;
    let (mut properties, mut required) = (Vec::new(), Vec::new());
    collect_members(document, schema, &mut properties, &mut required);
    if let Some(missing) = required.iter().find(|name| !given.contains_key(**name)) {
        return Some(format!("{missing} is missing"));
    }
    given.iter().find_map(|(name, value)| {
        if !schema["additionalProperties"].is_null() {
            return None;
        }
        match properties.iter().find(|(known, _)| *known == name) {
            Some((_, schema)) => schema_error(document, schema, value)
                .map(|schema_error| format!("{name}: {schema_error}")),
            None => Some(format!("{name} is unknown")),
        }
    })
}

fn collect_members<'a>(
    document: &'a Value,
    schema: &'a Value,
    properties: &mut Vec<(&'a String, &'a Value)>,
    required: &mut Vec<&'a str>,
) {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(&reference[1..]).unwrap();
        return collect_members(document, schema, properties, required);
    }
    properties.extend(schema["properties"].as_object().into_iter().flatten());
    required.extend(
        schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    );
    for part in schema["allOf"].as_array().into_iter().flatten() {
        collect_members(document, part, properties, required);
    }
}
