//! The payment method of a confirmation: given by its id or by a confirmation token.

use crate::store::stripe::confirmation_tokens;
use crate::store::stripe::payment_intents::PaymentIntent;
use crate::store::tokens::Token;
use crate::stripe::error::StripeError;
use crate::stripe::execution::{Execution, Failure};
use crate::stripe::form::Form;
use crate::stripe::objects::{LIFETIME_SECONDS, seconds};
use crate::stripe::payment_methods;

/// The parameters `payment_method` and `confirmation_token`.
#[derive(Debug)]
pub(super) enum GivenMethod {
    None,
    PaymentMethod(String),
    ConfirmationToken(String),
}

impl GivenMethod {
    /// Takes the parameters, of which at most one may be given.
    pub(super) fn read(form: &mut Form) -> Result<Self, StripeError> {
        match (form.take("payment_method"), form.take("confirmation_token")) {
            (None, None) => Ok(Self::None),
            (Some(id), None) => Ok(Self::PaymentMethod(id)),
            (None, Some(id)) => Ok(Self::ConfirmationToken(id)),
            (Some(_), Some(_)) => Err(StripeError::invalid(
                "You may only specify one of these parameters: confirmation_token, payment_method.",
            )
            .with_param("confirmation_token")),
        }
    }

    /// Whether an intent that was authenticated can be completed with these parameters: nothing is
    /// given, or the payment method of the intent.
    pub(super) fn may_complete(&self, intent: &PaymentIntent) -> bool {
        match self {
            Self::None => true,
            Self::PaymentMethod(id) => intent.payment_method.as_ref() == Some(id),
            Self::ConfirmationToken(_) => false,
        }
    }

    /// The payment method, unless it was used before. Writes nothing.
    pub(super) fn resolve(
        &self,
        execution: &mut Execution<'_, '_>,
    ) -> Result<Option<Token>, Failure> {
        let now = execution.transaction.now;
        let connection = &mut *execution.transaction.connection;
        let id = match self {
            Self::None => return Ok(None),
            Self::PaymentMethod(id) => id.clone(),
            Self::ConfirmationToken(id) => {
                let token = confirmation_tokens::find(connection, id)?.ok_or_else(|| {
                    StripeError::unknown("confirmation_token", id, "confirmation_token")
                })?;
                let expires_at = seconds(token.created_at) + LIFETIME_SECONDS;
                if token.intent_id.is_some() || seconds(now) >= expires_at {
                    let message = "This ConfirmationToken has been used or has expired.";
                    return Err(StripeError::invalid(message)
                        .with_param("confirmation_token")
                        .into());
                }
                token.payment_method
            }
        };
        let method = payment_methods::find(connection, &id)?
            .ok_or_else(|| StripeError::unknown("PaymentMethod", &id, "payment_method"))?;
        check_unused(&method)?;
        Ok(Some(method))
    }

    /// Marks the confirmation token as used.
    pub(super) fn spend(
        &self,
        execution: &mut Execution<'_, '_>,
        intent_id: &str,
    ) -> Result<(), Failure> {
        if let Self::ConfirmationToken(id) = self {
            confirmation_tokens::spend(execution.transaction.connection, id, intent_id)?;
        }
        Ok(())
    }
}

/// Refuses a payment method that was used for an attempt before.
pub(super) fn check_unused(method: &Token) -> Result<(), StripeError> {
    if method.used_by.is_none() {
        return Ok(());
    }
    Err(StripeError::invalid(
        "The provided PaymentMethod was previously used with a PaymentIntent without Customer \
         attachment. It may not be used again.",
    )
    .with_param("payment_method"))
}
