//! Static files embedded in the binary: those inlined in the page and those served by path.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// The CSS properties shared by all of OnCharge's pages (`/tokens.css`).
pub const TOKENS_CSS: &str = include_str!("../../../../../assets/tokens.css");

/// The checkout's whole stylesheet, inlined in the page.
pub const STYLE: &str = concat!(
    include_str!("../../../../../assets/tokens.css"),
    include_str!("../../../../../assets/base.css"),
    include_str!("../../../assets/controls.css"),
    include_str!("../../../assets/checkout.css"),
    include_str!("../../../assets/checkout_brand.css"),
);

/// The script that formats the amount; placed directly after it.
pub const AMOUNT_SCRIPT: &str = include_str!("../../../assets/checkout/amount.js");

/// The checkout's main script, at the end of the page.
pub const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("../../../assets/checkout/api.js"),
    include_str!("../../../assets/checkout/frames.js"),
    include_str!("../../../assets/checkout/shop.js"),
    include_str!("../../../assets/checkout/views.js"),
    include_str!("../../../assets/checkout/otp.js"),
    include_str!("../../../assets/checkout/checkout.js"),
);

/// Base64 SHA-256 of [`STYLE`], for the Content-Security-Policy.
pub fn style_digest() -> &'static str {
    static DIGEST: LazyLock<String> = LazyLock::new(|| base64_sha256(STYLE));
    &DIGEST
}

/// Base64 SHA-256 of [`AMOUNT_SCRIPT`] and [`SCRIPT`], for the Content-Security-Policy.
pub fn script_digests() -> [&'static str; 2] {
    static DIGESTS: LazyLock<[String; 2]> =
        LazyLock::new(|| [AMOUNT_SCRIPT, SCRIPT].map(base64_sha256));
    DIGESTS.each_ref().map(String::as_str)
}

/// Base64 SHA-256, for policies and as a validator (`ETag`).
pub(crate) fn base64_sha256(text: impl AsRef<[u8]>) -> String {
    STANDARD.encode(digest(&SHA256, text.as_ref()))
}

/// A static file that shops and other pages load by path.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The path at which it is served.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub body: &'static str,
}

/// All static files; the routes are built from this list.
pub const ASSETS: [Asset; 5] = [
    Asset {
        path: "/oncharge.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("../../../assets/oncharge.js"),
    },
    Asset {
        path: "/oncharge.d.ts",
        content_type: "application/typescript; charset=utf-8",
        body: include_str!("../../../assets/oncharge.d.ts"),
    },
    Asset {
        path: "/tokens.css",
        content_type: "text/css; charset=utf-8",
        body: TOKENS_CSS,
    },
    DOCS_STYLE,
    DOCS_SCRIPT,
];

/// The stylesheet of `/docs`.
pub(crate) const DOCS_STYLE: Asset = Asset {
    path: "/docs.css",
    content_type: "text/css; charset=utf-8",
    body: concat!(
        include_str!("../../../../../assets/tokens.css"),
        include_str!("../../../../../assets/base.css"),
        include_str!("../../../assets/docs.css"),
        include_str!("../../../assets/docs_code.css"),
    ),
};

/// The script of `/docs`: copy buttons, language choice, search.
pub(crate) const DOCS_SCRIPT: Asset = Asset {
    path: "/docs.js",
    content_type: "text/javascript; charset=utf-8",
    body: include_str!("../../../assets/docs.js"),
};

impl Asset {
    /// The response headers except the validator. The names carry no hash, because shops write them
    /// into their pages: browsers cache a file for five minutes and then revalidate it by its
    /// `ETag`.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("Content-Type", self.content_type.to_owned()),
            ("Cache-Control", "public, max-age=300".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            // Also allows loading by shops that isolate themselves (COEP).
            ("Cross-Origin-Resource-Policy", "cross-origin".to_owned()),
        ]
    }
}
