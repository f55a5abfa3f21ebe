//! The laws of [`Connector`], which need no network.

use anyhow::{Context, ensure};
use oncharge_domain::{
    currency::Currency,
    id::{OperationId, SessionId},
    money::{MAX_MINOR, Money},
    psp::{Instruction, PspReference},
};
use oncharge_ports::psp::{
    Connector, InvalidSignature, NotificationError, PaymentMethod, PreparedRequest, PspRequest,
    UnsupportedAmount,
};
use oncharge_testkit::Builder;

/// Amounts in minor units: the smallest, some that lose decimals when rescaled, the largest.
const MINOR_UNITS: [i64; 6] = [0, 1, 100, 1230, 1234, MAX_MINOR];

/// A connector under test.
struct Tested<'a> {
    connector: &'a dyn Connector,
    payment_method: PaymentMethod,
    session: SessionId,
    operation: OperationId,
}

/// One law; its error says how the connector violates it.
type Law = fn(&Tested<'_>) -> anyhow::Result<()>;

macro_rules! list {
    ($($law:ident)+) => {
        const LAWS: &[(&str, Law)] = &[$((stringify!($law), $law)),+];
    };
}

list! {
    an_amount_is_prepared_if_it_is_supported
    a_request_is_prepared_identically_under_its_key
    only_tokens_are_payment_methods
    an_unsigned_notification_is_rejected
    a_notification_in_another_format_is_malformed
}

/// The names of all laws.
pub fn laws() -> impl Iterator<Item = &'static str> {
    LAWS.iter().map(|(name, _)| *name)
}

/// Checks all laws with a connector and a token of its form; the error names the violated law.
pub fn check(connector: &dyn Connector, payment_method: &str) -> anyhow::Result<()> {
    let build = Builder::new(1);
    let tested = Tested {
        connector,
        payment_method: PaymentMethod::new(payment_method.to_owned()),
        session: build.id(),
        operation: build.id(),
    };
    LAWS.iter()
        .try_for_each(|(name, law)| law(&tested).context(*name))
}

impl Tested<'_> {
    fn prepare(
        &self,
        operation: OperationId,
        instruction: Instruction,
    ) -> Result<PreparedRequest, UnsupportedAmount> {
        self.connector.prepare(&PspRequest {
            operation,
            session: self.session,
            instruction,
            payment_method: Some(&self.payment_method),
        })
    }
}

/// Every instruction that a connector receives, with this amount.
fn instructions(amount: Money) -> [Instruction; 5] {
    let payment = || PspReference::parse("psp_1").unwrap();
    [
        Instruction::Authorize {
            amount,
            capture: false,
        },
        Instruction::Authorize {
            amount,
            capture: true,
        },
        Instruction::Capture {
            payment: payment(),
            amount,
        },
        Instruction::Refund {
            payment: payment(),
            amount,
        },
        Instruction::Cancel { payment: payment() },
    ]
}

/// In every currency: what a session was created with can be authorized, captured and refunded.
fn an_amount_is_prepared_if_it_is_supported(tested: &Tested<'_>) -> anyhow::Result<()> {
    for currency in Currency::all() {
        for minor in MINOR_UNITS {
            let amount = Money::new(minor, currency)?;
            let is_supported = tested.connector.supports_amount(amount);
            for instruction in instructions(amount) {
                let expected = is_supported || matches!(instruction, Instruction::Cancel { .. });
                let what = format!("{instruction:?} is prepared");
                let prepared = tested.prepare(tested.operation, instruction);
                ensure_eq!(prepared.is_ok(), expected, "{what}");
            }
        }
    }
    Ok(())
}

fn a_request_is_prepared_identically_under_its_key(tested: &Tested<'_>) -> anyhow::Result<()> {
    let another = Builder::new(2).id();
    for instruction in instructions(Money::new(1000, Currency::parse("EUR")?)?) {
        let first = tested.prepare(tested.operation, instruction.clone())?;
        let again = tested.prepare(tested.operation, instruction.clone())?;
        ensure!(first.expose() == again.expose(), "{instruction:?} differs");
        let other = tested.prepare(another, instruction.clone())?;
        ensure!(
            first.expose() != other.expose(),
            "{instruction:?} does not contain the operation's id"
        );
    }
    Ok(())
}

fn only_tokens_are_payment_methods(tested: &Tested<'_>) -> anyhow::Result<()> {
    let token = tested.payment_method.expose();
    ensure!(tested.connector.is_payment_method(token), "a token");
    for text in ["", "4242424242424242", "4242 4242 4242 4242"] {
        ensure!(!tested.connector.is_payment_method(text), "{text:?}");
    }
    Ok(())
}

fn an_unsigned_notification_is_rejected(tested: &Tested<'_>) -> anyhow::Result<()> {
    for body in ["", "{}", "nonsense"] {
        for signature in [None, Some(String::new())] {
            let header = |_: &str| signature.clone();
            let verified = tested
                .connector
                .verify_notifications(&header, body.as_bytes());
            ensure_eq!(verified, Err(InvalidSignature), "{body:?} is verified");
        }
    }
    Ok(())
}

fn a_notification_in_another_format_is_malformed(tested: &Tested<'_>) -> anyhow::Result<()> {
    for body in [&b""[..], b"nonsense", b"\xff"] {
        let read = tested.connector.read_notification(body);
        ensure_eq!(read, Err(NotificationError::Malformed), "{body:?} is read");
    }
    Ok(())
}
