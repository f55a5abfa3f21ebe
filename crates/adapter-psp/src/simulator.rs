//! The connector to `oncharge-psp-simulator`, called over HTTP like any other PSP.

mod card;
mod currencies;
mod notification;
mod request;
mod response;

use std::time::Duration;

use oncharge_domain::{id::OperationId, money::Money, psp::PspReport};
use oncharge_ports::psp::{
    Connector, InvalidSignature, Notification, NotificationError, PreparedRequest, PspError,
    PspRequest, UnsupportedAmount, VerifiedNotification,
};
use reqwest::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use url::Url;

use crate::{
    connector::{BuildError, HttpConnector},
    http::HttpResponse,
    secret::Secret,
};

/// The connector's name in accounts and in the path of its notifications.
pub const NAME: &str = "simulator";

/// The header that carries the operation's id.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The simulator never deletes idempotency keys; ten years stand for that.
const KEY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The settings of one account.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The simulator's origin, used by us and by the shopper's browser (`http://127.0.0.1:8081`).
    pub base_url: String,
    /// The bearer token for `/v1/payments…` and `/v1/operations…`.
    pub bearer: Secret,
    /// The account's key, with which the simulator signs its notifications.
    pub notification_key: Secret,
    /// The URL to which the simulator sends its notifications (`{base_url of
    /// OnCharge}/webhooks/psp/simulator/{account}`).
    pub notification_url: String,
}

/// An invalid setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not an `http` or `https` origin without a path.
    #[error("base_url must be an http or https origin without a path")]
    BaseUrl,
    /// Not an `http` or `https` URL of at most 2,048 characters.
    #[error("notification_url must be an http or https URL of at most 2048 characters")]
    NotificationUrl,
    /// Empty, or not valid in a header.
    #[error("bearer must be visible ASCII characters")]
    Bearer,
    /// Empty, so anybody could sign.
    #[error("notification_key must not be empty")]
    NotificationKey,
}

/// One account at a simulator.
pub(crate) struct Simulator {
    /// Without a trailing slash.
    origin: String,
    bearer: Secret,
    notification_key: Secret,
    notification_url: String,
}

impl Simulator {
    pub(crate) fn new(settings: Settings) -> Result<Self, SettingsError> {
        let base = parse_web_url(&settings.base_url).ok_or(SettingsError::BaseUrl)?;
        let origin = base.origin().ascii_serialization();
        if settings.base_url.trim_end_matches('/') != origin {
            return Err(SettingsError::BaseUrl);
        }
        if parse_web_url(&settings.notification_url).is_none() {
            return Err(SettingsError::NotificationUrl);
        }
        let bearer = settings.bearer.expose();
        if bearer.is_empty() || !bearer.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingsError::Bearer);
        }
        if settings.notification_key.expose().is_empty() {
            return Err(SettingsError::NotificationKey);
        }
        Ok(Self {
            origin,
            bearer: settings.bearer,
            notification_key: settings.notification_key,
            notification_url: settings.notification_url,
        })
    }

    /// A request with the account's credentials.
    fn http_request(&self, method: Method, path: &str) -> Result<Request, BuildError> {
        let url = Url::parse(&format!("{}{path}", self.origin))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.bearer.expose()))?;
        bearer.set_sensitive(true);
        let mut request = Request::new(method, url);
        request.headers_mut().insert(AUTHORIZATION, bearer);
        Ok(request)
    }
}

fn parse_web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_web_url = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    (is_web_url && text.len() <= 2048).then_some(url)
}

impl Connector for Simulator {
    fn is_live(&self) -> bool {
        false
    }

    fn key_lifetime(&self) -> Duration {
        KEY_LIFETIME
    }

