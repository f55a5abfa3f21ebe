//! Computes the refundable amount of a session: `cargo run -p oncharge-domain --example
//! refund_balance`.
//!
//! Nothing here uses a database, a clock or a payment service provider (PSP): a batch job, a
//! simulation or a test can do the same.
#![expect(clippy::print_stdout, reason = "an example prints its results")]

use std::error::Error;

use oncharge_domain::{
    currency::Currency,
    id::{Id, Kind, MerchantId},
    money::Money,
    psp::{PspAccount, PspReference, PspResponse, PspResult, TokenFingerprint},
    session::{Decision, Input, NewSession, PspUpdate, Session},
    text::{Reference, ReturnUrl},
    time::Timestamp,
};

fn main() -> Result<(), Box<dyn Error>> {
    let now = Timestamp::from_unix_seconds(1_795_360_150).ok_or("beyond the calendar")?;
    let eur = Currency::parse("EUR")?;
    let session = Session::create(NewSession {
        id: id(now, 1),
        merchant: MerchantId::from_parts(now, [9; 10]),
        account: PspAccount::new("simulator", "default")?,
        amount: Money::new(12_000, eur)?,
        reference: Reference::parse("order-42")?,
        order_id: None,
        return_url: ReturnUrl::parse("https://shop.example.com/thanks", false)?,
        metadata: oncharge_domain::text::Metadata::default(),
        contact: oncharge_domain::text::Contact::default(),
        // Captured with the authorization.
        automatic_capture: Some(0),
        created_at: now,
        lifetime_seconds: 1800,
    });

    // The shopper pays, and the PSP has captured the amount.
    let pay = Input::Pay {
        operation: id(now, 2),
        token: TokenFingerprint::of("tok_abc"),
        banned: false,
    };
    let paying = session.decide(pay, now)?;
    let paid = apply_done(&paying, now)?;
    show("paid", &paid.session);

    // The merchant refunds a third. A requested refund counts at once.
    let ordered = paid
        .session
        .decide(refund(now, 3, Money::new(4000, eur)?)?, now)?;
    show("a refund is requested", &ordered.session);

    // More than the rest is refused, with a machine-readable reason.
    let too_much = Money::new(8001, eur)?;
    match ordered.session.decide(refund(now, 5, too_much)?, now) {
        Err(refusal) => println!("{}: {refusal}", too_much.minor()),
        Ok(_) => return Err("the balance was overdrawn".into()),
    }

    let settled = apply_done(&ordered, now)?;
    show("it is paid out", &settled.session);
    Ok(())
}

fn show(moment: &str, session: &Session) {
    println!(
        "{moment}: {}, captured {}, refunded {}, refundable {} {}",
        session.status_name().name(),
        session.amount_captured().minor(),
        session.amount_refunded().minor(),
        session.amount_refundable().minor(),
        session.amount.currency(),
    );
}

/// Applies a PSP result that reports the operation as done.
fn apply_done(before: &Decision, now: Timestamp) -> Result<Decision, Box<dyn Error>> {
    let operation = before.operations.first().ok_or("nothing was sent")?;
    let update = PspUpdate {
        result: PspResult::Response(PspResponse::Done {
            reference: PspReference::parse("psp_1")?,
            captured: true,
        }),
        refund: before.refund.clone(),
        ..PspUpdate::new(operation.clone(), id(now, 99))
    };
    let session = &before.session;
    Ok(session.decide(Input::PspUpdate(Box::new(update)), now)?)
}

fn refund(now: Timestamp, number: u8, amount: Money) -> Result<Input, Box<dyn Error>> {
    Ok(Input::Refund {
        operation: id(now, number),
        refund: id(now, number),
        amount,
        reference: Reference::parse("return-7")?,
    })
}

/// Ids are inputs, like the time: here they are numbered.
fn id<K: Kind>(now: Timestamp, number: u8) -> Id<K> {
    Id::from_parts(now, [number; 10])
}
