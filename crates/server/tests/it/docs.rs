//! Runs the examples of the API reference as the served page shows them, with the ids replaced by
//! real ones.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::support::{Database, Dev, Shop};

/// A language of the examples.
struct Language {
    /// Its name on the page.
    name: &'static str,
    interpreter: &'static str,
    file: &'static str,
}

const LANGUAGES: [Language; 4] = [
    Language {
        name: "curl",
        interpreter: "sh",
        file: "example.sh",
    },
    Language {
        name: "python",
        interpreter: "python3",
        file: "example.py",
    },
    Language {
        name: "node",
        interpreter: "node",
        file: "example.mjs",
    },
    Language {
        name: "php",
        interpreter: "php",
        file: "example.php",
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn reference_examples_run_in_every_language() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    let shop = dev.shop();
    let page = Page::of(&shop).await;
    for language in &LANGUAGES {
        let run = |operation: &str, ids: &[(&str, &str)]| page.run(&dev, language, operation, ids);
        let language = language.name;
        let created = run("createSession", &[]);
        assert_eq!(created["status"], "created", "{language}: {created}");
        let own = created["session_id"].as_str().unwrap();

        // GET with an id in the path, and with a query.
        let session = run("getSession", &[("cs_", own)]);
        assert_eq!(session["session_id"], own, "{language}");
        let list = run("listSessions", &[]);
        assert_eq!(list["data"][0]["session_id"], own, "{language}: {list}");

        // POST without a body, and with a body that contains an id.
        let id = authorized(&shop).await;
        let captured = run("captureSession", &[("cs_", &id)]);
        assert_eq!(captured["status"], "captured", "{language}: {captured}");
        let ordered = run("createRefund", &[("cs_", &id)]);
        assert_eq!(
            ordered["status"], "refund_requested",
            "{language}: {ordered}"
        );
        let refund = ordered["refund_id"].as_str().unwrap();
        let refund = run("getRefund", &[("ref_", refund)]);
        assert_eq!(refund["session_id"], id, "{language}");

        // PUT and DELETE.
        let endpoint = run("setWebhookEndpoint", &[]);
        assert_eq!(endpoint["enabled"], true, "{language}: {endpoint}");
        assert_eq!(run("removeWebhookEndpoint", &[]), Value::Null, "{language}");
        assert_eq!(
            shop.get("/v1/webhook_endpoint").await.status,
            404,
            "{language}"
        );
    }
}

/// A session authorized for more than the examples refund.
async fn authorized(shop: &Shop) -> String {
    let order = json!({ "amount": 9999, "currency": "USD", "capture": "manual" });
    let (id, pay_token) = shop.create(order).await;
    let paid = shop
        .pay(&id, &pay_token, crate::support::shop::GOOD_CARD)
        .await;
    assert_eq!(paid.expect(200)["status"], "authorized");
    id
}

/// The served `/docs` page.
struct Page(String);

impl Page {
    async fn of(shop: &Shop) -> Self {
        let response = shop
            .http
            .get(format!("{}/docs", shop.base))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        Self(response.text().await.unwrap())
    }

    /// The example of an operation in a language.
    fn example(&self, operation: &str, language: &str) -> String {
        let section = format!("<section class=\"operation\" id=\"{operation}\">");
        let (_, section) = self
            .0
            .split_once(&section)
            .expect("the operation is on the page");
        let marker = format!("<pre data-language=\"{language}\"><code>");
        let (_, code) = section.split_once(&marker).expect("an example");
        let (code, _) = code.split_once("</code>").unwrap();
        unescape(code)
    }

    /// Runs the example with real ids; returns its JSON output, `null` if it prints nothing.
    fn run(&self, dev: &Dev, language: &Language, operation: &str, ids: &[(&str, &str)]) -> Value {
        let Language {
            name: language,
            interpreter,
            file,
        } = language;
        let mut code = self.example(operation, language);
        for (prefix, id) in ids {
            code = with_id(&code, prefix, id);
        }
        let path = dev.dir.path().join(file);
        std::fs::write(&path, &code).unwrap();
        let (printed, errors) = output(dev, interpreter, &path);
        assert!(
            errors.is_empty(),
            "{operation}, {language}: {errors}\n{code}"
        );
        if printed.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&printed)
            .unwrap_or_else(|_| panic!("{operation}, {language}: {printed}\n{code}"))
    }
}

fn output(dev: &Dev, interpreter: &str, path: &Path) -> (String, String) {
    let output = Command::new(interpreter)
        .arg(path)
        .env("ONCHARGE_URL", dev.ready("base_url"))
        .env("ONCHARGE_API_KEY", dev.ready("api_key"))
        .env("ONCHARGE_API_SECRET", dev.ready("api_secret"))
        .output()
        .unwrap_or_else(|error| {
            panic!("{interpreter} is needed (scripts/test installs it): {error}")
        });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}{}", text(&output.stderr));
    (printed, text(&output.stderr))
}

/// The code with the example's ids of the same kind replaced by this one.
fn with_id(code: &str, prefix: &str, id: &str) -> String {
    let at = code
        .find(prefix)
        .unwrap_or_else(|| panic!("no {prefix} in: {code}"));
    let rest = &code[at + prefix.len()..];
    let length = rest
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(rest.len());
    let example = code[at..at + prefix.len() + length].to_owned();
    assert!(length == 32, "{example} is not an id");
    code.replace(&example, id)
}

/// Decodes HTML entities.
fn unescape(html: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\"")];
    let numbered = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    let mut text = html.to_owned();
    for (escape, letter) in named.into_iter().chain(numbered).chain([("&amp;", "&")]) {
        text = text.replace(escape, letter);
    }
    text
}
