//! Rendered pages: hostile values, sizes, and a CSP that allows exactly the page's content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oncharge_application::checkout;
use oncharge_domain::branding::accent::{Accent, ColorScheme};
use oncharge_domain::branding::logo::{Logo, MAX_BYTES};
use oncharge_domain::currency::Currency;
use oncharge_domain::session::{NextAction, RetryReason, StatusName};
use serde_json::Value;
use url::Url;

use super::assets::{AMOUNT_SCRIPT, ASSETS, SCRIPT, STYLE, script_digests, style_digest};
use super::*;

const HOSTILE: &str =
    "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{amount}&amp;";

fn state(status: StatusName, next: NextAction) -> ShopperState {
    ShopperState::from(checkout::ShopperState { status, next })
}

fn created() -> ShopperState {
    state(StatusName::Created, NextAction::None)
}

fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, Currency::parse(currency).unwrap()).unwrap()
}

fn check<T>(change: impl FnOnce(&mut PageModel<'_>), look: impl FnOnce(&RenderedPage) -> T) -> T {
    look(&with_branding(&Branding::default(), change))
}

fn with_branding(branding: &Branding, change: impl FnOnce(&mut PageModel<'_>)) -> RenderedPage {
    let state = created();
    let fields_url = Url::parse("http://127.0.0.1:8081/fields").unwrap();
    let ancestors = ["https://shop.example".to_owned()];
    let mut model = PageModel {
        session_id: "cs_1",
        pay_token: "pt_secret",
        merchant_name: "Acme",
        branding,
        reference: "order-42",
        amount: money(9999, "EUR"),
        state: &state,
        expires_in_seconds: 1800,
        return_url: "https://shop.example/thanks?cart=1",
        processor_name: "PSP simulator",
        is_test: false,
        fields_url: &fields_url,
        frame_ancestors: &ancestors,
        accept_language: None,
        behind_tls: false,
    };
    change(&mut model);
    render(&model).unwrap()
}

/// A branding with both accents and this logo.
fn branding_with_logo(logo: &[u8]) -> Branding {
    Branding {
        accent: Some(Accent::parse("#c2185b", ColorScheme::Light).unwrap()),
        accent_dark: Some(Accent::parse("#ff80ab", ColorScheme::Dark).unwrap()),
        logo: Some(Logo::new(logo.to_vec()).unwrap()),
    }
}

fn header<'a>(page: &'a RenderedPage, name: &str) -> &'a str {
    let mut found = page.headers.iter().filter(|(one, _)| *one == name);
    let value = &found.next().unwrap_or_else(|| panic!("no {name}")).1;
    assert!(found.next().is_none(), "{name} twice");
    value
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0
}

fn data(page: &RenderedPage) -> Value {
    let block = between(&page.html, "id=\"session\">", "</script>");
    serde_json::from_str(block).unwrap()
}

#[test]
fn the_script_data_is_complete() {
    check(
        |model| model.accept_language = Some("de-AT"),
        |page| {
            let data = data(page);
            for (key, expected) in [
                ("session_id", "cs_1"),
                ("pay_token", "pt_secret"),
                ("language", "de"),
                ("psp_origin", "http://127.0.0.1:8081"),
                ("fields_url", "http://127.0.0.1:8081/fields"),
                ("return_url", "https://shop.example/thanks?cart=1"),
            ] {
                assert_eq!(data[key], expected, "{key}");
            }
            assert_eq!(data["expires_in"], 1800);
            assert_eq!(data["parents"], serde_json::json!(["https://shop.example"]));
            assert_eq!(
                data["state"],
                serde_json::json!({"status": "created", "next": {"type": "none"}})
            );
            assert_eq!(data["messages"]["live.pay"], "{amount} bezahlen");
            assert!(
                page.html.contains("<html lang=\"de\">"),
                "the page declares its language"
            );
        },
    );
}

#[test]
fn test_mode_is_shown() {
    for is_test in [true, false] {
        check(
            |model| model.is_test = is_test,
            |page| assert_eq!(page.html.contains("Test mode"), is_test),
        );
    }
}

