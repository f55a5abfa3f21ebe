//! The examples in each language: the one signing example of `docs/examples`, which the README shows
//! and a test runs, with another method, path and body put into it.

use super::literal::{JAVASCRIPT, PHP, PYTHON, Tree};

/// The request that the examples in `docs/examples` send.
const SUMMARY: &str = "Creates a checkout session";
const SHELL: &str = include_str!("../../../../docs/examples/create.sh");
const PYTHON_SOURCE: &str = include_str!("../../../../docs/examples/create.py");
const NODE_SOURCE: &str = include_str!("../../../../docs/examples/create.mjs");
const PHP_SOURCE: &str = include_str!("../../../../docs/examples/create.php");

/// The receivers of webhooks in `docs/examples`.
const RECEIVERS: [(&str, &str, &str); 3] = [
    (
        "python",
        "Python",
        include_str!("../../../../docs/examples/webhook.py"),
    ),
    (
        "node",
        "Node",
        include_str!("../../../../docs/examples/webhook.mjs"),
    ),
    (
        "php",
        "PHP",
        include_str!("../../../../docs/examples/webhook.php"),
    ),
];

/// A request to be shown.
pub(super) struct Call {
    /// What it does.
    pub(super) summary: String,
    /// Upper case.
    pub(super) method: String,
    /// The request target.
    pub(super) target: String,
    /// What is sent, if anything is.
    pub(super) body: Option<Tree>,
    /// What its idempotency key begins with; `None` where it takes none.
    pub(super) key: Option<String>,
}

/// A program in one language.
pub(super) struct Snippet {
    /// For anchors and for remembering a choice.
    pub(super) language: &'static str,
    /// For readers.
    pub(super) name: &'static str,
    /// The program.
    pub(super) code: String,
}

/// The request in curl, Python, Node and PHP.
pub(super) fn snippets(call: &Call) -> Vec<Snippet> {
    let snippet = |language, name, source: Source| Snippet {
        language,
        name,
        code: source.0.trim_end().to_owned(),
    };
    vec![
        snippet("curl", "curl", shell(call)),
        snippet("python", "Python", python(call)),
        snippet("node", "Node", node(call)),
        snippet("php", "PHP", php(call)),
    ]
}

/// How a delivery is verified in Python, Node and PHP.
pub(super) fn receivers() -> Vec<Snippet> {
    let snippets = RECEIVERS.map(|(language, name, code)| Snippet {
        language,
        name,
        code: code.trim_end().to_owned(),
    });
    snippets.into()
}

/// A program that is being changed.
struct Source(String);

impl Source {
    /// Of this request instead of the example's.
    fn of(source: &str, call: &Call) -> Self {
        Self(source.replace("\r\n", "\n")).swap(SUMMARY, &call.summary)
    }

    fn swap(self, from: &str, to: &str) -> Self {
        Self(self.0.replace(from, to))
    }

    fn swap_if(self, is_so: bool, from: &str, to: &str) -> Self {
        if is_so { self.swap(from, to) } else { self }
    }

    /// Puts something in place of all that stands from one text to the end of another.
    fn swap_block(self, from: &str, until: &str, to: &str) -> Self {
        let block = self.0.split_once(from).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(until)?;
            Some(format!("{before}{to}{after}"))
        });
        block.map_or(self, Self)
    }
}

fn shell(call: &Call) -> Source {
    let Call {
        method,
        target,
        body,
        key,
        ..
    } = call;
    let json = body.as_ref().map(Tree::line).unwrap_or_default();
    // What curl does by itself is not said.
    let is_said = !matches!((method.as_str(), body), ("GET", None) | ("POST", Some(_)));
    let key_line = "  -H \"Idempotency-Key: order-42-$timestamp\" \\\n";
    let own_line = key.as_ref().map(|key| key_line.replace("order-42", key));
    Source::of(SHELL, call)
        .swap(key_line, &own_line.unwrap_or_default())
        .swap("path=/v1/checkout/sessions\n", &format!("path={target}\n"))
        .swap_block(
            "body='",
            "'\n",
            &format!("body='{}'\n", json.replace('\'', r"'\''")),
        )
        .swap(".POST.", &format!(".{method}."))
        .swap_if(
            is_said,
            "--fail-with-body ",
            &format!("--fail-with-body -X {method} "),
        )
        .swap_if(body.is_none(), " \\\n  --data-binary \"$body\"", "")
}

