//! The endpoints and events of the OpenAPI document, prepared for display.

use serde_json::Value;

use super::{
    code::{self, ExampleCall, Snippet},
    document::{Document, list, members, text},
    errors::{self, ErrorRow},
    literal::{JSON, Literal},
    markdown,
    schema::{self, Field},
};

/// JSON pointer to a media type's schema and example.
const CONTENT: &str = "/content/application~1json";

/// A group of related endpoints (a tag).
pub(super) struct Group {
    pub(super) id: String,
    pub(super) title: String,
    /// The description, as HTML.
    pub(super) html: String,
    pub(super) operations: Vec<Operation>,
}

pub(super) struct Operation {
    /// The operation id, used as the anchor.
    pub(super) id: String,
    /// In upper case.
    pub(super) method: String,
    /// The path template, such as `/v1/refunds/{id}`.
    pub(super) path: String,
    pub(super) summary: String,
    /// The description, as HTML.
    pub(super) html: String,
    /// Whether the merchant signs the request; otherwise it takes the shopper's token.
    pub(super) is_signed: bool,
    /// Parameters and body.
    pub(super) inputs: Vec<FieldGroup>,
    pub(super) success_responses: Vec<SuccessResponse>,
    pub(super) error_responses: Vec<ErrorResponse>,
    /// Example programs.
    pub(super) snippets: Vec<Snippet>,
}

pub(super) struct FieldGroup {
    pub(super) title: &'static str,
    /// Notes on all of its fields, as HTML.
    pub(super) html: String,
    pub(super) fields: Vec<Field>,
}

/// A successful response.
pub(super) struct SuccessResponse {
    pub(super) status: String,
    /// Its meaning, as HTML.
    pub(super) html: String,
    /// The members of the body.
    pub(super) fields: Vec<Field>,
    /// An example body.
    pub(super) example: Option<String>,
}

/// An error response.
pub(super) struct ErrorResponse {
    pub(super) status: String,
    /// Its codes, as HTML with links to the table of errors.
    pub(super) html: String,
}

/// An event that is posted to merchants.
pub(super) struct WebhookExample {
    /// The event type, also used as the anchor.
    pub(super) name: String,
    /// When it is sent, as HTML.
    pub(super) html: String,
    /// An example body.
    pub(super) example: String,
}

/// All groups in the order of the document's tags; within each, lists and creation come first.
pub(super) fn groups(document: &Document, errors: &[ErrorRow]) -> Vec<Group> {
    let tags = list(document.at(""), "tags");
    let mut groups: Vec<Group> = tags
        .map(|tag| Group {
            id: format!("api-{}", text(tag, "name").to_lowercase().replace(' ', "-")),
            title: text(tag, "name").to_owned(),
            html: markdown::inline(text(tag, "description")),
            operations: Vec::new(),
        })
        .collect();
    for (path, methods) in members(document.at(""), "paths") {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let tag = list(operation, "tags").next();
            let group = groups
                .iter_mut()
                .find(|one| Some(one.title.as_str()) == tag.and_then(Value::as_str));
            if let Some(group) = group {
                let operation = build_operation(document, method, path, operation, errors);
                group.operations.push(operation);
            }
        }
    }
    for group in &mut groups {
        let place = |method: &str| ["POST", "PUT", "GET"].iter().position(|one| *one == method);
        group
            .operations
            .sort_by_key(|one| (one.path.clone(), place(&one.method).unwrap_or(9)));
    }
    groups
}

fn build_operation(
    document: &Document,
    method: &str,
    path: &str,
    operation: &Value,
    errors: &[ErrorRow],
) -> Operation {
    let is_signed = operation.get("security").is_none();
    let call = call(document, method, path, operation);
    Operation {
        id: text(operation, "operationId").to_owned(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(operation, "summary").to_owned(),
        html: markdown::inline(text(operation, "description")),
        is_signed,
        inputs: inputs(document, operation),
        success_responses: success_responses(document, operation),
        error_responses: error_responses(operation, errors),
        snippets: if is_signed {
            code::snippets(&call)
        } else {
            Vec::new()
        },
    }
}

/// The example request of an operation, built from the document's own examples.
fn call(document: &Document, method: &str, path: &str, operation: &Value) -> ExampleCall {
    let mut target = path.to_owned();
    let mut separator = '?';
    for parameter in list(operation, "parameters") {
        let Some(example) = parameter.get("example") else {
            continue;
        };
        let (name, value) = (text(parameter, "name"), example.to_string());
        let value = value.trim_matches('"');
        if text(parameter, "in") == "path" {
            target = target.replace(&format!("{{{name}}}"), value);
        } else {
            target = format!("{target}{separator}{name}={value}");
            separator = '&';
        }
    }
    let content = operation.pointer(&format!("/requestBody{CONTENT}"));
    let body = content.and_then(|content| example(document, content));
    let takes_key = parameters(operation, "header").next().is_some();
    let reference = body.as_ref().and_then(|body| body.text("reference"));
    let name = reference.map_or_else(
        || split_camel_case(text(operation, "operationId")).join("-"),
        str::to_owned,
    );
    ExampleCall {
        summary: text(operation, "summary").to_owned(),
        method: method.to_uppercase(),
        target,
        body,
        key: takes_key.then_some(name),
    }
}

/// Splits `cancelSession` into `cancel` and `session`.
fn split_camel_case(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words
}

fn example(document: &Document, content: &Value) -> Option<Literal> {
    let schema = content.get("schema").unwrap_or(&Value::Null);
    let value = content.get("example")?;
    Some(schema::order_members(document, schema, value))
}

fn parameters<'a>(operation: &'a Value, place: &str) -> impl Iterator<Item = &'a Value> {
    list(operation, "parameters").filter(move |one| text(one, "in") == place)
}