#[test]
fn next_steps_serialize_as_documented() {
    let challenge = NextAction::Challenge("https://psp.example/c/1".to_owned());
    let cases = [
        (
            state(StatusName::Pending, challenge),
            r#"{"status":"pending","next":{"type":"challenge","url":"https://psp.example/c/1"}}"#,
        ),
        (
            state(
                StatusName::Refused,
                NextAction::Retry {
                    reason: RetryReason::InsufficientFunds,
                    last_try: true,
                },
            ),
            r#"{"status":"refused","next":{"type":"retry","reason":"insufficient_funds","last_try":true}}"#,
        ),
        (
            state(StatusName::Captured, NextAction::None),
            r#"{"status":"captured","next":{"type":"none"}}"#,
        ),
    ];
    for (state, expected) in cases {
        assert_eq!(serde_json::to_string(&state).unwrap(), expected);
    }
}

#[test]
fn hostile_names_are_escaped() {
    check(
        |model| {
            model.merchant_name = HOSTILE;
            model.reference = HOSTILE;
            model.processor_name = HOSTILE;
            model.return_url = HOSTILE;
            model.session_id = HOSTILE;
            model.accept_language = Some(HOSTILE);
        },
        |page| {
            let html = &page.html;
            assert_eq!(
                html.matches("<script").count(),
                3,
                "the page has scripts besides its own three"
            );
            assert_eq!(
                html.matches("</script").count(),
                3,
                "a script ends too early"
            );
            assert!(!html.contains("<img"), "a name created an element");
            let data = data(page);
            assert_eq!(
                data["merchant"], HOSTILE,
                "the script data contains the name unchanged"
            );
            assert_eq!(data["return_url"], HOSTILE);
            let shown = between(html, "<p class=\"merchant\">", "</p>");
            assert!(shown.starts_with("&#60;/script&#62;"), "{shown}");
            assert!(
                shown.contains("{amount}"),
                "a placeholder in a name was replaced: {shown}"
            );
        },
    );
}

#[test]
fn amounts_use_the_decimals_of_their_currency() {
    for (minor, currency, decimals, expected) in [
        (9999, "EUR", 2, "EUR 99.99"),
        (9999, "JPY", 0, "JPY 9999"),
        (12_345, "KWD", 3, "KWD 12.345"),
    ] {
        check(
            |model| {
                model.amount = money(minor, currency);
            },
            |page| {
                let element = between(&page.html, "id=\"amount\" ", "</p>");
                let (attributes, shown) = element.split_once('>').unwrap();
                assert_eq!(shown, expected);
                let value = expected.split_once(' ').unwrap().1;
                let data = format!(
                    "data-value=\"{value}\" data-currency=\"{currency}\" \
                     data-decimals=\"{decimals}\" data-locale=\"en\""
                );
                assert_eq!(attributes, data);
            },
        );
    }
}

/// The script that formats the amount runs first, and nothing is painted before the page is
/// complete, so the amount never changes visibly.
#[test]
fn the_amount_is_written_before_the_first_paint() {
    check(
        |_| (),
        |page| {
            let html = &page.html;
            let after = between(html, "EUR 99.99</p>", "</script>");
            assert_eq!(after, format!("<script>{AMOUNT_SCRIPT}"));
            let head = between(html, "<head>", "</head>");
            let expected = between(
                head,
                "<link rel=\"expect\" href=\"#",
                "\" blocking=\"render\">",
            );
            let (_, rest) = html.split_once(after).unwrap();
            assert!(rest.contains(&format!(" id=\"{expected}\"")), "{expected}");
        },
    );
}

