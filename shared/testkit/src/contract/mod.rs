//! The contract of the stores: what use cases lean on, whichever implementation is behind the port.
//!
//! Each law is one function on a fresh store. [`store_contract!`](crate::store_contract) makes a test of
//! each, named after it.

pub mod attempts;
pub mod calls;
pub mod config;
pub mod contact;
pub mod erase;
pub mod governor;
pub mod inbound;
pub mod jobs;
pub mod mail;
pub mod orders;
pub mod people;
pub mod runs;
pub mod search;

/// One `#[tokio::test]` per law. The expression makes a fresh, empty store; it may await.
#[macro_export]
macro_rules! store_contract {
    ($make:expr) => {
        $crate::store_contract! { @laws orders $make;
            an_order_and_its_event_are_written_together
            of_two_commits_of_one_version_one_wins_and_nothing_is_half_written
            a_commit_repeated_after_a_lost_answer_is_a_success
            a_commit_with_another_write_id_over_the_same_version_has_lost
            an_order_is_created_once
            the_control_item_alone_is_written_only_over_the_version_that_was_read
            a_repeated_write_of_the_control_item_is_a_success
            everything_that_an_order_can_carry_comes_back_as_it_was
            order_and_snapshot_are_read_together
            removed_packages_stay_readable
            the_package_index_finds_orders_by_any_spelling_of_a_number
            a_number_leads_to_every_order_that_holds_it
            another_shop_does_not_find_a_number
            a_removed_package_leaves_the_index_and_comes_back_with_it
            an_order_with_the_most_packages_is_stored_whole
            an_order_whose_packages_are_all_exchanged_is_stored_whole
            the_timeline_is_paged_newest_first_with_ignored_facts_in_between
            a_listing_is_paged_newest_first_and_follows_the_order
            untriaged_orders_are_listed_apart
            another_shop_lists_nothing
            a_cursor_that_is_not_ours_is_refused
            an_unknown_order_is_nothing
        }
        $crate::store_contract! { @laws runs $make;
            a_claim_is_granted_to_one
            the_same_update_again_is_a_success
            two_runs_of_one_event_finish_at_the_same_time
            an_event_is_due_from_birth_until_its_last_run_ends
            an_event_without_open_runs_is_never_due
            a_retry_moves_the_due_time_to_its_earliest_run
            a_failed_run_that_is_tried_again_is_due_again
            due_items_come_oldest_first_and_not_before_their_time
            setting_the_due_time_moves_an_event
            setting_the_due_time_loses_to_a_change_of_the_runs
            a_run_that_is_not_there_is_a_lost_race
            a_run_that_is_added_is_due_once_and_its_event_with_it
            the_webhook_body_is_kept_as_frozen
            what_went_wrong_is_listed_for_people_until_it_is_tried_again
            an_ended_run_is_settled_beside_its_siblings
        }
        $crate::store_contract! { @laws inbound $make;
            an_ignored_fact_told_twice_is_one
            a_parked_report_is_found_due_and_forgotten
            the_same_report_parked_twice_is_one
            a_parked_report_in_other_words_is_the_same_report
            a_parked_report_can_be_put_off
            another_shop_does_not_see_what_is_parked
            what_is_quarantined_is_listed_newest_first
            a_quarantined_notification_is_read_whole_and_removed_whole
            a_notification_that_is_quarantined_again_stays_one
            what_has_expired_is_not_there
        }
        $crate::store_contract! { @laws jobs $make;
            a_job_is_claimed_by_one
            a_job_is_made_once
            an_open_job_is_due_and_an_ended_one_is_not
            jobs_are_listed_newest_first
            jobs_come_with_the_change_that_wants_them
            what_is_removed_is_gone
        }
        $crate::store_contract! { @laws attempts $make;
            a_runs_attempts_are_listed_newest_first
            an_endpoints_attempts_are_paged_newest_first
            an_attempt_is_kept_for_thirty_days
            health_is_replaced_over_the_version_that_was_read
            an_endpoint_is_read_with_its_health_and_goes_with_it
        }
        $crate::store_contract! { @laws contact $make;
            the_last_contact_of_each_way_is_kept
        }
        $crate::store_contract! { @laws governor $make;
            a_governor_is_replaced_over_the_version_that_was_read
            mails_are_counted_by_window
        }
        $crate::store_contract! { @laws mail $make;
            an_address_is_suppressed_in_one_shop_for_its_first_reason
            suppressed_addresses_are_paged_by_shop
            a_place_in_line_is_taken_by_one
            outcomes_are_counted_by_week
            a_mail_that_was_asked_for_is_begun_by_one
            mails_that_are_asked_for_are_counted_by_hour
        }
        $crate::store_contract! { @laws people $make;
            a_member_is_found_by_shop_and_by_person
            a_shop_has_each_person_once
            a_member_who_is_gone_is_gone_everywhere
            a_member_is_read_with_the_shop_and_so_is_a_key
            a_sign_in_is_noted_and_brings_nobody_back
            an_invitation_is_kept_with_its_member_or_not_at_all
            a_link_is_used_by_one
        }
        $crate::store_contract! { @laws calls $make;
            a_call_is_begun_by_one
            a_call_is_finished_by_its_holder
            a_call_is_forgotten_after_a_day
            another_shop_does_not_see_a_call
        }
        $crate::store_contract! { @laws search $make;
            an_order_is_found_where_it_was_indexed
            entries_are_exchanged_by_difference
            of_two_that_index_one_order_one_loses
            entries_are_paged_by_prefix_and_shop
            orders_are_read_for_their_hits
        }
        $crate::store_contract! { @laws erase $make;
            an_order_is_deleted_with_everything_under_it
            a_number_is_listed_and_unlisted_for_one_order
        }
        $crate::store_contract! { @laws config $make;
            settings_are_written_with_every_change
            of_two_saves_of_one_version_one_wins
            a_shop_is_made_once
            a_shop_looks_as_it_said_last
            a_flow_is_read_as_it_was_saved_last
            template_versions_stay_as_they_were
            a_stored_template_version_cannot_be_replaced
            channels_carriers_and_keys_are_found_without_their_shop
            a_key_is_listed_noted_and_revoked
            a_channel_does_not_change_hands
            another_shop_finds_no_configuration_by_id
            another_shop_lists_no_configuration
        }
    };
    (@laws $part:ident $make:expr; $($law:ident)+) => {
        $(
            #[tokio::test]
            async fn $law() {
                let store = $make;
                $crate::contract::$part::$law(&store).await;
            }
        )+
    };
}
