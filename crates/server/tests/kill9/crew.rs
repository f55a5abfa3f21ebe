//! Merchants and shoppers who do not give up: they ask any node, again and again under the same
//! key, and keep every answer.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::{
    plan::Dice,
    shop::{Answer, Shop, read},
    stage::Stage,
    story::{Request, Story, is_final},
};

/// How long anyone waits for an answer.
const PATIENCE: Duration = Duration::from_secs(12);
/// How often a card is sent to `pay`, which has a quota.
const TRIES_TO_PAY: u32 = 4;

/// The people of a round.
pub(crate) struct Crew {
    /// By merchant, then by node.
    shops: Vec<Vec<Shop>>,
    /// When they go home.
    pub(crate) until: Instant,
    tally: Mutex<BTreeMap<String, u32>>,
}

impl Crew {
    /// People who work until then.
    pub(crate) fn hire(stage: &Stage, until: Instant) -> Self {
        let bases = stage.bases();
        let of_merchant = |pair: &Value| {
            let at = bases.iter().map(|base| {
                let mut pair = pair.clone();
                pair["base_url"] = json!(base);
                Shop::new(&pair)
            });
            at.collect()
        };
        Self {
            shops: stage.merchants.iter().map(of_merchant).collect(),
            until,
            tally: Mutex::default(),
        }
    }

    pub(crate) fn merchants(&self) -> usize {
        self.shops.len()
    }

    /// Whether the day is over.
    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// The merchant's way to some node.
    pub(crate) fn shop(&self, merchant: usize, dice: &mut Dice) -> &Shop {
        dice.pick(&self.shops[merchant])
    }

    fn count(&self, what: &str) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.entry(what.to_owned()).or_default() += 1;
    }

    /// What the people met with, by how often.
    pub(crate) fn tally(&self) -> String {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let each = tally.iter().map(|(what, count)| format!("{what} {count}"));
        each.collect::<Vec<_>>().join(", ")
    }

    /// A merchant's request, sent until it has an answer or the day is over.
    pub(crate) async fn post(&self, merchant: usize, dice: &mut Dice, request: &mut Request) {
        while !self.is_over() {
            // Some send the same twice at once, as a proxy or an impatient job does; some hang up.
            let twice = dice.hits(8);
            let patience = if dice.hits(5) {
                dice.millis(1, 60)
            } else {
                PATIENCE
            };
            let (one, other) = (self.shop(merchant, dice), self.shop(merchant, dice));
            let send = |shop| self.send(shop, request, patience);
            let (first, second) = tokio::join!(send(one), async {
                if twice { send(other).await } else { None }
            });
            request.sent += 1 + u32::from(twice);
            request
                .answers
                .extend([first, second].into_iter().flatten());
            if !request.answers.is_empty() {
                return;
            }
            sleep(dice.millis(30, 300)).await;
        }
    }

    async fn send(&self, shop: &Shop, request: &Request, patience: Duration) -> Option<Answer> {
        let call = shop.try_call("POST", &request.target, (&request.body, Some(&request.key)));
        let answer = self.note(timeout(patience, call).await)?;
        if is_final(&answer) {
            return Some(answer);
        }
        let error = answer.json()["error"].as_str().unwrap_or("?").to_owned();
        self.count(&error);
        None
    }

    fn note<T, E, F>(&self, heard: Result<Result<T, E>, F>) -> Option<T> {
        match heard {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(_)) => {
                self.count("answers lost");
                None
            }
            Err(_) => {
                self.count("hung up");
                None
            }
        }
    }

    /// What a merchant reads, from any node.
    pub(crate) async fn get(
        &self,
        merchant: usize,
        dice: &mut Dice,
        target: &str,
    ) -> Option<Value> {
        while !self.is_over() {
            let shop = self.shop(merchant, dice);
            let call = shop.try_call("GET", target, ("", None));
            match self.note(timeout(PATIENCE, call).await) {
                Some(answer) if answer.status == 200 => return Some(answer.json()),
                _ => sleep(dice.millis(30, 200)).await,
            }
        }
        None
    }

    /// A one-time token for a card.
    async fn token(&self, shop: &Shop, card: &str) -> Option<String> {
        let body = json!({ "number": card, "exp_month": 12, "exp_year": 2040, "cvc": "123" });
        while !self.is_over() {
            let asked = shop.http.post(format!("{}/v1/tokens", shop.simulator));
            let asked = timeout(PATIENCE, asked.json(&body).send()).await;
            if let Some(answer) = self.note(asked)
                && let Ok(made) = answer.json::<Value>().await
            {
                return Some(made["token"].as_str()?.to_owned());
            }
            sleep(Duration::from_millis(60)).await;
        }
        None
    }

    /// Pays with a card; what the shopper sees then.
    pub(crate) async fn pay(
        &self,
        story: &mut Story,
        dice: &mut Dice,
        card: &str,
    ) -> Option<Value> {
        let shop = self.shop(story.merchant, dice);
        let body = json!({ "payment_method": self.token(shop, card).await? });
        for _ in 0..TRIES_TO_PAY {
            if self.is_over() {
                return None;
            }
            let answer = self.shopper(story, dice, ("pay", Some(&body))).await;
            if answer.as_ref().is_some_and(is_final) {
                break;
            }
            sleep(dice.millis(30, 250)).await;
        }
        self.settled(story, dice).await
    }

    /// A call of the shopper's page to any node; statuses are kept in the story.
    pub(crate) async fn shopper(
        &self,
        story: &mut Story,
        dice: &mut Dice,
        (act, body): (&str, Option<&Value>),
    ) -> Option<Answer> {
        let (id, pay_token) = story.session.clone()?;
        let shop = self.shop(story.merchant, dice);
        let url = format!("{}/checkout/{id}/{act}", shop.base);
        let request = match body {
            Some(body) => shop.http.post(url).json(body),
            None => shop.http.get(url),
        };
        let call = read(request.bearer_auth(pay_token));
        let answer = self.note(timeout(PATIENCE, call).await)?;
        if answer.status == 200 {
            let status = answer.json()["status"].as_str().unwrap().to_owned();
            if story.shown.last() != Some(&status) {
                story.shown.push(status);
            }
        } else if !is_final(&answer) {
            self.count(&format!("{act} answered {}", answer.status));
        }
        Some(answer)
    }

    /// Looks until the payment has come to a state, or for a few seconds.
    pub(crate) async fn settled(&self, story: &mut Story, dice: &mut Dice) -> Option<Value> {
        let until = Instant::now() + Duration::from_secs(4);
        let mut last = None;
        while !self.is_over() && Instant::now() < until {
            let seen = self.shopper(story, dice, ("status", None)).await;
            if let Some(answer) = seen.filter(|answer| answer.status == 200) {
                let seen = answer.json();
                let waits = seen["status"] == "pending" && seen["next"]["type"] == "none";
                last = Some(seen);
                if !waits {
                    return last;
                }
            }
            sleep(Duration::from_millis(80)).await;
        }
        last
    }

    /// Ends a 3-D Secure challenge at the PSP's page.
    pub(crate) async fn end_challenge(&self, story: &Story, url: &str, outcome: &str) {
        let shop = &self.shops[story.merchant][0];
        let form_type = "application/x-www-form-urlencoded";
        for _ in 0..5 {
            let form = shop.http.post(url).header("Content-Type", form_type);
            let sent = timeout(PATIENCE, form.body(format!("outcome={outcome}")).send()).await;
            if self.note(sent).is_some() || self.is_over() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
}
