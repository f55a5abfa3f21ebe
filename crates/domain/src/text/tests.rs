//! Which texts each rule accepts and refuses.

use super::*;

#[test]
fn references() {
    assert!(Reference::parse("order-42 – Größe 日本").is_ok());
    assert_eq!(Reference::parse(""), Err(TextError::Empty));
    assert_eq!(
        Reference::parse(&"x".repeat(256)),
        Err(TextError::TooLong(255))
    );
    assert!(Reference::parse(&"ü".repeat(255)).is_ok());
    for bad in ["a\0b", "a\nb", "\u{7f}", "a\u{85}"] {
        assert_eq!(Reference::parse(bad), Err(TextError::Control), "{bad:?}");
    }
}

#[test]
fn blank_and_invisible_texts_are_refused() {
    for blank in [" ", "\u{a0}\u{3000}", "   "] {
        assert_eq!(Reference::parse(blank), Err(TextError::Blank), "{blank:?}");
        assert_eq!(OrderId::parse(blank), Err(TextError::Blank), "{blank:?}");
        assert_eq!(MerchantName::parse(blank), Err(TextError::Blank));
    }
    for hidden in [
        "order\u{200b}42",
        "\u{202e}24-redro",
        "a\u{2066}b\u{2069}",
        "\u{feff}order",
        "order\u{ad}42",
        "order\u{2028}42",
        "\u{3164}",
        "\u{2800}",
        "x\u{e0041}",
    ] {
        let problem = Err(TextError::Invisible);
        assert_eq!(Reference::parse(hidden), problem, "{hidden:?}");
        let problem = Err(TextError::Invisible);
        assert_eq!(MerchantName::parse(hidden), problem, "{hidden:?}");
    }
    for good in ["a b", " a", "Café 日本 עברית العربية", "e\u{301}", "😀"] {
        assert!(MerchantName::parse(good).is_ok(), "{good:?}");
    }
}

#[test]
fn emails() {
    for good in [
        "shopper@example.com",
        "a.b+tag@sub.example.co.uk",
        "grün@example.com",
        "gru\u{308}n@mu\u{308}nchen.de",
    ] {
        assert!(Email::parse(good).is_ok(), "{good}");
    }
    let long = format!("{}@example.com", "a".repeat(260));
    for bad in [
        "",
        "shopper",
        "@example.com",
        "a@",
        "a b@example.com",
        "A <a@b.com>",
        "a@b",
        &long,
    ] {
        assert!(Email::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn phones() {
    for good in [
        "+15551234567",
        "+4915112345678",
        "+442071838750",
        "+33612345678",
        "+81312345678",
    ] {
        assert!(Phone::parse(good).is_ok(), "{good}");
    }
    let bad = [
        "",
        "15551234567",
        "+05551234567",
        "+1555",
        "+1 555 1234567",
        "+999123456789",
        "+155512345678901",
        "+1555123456a",
        "++15551234567",
    ];
    for bad in bad {
        assert_eq!(Phone::parse(bad), Err(TextError::Phone), "{bad}");
    }
}

#[test]
fn return_urls() {
    let url = ReturnUrl::parse("https://shop.example.com:8443/thanks?order=1", false).unwrap();
    assert_eq!(url.origin(), "https://shop.example.com:8443");
    for bad in [
        "",
        "shop",
        "/thanks",
        "ftp://shop",
        "http://shop.example.com/",
        "https://a:b@shop/",
        "https://user@shop/",
        "https://@shop/",
        "https://:@shop?x",
        "https://shop/#x",
        "https://shop/#",
        "javascript:alert(1)",
        "https://",
        "https://a b/",
    ] {
        assert!(ReturnUrl::parse(bad, false).is_err(), "{bad}");
    }
    assert!(ReturnUrl::parse("https://shop/@x?y=@z", false).is_ok());
    for local in [
        "http://localhost:3000/x",
        "http://127.0.0.1/x",
        "http://[::1]:80/x",
    ] {
        assert!(ReturnUrl::parse(local, true).is_ok(), "{local}");
        assert!(ReturnUrl::parse(local, false).is_err(), "{local}");
    }
    let long = format!("https://shop.example.com/{}", "x".repeat(2048));
    assert_eq!(
        ReturnUrl::parse(&long, false),
        Err(TextError::TooLong(2048))
    );
}

#[test]
fn metadata() {
    let pairs = |n: usize| {
        (0..n)
            .map(|i| (format!("k{i}"), "v".to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    assert!(Metadata::new(pairs(50)).is_ok());
    assert_eq!(Metadata::new(pairs(51)), Err(TextError::TooMany(50)));
    let one = |key: &str, value: &str| Metadata::new([(key.to_owned(), value.to_owned())].into());
    assert_eq!(one("", "v"), Err(TextError::Key(40)));
    assert_eq!(one(&"k".repeat(41), "v"), Err(TextError::Key(40)));
    assert_eq!(one("k", &"v".repeat(501)), Err(TextError::TooLong(500)));
    assert_eq!(one("k", "a\0"), Err(TextError::Control));
}

#[test]
fn personal_data_and_card_numbers_are_masked() {
    assert!(!format!("{:?}", Email::parse("shopper@example.com").unwrap()).contains("shopper"));
    assert!(!format!("{:?}", Phone::parse("+15551234567").unwrap()).contains("555"));
    for (text, masked) in [
        ("card 4242424242424242!", "card ****4242!"),
        ("4242 4242 4242 4242", "****4242"),
        ("4242-4242-4242-4242 x", "****4242 x"),
        ("order 4242424242424241", "order 4242424242424241"),
        ("12345", "12345"),
    ] {
        assert_eq!(mask_card_numbers(text), masked, "{text}");
    }
    assert_eq!(
        format!("{:?}", Reference::parse("4242424242424242").unwrap()),
        "****4242"
    );
}
