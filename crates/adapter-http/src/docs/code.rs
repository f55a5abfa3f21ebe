//! Code examples in each language: derived from the signing example of `docs/examples`, which the
//! README shows and a test runs, by replacing method, path and body.

use super::literal::{JAVASCRIPT, Literal, PHP, PYTHON, Style};

/// The request that the examples in `docs/examples` send.
const SUMMARY: &str = "Creates a checkout session";
const METHOD: &str = "POST";
const TARGET: &str = "/v1/checkout/sessions";
const SHELL: &str = include_str!("../../../../docs/examples/create.sh");

/// The languages besides curl.
const LANGUAGES: [Language; 3] = [
    Language {
        id: "python",
        name: "Python",
        request: include_str!("../../../../docs/examples/create.py"),
        receiver: include_str!("../../../../docs/examples/webhook.py"),
        style: &PYTHON,
        body: ["json.dumps(", ").encode()"],
        no_body: "b\"\"",
        body_lines: &["    \"Content-Type\": \"application/json\",\n", " json,"],
        key_lines: &["    \"Idempotency-Key\": str(uuid.uuid4()),\n", ", uuid"],
    },
    Language {
        id: "node",
        name: "Node",
        request: include_str!("../../../../docs/examples/create.mjs"),
        receiver: include_str!("../../../../docs/examples/webhook.mjs"),
        style: &JAVASCRIPT,
        body: ["JSON.stringify(", ")"],
        no_body: "\"\"",
        body_lines: &["  body,\n", "    \"Content-Type\": \"application/json\",\n"],
        key_lines: &["    \"Idempotency-Key\": randomUUID(),\n", ", randomUUID"],
    },
    Language {
        id: "php",
        name: "PHP",
        request: include_str!("../../../../docs/examples/create.php"),
        receiver: include_str!("../../../../docs/examples/webhook.php"),
        style: &PHP,
        body: ["json_encode(", ")"],
        no_body: "''",
        body_lines: &["        'Content-Type: application/json',\n"],
        key_lines: &["        'Idempotency-Key: ' . bin2hex(random_bytes(16)),\n"],
    },
];

/// The templates of one language.
struct Language {
    id: &'static str,
    name: &'static str,
    /// The program that sends the request.
    request: &'static str,
    /// The program that receives webhooks.
    receiver: &'static str,
    style: &'static Style,
    /// The text before and after the body.
    body: [&'static str; 2],
    /// Replaces the body if there is none.
    no_body: &'static str,
    /// Lines needed only with a body.
    body_lines: &'static [&'static str],
    /// Lines needed only with an idempotency key.
    key_lines: &'static [&'static str],
}

/// A request to be shown as an example.
pub(super) struct ExampleCall {
    pub(super) summary: String,
    /// In upper case.
    pub(super) method: String,
    /// The request target, with the query.
    pub(super) target: String,
    /// `None` for a request without a body.
    pub(super) body: Option<Literal>,
    /// The prefix of its idempotency key; `None` if the operation takes none.
    pub(super) key: Option<String>,
}

/// An example program in one language.
pub(super) struct Snippet {
    /// For anchors and the stored language choice.
    pub(super) language: &'static str,
    /// The display name.
    pub(super) name: &'static str,
    pub(super) code: String,
}

/// The request in curl, Python, Node and PHP.
pub(super) fn snippets(call: &ExampleCall) -> Vec<Snippet> {
    let others = LANGUAGES
        .iter()
        .map(|language| language.snippet(&script(language, call).0));
    let mut snippets = vec![Snippet::new("curl", "curl", &shell(call).0)];
    snippets.extend(others);
    snippets
}

/// The programs that verify a webhook in Python, Node and PHP.
pub(super) fn receivers() -> Vec<Snippet> {
    let snippets = LANGUAGES.map(|language| language.snippet(language.receiver));
    snippets.into()
}

impl Snippet {
    fn new(language: &'static str, name: &'static str, code: &str) -> Self {
        let code = code.trim_end().to_owned();
        Self {
            language,
            name,
            code,
        }
    }
}

impl Language {
    fn snippet(&self, code: &str) -> Snippet {
        Snippet::new(self.id, self.name, code)
    }
}

/// A program that is being adapted.
struct Program(String);

