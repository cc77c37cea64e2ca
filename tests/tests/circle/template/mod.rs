//! `template.yaml` against the code: what a function reads, how long it lives, what it may do. Each check gives its
//! complaints, so that a last test can plant faults and see every check bite.

mod document;
mod functions;
mod http;
mod planted;
mod queues;
mod restored;
mod rights;
mod store;
mod watched;

use serde_json::Value;

/// Complaints about the template; none is good.
type Check = fn(&Value) -> Vec<String>;

fn holds(check: Check) {
    let wrong = check(&document::with_own_table(&document::template()));
    assert!(wrong.is_empty(), "template.yaml:\n- {}", wrong.join("\n- "));
}

#[test]
fn every_function_of_the_code_is_deployed_and_no_other() {
    holds(functions::code);
}

#[test]
fn law_18_what_may_call_this_machine_is_built_for_a_rehearsal_alone() {
    let makefile = document::read("Makefile");
    let recipe = |target: &str| {
        let (_, rest) = makefile.split_once(&format!("\n{target}: ")).unwrap();
        rest.split("\n\n").next().unwrap().to_owned()
    };
    assert!(!recipe("build").contains("features"), "a deployment is built without features");
    assert!(!recipe("deploy").contains("E2E"), "a deployment is of what `make build` built");
    assert!(recipe("e2e-build").contains("--lambda-dir $(E2E)/"), "a rehearsal's functions lie apart");
    for folder in document::folders() {
        let manifest = document::read(&format!("functions/{folder}/Cargo.toml"));
        let (features, uses) = manifest.split_once("[dependencies]").unwrap();
        assert!(!features.contains("default"), "{folder} has features that nobody asked for");
        assert!(!uses.contains("rehearsal"), "{folder} turns on a rehearsal by itself");
    }
}

#[test]
fn a_function_gets_the_variables_that_it_reads() {
    holds(functions::variables);
}

#[test]
fn a_function_lives_as_long_as_the_code_counts_on() {
    holds(functions::timeouts);
}

#[test]
fn no_secret_stands_in_the_template() {
    holds(functions::secrets);
}

#[test]
fn no_right_has_a_wildcard_and_every_function_has_a_role_of_its_own() {
    holds(rights::no_wildcards);
}

#[test]
fn a_function_reaches_what_it_is_told_of_and_no_other_queue_or_key() {
    holds(rights::reach);
}

#[test]
fn law_20_rights_on_the_table_end_with_the_keys_that_a_function_has_to_do_with() {
    holds(rights::leading_keys);
}

#[test]
fn law_19_a_function_opens_its_own_kinds_of_secrets() {
    holds(rights::kinds_of_secrets);
}

#[test]
fn the_tracking_page_can_only_read() {
    holds(rights::tracking_reads);
}

#[test]
fn law_20_what_stores_and_carriers_call_changes_nothing_that_a_shop_has_set() {
    holds(rights::webhooks_only_add);
}

#[test]
fn a_queue_hides_messages_long_enough_and_has_dead_letters() {
    holds(queues::queues);
}

#[test]
fn a_failed_record_comes_back_alone_and_dispatch_hears_of_new_events_and_jobs_only() {
    holds(queues::mappings);
}

#[test]
fn what_fails_is_told_to_somebody() {
    holds(queues::alarms);
}

#[test]
fn what_is_watched_is_what_the_functions_measure() {
    holds(watched::figures);
}

#[test]
fn every_alarm_stands_in_the_runbook_and_every_section_is_of_an_alarm() {
    holds(watched::runbook);
}

#[test]
fn law_19_every_field_of_a_log_line_stands_in_the_runbook() {
    let wrong = watched::fields();
    assert!(wrong.is_empty(), "docs/runbook.md:\n- {}", wrong.join("\n- "));
}

#[test]
fn every_route_is_there_is_throttled_and_may_call_its_function() {
    holds(http::routes);
}

#[test]
fn every_method_that_a_tracking_page_answers_has_a_route() {
    holds(http::tracking_methods);
}

#[test]
fn law_19_the_access_log_tells_no_bodies_addresses_or_tokens() {
    holds(http::access_log);
}

#[test]
fn a_restored_table_takes_the_place_of_the_own_one_everywhere_and_a_pause_stops_all_that_works() {
    let wrong = restored::restored(&document::template());
    assert!(wrong.is_empty(), "template.yaml:\n- {}", wrong.join("\n- "));
}

#[test]
fn the_table_is_the_one_that_the_store_was_written_for() {
    holds(store::table);
}
