//! Assembles and renders the API reference.

use askama::Template;

use super::{
    code::{self, Snippet},
    document::{Document, text},
    errors::{self, ErrorRow},
    guides::GUIDES,
    markdown::{self, Section},
    operations::{self, FieldGroup, Group, WebhookExample},
    schema::{self, Field},
};
use crate::checkout::page::{
    PageError,
    assets::{Asset, DOCS_SCRIPT, DOCS_STYLE, base64_sha256},
};

#[derive(Template)]
#[template(path = "docs.html")]
struct Page<'a> {
    version: &'a str,
    introduction: String,
    guides: Vec<Vec<Section>>,
    groups: Vec<Group>,
    webhook_fields: Vec<FieldGroup>,
    events: Vec<WebhookExample>,
    receivers: Vec<Snippet>,
    errors: Vec<ErrorRow>,
    error_fields: Vec<Field>,
    style: String,
    script: String,
}

pub(super) fn render() -> Result<String, PageError> {
    let document = Document::read();
    let info = document.at("/info");
    let errors = errors::rows();
    let (webhook_fields, events) = operations::events(&document);
    let page = Page {
        version: text(info, "version"),
        introduction: markdown::inline(text(info, "description")),
        guides: GUIDES.map(|(id, file)| markdown::guide(id, file)).into(),
        groups: operations::groups(&document, &errors),
        webhook_fields,
        events,
        receivers: code::receivers(),
        error_fields: schema::fields(&document, document.at("/components/schemas/Error")),
        errors,
        style: asset_url(&DOCS_STYLE),
        script: asset_url(&DOCS_SCRIPT),
    };
    Ok(page.render()?)
}

/// The URL of an asset, with a hash of its content, so that a page is never shown with the
/// stylesheet or script of an older version.
fn asset_url(asset: &Asset) -> String {
    let digest = base64_sha256(asset.body);
    let letters = digest.chars().filter(char::is_ascii_alphanumeric);
    format!("{}?v={}", asset.path, letters.take(12).collect::<String>())
}