fn inputs(document: &Document, operation: &Value) -> Vec<FieldGroup> {
    let in_place = |title, place| FieldGroup {
        title,
        html: String::new(),
        fields: parameters(operation, place)
            .map(|one| Field::parameter(document, one))
            .collect(),
    };
    let mut blocks = vec![
        in_place("Path parameters", "path"),
        in_place("Query parameters", "query"),
    ];
    blocks.extend(
        operation
            .get("requestBody")
            .map(|body| body_group(document, body)),
    );
    blocks.push(in_place("Headers", "header"));
    blocks.retain(|block| !block.fields.is_empty());
    blocks
}

fn body_group(document: &Document, body: &Value) -> FieldGroup {
    let schema = body
        .pointer(&format!("{CONTENT}/schema"))
        .unwrap_or(&Value::Null);
    let about = text(document.resolve(schema), "description");
    let optional_note = if body.get("required") == Some(&Value::Bool(true)) {
        ""
    } else {
        " Optional."
    };
    FieldGroup {
        title: "Body",
        html: markdown::inline(&format!("{about}{optional_note}")),
        fields: schema::fields(document, schema),
    }
}

fn success_responses(document: &Document, operation: &Value) -> Vec<SuccessResponse> {
    let good = members(operation, "responses").filter(|(status, _)| status.starts_with('2'));
    let success_responses = good.map(|(status, response)| {
        let content = response.pointer(CONTENT).unwrap_or(&Value::Null);
        let schema = content.get("schema").unwrap_or(&Value::Null);
        SuccessResponse {
            status: status.clone(),
            html: markdown::inline(text(response, "description")),
            fields: schema::fields(document, schema),
            example: example(document, content).map(|literal| literal.render(&JSON)),
        }
    });
    success_responses.collect()
}

fn error_responses(operation: &Value, errors: &[ErrorRow]) -> Vec<ErrorResponse> {
    let bad = members(operation, "responses").filter(|(status, _)| !status.starts_with('2'));
    let error_responses = bad.map(|(status, response)| ErrorResponse {
        status: status.clone(),
        html: errors::link_codes(&markdown::inline(text(response, "description")), errors),
    });
    error_responses.collect()
}

/// The headers and body of webhook requests, and each event.
pub(super) fn events(document: &Document) -> (Vec<FieldGroup>, Vec<WebhookExample>) {
    let all = || members(document.at(""), "webhooks");
    let posts = || all().filter_map(|(name, item)| Some((name, item.get("post")?)));
    let test = posts().find(|(name, _)| name.as_str() == "endpoint.test");
    let (first, test) = (posts().next(), test.map(|(_, test)| test));
    let blocks = first.map(|(_, first)| {
        let mut blocks = inputs(document, first);
        blocks.extend(test.map(|test| FieldGroup {
            title: "Body of endpoint.test",
            ..body_group(document, test.get("requestBody").unwrap_or(&Value::Null))
        }));
        blocks.retain(|block| !block.fields.is_empty());
        blocks
    });
    let webhooks = posts().map(|(name, post)| {
        let content = post.pointer(&format!("/requestBody{CONTENT}"));
        let example = content.and_then(|content| example(document, content));
        WebhookExample {
            name: name.clone(),
            html: markdown::inline(&format!("{}.", text(post, "summary"))),
            example: example
                .map(|literal| literal.render(&JSON))
                .unwrap_or_default(),
        }
    });
    (blocks.unwrap_or_default(), webhooks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_listed_with_examples() {
        let document = Document::read();
        let groups = groups(&document, &errors::rows());
        let operations: Vec<&Operation> =
            groups.iter().flat_map(|group| &group.operations).collect();
        let described = members(document.at(""), "paths");
        let described = described.map(|(_, methods)| methods.as_object().unwrap().len());
        assert_eq!(operations.len(), described.sum::<usize>());
        for operation in operations {
            let languages = if operation.path.starts_with("/v1/") {
                4
            } else {
                0
            };
            assert_eq!(operation.snippets.len(), languages, "{}", operation.id);
            assert!(!operation.summary.is_empty() && !operation.error_responses.is_empty());
            for Snippet { name, code, .. } in &operation.snippets {
                assert!(!code.contains("{id}"), "{}: {name}", operation.id);
                assert!(
                    code.contains(&operation.summary),
                    "{}: {name}",
                    operation.id
                );
            }
            for success_response in &operation.success_responses {
                let has_body = success_response.status != "204";
                assert_eq!(
                    success_response.example.is_some(),
                    has_body,
                    "{}",
                    operation.id
                );
                assert_eq!(
                    !success_response.fields.is_empty(),
                    has_body,
                    "{}",
                    operation.id
                );
            }
        }
        let order: Vec<_> = groups[0]
            .operations
            .iter()
            .map(|one| one.id.as_str())
            .collect();
        assert_eq!(order[..3], ["createSession", "listSessions", "getSession"]);
    }

    #[test]
    fn examples_keep_the_documented_member_order() {
        let document = Document::read();
        let (blocks, webhooks) = events(&document);
        assert_eq!(blocks.len(), 3);
        assert!(webhooks.len() > 10);
        for WebhookExample { name, example, .. } in &webhooks {
            let start = format!("{{\n  \"event\": \"{name}\",\n  \"session_id\":");
            assert!(example.starts_with(&start), "{example}");
        }
    }
}
