//! Which files are accepted as logos, tested with real files of 3 × 2 pixels.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAFUlEQVR4nGM8JBHNwMDAwMDAxAADABZdATlrX/79AAAAAElFTkSuQmCC";
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAKBueIx4ZKCMgoy0qqC+8P//8Nzc8P//////////////////////////////////////////////////////////wAALCAACAAMBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AH//Z";
const WEBP: &str = "UklGRi4AAABXRUJQVlA4ICIAAABQAQCdASoDAAIAB0CWJaAABDOAAP7i3vx/+1Pys933AAAA";
const WEBP_LOSSLESS: &str = "UklGRh4AAABXRUJQVlA4TBEAAAAvAkAAAAdQjAp3q/+BiOh/AAA=";
const WEBP_EXTENDED: &str = "UklGRlQAAABXRUJQVlA4WAoAAAAQAAAAAgAAAQAAQUxQSAcAAAAA/2RkZGRkAFZQOCAmAAAAUAEAnQEqAwACAAdAliWoAAQzgAD+4upYDNf/rfmbu/8Ke+tgAAA=";
const GIF: &str = "R0lGODdhAwACAIEAAMIYWwAAAAAAAAAAACwAAAAAAwACAAAIBgABCBwYEAA7";
const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 3 2"/>"#;

fn file(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

fn refusal(bytes: impl Into<Vec<u8>>) -> LogoError {
    Logo::new(bytes.into()).unwrap_err()
}

/// [`PNG`] with another width and height in its header.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = file(PNG);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    bytes
}

#[test]
fn a_logo_kind_is_detected_from_content() {
    for (bytes, kind, media_type) in [
        (file(PNG), LogoKind::Png, "image/png"),
        (file(JPEG), LogoKind::Jpeg, "image/jpeg"),
        (file(WEBP), LogoKind::Webp, "image/webp"),
        (file(WEBP_LOSSLESS), LogoKind::Webp, "image/webp"),
        (file(WEBP_EXTENDED), LogoKind::Webp, "image/webp"),
        (SVG.into(), LogoKind::Svg, "image/svg+xml"),
    ] {
        let logo = Logo::new(bytes.clone()).unwrap();
        assert_eq!((logo.kind(), logo.kind().media_type()), (kind, media_type));
        assert_eq!(logo.bytes(), bytes, "{kind:?}");
    }
}

#[test]
fn svg_prologs_of_editors_are_accepted() {
    for svg in [
        "<svg width='3' xmlns='http://www.w3.org/2000/svg'></svg>",
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- <svg> of an editor -->\n\n\
         <svg\n\txmlns=\"http://www.w3.org/2000/svg\"\n\tviewBox=\"0 0 3 2\"><path d=\"M0 0h3\"/></svg>\n",
    ] {
        let logo = Logo::new(svg.into()).unwrap();
        assert_eq!(logo.kind(), LogoKind::Svg, "{svg}");
    }
}

#[test]
fn other_files_are_refused() {
    for (name, bytes) in [
        ("nothing", Vec::new()),
        ("a GIF", file(GIF)),
        ("a text", b"logo.png".to_vec()),
        ("a PDF", b"%PDF-1.7\n".to_vec()),
        (
            "an SVG in UTF-16",
            SVG.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        ("bytes", (0..=u8::MAX).collect()),
    ] {
        assert_eq!(refusal(bytes), LogoError::Kind, "{name}");
    }
    for other in [
        "<html><svg xmlns=\"http://www.w3.org/2000/svg\"/></html>",
        "<svg viewBox='0 0 3 2'><path d='M0 0h3'/></svg>",
        "<svg><g xmlns=\"http://www.w3.org/2000/svg\"/></svg>",
        "<svgs xmlns=\"http://www.w3.org/2000/svg\"/>",
        "<svg xmlns=\"http://www.w3.org/2000/svg-other\"/>",
        "<?xml version=\"1.0\"",
        "<!-- <svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        "<",
    ] {
        assert_eq!(refusal(other), LogoError::Root, "{other}");
    }
}

#[test]
fn svg_entities_are_refused() {
    for prolog in [
        "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\">",
        "<!doctype svg [<!ENTITY a \"&b;&b;\">]>",
    ] {
        assert_eq!(refusal(format!("{prolog}{SVG}")), LogoError::Doctype);
    }
}

#[test]
fn size_limits_are_enforced() {
    let mut bytes = file(PNG);
    bytes.resize(MAX_BYTES, 0);
    assert!(Logo::new(bytes.clone()).is_ok(), "the maximum size");
    bytes.push(0);
    assert_eq!(refusal(bytes), LogoError::Size);

    assert!(Logo::new(png_of(2048, 2048)).is_ok());
    for (width, height) in [(2049, 1), (1, 2049), (0, 2), (2, 0), (u32::MAX, u32::MAX)] {
        let found = refusal(png_of(width, height));
        assert!(
            matches!(found, LogoError::Pixels { .. }),
            "{width} × {height}: {found}"
        );
    }
    let message = refusal(png_of(4096, 2)).to_string();
    assert_eq!(message, "is 4096 × 2 pixels; 1 to 2048 each are allowed");
}

#[test]
fn truncated_images_are_refused() {
    for (whole, kept) in [(PNG, 20), (JPEG, 40), (WEBP, 20)] {
        let mut bytes = file(whole);
        bytes.truncate(kept);
        let found = refusal(bytes);
        assert!(
            matches!(found, LogoError::Broken | LogoError::Kind),
            "{whole}: {found}"
        );
    }
}

#[test]
fn a_logo_is_not_printed() {
    let logo = Logo::new(SVG.into()).unwrap();
    assert_eq!(
        format!("{logo:?}"),
        format!("Logo(Svg, {} bytes)", SVG.len())
    );
}
