//! The branding of a merchant's checkout, set by operator commands while a server is running.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Database, Dev, Shop, eventually, on_both};

const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1 1\"/>";

on_both!(branding_is_set_and_removed);

/// Runs `merchant set` with these flags; returns its output, or its error output.
fn set(dev: &Dev, flags: &[&str]) -> Result<Value, String> {
    let id = dev.ready("merchant_id").to_owned();
    let arguments = [&["merchant", "set", &id][..], flags].concat();
    let printed = dev.command(&arguments)?;
    Ok(serde_json::from_str(&printed).unwrap())
}

/// Waits until the page of a session contains all wanted texts and no unwanted ones.
async fn wait_for_page(shop: &Shop, wanted: &[&str], unwanted: &[&str]) {
    let (session, pay_token) = shop.create(json!({})).await;
    let page = format!("{}/checkout/{session}?token={pay_token}", shop.base);
    eventually(5, "the page", || async {
        let response = shop.http.get(&page).send().await.unwrap();
        let html = response.text().await.unwrap();
        let missing = wanted.iter().find(|text| !html.contains(**text));
        let remaining = unwanted.iter().find(|text| html.contains(**text));
        match (missing, remaining) {
            (None, None) => Ok(()),
            other => Err(format!("missing or unwanted: {other:?}")),
        }
    })
    .await;
}

async fn branding_is_set_and_removed(database: Database) {
    let dev = Dev::start(database, &[]).await;
    let shop = dev.shop();
    // The sandbox's merchant comes with the demo shop's logo.
    let logo = "class=\"logo\" src=\"data:image/svg+xml;base64,";
    wait_for_page(&shop, &[logo], &[]).await;

    let file = dev.dir.path().join("logo.png");
    fs::write(&file, LOGO).unwrap();
    let file = file.to_str().unwrap();
    let flags = ["--accent", "#C2185B", "--accent-dark", "#FF80AB", "--logo"];
    let all = set(&dev, &[&flags[..], &[file]].concat()).unwrap();
    assert_eq!(all["accent"], "#c2185b");
    assert_eq!(all["accent_dark"], "#ff80ab");
    let described = json!({"type": "image/svg+xml", "bytes": LOGO.len()});
    assert_eq!(
        all["logo"], described,
        "the logo is described by its content"
    );
    let (light, dark) = ("--accent:#c2185b;", "--accent:#ff80ab;");
    wait_for_page(&shop, &[light, dark, logo], &[]).await;

    let other = set(&dev, &["--capture", "manual"]).unwrap();
    assert_eq!(
        other["accent"], "#c2185b",
        "another setting changed the accent"
    );
    let without = set(&dev, &["--accent", "", "--logo", ""]).unwrap();
    assert_eq!(
        (
            &without["accent"],
            &without["accent_dark"],
            &without["logo"]
        ),
        (&Value::Null, &json!("#ff80ab"), &Value::Null)
    );
    wait_for_page(&shop, &[dark], &[light, "class=\"logo\""]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_branding_is_rejected_and_changes_nothing() {
    let dev = Dev::start(Database::Sqlite, &[]).await;
    let before = set(&dev, &["--accent", "#c2185b"]).unwrap();
    let path = |name: &str, bytes: &[u8]| {
        let path = dev.dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let large = format!("{LOGO}{}", " ".repeat(8192));
    let absent = dev.dir.path().join("absent.png");
    for (flag, value, reason) in [
        ("--accent", "pink", "such as #c2185b"),
        ("--accent", "#777777", "contrast of 4.4:1"),
        (
            "--accent-dark",
            "#c2185b",
            "contrast of 2.8:1 against the dark page",
        ),
        ("--logo", absent.to_str().unwrap(), "cannot read the file"),
        (
            "--logo",
            &path("a.png", b"no image"),
            "PNG, JPEG, WebP or SVG",
        ),
        ("--logo", &path("b.svg", large.as_bytes()), "8192 bytes"),
        ("--logo", &path("c.svg", b"<!DOCTYPE svg><svg/>"), "DOCTYPE"),
    ] {
        // Nothing is written, not even the valid flag.
        let error = set(&dev, &["--capture", "manual", flag, value]).unwrap_err();
        assert!(error.contains(&format!("{flag}: ")), "{error}");
        assert!(error.contains(reason), "{flag} {value}: {error}");
    }
    let delay = before["capture_delay"].to_string();
    let after = set(&dev, &["--capture-delay", &delay]).unwrap();
    assert_eq!(after, before);
}
