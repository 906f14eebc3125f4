use super::*;
use crate::cli::demo::summary::{Ending, Summary};

const LOST: &str = "127.0.0.2:80";
const OTHER: &str = "127.0.0.3:80";
const PREDICTED: u64 = 1_000;

/// A story in which the first of two data centers was lost at tick 100, and then the citizen got these answers: when
/// each was asked for, when it came, and from where.
fn after_the_fault(answers: &[(u64, u64, Option<&str>)]) -> Story {
    let mut story = Story::default();
    for (region, service) in [("daejeon", LOST), ("gwangju", OTHER)] {
        let service = Some(service.parse().unwrap());
        let region = RegionName::new(region);
        story.take(Tick(0), &Event::Region { region, service, name_server: None, witness: false });
    }
    story.predicted_millis = Some(PREDICTED);
    story.fault = Some((Tick(100), Timestamp(5_000)));
    story.take(Tick(100), &Event::Fault { lost: vec!["daejeon".to_owned()] });
    for (begun, at, from) in answers {
        let address = from.map(|from| from.parse::<SocketAddr>().unwrap().ip());
        let error = address.is_none().then(|| "no answer".to_owned());
        let ok = error.is_none();
        let event = Event::Request { ok, begun: Tick(*begun), address, latency_millis: 1, error };
        story.take(Tick(*at), &event);
    }
    story
}

fn check(answers: &[(u64, u64, Option<&str>)], served: Option<u64>, ending: Ending) {
    let story = after_the_fault(answers);
    let summary = Summary::of(&story, Vec::new());
    assert_eq!((summary.rto_millis, summary.outcome), (served, ending), "{answers:?}");
}

#[test]
fn the_first_good_answer_of_another_place_is_the_recovery() {
    check(&[(150, 160, None), (300, 340, Some(OTHER)), (500, 501, Some(OTHER))], Some(240), Ending::Served);
}

#[test]
fn an_answer_that_was_asked_for_before_the_fault_is_no_recovery() {
    check(&[(99, 101, Some(OTHER))], None, Ending::Failed);
}

#[test]
fn an_answer_of_the_lost_place_is_no_recovery() {
    check(&[(100, 101, Some(LOST))], None, Ending::Failed);
}

#[test]
fn a_recovery_after_the_predicted_time_has_failed() {
    check(&[(1_090, 1_100, Some(OTHER))], Some(PREDICTED), Ending::Served);
    check(&[(1_090, 1_101, Some(OTHER))], Some(PREDICTED + 1), Ending::Failed);
}

#[test]
fn errors_after_the_recovery_are_counted_apart() {
    let story = after_the_fault(&[(150, 160, None), (300, 340, Some(OTHER)), (500, 501, None)]);
    let summary = Summary::of(&story, Vec::new());
    assert_eq!((summary.errors, summary.errors_after_served), (2, 1));
}

#[test]
fn what_cannot_be_done_while_everything_starts_is_no_news() {
    let blocked = Event::NextMove { outcome: "Blocked".to_owned(), message: String::new() };
    assert!(!Story::default().is_news(&blocked));
    assert!(after_the_fault(&[]).is_news(&blocked));
}
