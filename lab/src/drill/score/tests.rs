use jiff::SignedDuration;

use super::*;

fn tag(number: u16) -> Tag {
    Tag { conversation: 0, destination: Destination::ToDesk, number }
}

fn piece(number: u16) -> Piece {
    Piece { tag: tag(number), part: 0 }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms)
}

/// Messages 0, 1, ... of one person that arrived in this order, and what the desk shows.
fn evidence(sent: u16, shown: &[u16]) -> Evidence {
    Evidence {
        sent: (0..sent).map(|number| Sent { tag: tag(number), parts: 1, at: at(0), sequence: String::new() }).collect(),
        observations: (0..sent).map(|number| Observation::Arrived(tag(number))).collect(),
        shown: shown.iter().enumerate().map(|(n, number)| (piece(*number), at(10 * (n as i64 + 1)))).collect(),
        parked: BTreeMap::new(),
    }
}

/// Message 0 was taken twice, and this happened in between.
fn doubled(between: &[Observation]) -> Score {
    let mut evidence = evidence(1, &[0, 0]);
    evidence.observations.push(Observation::Started { invocation: 1, tags: vec![tag(0)] });
    evidence.observations.push(Observation::Accepted(piece(0)));
    evidence.observations.extend_from_slice(between);
    evidence.observations.push(Observation::Started { invocation: 2, tags: vec![tag(0)] });
    evidence.observations.push(Observation::Accepted(piece(0)));
    evidence.observations.push(Observation::Noted(tag(0)));
    score(&evidence)
}

#[test]
fn a_good_run_is_good() {
    let score = score(&evidence(3, &[0, 1, 2]));
    assert!(score.is_good());
    assert_eq!((score.sent, score.delivered, score.told), (3, 3, 0));
    assert_eq!(score.percentile(50), Some(Duration::from_millis(20)));
    assert_eq!(score.percentile(99), Some(Duration::from_millis(30)));
    assert_eq!(Score::default().percentile(99), None);
}

#[test]
fn a_message_that_nobody_was_shown_or_told_of_is_lost() {
    let lost = score(&evidence(3, &[0, 2]));
    assert_eq!(lost.lost, [tag(1)]);
    assert!(!lost.is_good());
    let parked = |told| score(&Evidence { parked: BTreeMap::from([(tag(1), told)]), ..evidence(3, &[0, 2]) });
    assert_eq!((parked(true).told, parked(true).lost), (1, vec![]));
    assert_eq!((parked(false).told, parked(false).lost), (0, vec![tag(1)]));
}

#[test]
fn a_long_text_is_lost_with_one_of_its_parts() {
    let mut evidence = evidence(1, &[0]);
    evidence.sent[0].parts = 2;
    assert_eq!(score(&evidence).lost, [tag(0)]);
    evidence.shown.push((Piece { tag: tag(0), part: 1 }, at(50)));
    assert_eq!(score(&evidence).percentile(50), Some(Duration::from_millis(50)));
}

#[test]
fn a_double_without_a_fault_is_one_without_excuse() {
    let score = doubled(&[]);
    assert_eq!(
        (score.doubled.as_slice(), score.doubled_in_a_window.as_slice()),
        ([piece(0)].as_slice(), [].as_slice())
    );
    assert!(!score.is_good());
}

#[test]
fn each_window_of_the_promise_excuses_one_double() {
    for (between, window) in [
        (Observation::AnswerLost(piece(0)), Window::AnswerLost),
        (Observation::Killed(1), Window::Killed),
        (Observation::NoteFailed(tag(0)), Window::NoteFailed),
    ] {
        let score = doubled(&[between]);
        assert_eq!(score.doubled_in_a_window, [(piece(0), window)]);
        assert!(score.is_good());
    }
}

#[test]
fn what_happens_after_the_note_or_to_others_excuses_nothing() {
    for between in [
        vec![Observation::Noted(tag(0)), Observation::Killed(1)],
        vec![Observation::Killed(7)],
        vec![Observation::AnswerLost(piece(1)), Observation::NoteFailed(tag(1))],
    ] {
        assert_eq!(doubled(&between).doubled, [piece(0)], "{between:?}");
    }
}

#[test]
fn one_excuse_is_good_for_one_double_only() {
    let mut evidence = evidence(1, &[0, 0, 0]);
    evidence.observations.extend([
        Observation::Accepted(piece(0)),
        Observation::AnswerLost(piece(0)),
        Observation::Accepted(piece(0)),
        Observation::Accepted(piece(0)),
    ]);
    let score = score(&evidence);
    assert_eq!((score.doubled_in_a_window.len(), score.doubled), (1, vec![piece(0)]));
}

#[test]
fn disorder_is_judged_by_the_order_in_which_the_connector_got_the_messages() {
    assert_eq!(score(&evidence(3, &[0, 2, 1])).out_of_order, [piece(1)]);
    let mut swapped = evidence(3, &[0, 2, 1]);
    swapped.observations.swap(1, 2);
    assert_eq!(score(&swapped).out_of_order, []);
    // The connector may have put them right.
    let mut mended = evidence(3, &[0, 1, 2]);
    mended.observations.swap(1, 2);
    assert_eq!(score(&mended).out_of_order, []);
}

#[test]
fn a_double_that_comes_after_later_messages_is_out_of_order_too() {
    assert_eq!(score(&evidence(2, &[0, 0, 1])).out_of_order, []);
    assert_eq!(score(&evidence(2, &[0, 1, 0])).out_of_order, [piece(0)]);
}

#[test]
fn the_two_ways_and_other_people_have_an_order_of_their_own() {
    let mut evidence = evidence(2, &[1]);
    for other in [Tag { destination: Destination::ToPhone, ..tag(0) }, Tag { conversation: 1, ..tag(0) }] {
        evidence.observations.insert(0, Observation::Arrived(other));
        evidence.shown.push((Piece { tag: other, part: 0 }, at(99)));
    }
    assert_eq!(score(&evidence).out_of_order, []);
}

#[test]
fn an_agents_messages_are_in_order_within_their_conversation_only() {
    let mut evidence = evidence(3, &[2, 0, 1]);
    assert_eq!(score(&evidence).out_of_order, [piece(0), piece(1)]);
    evidence.sent[2].sequence = "the next one".to_owned();
    assert_eq!(score(&evidence).out_of_order, []);
}