fn python(call: &Call) -> Source {
    let Call {
        method,
        target,
        body,
        key,
        ..
    } = call;
    let body = body.as_ref().map(|body| body.write(&PYTHON));
    let line = match &body {
        Some(body) => format!("body = json.dumps({body}).encode()"),
        None => "body = b\"\"".to_owned(),
    };
    Source::of(PYTHON_SOURCE, call)
        .swap(
            "\"POST\", \"/v1/checkout/sessions\"",
            &format!("\"{method}\", \"{target}\""),
        )
        .swap_block("body = json.dumps({", "}).encode()", &line)
        .swap_if(
            body.is_none(),
            "    \"Content-Type\": \"application/json\",\n",
            "",
        )
        .swap_if(body.is_none(), " json,", "")
        .swap_if(
            key.is_none(),
            "    \"Idempotency-Key\": str(uuid.uuid4()),\n",
            "",
        )
        .swap_if(key.is_none(), ", uuid\n", "\n")
}

fn node(call: &Call) -> Source {
    let Call {
        method,
        target,
        body,
        key,
        ..
    } = call;
    let body = body.as_ref().map(|body| body.write(&JAVASCRIPT));
    let line = match &body {
        Some(body) => format!("const body = JSON.stringify({body});"),
        None => "const body = \"\";".to_owned(),
    };
    Source::of(NODE_SOURCE, call)
        .swap(
            "[\"POST\", \"/v1/checkout/sessions\"]",
            &format!("[\"{method}\", \"{target}\"]"),
        )
        .swap_block("const body = JSON.stringify({", "});", &line)
        .swap_if(body.is_none(), "  body,\n", "")
        .swap_if(
            body.is_none(),
            "    \"Content-Type\": \"application/json\",\n",
            "",
        )
        .swap_if(
            key.is_none(),
            "    \"Idempotency-Key\": randomUUID(),\n",
            "",
        )
        .swap_if(key.is_none(), ", randomUUID ", " ")
}

fn php(call: &Call) -> Source {
    let Call {
        method,
        target,
        body,
        key,
        ..
    } = call;
    let body = body.as_ref().map(|body| body.write(&PHP));
    let line = match &body {
        Some(body) => format!("$body = json_encode({body});"),
        None => "$body = '';".to_owned(),
    };
    let key_line = "        'Idempotency-Key: ' . bin2hex(random_bytes(16)),\n";
    Source::of(PHP_SOURCE, call)
        .swap(
            "['POST', '/v1/checkout/sessions']",
            &format!("['{method}', '{target}']"),
        )
        .swap_block("$body = json_encode([", "]);", &line)
        .swap_if(
            body.is_none(),
            "        'Content-Type: application/json',\n",
            "",
        )
        .swap_if(key.is_none(), key_line, "")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order() -> Tree {
        let leaf = |name: &str, value| (name.to_owned(), Tree::Leaf(value));
        Tree::Object(vec![
            leaf("amount", json!(9999)),
            leaf("currency", json!("USD")),
            leaf("reference", json!("order-42")),
            leaf("return_url", json!("https://shop.example.com/thank-you")),
        ])
    }

    #[test]
    fn the_request_of_the_examples_gives_the_examples_as_they_stand() {
        let call = Call {
            summary: SUMMARY.to_owned(),
            method: "POST".to_owned(),
            target: "/v1/checkout/sessions".to_owned(),
            body: Some(order()),
            key: Some("order-42".to_owned()),
        };
        let sources = [SHELL, PYTHON_SOURCE, NODE_SOURCE, PHP_SOURCE];
        for (snippet, source) in snippets(&call).iter().zip(sources) {
            assert_eq!(snippet.code, source.trim_end(), "{}", snippet.name);
        }
    }

    #[test]
    fn nothing_of_the_example_is_left_in_another_request() {
        let call = Call {
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
                assert!(!code.contains(word), "{name} still has {word}:\n{code}");
            }
            assert!(
                code.contains("DELETE") && code.contains("/v1/other?limit=1"),
                "{code}"
            );
        }
    }
}
