//! Texts that are the same for everybody: compressed where the client takes that, and not sent twice.
//!
//! Nothing else is compressed: the length of a compressed answer tells what is in it, so none may
//! hold a token or anything of a request (BREACH).

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

/// A text, as it is and compressed: made once, sent often.
pub(crate) struct Fixed {
    plain: Form,
    /// Missing where it would be no smaller.
    gzip: Option<Form>,
}

/// The bytes, with their strong validator: other bytes have another.
struct Form {
    body: Bytes,
    tag: String,
}

impl Fixed {
    /// Of a text that holds nothing secret and nothing that was asked for.
    pub(crate) fn new(text: impl Into<Bytes>) -> Self {
        let body = text.into();
        let digest = base64_sha256(&body);
        let packed = gzip(&body).ok();
        let gzip = packed
            .filter(|packed| packed.len() < body.len())
            .map(|packed| Form {
                body: packed.into(),
                tag: format!("\"{digest}-gzip\""),
            });
        let tag = format!("\"{digest}\"");
        Self {
            plain: Form { body, tag },
            gzip,
        }
    }

    /// The answer with these headers; 304 to a client that has these very bytes.
    pub(crate) fn answer(
        &self,
        request: &HttpRequest,
        headers: impl IntoIterator<Item = (&'static str, String)>,
    ) -> HttpResponse {
        let gzip = self.gzip.as_ref().filter(|_| takes_gzip(request));
        let form = gzip.unwrap_or(&self.plain);
        let is_known = has(request, &form.tag);
        let mut response = if is_known {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        for header in headers {
            response.insert_header(header);
        }
        response.insert_header((ETAG, form.tag.as_str()));
        response.insert_header((VARY, "Accept-Encoding"));
        if is_known {
            return response.finish();
        }
        if gzip.is_some() {
            response.insert_header((CONTENT_ENCODING, "gzip"));
        }
        response.body(form.body.clone())
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Whether the client prefers it compressed; what cannot be read counts as no.
fn takes_gzip(request: &HttpRequest) -> bool {
    let forms = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request)
        .is_ok_and(|accepted| accepted.negotiate(forms.iter()).as_ref() == Some(&Encoding::gzip()))
}

/// Whether the client has the bytes of this tag.
fn has(request: &HttpRequest, tag: &str) -> bool {
    let values = request.headers().get_all(IF_NONE_MATCH);
    let mut named = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','));
    named.any(|one| one.trim().trim_start_matches("W/") == tag)
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

    fn header<'a>(answer: &'a HttpResponse, name: &str) -> Option<&'a str> {
        Some(answer.headers().get(name)?.to_str().unwrap())
    }

    #[test]
    fn it_is_compressed_for_those_alone_who_take_that() {
        let text = "again and ".repeat(100);
        let fixed = Fixed::new(text.clone());
        for (accepted, packed) in [
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
            let answer = fixed.answer(&request(accepted, None), []);
            assert_eq!(header(&answer, "vary"), Some("Accept-Encoding"));
            assert_eq!(
                header(&answer, "content-encoding"),
                packed.then_some("gzip"),
                "{accepted:?}"
            );
            let body = answer.into_body().try_into_bytes().unwrap();
            let mut read = String::new();
            if packed {
                assert!(body.len() < 100, "{} bytes", body.len());
                GzDecoder::new(&*body).read_to_string(&mut read).unwrap();
            } else {
                read = String::from_utf8(body.to_vec()).unwrap();
            }
            assert_eq!(read, text, "{accepted:?}");
        }
    }

    #[test]
    fn each_form_has_a_tag_of_its_own_and_is_not_sent_twice() {
        let fixed = Fixed::new("again and ".repeat(100));
        let tag = |accepted| {
            let answer = fixed.answer(&request(accepted, None), []);
            header(&answer, "etag").unwrap().to_owned()
        };
        let (plain, packed) = (tag(None), tag(Some("gzip")));
        assert_ne!(plain, packed);
        for (accepted, known, status) in [
            (None, &plain, 304),
            (Some("gzip"), &packed, 304),
            (Some("gzip"), &plain, 200),
            (None, &packed, 200),
            (None, &format!("\"other\", W/{plain}"), 304),
        ] {
            let answer = fixed.answer(&request(accepted, Some(known)), []);
            assert_eq!(answer.status(), status, "{accepted:?} with {known}");
            if status == 304 {
                assert_eq!(answer.body().size(), BodySize::Sized(0));
                assert_eq!(header(&answer, "content-encoding"), None);
                assert!(header(&answer, "etag").is_some() && header(&answer, "vary").is_some());
            }
        }
        let other = Fixed::new("something else");
        let answer = other.answer(&request(None, Some(&plain)), []);
        assert_eq!(answer.status(), 200, "another text has another tag");
    }
}
