//! The face's objects against Stripe's published specification, if its file exists next to the
//! repository.

use std::path::Path;

use serde_json::Value;

use super::client::Face;
use crate::sandbox::APPROVED_CARD;

/// Members of later versions than the specification's, which the published examples have.
const LATER_MEMBERS: [&str; 4] = [
    "allow_redisplay",
    "destination_details",
    "display_brand",
    "tax_id",
];

/// Stripe's schemas, by name.
struct Schemas(Value);

impl Schemas {
    fn load() -> Option<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/specs/stripe-spec3-2023-09-12-trimmed.json");
        let Ok(text) = std::fs::read_to_string(&file) else {
            println!("skipped: {} does not exist", file.display());
            return None;
        };
        let mut whole: Value = serde_json::from_str(&text).unwrap();
        Some(Self(whole["components"]["schemas"].take()))
    }

    /// What is wrong with an object of this schema.
    fn problems(&self, name: &str, object: &Value) -> Vec<String> {
        self.check(&self.0[name], object, name)
    }

    fn check(&self, schema: &Value, value: &Value, path: &str) -> Vec<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap();
            return self.check(&self.0[name], value, path);
        }
        if value.is_null() {
            let is_nullable = schema["nullable"] == true || schema.is_null();
            return if is_nullable {
                vec![]
            } else {
                vec![format!("{path}: null")]
            };
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let all = choices.iter().map(|choice| self.check(choice, value, path));
            return all.min_by_key(Vec::len).unwrap_or_default();
        }
        let fits = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64(),
            Some("boolean") => value.is_boolean(),
            _ => true,
        };
        let in_enum = schema["enum"]
            .as_array()
            .is_none_or(|all| all.contains(value));
        if !fits || !in_enum {
            return vec![format!("{path}: {value}")];
        }
        match value {
            Value::Object(_) => self.check_members(schema, value, path),
            Value::Array(items) => items
                .iter()
                .flat_map(|item| self.check(&schema["items"], item, path))
                .collect(),
            _ => vec![],
        }
    }

    fn check_members(&self, schema: &Value, object: &Value, path: &str) -> Vec<String> {
        let mut problems = Vec::new();
        for name in schema["required"].as_array().into_iter().flatten() {
            if object.get(name.as_str().unwrap()).is_none() {
                problems.push(format!("{path}: without {name}"));
            }
        }
        let Some(known) = schema["properties"].as_object() else {
            return problems;
        };
        for (name, value) in object.as_object().unwrap() {
            match known.get(name) {
                Some(member) => {
                    problems.extend(self.check(member, value, &format!("{path}.{name}")));
                }
                None if LATER_MEMBERS.contains(&name.as_str()) => {}
                None => problems.push(format!("{path}.{name}: unknown")),
            }
        }
        problems
    }
}

#[tokio::test]
async fn objects_have_the_members_and_types_of_the_specification() {
    let Some(schemas) = Schemas::load() else {
        return;
    };
    let mut face = Face::start().await;
    let held = face.pay("p", APPROVED_CARD).await.body;
    let id = held["id"].as_str().unwrap();
    let captured = face.act(id, "capture", "").await.body;
    let charge = face.intent(id).await.body["latest_charge"].clone();
    let refund = face.post("/refunds", &format!("payment_intent={id}")).await;
    let (challenged, _) = face.challenged("ch").await;
    let method = face.method(APPROVED_CARD).await;
    let method = face.get(&format!("/payment_methods/{method}")).await.body;
    let declined = face.pay("d", "4000000000000002").await.body["error"].clone();
    let event = face.event("payment_intent.succeeded").await.body;
    let objects = [
        ("payment_intent", held.clone()),
        ("payment_intent", captured),
        (
            "payment_intent",
            face.get(&format!("/payment_intents/{challenged}"))
                .await
                .body,
        ),
        (
            "payment_intent",
            face.act(&challenged, "cancel", "").await.body,
        ),
        ("payment_method", method),
        ("charge", charge),
        ("refund", refund.body),
        ("api_errors", declined),
        ("event", event),
    ];
    for (name, object) in &objects {
        let problems = schemas.problems(name, object);
        assert_eq!(problems, Vec::<String>::new(), "{name}: {object}");
    }
    // The check itself finds what is missing, wrong or unknown.
    let mut broken = held;
    let members = broken.as_object_mut().unwrap();
    members.remove("currency");
    members.insert("status".to_owned(), "paid".into());
    members.insert("surplus".to_owned(), 1.into());
    assert_eq!(schemas.problems("payment_intent", &broken).len(), 3);
}
