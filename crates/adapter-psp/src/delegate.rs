//! The methods that every decorator forwards unchanged: those that send nothing.

/// Forwards the methods of `Psp` that send nothing to `self.inner`, except `is_available`, which
/// the breaker overrides.
macro_rules! delegate_local_methods {
    () => {
        fn is_live(&self) -> bool {
            self.inner.is_live()
        }

        fn key_lifetime(&self) -> std::time::Duration {
            self.inner.key_lifetime()
        }

        fn is_payment_method(&self, text: &str) -> bool {
            self.inner.is_payment_method(text)
        }

        fn supports_amount(&self, amount: oncharge_domain::money::Money) -> bool {
            self.inner.supports_amount(amount)
        }

        fn fields_url(
            &self,
            session: oncharge_domain::id::SessionId,
            parent_origin: &str,
            language: &str,
        ) -> String {
            self.inner.fields_url(session, parent_origin, language)
        }

        fn origin(&self) -> &str {
            self.inner.origin()
        }

        fn prepare(
            &self,
            call: &oncharge_ports::psp::PspRequest<'_>,
        ) -> Result<oncharge_ports::psp::PreparedRequest, oncharge_ports::psp::UnsupportedAmount> {
            self.inner.prepare(call)
        }

        fn verify_notifications(
            &self,
            header: &dyn Fn(&str) -> Option<String>,
            body: &[u8],
        ) -> Result<
            Vec<oncharge_ports::psp::VerifiedNotification>,
            oncharge_ports::psp::InvalidSignature,
        > {
            self.inner.verify_notifications(header, body)
        }

        fn read_notification(
            &self,
            body: &[u8],
        ) -> Result<oncharge_ports::psp::Notification, oncharge_ports::psp::NotificationError> {
            self.inner.read_notification(body)
        }
    };
}

pub(crate) use delegate_local_methods;
