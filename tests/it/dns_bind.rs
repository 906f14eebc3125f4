//! Dynamic update of BIND: every scenario of `dns_scenarios`, and what is BIND's own.

use crate::{dns_scenarios, dns_scenarios::check_rehearsal_refused, support::named};

#[tokio::test]
async fn a_rehearsal_is_refused_where_the_key_may_write_other_names_only() {
    let server = named::start_with("update-policy { grant bongsu name other.example.test. ANY; };").await;
    check_rehearsal_refused(&server, "bongsu", &["REFUSED", "lets key bongsu query and update it"]).await;
}

#[tokio::test]
async fn a_rehearsal_is_refused_where_the_key_may_write_marks_and_no_addresses() {
    let server =
        named::start_with("update-policy { grant bongsu subdomain example.test. TXT; grant reader subdomain example.test. ANY; };")
            .await;
    check_rehearsal_refused(&server, "reader", &["REFUSED", "lets key bongsu query and update it"]).await;
}

dns_scenarios! { named::start:
    a_fresh_name_is_published_with_the_ttl_of_the_route
    a_name_that_was_never_written_reads_as_no_epoch
    a_higher_epoch_replaces_the_addresses_of_both_families
    a_changed_ttl_is_written_under_the_same_epoch
    the_same_answer_again_changes_nothing
    a_lower_epoch_is_stale
    an_update_decided_before_anothers_is_refused_by_the_name_server
    what_stands_under_the_same_epoch_is_left_alone_by_who_stands_in_for_the_leader
    an_update_whose_mark_did_not_change_is_taken
    of_many_writers_at_once_the_highest_epoch_stays
    a_name_of_another_service_is_left_alone
    a_wrong_secret_is_named
    an_unknown_key_is_named
    a_wrong_clock_does_not_keep_an_update_from_being_taken
    a_key_that_may_not_update_is_named
    a_zone_that_the_server_does_not_have_is_named
    an_alias_at_the_name_is_named
    a_second_server_that_is_down_does_not_hold_up_the_first
    a_rehearsal_is_taken_and_changes_nothing
    a_rehearsal_at_a_name_that_was_never_written_is_taken_and_writes_nothing
    a_rehearsal_is_refused_like_an_update_in_the_same_words
    a_server_that_never_answers_ends_within_the_limit
}
