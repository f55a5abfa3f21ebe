//! The scripted PSP's connector obeys the laws, and each law finds a connector that violates it.

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use oncharge_conformance::connector::{check, laws};
use oncharge_domain::money::Money;
use oncharge_ports::psp::{
    Connector, InvalidSignature, Notification, NotificationError, PreparedRequest, PspRequest,
    UnsupportedAmount, VerifiedNotification,
};
use oncharge_testkit::ScriptedPsp;

#[test]
fn the_scripted_connector_obeys_the_laws() {
    check(&ScriptedPsp::new(), "tok_1").unwrap();
}

#[test]
fn each_law_finds_its_mutant() {
    for law in laws() {
        let mutant = Mutant {
            inner: ScriptedPsp::new(),
            violated: law,
            prepared: AtomicU8::new(0),
        };
        let error = check(&mutant, "tok_1").unwrap_err();
        assert_eq!(error.to_string(), law);
    }
}

/// A connector that violates one law.
struct Mutant {
    inner: ScriptedPsp,
    violated: &'static str,
    prepared: AtomicU8,
}

impl Connector for Mutant {
    fn is_live(&self) -> bool {
        self.inner.is_live()
    }

    fn key_lifetime(&self) -> Duration {
        self.inner.key_lifetime()
    }

    fn is_payment_method(&self, text: &str) -> bool {
        self.violated == "only_tokens_are_payment_methods" || self.inner.is_payment_method(text)
    }

    fn supports_amount(&self, amount: Money) -> bool {
        let is_refused = self.violated == "an_amount_is_prepared_if_it_is_supported"
            && amount.currency().code() == "KWD";
        !is_refused && self.inner.supports_amount(amount)
    }

    fn fields_url(&self) -> String {
        self.inner.fields_url()
    }

    fn prepare(&self, call: &PspRequest<'_>) -> Result<PreparedRequest, UnsupportedAmount> {
        let mut bytes = self.inner.prepare(call)?.expose().to_vec();
        if self.violated == "a_request_is_prepared_identically_under_its_key" {
            bytes.push(self.prepared.fetch_add(1, Ordering::Relaxed));
        }
        Ok(PreparedRequest::new(bytes))
    }

    fn verify_notifications(
        &self,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<Vec<VerifiedNotification>, InvalidSignature> {
        if self.violated == "an_unsigned_notification_is_rejected" {
            return Ok(Vec::new());
        }
        self.inner.verify_notifications(header, body)
    }

    fn read_notification(&self, body: &[u8]) -> Result<Notification, NotificationError> {
        if self.violated == "a_notification_in_another_format_is_malformed" {
            return Err(NotificationError::Irrelevant);
        }
        self.inner.read_notification(body)
    }
}
