//! The load: orders that are paid, declined, challenged, captured, cancelled and refunded.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    crew::Crew,
    plan::{Dice, RoundPlan},
    shop::GOOD_CARD,
    story::{Ask, Habit, Request, Story},
};

const DECLINED_CARDS: [&str; 3] = ["4000000000000002", "4000000000009995", "4000000000000069"];
const CHALLENGED_CARD: &str = "4000002500003155";

/// Shoppers come one after the other until the day is over; what each has lived through.
pub(crate) async fn run(crew: &Arc<Crew>, plan: &RoundPlan) -> Vec<Story> {
    let shoppers = (0..plan.shoppers).map(|shopper| {
        let (crew, plan) = (crew.clone(), plan.clone());
        tokio::spawn(async move {
            let mut stories = Vec::new();
            for order in 0.. {
                if crew.is_over() {
                    break;
                }
                let mut dice = plan.dice(shopper, order);
                let name = format!("k{}-{shopper}-{order}", plan.round);
                let mut story = begin(&crew, &mut dice, &name);
                live(&crew, &mut story, &mut dice).await;
                stories.push(story);
            }
            stories
        })
    });
    let mut stories = Vec::new();
    for shopper in shoppers.collect::<Vec<_>>() {
        stories.extend(shopper.await.unwrap());
    }
    stories
}

/// Whoever got no answer asks again under the same key, now that there is no trouble.
pub(crate) async fn ask_again(crew: &Crew, stories: &mut [Story]) {
    for story in stories {
        let mut dice = Dice::of(&[0]);
        let was_known = story.session.is_some();
        for request in &mut story.requests {
            if request.answers.is_empty() {
                crew.post(story.merchant, &mut dice, request).await;
            }
        }
        story.learn_session();
        if !was_known {
            withdraw(crew, story, &mut dice).await;
        }
    }
}

/// The merchant withdraws a session that nobody has paid.
async fn withdraw(crew: &Crew, story: &mut Story, dice: &mut Dice) {
    let Some((id, _)) = &story.session else {
        return;
    };
    let target = format!("/v1/checkout/sessions/{id}/expire");
    let to = (Ask::Withdraw, target);
    let mut request = request(&story.reference, to, (&json!({}), story.amount));
    crew.post(story.merchant, dice, &mut request).await;
    story.requests.push(request);
}

/// An order, of which the service knows nothing yet.
fn begin(crew: &Crew, dice: &mut Dice, reference: &str) -> Story {
    let currency = *dice.pick(&["EUR", "USD", "JPY"]);
    let amount = dice.amount(1, 50_000);
    let body = json!({
        "amount": amount,
        "currency": currency,
        "reference": reference,
        "return_url": "https://shop.example.com/thanks",
        "metadata": { "basket": reference, "größe": "\u{1f9fe}" },
    });
    let merchants = u64::try_from(crew.merchants()).unwrap();
    let merchant = usize::try_from(dice.between(0, merchants - 1)).unwrap();
    let target = "/v1/checkout/sessions".to_owned();
    let create = request(reference, (Ask::Create, target), (&body, amount));
    Story {
        merchant,
        reference: reference.to_owned(),
        amount,
        currency,
        session: None,
        requests: vec![create],
        shown: Vec::new(),
    }
}

fn request(
    reference: &str,
    (ask, target): (Ask, String),
    (body, amount): (&Value, i64),
) -> Request {
    Request {
        ask,
        target,
        body: body.to_string(),
        key: format!("{reference}-{ask:?}-{amount}"),
        amount,
        sent: 0,
        answers: Vec::new(),
    }
}

/// From the order to the last refund, as far as it goes before the day is over.
async fn live(crew: &Crew, story: &mut Story, dice: &mut Dice) {
    crew.post(story.merchant, dice, &mut story.requests[0])
        .await;
    story.learn_session();
    match dice.between(1, 100) {
        _ if story.session.is_none() => return,
        1..=3 => return,
        4..=6 => return withdraw(crew, story, dice).await,
        _ => {}
    }
    for _ in 0..3 {
        match pay(crew, story, dice).await.as_deref() {
            Some("refused" | "error") if dice.hits(80) => {}
            Some("authorized" | "captured") => break,
            _ => return,
        }
    }
    let captured = end_authorization(crew, story, dice).await;
    refund(crew, story, dice, captured).await;
}