impl Program {
    /// The source with the example's request replaced by this one.
    fn of(source: &str, call: &ExampleCall) -> Self {
        Self(source.replace("\r\n", "\n"))
            .replace(SUMMARY, &call.summary)
            .replace(METHOD, &call.method)
            .replace(TARGET, &call.target)
    }

    fn replace(self, from: &str, to: &str) -> Self {
        Self(self.0.replace(from, to))
    }

    fn without(self, texts: &[&str]) -> Self {
        texts
            .iter()
            .fold(self, |source, text| source.replace(text, ""))
    }

    /// Replaces everything from the start of one text to the end of another.
    fn replace_block(self, [from, until]: [&str; 2], to: &str) -> Self {
        let block = self.0.split_once(from).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(until)?;
            Some(format!("{before}{to}{after}"))
        });
        block.map_or(self, Self)
    }
}

fn script(language: &Language, call: &ExampleCall) -> Program {
    let [open, close] = language.body;
    let body = call.body.as_ref().map_or_else(
        || language.no_body.to_owned(),
        |body| format!("{open}{}{close}", body.render(language.style)),
    );
    let mut source = Program::of(language.request, call).replace_block(language.body, &body);
    if call.body.is_none() {
        source = source.without(language.body_lines);
    }
    if call.key.is_none() {
        source = source.without(language.key_lines);
    }
    source
}

fn shell(call: &ExampleCall) -> Program {
    let ExampleCall {
        method, body, key, ..
    } = call;
    let json = body.as_ref().map(Literal::to_line).unwrap_or_default();
    let body_line = format!("body='{}'\n", json.replace('\'', r"'\''"));
    let key_line = "  -H \"Idempotency-Key: order-42-$timestamp\" \\\n";
    let own_key_line = key.as_ref().map(|key| key_line.replace("order-42", key));
    let mut source = Program::of(SHELL, call)
        .replace(key_line, &own_key_line.unwrap_or_default())
        .replace_block(["body='", "'\n"], &body_line);
    // curl's default method is omitted.
    if !matches!((method.as_str(), body), ("GET", None) | ("POST", Some(_))) {
        let with_method = format!("--fail-with-body -X {method} ");
        source = source.replace("--fail-with-body ", &with_method);
    }
    if body.is_none() {
        source = source.without(&[" \\\n  --data-binary \"$body\""]);
    }
    source
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> Literal {
        let leaf = |name: &str, value| (name.to_owned(), Literal::Scalar(value));
        Literal::Object(vec![
            leaf("amount", json!(9999)),
            leaf("currency", json!("USD")),
            leaf("reference", json!("order-42")),
            leaf("return_url", json!("https://shop.example.com/thank-you")),
        ])
    }

    #[test]
    fn the_example_call_renders_the_example_files() {
        let call = ExampleCall {
            summary: SUMMARY.to_owned(),
            method: METHOD.to_owned(),
            target: TARGET.to_owned(),
            body: Some(order()),
            key: Some("order-42".to_owned()),
        };
        let sources = LANGUAGES.map(|language| language.request);
        let sources = [SHELL].into_iter().chain(sources);
        for (snippet, source) in snippets(&call).iter().zip(sources) {
            assert_eq!(snippet.code, source.trim_end(), "{}", snippet.name);
        }
    }

    #[test]
    fn other_calls_keep_nothing_of_the_example() {
        let call = ExampleCall {
            summary: "Looks".to_owned(),
            method: "DELETE".to_owned(),
            target: "/v1/other?limit=1".to_owned(),
            body: None,
            key: None,
        };
        let words = [
            SUMMARY,
            "POST",
            "checkout/sessions",
            "order-42",
            "9999",
            "Idempotency",
            "uuid",
            "UUID",
            "random_bytes",
            "application/json",
            "--data",
            "json.dumps",
            "json_encode",
            "import json",
            "  body,",
        ];
        for Snippet { name, code, .. } in snippets(&call) {
            for word in words {
                assert!(
                    !code.contains(word),
                    "{name} still contains {word}:\n{code}"
                );
            }
            assert!(
                code.contains("DELETE") && code.contains("/v1/other?limit=1"),
                "{code}"
            );
        }
    }
}
