//! Static content that is the same for everyone: compressed if the client accepts it, with `ETag`.
//!
//! Nothing else is compressed: the length of a compressed response reveals its content, so no
//! compressed response may contain a token or parts of a request (BREACH).

use std::io::{self, Write as _};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        AcceptEncoding, CONTENT_ENCODING, ETAG, Encoding, Header as _, IF_NONE_MATCH, VARY,
    },
    web::Bytes,
};
use flate2::{Compression, write::GzEncoder};

use crate::checkout::page::assets::base64_sha256;

/// Static content, plain and compressed: encoded once, sent often.
pub(crate) struct StaticContent {
    plain: Variant,
    /// `None` if it would not be smaller.
    gzip: Option<Variant>,
}

/// The bytes of one encoding, with their strong validator.
struct Variant {
    body: Bytes,
    etag: String,
}

impl StaticContent {
    /// Compresses a text that contains neither secrets nor parts of a request.
    pub(crate) fn new(text: impl Into<Bytes>) -> Self {
        let body = text.into();
        let digest = base64_sha256(&body);
        let compressed = gzip(&body).ok();
        let gzip = compressed
            .filter(|compressed| compressed.len() < body.len())
            .map(|compressed| Variant {
                body: compressed.into(),
                etag: format!("\"{digest}-gzip\""),
            });
        let etag = format!("\"{digest}\"");
        Self {
            plain: Variant { body, etag },
            gzip,
        }
    }

    /// The response with these headers; 304 if the client has the current bytes.
    pub(crate) fn response(
        &self,
        request: &HttpRequest,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> HttpResponse {
        let gzip = self.gzip.as_ref().filter(|_| accepts_gzip(request));
        let variant = gzip.unwrap_or(&self.plain);
        let is_not_modified = matches_etag(request, &variant.etag);
        let mut response = if is_not_modified {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        for header in headers {
            response.insert_header(header);
        }
        response.insert_header((ETAG, variant.etag.as_str()));
        response.insert_header((VARY, "Accept-Encoding"));
        if is_not_modified {
            return response.finish();
        }
        if gzip.is_some() {
            response.insert_header((CONTENT_ENCODING, "gzip"));
        }
        response.body(variant.body.clone())
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Whether the client prefers gzip; an invalid header counts as no.
fn accepts_gzip(request: &HttpRequest) -> bool {
    let encodings = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request).is_ok_and(|accepted| {
        accepted.negotiate(encodings.iter()).as_ref() == Some(&Encoding::gzip())
    })
}

/// Whether the client's copy has this tag.
fn matches_etag(request: &HttpRequest, etag: &str) -> bool {
    let values = request.headers().get_all(IF_NONE_MATCH);
    let mut named = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    named.any(|one| one.trim().trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use actix_web::{
        body::{BodySize, MessageBody as _},
        http::header::ACCEPT_ENCODING,
        test::TestRequest,
    };
    use flate2::read::GzDecoder;

    use super::*;

    fn request(accepted: Option<&str>, known: Option<&str>) -> HttpRequest {
        let mut request = TestRequest::default();
        for (name, value) in [(ACCEPT_ENCODING, accepted), (IF_NONE_MATCH, known)] {
            if let Some(value) = value {
                request = request.insert_header((name, value));
            }
        }
        request.to_http_request()
    }

    fn header<'a>(response: &'a HttpResponse, name: &str) -> Option<&'a str> {
        Some(response.headers().get(name)?.to_str().unwrap())
    }

    #[test]
    fn gzip_is_served_only_when_preferred() {
        let text = "again and ".repeat(100);
        let static_content = StaticContent::new(text.clone());
        for (accepted, compressed) in [
            (None, false),
            (Some(""), false),
            (Some("gzip"), true),
            (Some("gzip, deflate, br, zstd"), true),
            (Some("br"), false),
            (Some("gzip;q=0"), false),
            (Some("gzip;q=0.1, identity;q=0.9"), false),
            (Some("*"), false),
            (Some("gzip;q=much"), false),
        ] {
            let response = static_content.response(&request(accepted, None), []);
            assert_eq!(header(&response, "vary"), Some("Accept-Encoding"));
            assert_eq!(
                header(&response, "content-encoding"),
                compressed.then_some("gzip"),
                "{accepted:?}"
            );
            let body = response.into_body().try_into_bytes().unwrap();
            let mut read = String::new();
            if compressed {
                assert!(body.len() < 100, "{} bytes", body.len());
                GzDecoder::new(&*body).read_to_string(&mut read).unwrap();
            } else {
                read = String::from_utf8(body.to_vec()).unwrap();
            }
            assert_eq!(read, text, "{accepted:?}");
        }
    }

    #[test]
    fn each_encoding_has_its_own_etag() {
        let static_content = StaticContent::new("again and ".repeat(100));
        let etag = |accepted| {
            let response = static_content.response(&request(accepted, None), []);
            header(&response, "etag").unwrap().to_owned()
        };
        let (plain, compressed) = (etag(None), etag(Some("gzip")));
        assert_ne!(plain, compressed);
        for (accepted, known, status) in [
            (None, &plain, 304),
            (Some("gzip"), &compressed, 304),
            (Some("gzip"), &plain, 200),
            (None, &compressed, 200),
            (None, &format!("\"other\", W/{plain}"), 304),
        ] {
            let response = static_content.response(&request(accepted, Some(known)), []);
            assert_eq!(response.status(), status, "{accepted:?} with {known}");
            if status == 304 {
                assert_eq!(response.body().size(), BodySize::Sized(0));
                assert_eq!(header(&response, "content-encoding"), None);
                assert!(header(&response, "etag").is_some() && header(&response, "vary").is_some());
            }
        }
        let other = StaticContent::new("something else");
        let response = other.response(&request(None, Some(&plain)), []);
        assert_eq!(response.status(), 200, "another content has another ETag");
    }
}
