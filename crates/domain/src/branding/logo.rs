//! A merchant's logo: a small image in a format that every browser supports.

use std::{fmt, str};

use imagesize::{ImageSize, ImageType};

/// The maximum file size in bytes: the logo is embedded in the page, which must stay small.
pub const MAX_BYTES: usize = 8 * 1024;

/// The maximum width and height in pixels: a small file can decode to an image that exhausts a
/// phone's memory.
pub const MAX_PIXELS: usize = 2048;

/// The format of an image, detected from its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoKind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
    /// SVG.
    Svg,
}

impl LogoKind {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// Why a file is not accepted as a logo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// Too large.
    #[error("is larger than {MAX_BYTES} bytes")]
    Size,
    /// Another kind of file.
    #[error("must be a PNG, JPEG, WebP or SVG (in UTF-8)")]
    Kind,
    /// It starts like an image, but is truncated or malformed.
    #[error("is damaged: cannot read the image's width and height")]
    Broken,
    /// Its width or height is zero or too large.
    #[error("is {width} × {height} pixels; 1 to {MAX_PIXELS} each are allowed")]
    Pixels {
        /// The width.
        width: usize,
        /// The height.
        height: usize,
    },
    /// A document type declaration, whose entities a parser would have to resolve.
    #[error("must not contain a DOCTYPE or ENTITY")]
    Doctype,
    /// The root element lacks the SVG namespace, without which browsers do not show the file.
    #[error("must begin with <svg xmlns=\"http://www.w3.org/2000/svg\" …>")]
    Root,
}

/// An image of at most [`MAX_BYTES`]. It is shown only in an `<img>`, where scripts of an SVG do
/// not run and its references are not loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    kind: LogoKind,
    bytes: Vec<u8>,
}

impl Logo {
    /// Validates a file.
    pub fn new(bytes: Vec<u8>) -> Result<Self, LogoError> {
        if bytes.len() > MAX_BYTES {
            return Err(LogoError::Size);
        }
        let kind = match imagesize::image_type(&bytes) {
            Ok(ImageType::Png) => LogoKind::Png,
            Ok(ImageType::Jpeg) => LogoKind::Jpeg,
            Ok(ImageType::Webp) => LogoKind::Webp,
            _ => LogoKind::Svg,
        };
        match kind {
            LogoKind::Svg => check_svg(&bytes)?,
            _ => check_pixels(&bytes)?,
        }
        Ok(Self { kind, bytes })
    }

    /// The format of the file.
    pub fn kind(&self) -> LogoKind {
        self.kind
    }

    /// The content of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

fn check_pixels(bytes: &[u8]) -> Result<(), LogoError> {
    let size = imagesize::blob_size(bytes).map_err(|_| LogoError::Broken)?;
    let ImageSize { width, height } = size;
    let sane = 1..=MAX_PIXELS;
    if sane.contains(&width) && sane.contains(&height) {
        Ok(())
    } else {
        Err(LogoError::Pixels { width, height })
    }
}

/// The size is not checked: an SVG is scaled to its place.
fn check_svg(bytes: &[u8]) -> Result<(), LogoError> {
    let text = str::from_utf8(bytes).map_err(|_| LogoError::Kind)?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // Zero bytes indicate UTF-16 that happens to be valid UTF-8.
    if !text.starts_with('<') || text.contains('\0') {
        return Err(LogoError::Kind);
    }
    let upper = text.to_ascii_uppercase();
    if upper.contains("<!DOCTYPE") || upper.contains("<!ENTITY") {
        return Err(LogoError::Doctype);
    }
    let root = after_prolog(text).and_then(|root| root.strip_prefix("<svg"));
    let root = root.ok_or(LogoError::Root)?;
    let attributes = root.split('>').next().unwrap_or_default();
    let names = |quote| format!("xmlns={quote}http://www.w3.org/2000/svg{quote}");
    let has_namespace = attributes.split_ascii_whitespace().any(|word| {
        ['"', '\'']
            .iter()
            .any(|quote| word.starts_with(&names(*quote)))
    });
    let ends_its_name = root.starts_with(|c: char| c.is_ascii_whitespace());
    (ends_its_name && has_namespace)
        .then_some(())
        .ok_or(LogoError::Root)
}

/// The text after the XML declaration, comments and white space.
fn after_prolog(mut text: &str) -> Option<&str> {
    loop {
        let (start, end) = if text.starts_with("<?") {
            ("<?", "?>")
        } else if text.starts_with("<!--") {
            ("<!--", "-->")
        } else {
            return Some(text);
        };
        let inside = text.strip_prefix(start)?;
        text = inside.split_once(end)?.1.trim_start();
    }
}

#[cfg(test)]
mod tests;
