//! Flaws of what operators see; each behind a store that is whole otherwise.

use std::sync::Arc;

use async_trait::async_trait;
use oncharge_conformance::{Store, laws, set_fake};
use oncharge_domain::{
    id::SessionId,
    session::StatusName,
    text::{Contact, Email},
    time::Timestamp,
};
use oncharge_ports::{
    Oversight, StoreError,
    oversight::{FoundSession, Named, Search, Story},
    queries::Page,
};
use oncharge_testkit::{FakeClock, MemoryStore};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    ShowsContact,
    HidesThatThereIsContact,
    /// Any name finds anything.
    IgnoresNames,
    /// Nothing is found but by an id.
    KnowsNoTexts,
    IgnoresMerchants,
    IgnoresStatuses,
    IgnoresTimes,
    /// `created` past its expiry stays `created`.
    IgnoresNow,
    RepeatsPages,
    OldestFirst,
    ForgetsTries,
    ForgetsNextTries,
    ForgetsAttempts,
    ForgetsNotifications,
    ForgetsRefunds,
    InventsAudit,
    NeverCuts,
    CountsTheOld,
    CountsWithoutEnd,
}

struct Flawed {
    store: Arc<MemoryStore>,
    flaw: Flaw,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn spoil_story(&self, story: &mut Story) {
        for seen in &mut story.operations {
            if self.has(Flaw::ForgetsTries) {
                seen.tries = 0;
            }
            if self.has(Flaw::ForgetsNextTries) {
                seen.next_try_at = None;
            }
        }
        if self.has(Flaw::ForgetsAttempts) {
            let deliveries = story.events.iter_mut().filter_map(|e| e.delivery.as_mut());
            deliveries.for_each(|delivery| delivery.attempts.clear());
        }
        if self.has(Flaw::ForgetsNotifications) {
            story.notifications.clear();
        }
        if self.has(Flaw::ForgetsRefunds) {
            story.refunds.clear();
        }
        if self.has(Flaw::InventsAudit) {
            story.audit.extend(story.audit.clone());
        }
        if self.has(Flaw::NeverCuts) {
            story.is_cut = false;
        }
        if self.has(Flaw::HidesThatThereIsContact) {
            story.contact = oncharge_ports::oversight::KnownContact::default();
        }
    }
}

#[async_trait]
impl Oversight for Flawed {
    async fn find_sessions(
        &self,
        search: &Search,
        page: Page,
    ) -> Result<Vec<FoundSession>, StoreError> {
        let (mut search, mut page) = (search.clone(), page);
        if self.has(Flaw::IgnoresNames) {
            search.named = None;
        }
        if self.has(Flaw::KnowsNoTexts) && matches!(search.named, Some(Named::Text(_))) {
            return Ok(Vec::new());
        }
        if self.has(Flaw::IgnoresMerchants) {
            search.merchant = None;
        }
        if self.has(Flaw::IgnoresStatuses) {
            search.status = None;
        }
        if self.has(Flaw::IgnoresTimes) {
            search.created_after = None;
            search.created_before = None;
        }
        if self.has(Flaw::IgnoresNow) {
            search.now = search.now.plus_seconds(-86_400);
        }
        if self.has(Flaw::RepeatsPages)
            && let Some(after) = &mut page.after
        {
            after.created_at = after.created_at.plus_seconds(1);
        }
        let mut found = self.store.find_sessions(&search, page).await?;
        if self.has(Flaw::OldestFirst) {
            found.reverse();
        }
        if self.has(Flaw::ShowsContact) {
            for found in &mut found {
                found.session.contact = Contact {
                    email: Email::parse("shopper@example.com").ok(),
                    phone: None,
                };
            }
        }
        Ok(found)
    }

    async fn story(&self, session: SessionId) -> Result<Option<Story>, StoreError> {
        let mut story = self.store.story(session).await?;
        if let Some(story) = &mut story {
            self.spoil_story(story);
        }
        Ok(story)
    }

    async fn count_sessions(
        &self,
        since: Timestamp,
        now: Timestamp,
        most: u32,
    ) -> Result<Vec<(StatusName, u64)>, StoreError> {
        let since = if self.has(Flaw::CountsTheOld) {
            since.plus_seconds(-86_400)
        } else {
            since
        };
        let now = if self.has(Flaw::IgnoresNow) {
            now.plus_seconds(-86_400)
        } else {
            now
        };
        let most = if self.has(Flaw::CountsWithoutEnd) {
            u32::MAX
        } else {
            most
        };
        self.store.count_sessions(since, now, most).await
    }
}

#[tokio::test]
async fn each_flaw_of_oversight_breaks_its_law() {
    let (names, filters) = (
        "a_session_is_found_by_each_of_its_names",
        "searches_keep_to_their_filters",
    );
    let (sealed, whole) = ("oversight_opens_nothing_sealed", "a_story_is_whole");
    let (pages, counts) = (
        "pages_of_all_merchants_are_stable",
        "sessions_are_counted_by_status",
    );
    for (flaw, name) in [
        (Flaw::ShowsContact, sealed),
        (Flaw::HidesThatThereIsContact, sealed),
        (Flaw::IgnoresNames, names),
        (Flaw::KnowsNoTexts, names),
        (Flaw::IgnoresMerchants, filters),
        (Flaw::IgnoresStatuses, filters),
        (Flaw::IgnoresTimes, filters),
        (Flaw::IgnoresNow, filters),
        (Flaw::RepeatsPages, pages),
        (Flaw::OldestFirst, pages),
        (Flaw::ForgetsTries, whole),
        (Flaw::ForgetsNextTries, whole),
        (Flaw::ForgetsAttempts, whole),
        (Flaw::ForgetsNotifications, whole),
        (Flaw::ForgetsRefunds, whole),
        (Flaw::InventsAudit, whole),
        (Flaw::NeverCuts, "a_long_story_is_cut"),
        (Flaw::CountsTheOld, counts),
        (Flaw::CountsWithoutEnd, counts),
        (Flaw::IgnoresNow, counts),
    ] {
        let clock = Arc::new(FakeClock::new());
        let memory = Arc::new(MemoryStore::new(clock.clone()));
        let store = Store {
            oversight: Arc::new(Flawed {
                store: memory.clone(),
                flaw,
            }),
            ..Store::of(memory, set_fake(clock))
        };
        let (_, law) = laws().into_iter().find(|(law, _)| *law == name).unwrap();
        let kept = law(store).await;
        assert!(
            kept.is_err(),
            "{name} does not notice that a store {flaw:?}"
        );
    }
}
