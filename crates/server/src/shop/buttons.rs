//! What the shop can do about an order now. What is not possible has no button at all.

use oncharge_client::{CaptureMode, PendingOperation, SessionStatus as Status};

use super::{
    dollars::Dollars,
    integration::{
        acts::{Act, Intent},
        confirm::Payment,
    },
    order::Order,
    outcome::is_payable,
};

/// A button.
pub(super) struct Button {
    /// The act's name in addresses.
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) amount: Amount,
    /// Not the first choice.
    pub(super) quiet: bool,
}

/// The amount that goes with a button.
pub(super) enum Amount {
    /// There is none to say.
    None,
    /// This one.
    Fixed(Dollars),
    /// The one in the field beside it, up to this.
    UpTo(Dollars),
}

/// Buttons, and a sentence where something needs to be said.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) buttons: Vec<Button>,
    pub(super) hint: &'static str,
}

/// What can be done now.
pub(super) fn choice(order: &Order, payment: Option<&Payment>) -> Choice {
    if let Some(intent) = &order.intent {
        return again(intent);
    }
    if order.checkout.is_none() {
        let start = button(Act::Checkout, "Prepare the payment".to_owned());
        return Choice {
            buttons: vec![start],
            hint: "",
        };
    }
    let Some(Payment { session, .. }) = payment else {
        return Choice::default();
    };
    match (session.status, session.pending_operation) {
        (_, Some(PendingOperation::Capture)) => {
            hint("The capture is accepted; the PSP’s last word is awaited.")
        }
        (_, Some(PendingOperation::Cancel)) => {
            hint("The cancellation is accepted; the PSP’s last word is awaited.")
        }
        (_, Some(_)) => hint("Something is under way."),
        (Status::Authorized, None) => authorized(session.amount_authorized, session.capture),
        (Status::Captured, None) if session.amount_refundable > 0 => {
            refundable(Dollars::cents(session.amount_refundable))
        }
        (Status::Captured, None) => hint("Nothing: nothing is left to refund."),
        (_, None) if is_payable(session) => hint("Nothing: it is the shopper’s turn to pay."),
        (_, None) => hint("Nothing: this payment has come to its end."),
    }
}

fn refundable(most: Dollars) -> Choice {
    let refund = |label: String, amount: Amount| Button {
        amount,
        quiet: true,
        ..button(Act::Refund(most), label)
    };
    Choice {
        buttons: vec![
            refund(format!("Refund all {most}"), Amount::Fixed(most)),
            refund("Refund this much".to_owned(), Amount::UpTo(most)),
        ],
        hint: "",
    }
}

fn authorized(held: i64, mode: CaptureMode) -> Choice {
    let held = Dollars::cents(held);
    let cancel = button(Act::Cancel, "Cancel the order".to_owned());
    Choice {
        buttons: vec![
            button(Act::Capture, format!("Capture {held}")),
            Button {
                quiet: true,
                ..cancel
            },
        ],
        hint: match mode {
            CaptureMode::Automatic => {
                "If nothing is done, OnCharge captures by itself after the shop’s capture delay."
            }
            _ => "Nothing is captured until the shop asks for it.",
        },
    }
}

fn again(intent: &Intent) -> Choice {
    Choice {
        buttons: vec![button(intent.act, "Try again".to_owned())],
        hint: "It is not known whether this was done. The same request goes out again under the \
               same Idempotency-Key, so that it is done once.",
    }
}

fn button(act: Act, label: String) -> Button {
    Button {
        name: match act {
            Act::Checkout => "checkout",
            Act::Capture => "capture",
            Act::Cancel => "cancel",
            Act::Refund(_) => "refund",
        },
        label,
        amount: Amount::None,
        quiet: false,
    }
}

fn hint(hint: &'static str) -> Choice {
    Choice {
        buttons: Vec::new(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::shop::{examples::session, integration::session::Checkout, moment::Moment};

    fn labels(status: &str, changes: &Value) -> Vec<String> {
        let mut order = Order::new(7, Moment::now(), Vec::new());
        order.checkout = Some(Checkout {
            session_id: "cs_1".to_owned(),
            idempotency_key: "order-7".to_owned(),
            origin: "http://127.0.0.1:1".to_owned(),
            iframe_url: None,
        });
        let payment = Payment {
            session: session(status, changes),
            refunds: Vec::new(),
        };
        let buttons = choice(&order, Some(&payment)).buttons;
        buttons.into_iter().map(|button| button.label).collect()
    }

    #[test]
    fn only_what_is_possible_now_has_a_button() {
        let held = ["Capture $10.00", "Cancel the order"];
        assert_eq!(labels("authorized", &json!({})), held);
        assert_eq!(
            labels("captured", &json!({})),
            ["Refund all $10.00", "Refund this much"]
        );
        let nothing: [&str; 0] = [];
        assert_eq!(
            labels("captured", &json!({ "amount_refundable": 0 })),
            nothing
        );
        for operation in ["capture", "cancel", "something new"] {
            let open = json!({ "pending_operation": operation });
            assert_eq!(labels("authorized", &open), nothing, "{operation}");
        }
        for status in [
            "created",
            "pending",
            "refused",
            "cancelled",
            "error",
            "expired",
            "new",
        ] {
            assert_eq!(labels(status, &json!({})), nothing, "{status}");
        }
    }

    #[test]
    fn an_open_act_comes_before_all_others() {
        let mut order = Order::new(7, Moment::now(), Vec::new());
        order.intend(Act::Refund(Dollars::cents(500)));
        let payment = Payment {
            session: session("captured", &json!({})),
            refunds: Vec::new(),
        };
        let Choice { buttons, .. } = choice(&order, Some(&payment));
        assert_eq!(buttons.len(), 1);
        assert_eq!(
            (buttons[0].name, buttons[0].label.as_str()),
            ("refund", "Try again")
        );
    }
}
