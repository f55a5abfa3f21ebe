//! The parts of an order's page that change while it is looked at, each rendered by its own
//! template: at first into the page, then for the page's script to put in place.

use askama::Template;
use serde::Serialize;

use super::{
    buttons::{self, Button},
    order::{Call, Order},
    outcome::Outcome,
    timeline::{self, Event},
    tone::Tone,
    view::View,
};

/// HTML, by the id of the element that it goes into.
#[derive(Serialize)]
pub(super) struct Parts {
    pub(super) outcome: String,
    pub(super) timeline: String,
    pub(super) acts: String,
    pub(super) calls: String,
}

#[derive(Template)]
#[template(path = "shop/outcome.html")]
struct OutcomePart<'a> {
    outcome: Option<&'a Outcome>,
}

#[derive(Template)]
#[template(path = "shop/timeline.html")]
struct TimelinePart {
    events: Vec<Event>,
}

#[derive(Template)]
#[template(path = "shop/acts.html")]
struct ActsPart<'a> {
    order: &'a Order,
    unreachable: Option<&'a str>,
    buttons: Vec<Button>,
    hint: &'a str,
}

#[derive(Template)]
#[template(path = "shop/calls.html")]
struct CallsPart<'a> {
    order: &'a Order,
}

impl Parts {
    /// The parts of this order's page.
    pub(super) fn of(view: &View) -> askama::Result<Self> {
        let payment = view.payment.as_ref();
        let order = &view.order;
        let buttons::Choice { buttons, hint } = buttons::choice(order, payment);
        let unreachable = view.unreachable.as_deref();
        Ok(Self {
            outcome: OutcomePart {
                outcome: view.outcome.as_ref(),
            }
            .render()?,
            timeline: TimelinePart {
                events: timeline::events(order, payment, &view.received),
            }
            .render()?,
            acts: ActsPart {
                order,
                unreachable,
                buttons,
                hint,
            }
            .render()?,
            calls: CallsPart { order }.render()?,
        })
    }
}

impl Call {
    /// The answer in a word.
    fn answer(&self) -> String {
        self.status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string())
    }

    fn tone(&self) -> Tone {
        match self.status {
            Some(200..300) => Tone::Good,
            _ => Tone::Bad,
        }
    }
}
