//! Enums with a text form shared by wire and database: kinds, statuses, results, reasons.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteValue};

/// Declares an enum with the same text form on the wire and in the database.
macro_rules! text_enum {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
        #[diesel(sql_type = Text)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The text form.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Parses the text form; `None` if it is unknown.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl ToSql<Text, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.as_str());
                Ok(IsNull::No)
            }
        }

        impl FromSql<Text, Sqlite> for $name {
            fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
                Self::parse(&text)
                    .ok_or_else(|| format!("{text:?} is not a {}", stringify!($name)).into())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

text_enum! {
    /// The kind of a call; also used by the faults `refuse` and `fail_late`.
    Kind {
        Authorise = "authorise",
        Capture = "capture",
        Cancel = "cancel",
        Refund = "refund",
    }
}

impl Kind {
    /// The `type` of the notification with the result of such a call.
    pub(crate) const fn notification_type(self) -> &'static str {
        match self {
            Self::Authorise => "authorisation",
            Self::Capture | Self::Cancel | Self::Refund => self.as_str(),
        }
    }
}

text_enum! {
    /// The status of a payment.
    Status {
        /// Accepted in asynchronous mode, not yet decided.
        Pending = "pending",
        /// Waiting for the shopper on the challenge page.
        Challenge = "challenge",
        /// The challenge was passed; another call authorizes the payment (Stripe face).
        Authenticated = "authenticated",
        /// The whole amount is held.
        Authorised = "authorised",
        /// Captured, in whole or in part; the rest was voided. Nothing is held any more.
        Captured = "captured",
        Cancelled = "cancelled",
        Refused = "refused",
        /// The authorization lapsed (`fail_late`).
        Lapsed = "lapsed",
        /// The capture was reversed (`fail_late`). Nothing is held and no further operation is
        /// possible.
        CaptureFailed = "capture_failed",
    }
}

text_enum! {
    /// The result of a call, as in responses and look-ups.
    Outcome {
        Authorised = "authorised",
        Captured = "captured",
        Refused = "refused",
        Challenge = "challenge",
        Pending = "pending",
        Done = "done",
        Received = "received",
    }
}

text_enum! {
    /// Why a call was refused; described in the crate's documentation.
    Reason {
        CardDeclined = "card_declined",
        InsufficientFunds = "insufficient_funds",
        ExpiredCard = "expired_card",
        AuthenticationFailed = "authentication_failed",
        TokenUsed = "token_used",
        TokenUnknown = "token_unknown",
        Cancelled = "cancelled",
        AlreadyCaptured = "already_captured",
        NothingHeld = "nothing_held",
        AmountTooLarge = "amount_too_large",
        WrongState = "wrong_state",
        RefusedByFault = "refused_by_fault",
        FailedLate = "failed_late",
        AuthorisationExpired = "authorisation_expired",
    }
}

text_enum! {
    /// A card's behavior, determined by its number when the token is created.
    Behavior {
        Approve = "approve",
        CardDeclined = "card_declined",
        InsufficientFunds = "insufficient_funds",
        ExpiredCard = "expired_card",
        Challenge = "challenge",
        /// Approves; the chargeback after the capture comes with the disputes.
        Chargeback = "chargeback",
    }
}

text_enum! {
    /// An API of the simulator.
    Face {
        /// The simulator's own API.
        Own = "own",
        Stripe = "stripe",
    }
}

text_enum! {
    /// A movement of money.
    EntryKind {
        Authorise = "authorise",
        Capture = "capture",
        Void = "void",
        Refund = "refund",
    }
}