    /// `tok_` and 8 to 128 of `A-Z a-z 0-9 - _`.
    fn is_payment_method(&self, text: &str) -> bool {
        text.strip_prefix("tok_").is_some_and(|rest| {
            (8..=128).contains(&rest.len())
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
    }

    fn supports_amount(&self, amount: Money) -> bool {
        request::to_simulator_units(amount).is_ok()
    }

    fn fields_url(&self) -> String {
        format!("{}/fields", self.origin)
    }

    fn prepare(&self, call: &PspRequest<'_>) -> Result<PreparedRequest, UnsupportedAmount> {
        request::prepare(call, &self.notification_url)
    }

    /// The simulator sends one notification at a time.
    fn verify_notifications(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Vec<VerifiedNotification>, InvalidSignature> {
        let signature = header(notification::SIGNATURE);
        notification::verify(&self.notification_key, signature.as_deref(), body)?;
        Ok(vec![VerifiedNotification {
            event_key: notification::event_key(body),
            body: body.to_vec(),
        }])
    }

    fn read_notification(&self, body: &[u8]) -> Result<Notification, NotificationError> {
        notification::read(body)
    }
}

impl HttpConnector for Simulator {
    fn request_kind(&self, prepared: &PreparedRequest) -> &'static str {
        request::request_kind(prepared)
    }

    /// Exactly the prepared bytes, with their idempotency key.
    fn build_request(&self, prepared: &PreparedRequest) -> Result<Request, BuildError> {
        let prepared = request::read(prepared)?;
        let mut request = self.http_request(Method::POST, &prepared.path)?;
        let headers = request.headers_mut();
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::try_from(&prepared.key)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(prepared.body.clone().into());
        Ok(request)
    }

    fn read_response(&self, response: &HttpResponse) -> Result<PspReport, PspError> {
        response::parse_call(response)
    }

    fn build_look_up(&self, operation: OperationId) -> Result<Request, BuildError> {
        self.http_request(Method::GET, &format!("/v1/operations/{operation}"))
    }

    fn read_look_up(
        &self,
        operation: OperationId,
        response: &HttpResponse,
    ) -> Result<Option<PspReport>, PspError> {
        response::parse_look_up(response, operation)
    }
}

#[cfg(test)]
mod tests {
    use oncharge_domain::psp::{Instruction, PspReference};

    use super::*;

    fn settings() -> Settings {
        Settings {
            base_url: "http://127.0.0.1:8081".to_owned(),
            bearer: Secret::new("bearer-text"),
            notification_key: Secret::new("key-text"),
            notification_url: "http://127.0.0.1:8080/webhooks/psp/simulator/default".to_owned(),
        }
    }

    fn simulator_with(change: impl FnOnce(&mut Settings)) -> Result<Simulator, SettingsError> {
        let mut settings = settings();
        change(&mut settings);
        Simulator::new(settings)
    }

    #[test]
    fn secrets_are_masked_and_invalid_settings_are_refused() {
        let shown = format!("{:?}", settings());
        assert!(
            !shown.contains("bearer-text") && !shown.contains("key-text"),
            "{shown}"
        );
        for base in [
            "",
            "127.0.0.1:1",
            "ftp://a.example",
            "http://a.example/x",
            "http://u@a.example",
        ] {
            let refused = simulator_with(|s| s.base_url = base.to_owned()).err();
            assert_eq!(refused, Some(SettingsError::BaseUrl), "{base}");
        }
        let refused = simulator_with(|s| s.notification_url = "/webhooks".to_owned()).err();
        assert_eq!(refused, Some(SettingsError::NotificationUrl));
        for bearer in ["", "two words", "line\nbreak"] {
            let refused = simulator_with(|s| s.bearer = Secret::new(bearer)).err();
            assert_eq!(refused, Some(SettingsError::Bearer), "{bearer:?}");
        }
        let refused = simulator_with(|s| s.notification_key = Secret::new("")).err();
        assert_eq!(refused, Some(SettingsError::NotificationKey));
    }

    #[test]
    fn a_trailing_slash_is_accepted() {
        let simulator = simulator_with(|s| s.base_url.push('/')).unwrap();
        assert_eq!(simulator.fields_url(), "http://127.0.0.1:8081/fields");
    }

    #[test]
    fn payment_method_tokens_are_validated() {
        let simulator = simulator_with(|_| {}).unwrap();
        let (least, most) = (
            format!("tok_{}", "a".repeat(8)),
            format!("tok_{}", "Z".repeat(128)),
        );
        for good in ["tok_Ab9-_xyz", &least, &most] {
            assert!(simulator.is_payment_method(good), "{good}");
        }
        let (short, long) = (
            format!("tok_{}", "a".repeat(7)),
            format!("tok_{}", "a".repeat(129)),
        );
        for bad in [
            "",
            "tok_",
            &short,
            &long,
            "pm_abcdefgh",
            "tok_4242 4242",
            "4242424242424242",
            "tok_ääääääää",
        ] {
            assert!(!simulator.is_payment_method(bad), "{bad}");
        }
    }

    #[test]
    fn a_request_has_its_key_its_exact_body_and_masked_credentials() {
        let simulator = simulator_with(|_| {}).unwrap();
        let operation = "op_018f0000000070008000000000000001";
        let prepared = simulator.prepare(&PspRequest {
            operation: operation.parse().unwrap(),
            session: "cs_018f0000000070008000000000000002".parse().unwrap(),
            instruction: Instruction::Cancel {
                payment: PspReference::parse("psp_1").unwrap(),
            },
            payment_method: None,
        });
        let request = simulator.build_request(&prepared.unwrap()).unwrap();
        assert_eq!(request.method(), Method::POST);
        let url = "http://127.0.0.1:8081/v1/payments/psp_1/cancels";
        assert_eq!(request.url().as_str(), url);
        assert_eq!(request.headers()[IDEMPOTENCY_KEY], operation);
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(request.body().unwrap().as_bytes(), Some(&b"{}"[..]));

        let look_up = simulator.build_look_up(operation.parse().unwrap()).unwrap();
        assert_eq!(look_up.method(), Method::GET);
        let url = format!("http://127.0.0.1:8081/v1/operations/{operation}");
        assert_eq!(look_up.url().as_str(), url);
        for request in [request, look_up] {
            assert_eq!(request.headers()[AUTHORIZATION], "Bearer bearer-text");
            assert!(!format!("{request:?}").contains("bearer-text"));
        }
    }
}
