//! `POST /v1/tokens`: exchanges a card for a one-time token. Called by the hosted fields.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::app::Simulator;
use crate::body::{Body, require_json};
use crate::cards::{self, Card};
use crate::problem::Problem;
use crate::store::tokens::{self, Token};
use crate::{clock, entropy};

/// Maximum validity of a card, in years.
const MAX_VALIDITY_YEARS: i32 = 50;

/// Validates the card and stores its brand, last digits and behavior under a new token.
pub(crate) async fn create(
    request: HttpRequest,
    bytes: web::Bytes,
    simulator: web::Data<Simulator>,
) -> Result<HttpResponse, Problem> {
    require_json(&request)?;
    let card = read(&bytes)?;
    let token = Token {
        id: entropy::random_id("tok_").map_err(crate::store::StoreError::from)?,
        brand: card.brand.to_owned(),
        last4: card.last4,
        behavior: card.behavior,
        exp_month: None,
        exp_year: None,
        created_at: clock::now(),
        used_by: None,
    };
    let response = json!({ "token": token.id, "brand": token.brand, "last4": token.last4 });
    simulator
        .store
        .write(move |connection| Ok(tokens::insert(connection, &token)?))
        .await?;
    Ok(HttpResponse::Created().json(response))
}

fn read(bytes: &[u8]) -> Result<Card, Problem> {
    let mut body = Body::parse(bytes)?;
    let number = body.text("number", 40);
    let card = cards::parse(&number);
    if card.is_none() && !number.is_empty() {
        body.add_problem("number", "is not a valid card number");
    }
    let month = whole_number(&mut body, "exp_month").filter(|month| (1..=12).contains(month));
    let year = whole_number(&mut body, "exp_year").map(|year| {
        if (0..=99).contains(&year) {
            year + 2_000
        } else {
            year
        }
    });
    check_expiry(&mut body, month, year);
    let cvc = body.text("cvc", 10);
    if !cvc.is_empty() && !cards::is_cvc(&cvc) {
        body.add_problem("cvc", "must be three or four digits");
    }
    body.finish()?;
    card.ok_or_else(|| Problem::field("number", "is not a valid card number"))
}

/// A card is valid to the end of its expiry month (UTC).
fn check_expiry(body: &mut Body, month: Option<i32>, year: Option<i32>) {
    let (this_year, this_month) = clock::year_and_month();
    match (month, year) {
        (None, _) => body.add_problem("exp_month", "must be an integer from 1 to 12"),
        (_, None) => body.add_problem("exp_year", "must be a year"),
        (_, Some(year)) if year < this_year => body.add_problem("exp_year", "is past"),
        (_, Some(year)) if year > this_year + MAX_VALIDITY_YEARS => {
            body.add_problem("exp_year", "is too far in the future");
        }
        (Some(month), Some(year))
            if year == this_year && month < i32::from(u8::from(this_month)) =>
        {
            body.add_problem("exp_month", "is past");
        }
        _ => {}
    }
}

/// An integer, or a string of digits, as forms send it.
fn whole_number(body: &mut Body, field: &str) -> Option<i32> {
    match body.take(field)? {
        Value::Number(number) => number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok()),
        Value::String(text) if text.len() <= 4 => text.parse().ok(),
        _ => None,
    }
}
