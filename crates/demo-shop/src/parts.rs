//! The changing parts of an order's page, each rendered by its own template: first into the page,
//! later for the page's script to replace.

use askama::Template;
use oncharge_client::Session;
use serde::Serialize;

use crate::{
    Shop,
    buttons::{self, Amount, Button},
    calls::Call,
    order::Order,
    outcome::Outcome,
    status_label::StatusLabel,
    timeline::{self, Entry},
    view::View,
};

/// HTML by the id of its element.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Parts {
    pub(crate) status_label: String,
    pub(crate) outcome: String,
    pub(crate) details: String,
    pub(crate) actions: String,
    pub(crate) timeline: String,
    pub(crate) calls: String,
}

#[derive(Template)]
#[template(path = "status_label.html")]
struct StatusLabelPart {
    status_label: StatusLabel,
}

#[derive(Template)]
#[template(path = "outcome.html")]
struct OutcomePart<'a> {
    outcome: Option<&'a Outcome>,
}

#[derive(Template)]
#[template(path = "details.html")]
struct DetailsPart<'a> {
    session_id: Option<&'a str>,
    psp_reference: Option<&'a str>,
    card: Option<String>,
    api: &'a str,
    ops: &'a str,
}

#[derive(Template)]
#[template(path = "actions.html")]
struct ActionsPart<'a> {
    order: &'a Order,
    unreachable: Option<&'a str>,
    buttons: Vec<Button>,
    hint: &'a str,
}

#[derive(Template)]
#[template(path = "timeline.html")]
struct TimelinePart {
    entries: Vec<Entry>,
}

#[derive(Template)]
#[template(path = "calls.html")]
struct CallsPart {
    calls: Vec<Call>,
}

impl Parts {
    /// Renders the parts of this order's page.
    pub(crate) fn render(shop: &Shop, view: &View) -> askama::Result<Self> {
        let (order, payment) = (&view.order, view.payment.as_ref());
        let session = payment.map(|payment| &payment.session);
        let checkout = order.checkout.as_ref();
        let buttons::ActionPanel { buttons, hint } = buttons::action_panel(order, payment);
        let status_label = StatusLabelPart {
            status_label: view.status_label(),
        };
        let outcome = OutcomePart {
            outcome: view.outcome.as_ref(),
        };
        let details = DetailsPart {
            session_id: checkout.map(|checkout| checkout.session_id.as_str()),
            psp_reference: session.and_then(|session| session.psp_reference.as_deref()),
            card: session.and_then(card_of),
            api: &shop.api,
            ops: &shop.ops,
        };
        let actions = ActionsPart {
            order,
            unreachable: view.unreachable.as_deref(),
            buttons,
            hint,
        };
        let timeline = TimelinePart {
            entries: timeline::entries(order, payment, &view.received),
        };
        let calls = CallsPart {
            calls: shop.calls.for_order(order.number),
        };
        Ok(Self {
            status_label: status_label.render()?,
            outcome: outcome.render()?,
            details: details.render()?,
            actions: actions.render()?,
            timeline: timeline.render()?,
            calls: calls.render()?,
        })
    }
}

/// The card of the latest attempt, if the payment processor reports it.
fn card_of(session: &Session) -> Option<String> {
    let method = session.attempts.last()?.payment_method.as_ref()?;
    let brand = method.brand.as_deref().unwrap_or(&method.kind);
    let last4 = method.last4.as_deref();
    Some(last4.map_or_else(|| brand.to_owned(), |last4| format!("{brand} •••• {last4}")))
}