#[test]
fn the_policy_allows_exactly_the_page_content() {
    check(
        |_| (),
        |page| {
            let policy = header(page, "Content-Security-Policy");
            assert_eq!(between(&page.html, "<style>", "</style>"), STYLE);
            let scripts: Vec<&str> = page.html.split("<script>").skip(1).collect();
            let scripts: Vec<&str> = scripts
                .iter()
                .map(|rest| rest.split_once("</script>").unwrap().0)
                .collect();
            assert_eq!(scripts, [AMOUNT_SCRIPT, SCRIPT]);
            let [amount, main] = script_digests();
            assert!(policy.contains(&format!("script-src 'sha256-{amount}' 'sha256-{main}';")));
            assert!(policy.contains(&format!("style-src 'sha256-{}';", style_digest())));
            assert!(
                policy.contains("frame-src http://127.0.0.1:8081;"),
                "{policy}"
            );
            assert!(
                policy.ends_with("frame-ancestors https://shop.example"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(
                !page.html.contains(" style="),
                "an inline style would be blocked"
            );
            assert!(
                !page.html.contains(" src="),
                "the page loads an external resource"
            );
            assert_eq!(header(page, "Cache-Control"), "no-store");
        },
    );
}

#[test]
fn branding_is_rendered_and_allowed_by_the_policy() {
    const SVG: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
    let page = with_branding(&branding_with_logo(SVG), |_| ());
    let styles: Vec<&str> = page.html.split("<style>").skip(1).collect();
    let [own, accent_style] = styles.as_slice() else {
        panic!("{} style sheets", styles.len());
    };
    assert!(own.starts_with(STYLE));
    let accent_style = accent_style.split_once("</style>").unwrap().0;
    assert!(
        accent_style.contains("--accent:#c2185b;") && accent_style.contains("--accent:#ff80ab;")
    );
    let wanted = format!(
        "style-src 'sha256-{}' 'sha256-{}';",
        style_digest(),
        assets::base64_sha256(accent_style)
    );
    let policy = header(&page, "Content-Security-Policy");
    assert!(policy.contains(&wanted), "{policy}");
    assert!(policy.contains("img-src data:;"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let source = format!("data:image/svg+xml;base64,{}", STANDARD.encode(SVG));
    let image = format!("<img class=\"logo\" src=\"{source}\" alt=\"\">");
    assert!(page.html.contains(&image), "{}", page.html);
    assert_eq!(
        page.html.matches(" src=").count(),
        1,
        "the page loads more than one image"
    );
}

#[test]
fn a_hostile_logo_is_only_image_data() {
    let logo = format!("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(3)'>{HOSTILE}</svg>");
    let page = with_branding(&branding_with_logo(logo.as_bytes()), |model| {
        model.merchant_name = HOSTILE;
    });
    let html = &page.html;
    assert_eq!(html.matches("<script").count(), 3);
    assert_eq!(html.matches("<img").count(), 1);
    assert!(!html.contains("onload") && !html.contains("alert(3)"));
    let source = between(html, "src=\"data:image/svg+xml;base64,", "\"");
    assert_eq!(STANDARD.decode(source).unwrap(), logo.as_bytes());
}

#[test]
fn inline_assets_cannot_close_their_elements() {
    assert!(!STYLE.contains("</"), "the style sheet would end early");
    for forbidden in ["</script", "<script", "<!--"] {
        for script in [AMOUNT_SCRIPT, SCRIPT] {
            assert!(!script.contains(forbidden), "{forbidden} in the script");
        }
    }
}

#[test]
fn the_page_is_small_in_every_language() {
    for language in ["en", "de", "fr", "es"] {
        // With the largest logo and both accents.
        let mut logo = b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec();
        logo.resize(MAX_BYTES, b' ');
        let page = with_branding(&branding_with_logo(&logo), |model| {
            model.accept_language = Some(language);
        });
        let size = page.html.len();
        assert!(size < 60_000, "{language}: {size} bytes");
    }
    let script = ASSETS
        .iter()
        .find(|asset| asset.path == "/oncharge.js")
        .unwrap();
    assert!(
        script.body.len() < 5_000,
        "oncharge.js has {} bytes",
        script.body.len()
    );
}

#[test]
fn fields_without_a_web_origin_are_refused() {
    let fields_url = Url::parse("data:text/html,fields").unwrap();
    let state = created();
    let model = PageModel {
        session_id: "cs_1",
        pay_token: "pt_1",
        merchant_name: "Acme",
        branding: &Branding::default(),
        reference: "1",
        amount: money(1, "EUR"),
        state: &state,
        expires_in_seconds: 0,
        return_url: "https://shop.example/",
        processor_name: "PSP",
        is_test: false,
        fields_url: &fields_url,
        frame_ancestors: &[],
        accept_language: None,
        behind_tls: false,
    };
    assert!(matches!(render(&model), Err(PageError::FieldsUrl)));
}

#[test]
fn the_error_page_has_no_script_and_no_frame() {
    for (kind, heading) in [
        (ErrorKind::InvalidLink, "This payment link does not work"),
        (ErrorKind::Busy, "Too many requests"),
        (ErrorKind::Internal, "Something went wrong"),
    ] {
        let page = render_error(&ErrorModel {
            kind,
            request_id: Some("<b>req_1"),
            accept_language: Some("ja"),
            behind_tls: true,
        })
        .unwrap();
        let policy = header(&page, "Content-Security-Policy");
        assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script-src") && !page.html.contains("<script"));
        assert!(
            page.html.contains(&format!("<h1>{heading}</h1>")),
            "{}",
            page.html
        );
        assert!(
            page.html.contains("&#60;b&#62;req_1"),
            "the id is not shown as text"
        );
        assert!(header(&page, "Strict-Transport-Security").starts_with("max-age="));
    }
}
