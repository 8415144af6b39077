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

/// Messages 0, 1, ... of one consumer that arrived in this order, and what the desk shows.
fn evidence(sent: u16, shown: &[u16]) -> Evidence {
    Evidence {
        sent: (0..sent)
            .map(|number| SentMessage { tag: tag(number), parts: 1, at: at(0), sequence: String::new() })
            .collect(),
        observations: (0..sent).map(|number| Observation::Arrived(tag(number))).collect(),
        shown: shown.iter().enumerate().map(|(n, number)| (piece(*number), at(10 * (n as i64 + 1)))).collect(),
        ..Evidence::default()
    }
}

/// Message 0 was accepted twice, with these observations in between.
fn doubled(between: &[Observation]) -> Score {
    let mut evidence = evidence(1, &[0, 0]);
    evidence.observations.push(Observation::Started { invocation: 1, tags: vec![tag(0)] });
    evidence.observations.push(Observation::Accepted(piece(0)));
    evidence.observations.extend_from_slice(between);
    evidence.observations.push(Observation::Started { invocation: 2, tags: vec![tag(0)] });
    evidence.observations.push(Observation::Accepted(piece(0)));
    evidence.observations.push(Observation::StepSaved(tag(0)));
    score(&evidence)
}

#[test]
fn a_run_that_delivers_everything_in_order_passes() {
    let score = score(&evidence(3, &[0, 1, 2]));
    assert!(score.is_good());
    assert_eq!((score.sent, score.delivered, score.parked_with_notice), (3, 3, 0));
    assert_eq!(score.percentile(50), Some(Duration::from_millis(20)));
    assert_eq!(score.percentile(99), Some(Duration::from_millis(30)));
    assert_eq!(Score::default().percentile(99), None);
}

#[test]
fn a_message_neither_shown_nor_reported_is_lost() {
    let lost = score(&evidence(3, &[0, 2]));
    assert_eq!(lost.lost, [tag(1)]);
    assert!(!lost.is_good());
    let parked = |parked_with_notice| {
        score(&Evidence { parked: BTreeMap::from([(tag(1), parked_with_notice)]), ..evidence(3, &[0, 2]) })
    };
    assert_eq!((parked(true).parked_with_notice, parked(true).lost), (1, vec![]));
    assert_eq!((parked(false).parked_with_notice, parked(false).lost), (0, vec![tag(1)]));
}

#[test]
fn a_message_that_is_still_under_way_is_not_lost() {
    let stopped = Evidence { under_way: BTreeSet::from([tag(0), tag(1)]), ..evidence(3, &[0, 2]) };
    let score = score(&stopped);
    assert_eq!((score.sent, score.delivered, score.under_way.as_slice()), (3, 2, [tag(1)].as_slice()));
    assert!(score.is_good());
    let one_lost = Evidence { under_way: BTreeSet::from([tag(1)]), ..evidence(3, &[2]) };
    assert_eq!(super::score(&one_lost).lost, [tag(0)]);
    let told = Evidence { parked: BTreeMap::from([(tag(1), true)]), ..stopped };
    assert_eq!((super::score(&told).parked_with_notice, super::score(&told).under_way), (1, vec![]));
}

#[test]
fn a_long_text_with_a_missing_part_is_lost() {
    let mut evidence = evidence(1, &[0]);
    evidence.sent[0].parts = 2;
    assert_eq!(score(&evidence).lost, [tag(0)]);
    evidence.shown.push((Piece { tag: tag(0), part: 1 }, at(50)));
    assert_eq!(score(&evidence).percentile(50), Some(Duration::from_millis(50)));
}

#[test]
fn a_duplicate_without_a_fault_fails_the_run() {
    let score = doubled(&[]);
    assert_eq!(
        (score.doubled.as_slice(), score.doubled_in_a_window.as_slice()),
        ([piece(0)].as_slice(), [].as_slice())
    );
    assert!(!score.is_good());
}

#[test]
fn each_documented_window_allows_one_duplicate() {
    for (between, window) in [
        (Observation::AnswerLost(piece(0)), Window::AnswerLost),
        (Observation::Killed(1), Window::Killed),
        (Observation::SaveFailed(tag(0)), Window::SaveFailed),
    ] {
        let score = doubled(&[between]);
        assert_eq!(score.doubled_in_a_window, [(piece(0), window)]);
        assert!(score.is_good());
    }
}

#[test]
fn faults_after_the_save_or_of_other_messages_allow_no_duplicate() {
    for between in [
        vec![Observation::StepSaved(tag(0)), Observation::Killed(1)],
        vec![Observation::Killed(7)],
        vec![Observation::AnswerLost(piece(1)), Observation::SaveFailed(tag(1))],
    ] {
        assert_eq!(doubled(&between).doubled, [piece(0)], "{between:?}");
    }
}

#[test]
fn one_fault_allows_one_duplicate_only() {
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
fn order_is_judged_by_arrival_at_the_connector() {
    assert_eq!(score(&evidence(3, &[0, 2, 1])).out_of_order, [piece(1)]);
    let mut swapped = evidence(3, &[0, 2, 1]);
    swapped.observations.swap(1, 2);
    assert_eq!(score(&swapped).out_of_order, []);
    // The connector may have restored the order.
    let mut restored = evidence(3, &[0, 1, 2]);
    restored.observations.swap(1, 2);
    assert_eq!(score(&restored).out_of_order, []);
}

#[test]
fn a_duplicate_after_later_messages_is_out_of_order() {
    assert_eq!(score(&evidence(2, &[0, 0, 1])).out_of_order, []);
    assert_eq!(score(&evidence(2, &[0, 1, 0])).out_of_order, [piece(0)]);
}

#[test]
fn each_direction_and_each_consumer_has_its_own_order() {
    let mut evidence = evidence(2, &[1]);
    for other in [Tag { destination: Destination::ToPhone, ..tag(0) }, Tag { conversation: 1, ..tag(0) }] {
        evidence.observations.insert(0, Observation::Arrived(other));
        evidence.shown.push((Piece { tag: other, part: 0 }, at(99)));
    }
    assert_eq!(score(&evidence).out_of_order, []);
}

#[test]
fn agent_messages_are_ordered_within_their_conversation_only() {
    let mut evidence = evidence(3, &[2, 0, 1]);
    assert_eq!(score(&evidence).out_of_order, [piece(0), piece(1)]);
    evidence.sent[2].sequence = "the next one".to_owned();
    assert_eq!(score(&evidence).out_of_order, []);
}
