//! The contract of the store, kept by each backend.
//!
//! A new backend adds a [`Backend`] and one line in `each_backend!`; the cases stay as they are.
#![expect(clippy::unwrap_used, reason = "all of this is test code")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mailtypes::Timestamp;
use store::{Embedded, Options, Store, Work};

#[path = "contract/arriving.rs"]
mod arriving;
#[path = "contract/directory.rs"]
mod directory;
#[path = "contract/kit.rs"]
mod kit;
#[path = "contract/leasing.rs"]
mod leasing;
#[path = "contract/leaving.rs"]
mod leaving;
#[path = "contract/operating.rs"]
mod operating;
#[path = "contract/outgoing.rs"]
mod outgoing;

/// What a case needs of a backend under test.
pub(crate) trait Backend {
    type Store: Store;
    fn store(&self) -> Self::Store;
    /// Ends the store and opens it again on the same data.
    fn restart(&mut self);
    /// Lets time pass.
    fn advance(&self, by: Duration);
    fn now(&self) -> Timestamp;
}

pub(crate) struct EmbeddedBackend {
    folder: tempfile::TempDir,
    millis: Arc<AtomicI64>,
    work: Work,
    store: Option<Embedded>,
}

impl EmbeddedBackend {
    pub(crate) fn new(work: Work) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let millis = Arc::new(AtomicI64::new(1_790_000_000_000));
        let mut backend = Self {
            folder,
            millis,
            work,
            store: None,
        };
        backend.restart();
        backend
    }
}

impl Backend for EmbeddedBackend {
    type Store = Embedded;

    fn store(&self) -> Embedded {
        self.store.clone().unwrap()
    }

    fn restart(&mut self) {
        if let Some(store) = self.store.take() {
            store.close();
        }
        let millis = Arc::clone(&self.millis);
        let clock = Arc::new(move || Timestamp::from_millis(millis.load(Ordering::Relaxed)));
        let options = Options {
            seed: Some(1),
            work: self.work,
            ..Options::new(clock)
        };
        self.store = Some(Embedded::open(self.folder.path(), options).unwrap());
    }

    fn advance(&self, by: Duration) {
        self.millis
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// Runs every case on every backend.
macro_rules! each_backend {
    ($($case:ident in $module:ident),* $(,)?) => {
        mod embedded {$(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$module::$case(super::EmbeddedBackend::new(super::Work::ThreadsOnDemand)).await;
            }
        )*}
        mod without_threads {$(
            #[tokio::test]
            async fn $case() {
                super::$module::$case(super::EmbeddedBackend::new(super::Work::Callers)).await;
            }
        )*}
    };
}

each_backend!(
    what_was_accepted_survives_a_restart in arriving,
    a_refused_draft_leaves_nothing in arriving,
    large_bodies_come_back_whole in arriving,
    many_at_once_are_all_there in arriving,
    delivery_happens_once_however_often_it_is_tried in leaving,
    one_body_serves_many_mailboxes in leaving,
    an_empty_message_is_a_message in leaving,
    return_path_fields_of_the_body_are_left_out in leaving,
    a_deferred_recipient_comes_back_when_it_is_due in leaving,
    an_order_stands_against_an_older_attempt in leaving,
    a_failed_recipient_owes_a_bounce in leaving,
    mail_for_a_removed_account_is_not_lost in leaving,
    a_delivery_after_the_removal_is_written_down in leaving,
    a_removal_tells_of_an_attempt_under_way in leaving,
    whoever_was_not_asked_is_no_attempt in leaving,
    results_of_a_lost_lease_do_not_count in leasing,
    a_renewed_lease_keeps_its_epoch in leasing,
    a_lease_that_has_ended_is_not_renewed in leasing,
    a_restarted_holder_begins_a_new_epoch in leasing,
    what_is_held_is_not_due_until_released in operating,
    what_is_removed_has_its_end in operating,
    orders_that_do_not_apply_say_why in operating,
    the_queue_is_listed_in_pages in operating,
    a_story_is_found_by_id_and_by_address in operating,
    accounts_and_aliases_share_one_name_space in directory,
    lookups_see_every_change_and_fold_case in directory,
    an_account_with_an_alias_is_not_removed in directory,
    the_oldest_account_is_first in directory,
    an_account_says_where_its_mail_goes in directory,
    each_lane_has_its_own in outgoing,
    a_walk_through_a_lane_misses_nothing in outgoing,
    a_walk_beside_arrivals_misses_nothing in outgoing,
    what_waits_for_one_host_is_found in outgoing,
    what_waits_for_one_host_comes_in_pages in outgoing,
    what_was_for_another_server_comes_home in outgoing,
    an_attempt_that_died_is_written_down in outgoing,
    what_brings_the_server_down_twice_is_held in outgoing,
    an_attempt_at_what_is_held_is_written_down in outgoing,
    a_report_and_its_end_come_together in outgoing,
    a_warning_is_given_once in outgoing,
    nobody_is_told_for_a_reason in outgoing,
    a_maildir_counts_as_a_mailbox in outgoing,
    a_selection_names_what_is_meant in operating,
    behind_a_settle_the_last_commit_has_all in operating,
    a_census_counts_by_state_and_age in outgoing,
);