/// One try with a card; the status that it led to.
async fn pay(crew: &Crew, story: &mut Story, dice: &mut Dice) -> Option<String> {
    let card = match dice.between(1, 100) {
        1..=70 => GOOD_CARD,
        71..=82 => dice.pick(&DECLINED_CARDS),
        _ => CHALLENGED_CARD,
    };
    let mut seen = crew.pay(story, dice, card).await?;
    if seen["next"]["type"] == "challenge" {
        let url = seen["next"]["url"].as_str().unwrap().to_owned();
        match dice.between(1, 100) {
            1..=50 => crew.end_challenge(story, &url, "pass").await,
            51..=70 => crew.end_challenge(story, &url, "fail").await,
            71..=80 => {
                // Given up on one device while it is passed on the other.
                let other = story.clone();
                let abandon = json!({});
                let abandoned = crew.shopper(story, dice, ("abandon", Some(&abandon)));
                tokio::join!(abandoned, crew.end_challenge(&other, &url, "pass"));
            }
            81..=92 => {
                crew.shopper(story, dice, ("abandon", Some(&json!({}))))
                    .await;
            }
            // The shopper closes the page and is not seen again.
            _ => return None,
        }
        seen = crew.settled(story, dice).await?;
    }
    Some(seen["status"].as_str()?.to_owned())
}

/// What the merchant does with an authorisation; whether the money was captured, and how much.
async fn end_authorization(crew: &Crew, story: &mut Story, dice: &mut Dice) -> i64 {
    let (merchant, amount) = (story.merchant, story.amount);
    let (id, _) = story.session.clone().unwrap_or_default();
    let part = dice.amount(1, amount);
    let act = |ask: Ask, amount: Option<i64>| {
        let (name, body) = match (ask, amount) {
            (Ask::Cancel, _) => ("cancel", json!({})),
            (_, None) => ("capture", json!({})),
            (_, Some(amount)) => ("capture", json!({ "amount": amount })),
        };
        let target = format!("/v1/checkout/sessions/{id}/{name}");
        let asked = amount.unwrap_or(story.amount);
        request(&story.reference, (ask, target), (&body, asked))
    };
    let mut requests = match (story.habit(), dice.between(1, 100)) {
        // Captured with the authorisation, left to the clock, or left alone.
        (Habit::AtOnce, _) | (Habit::ByTheClock, 1..=50) | (_, 91..) => vec![],
        (_, 51..=70) => vec![act(Ask::Cancel, None)],
        (_, 71..=80) => vec![act(Ask::Cancel, None), act(Ask::Capture, None)],
        (_, 21..=50) => vec![act(Ask::Capture, Some(part))],
        _ => vec![act(Ask::Capture, None)],
    };
    together(crew, merchant, dice, &mut requests).await;
    story.requests.append(&mut requests);
    captured(crew, story, dice).await
}

/// Looks for a while whether the session is captured.
async fn captured(crew: &Crew, story: &Story, dice: &mut Dice) -> i64 {
    let (id, _) = story.session.clone().unwrap_or_default();
    for _ in 0..12 {
        let target = format!("/v1/checkout/sessions/{id}");
        let Some(session) = crew.get(story.merchant, dice, &target).await else {
            return 0;
        };
        let status = session["status"].as_str().unwrap();
        let waits = story.habit() == Habit::ByTheClock || !session["pending_operation"].is_null();
        if status != "authorized" || !waits {
            return session["amount_captured"].as_i64().unwrap();
        }
        tokio::time::sleep(dice.millis(100, 250)).await;
    }
    0
}

/// Refunds in parts, one after the other or at once; sometimes more than there is.
async fn refund(crew: &Crew, story: &mut Story, dice: &mut Dice, captured: i64) {
    if captured == 0 {
        return;
    }
    let (id, _) = story.session.clone().unwrap_or_default();
    let count = dice.between(0, 3);
    let most = if dice.hits(20) {
        captured
    } else {
        (captured / 3).max(1)
    };
    let mut requests = Vec::new();
    for number in 0..count {
        let amount = dice.amount(1, most);
        let reference = format!("{}-r{number}", story.reference);
        let body = json!({
            "session_id": id, "amount": amount, "currency": story.currency, "reference": reference,
        });
        let to = (Ask::Refund, "/v1/refunds".to_owned());
        requests.push(request(&reference, to, (&body, amount)));
    }
    if dice.hits(50) {
        together(crew, story.merchant, dice, &mut requests).await;
    } else {
        for request in &mut requests {
            crew.post(story.merchant, dice, request).await;
        }
    }
    story.requests.append(&mut requests);
}

async fn together(crew: &Crew, merchant: usize, dice: &mut Dice, requests: &mut [Request]) {
    let each = requests.iter_mut().map(|request| {
        let mut own = Dice::of(&[dice.between(0, u64::MAX - 1)]);
        async move { crew.post(merchant, &mut own, request).await }
    });
    futures_util::future::join_all(each.collect::<Vec<_>>()).await;
}
