//! The actions that an order permits now. Impossible actions have no button.

use oncharge_client::{CaptureMode, PendingOperation, SessionStatus as Status};

use crate::{
    dollars::Dollars,
    integration::{
        confirm::Payment,
        records::{Action, Intent},
    },
    order::Order,
    outcome::is_payable,
};

/// A button.
pub(crate) struct Button {
    /// The action's name in URLs.
    pub(crate) name: &'static str,
    pub(crate) label: String,
    pub(crate) amount: Amount,
    /// Styled as a secondary choice.
    pub(crate) is_secondary: bool,
}

/// The amount of a button's action.
pub(crate) enum Amount {
    /// No amount.
    None,
    /// A fixed amount.
    Fixed(Dollars),
    /// The amount in the adjacent field, up to this maximum.
    UpTo(Dollars),
}

/// Buttons with an optional hint.
#[derive(Default)]
pub(crate) struct ActionPanel {
    pub(crate) buttons: Vec<Button>,
    pub(crate) hint: &'static str,
}

/// The actions that are possible now.
pub(crate) fn action_panel(order: &Order, payment: Option<&Payment>) -> ActionPanel {
    if let Some(intent) = &order.intent {
        return retry(intent);
    }
    if order.checkout.is_none() {
        let start = button(Action::Checkout, "Prepare the payment".to_owned());
        return ActionPanel {
            buttons: vec![start],
            hint: "",
        };
    }
    let Some(Payment { session, .. }) = payment else {
        return ActionPanel::default();
    };
    match (session.status, session.pending_operation) {
        (_, Some(PendingOperation::Capture)) => {
            hint("The capture is accepted; waiting for the PSP’s final result.")
        }
        (_, Some(PendingOperation::Cancel)) => {
            hint("The cancellation is accepted; waiting for the PSP’s final result.")
        }
        (_, Some(_)) => hint("An operation is in progress."),
        (Status::Authorized, None) => authorized(session.amount_authorized, session.capture),
        (Status::Captured, None) if session.amount_refundable > 0 => {
            refundable(Dollars::cents(session.amount_refundable))
        }
        (Status::Captured, None) => hint("None: the payment is fully refunded."),
        (_, None) if is_payable(session) => hint("None: waiting for the shopper to pay."),
        (_, None) => hint("None: this payment is final."),
    }
}

fn refundable(max: Dollars) -> ActionPanel {
    let refund = |label: String, amount: Amount| Button {
        amount,
        is_secondary: true,
        ..button(Action::Refund(max), label)
    };
    ActionPanel {
        buttons: vec![
            refund(format!("Refund all {max}"), Amount::Fixed(max)),
            refund("Refund this amount".to_owned(), Amount::UpTo(max)),
        ],
        hint: "",
    }
}

fn authorized(authorized_amount: i64, mode: CaptureMode) -> ActionPanel {
    let authorized_amount = Dollars::cents(authorized_amount);
    let cancel = button(Action::Cancel, "Cancel the order".to_owned());
    ActionPanel {
        buttons: vec![
            button(Action::Capture, format!("Capture {authorized_amount}")),
            Button {
                is_secondary: true,
                ..cancel
            },
        ],
        hint: match mode {
            CaptureMode::Automatic => {
                "OnCharge captures automatically after the shop’s capture delay."
            }
            _ => "The payment is captured only when the shop requests it.",
        },
    }
}

fn retry(intent: &Intent) -> ActionPanel {
    ActionPanel {
        buttons: vec![button(intent.act, "Try again".to_owned())],
        hint: "The outcome of this request is unknown. “Try again” repeats it with the same \
             Idempotency-Key, so that it is executed only once.",
    }
}

fn button(act: Action, label: String) -> Button {
    Button {
        name: match act {
            Action::Checkout => "checkout",
            Action::Capture => "capture",
            Action::Cancel => "cancel",
            Action::Refund(_) => "refund",
        },
        label,
        amount: Amount::None,
        is_secondary: false,
    }
}

fn hint(hint: &'static str) -> ActionPanel {
    ActionPanel {
        buttons: Vec::new(),
        hint,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{fixtures::session, integration::records::Checkout, moment::Moment};

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
        let buttons = action_panel(&order, Some(&payment)).buttons;
        buttons.into_iter().map(|button| button.label).collect()
    }

    #[test]
    fn only_possible_actions_have_a_button() {
        let authorized_amount = ["Capture $10.00", "Cancel the order"];
        assert_eq!(labels("authorized", &json!({})), authorized_amount);
        assert_eq!(
            labels("captured", &json!({})),
            ["Refund all $10.00", "Refund this amount"]
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
    fn an_unfinished_action_is_offered_alone() {
        let mut order = Order::new(7, Moment::now(), Vec::new());
        order.start_action(Action::Refund(Dollars::cents(500)));
        let payment = Payment {
            session: session("captured", &json!({})),
            refunds: Vec::new(),
        };
        let ActionPanel { buttons, .. } = action_panel(&order, Some(&payment));
        assert_eq!(buttons.len(), 1);
        assert_eq!(
            (buttons[0].name, buttons[0].label.as_str()),
            ("refund", "Try again")
        );
    }
}
