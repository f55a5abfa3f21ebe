//! The fixed words of the wire and of the database: kinds, statuses, results, reasons.

use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteValue};

/// Declares an enum whose variants are words: the same text on the wire and in the database.
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
            /// The word itself.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads a word; `None` if it is not one of them.
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
                    .ok_or_else(|| format!("{text:?} is no {}", stringify!($name)).into())
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
    /// What a call asked for; also the kinds that the faults `refuse` and `fail_late` name.
    Kind {
        Authorise = "authorise",
        Capture = "capture",
        Cancel = "cancel",
        Refund = "refund",
    }
}

impl Kind {
    /// The `type` of the notification that tells how such a call ended.
    pub(crate) const fn notification_type(self) -> &'static str {
        match self {
            Self::Authorise => "authorisation",
            Self::Capture | Self::Cancel | Self::Refund => self.as_str(),
        }
    }
}

text_enum! {
    /// Where a payment stands.
    Status {
        /// Accepted in asynchronous mode, not yet decided.
        Pending = "pending",
        /// Waits for the shopper at the challenge page.
        Challenge = "challenge",
        /// The whole amount is held.
        Authorised = "authorised",
        /// Captured, in whole or in part; the rest was voided. Nothing is held any more.
        Captured = "captured",
        Cancelled = "cancelled",
        Refused = "refused",
        /// The authorisation lapsed (`fail_late`).
        Lapsed = "lapsed",
        /// The capture was taken back (`fail_late`). Nothing is held and nothing can follow.
        CaptureFailed = "capture_failed",
    }
}

text_enum! {
    /// What became of a call, as answers and the look-up say it.
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
    /// Why something was refused; documented for callers in the crate's documentation.
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
    /// How a card behaves, decided by its number when it is turned into a token.
    Behaviour {
        Approve = "approve",
        CardDeclined = "card_declined",
        InsufficientFunds = "insufficient_funds",
        ExpiredCard = "expired_card",
        Challenge = "challenge",
        /// Approves now; the chargeback after the capture comes with the disputes.
        Chargeback = "chargeback",
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
