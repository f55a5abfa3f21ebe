//! The guides of the API reference.

/// The guides shown before the endpoints: unchanged files of `docs/guide`.
pub(super) const GUIDES: [(&str, &str); 7] = [
    (
        "integrating",
        include_str!("../../../../docs/guide/integrating.md"),
    ),
    (
        "checkout",
        include_str!("../../../../docs/guide/checkout.md"),
    ),
    (
        "branding",
        include_str!("../../../../docs/guide/branding.md"),
    ),
    (
        "payments",
        include_str!("../../../../docs/guide/payments.md"),
    ),
    ("signing", include_str!("../../../../docs/guide/signing.md")),
    (
        "webhooks",
        include_str!("../../../../docs/guide/webhooks.md"),
    ),
    ("sandbox", include_str!("../../../../docs/guide/sandbox.md")),
];
