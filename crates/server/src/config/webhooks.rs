//! Settings of webhook delivery.

use anyhow::bail;
use oncharge_domain::webhook::ScheduleSpeed;
use serde::{Deserialize, Serialize};

use super::{Mode, values};

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhooks {
    /// The speed of the delivery schedule.
    #[serde(deserialize_with = "values::one_of")]
    pub(crate) clock: WebhookClock,
}

/// Speed of the retry schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WebhookClock {
    /// The documented schedule.
    Real,
    /// An hour becomes a second, for sandboxes and tests.
    Fast,
}

impl From<WebhookClock> for ScheduleSpeed {
    fn from(clock: WebhookClock) -> Self {
        match clock {
            WebhookClock::Real => Self::Real,
            WebhookClock::Fast => Self::Fast,
        }
    }
}

impl Webhooks {
    pub(super) fn check(self, mode: Mode) -> anyhow::Result<()> {
        if self.clock == WebhookClock::Fast && mode == Mode::Production {
            bail!(
                "webhooks.clock must be real with mode = \"production\"; fast is for mode = \
                 \"sandbox\" only"
            );
        }
        Ok(())
    }
}
