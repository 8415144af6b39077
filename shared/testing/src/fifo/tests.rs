use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);
const OPTIONS: FifoOptions =
    FifoOptions { visibility_timeout: TIMEOUT, max_receive_count: None, retention: None, look_through: LOOK_THROUGH };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn queue() -> FifoQueue {
    FifoQueue::new("q.fifo", Uuid::from_u128(7), OPTIONS)
}

/// A queue that keeps messages for 60 seconds.
fn forgetful() -> FifoQueue {
    FifoQueue::new("q.fifo", Uuid::from_u128(7), FifoOptions { retention: Some(Duration::from_secs(60)), ..OPTIONS })
}

fn filled(messages: &[(&str, &str)]) -> FifoQueue {
    let mut queue = queue();
    for (group, body) in messages {
        queue.send(at(0), NewMessage::new(*group, *body, *body)).unwrap();
    }
    queue
}

fn receive(queue: &mut FifoQueue, now: i64, max: usize) -> Vec<ReceivedMessage> {
    queue.receive(at(now), &ReceiveOptions { max, ..Default::default() }).unwrap().messages
}

fn bodies(messages: &[ReceivedMessage]) -> Vec<&str> {
    messages.iter().map(|m| m.body.as_str()).collect()
}

#[test]
fn one_receive_gives_several_messages_of_one_group_in_order() {
    let mut queue = filled(&[("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")]);
    assert_eq!(bodies(&receive(&mut queue, 0, 10)), ["a1", "a2", "a3", "b1"]);
}

#[test]
fn a_receive_stops_at_its_maximum_and_the_rest_of_the_group_waits() {
    let mut queue = filled(&[("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")]);
    let first = receive(&mut queue, 0, 2);
    assert_eq!(bodies(&first), ["a1", "a2"]);
    assert_eq!(bodies(&receive(&mut queue, 1, 10)), ["b1"], "the group of a is blocked, that of b is not");
    queue.delete(at(2), &first[0].receipt_handle).unwrap();
    assert!(receive(&mut queue, 2, 10).is_empty(), "a2 is still in flight");
    queue.delete(at(3), &first[1].receipt_handle).unwrap();
    assert_eq!(bodies(&receive(&mut queue, 3, 10)), ["a3"]);
}

#[test]
fn a_message_returns_to_its_position_after_its_visibility_timeout() {
    let mut queue = filled(&[("a", "a1"), ("a", "a2")]);
    assert_eq!(bodies(&receive(&mut queue, 0, 1)), ["a1"]);
    assert!(receive(&mut queue, 29, 10).is_empty());
    let again = receive(&mut queue, 30, 10);
    assert_eq!(bodies(&again), ["a1", "a2"]);
    assert_eq!(again.iter().map(|m| m.receive_count).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn the_oldest_group_comes_first_and_busy_groups_are_skipped() {
    let mut queue = filled(&[("a", "a1"), ("b", "b1"), ("c", "c1")]);
    let busy = ReceiveOptions { max: 1, busy_groups: BTreeSet::from(["a".to_owned()]), ..Default::default() };
    assert_eq!(bodies(&queue.receive(at(0), &busy).unwrap().messages), ["b1"]);
    assert_eq!(bodies(&receive(&mut queue, 0, 10)), ["a1", "c1"]);
}

#[test]
fn a_visibility_timeout_can_be_shortened_extended_and_ended() {
    let mut queue = filled(&[("a", "a1")]);
    let first = receive(&mut queue, 0, 1);
    queue.change_visibility(at(1), &first[0].receipt_handle, Duration::from_secs(100)).unwrap();
    assert!(receive(&mut queue, 100, 1).is_empty());
    assert_eq!(queue.next_visible_at(), Some(at(101)));
    let second = receive(&mut queue, 101, 1);
    queue.change_visibility(at(102), &second[0].receipt_handle, Duration::ZERO).unwrap();
    assert_eq!(queue.counts(at(102)), QueueCounts { visible: 1, in_flight: 0 });
    assert_eq!(receive(&mut queue, 102, 1).len(), 1);
}

#[test]
fn a_receive_can_set_its_own_visibility_timeout() {
    let mut queue = filled(&[("a", "a1")]);
    let options = ReceiveOptions { visibility_timeout: Some(Duration::from_secs(5)), ..Default::default() };
    queue.receive(at(0), &options).unwrap();
    assert!(receive(&mut queue, 4, 1).is_empty());
    assert_eq!(receive(&mut queue, 5, 1).len(), 1);
}

#[test]
fn no_message_stays_in_flight_longer_than_twelve_hours() {
    let mut queue = filled(&[("a", "a1")]);
    let received = receive(&mut queue, 0, 1);
    queue.change_visibility(at(0), &received[0].receipt_handle, MAX_VISIBILITY).unwrap();
    let beyond = queue.change_visibility(at(1), &received[0].receipt_handle, MAX_VISIBILITY).unwrap_err();
    assert!(beyond.to_string().contains("beyond the limit [43200 seconds]"), "{beyond}");
    let too_long = Duration::from_secs(43_201);
    assert!(queue.change_visibility(at(1), &received[0].receipt_handle, too_long).is_err());
    assert!(
        queue.receive(at(1), &ReceiveOptions { visibility_timeout: Some(too_long), ..Default::default() }).is_err()
    );
}

#[test]
fn a_receipt_handle_expires_with_its_visibility_timeout() {
    let mut queue = filled(&[("a", "a1")]);
    let first = receive(&mut queue, 0, 1)[0].receipt_handle.clone();
    assert_eq!(queue.delete(at(30), &first), Err(FifoError::ReceiptHandleExpired(first.clone())), "visible again");
    let second = receive(&mut queue, 31, 1)[0].receipt_handle.clone();
    assert_ne!(first, second);
    assert_eq!(queue.delete(at(32), &first), Err(FifoError::ReceiptHandleExpired(first.clone())), "received again");
    assert_eq!(queue.change_visibility(at(32), &first, TIMEOUT), Err(FifoError::ReceiptHandleExpired(first.clone())));
    queue.delete(at(33), &second).unwrap();
    assert_eq!(queue.counts(at(33)).total(), 0);
}

#[test]
fn deleting_twice_succeeds_and_foreign_handles_are_refused() {
    let mut queue = filled(&[("a", "a1")]);
    let handle = receive(&mut queue, 0, 1)[0].receipt_handle.clone();
    queue.delete(at(1), &handle).unwrap();
    queue.delete(at(2), &handle).unwrap();
    assert_eq!(queue.change_visibility(at(2), &handle, TIMEOUT), Err(FifoError::NotAvailable(handle)));
    for foreign in ["", "nonsense", &receipt_handle("other.fifo", 1, 1), &receipt_handle("q.fifo", 9, 1)] {
        assert_eq!(queue.delete(at(2), foreign), Err(FifoError::ReceiptHandleInvalid), "{foreign}");
    }
}

#[test]
fn a_repeated_deduplication_id_returns_the_first_message_for_five_minutes() {
    let mut queue = queue();
    let first = queue.send(at(0), NewMessage::new("a", "id", "text")).unwrap();
    let received = receive(&mut queue, 1, 1);
    queue.delete(at(1), &received[0].receipt_handle).unwrap();
    let repeated = queue.send(at(299), NewMessage::new("a", "id", "text")).unwrap();
    assert!(repeated.duplicate);
    assert_eq!((&repeated.message_id, &repeated.sequence_number), (&first.message_id, &first.sequence_number));
    assert_eq!(queue.counts(at(299)).total(), 0, "a duplicate adds nothing even after the first was deleted");
    let later = queue.send(at(300), NewMessage::new("a", "id", "text")).unwrap();
    assert!(!later.duplicate);
    assert_ne!(later.message_id, first.message_id);
}

#[test]
fn deduplication_is_per_group() {
    let mut queue = queue();
    assert!(!queue.send(at(0), NewMessage::new("a", "id", "text")).unwrap().duplicate);
    assert!(!queue.send(at(0), NewMessage::new("b", "id", "text")).unwrap().duplicate);
}

#[test]
fn sequence_numbers_rise_as_text_and_as_numbers() {
    let mut queue = queue();
    let numbers: Vec<String> = (0..50)
        .map(|i| queue.send(at(0), NewMessage::new("a", format!("{i}"), "x")).unwrap().sequence_number)
        .collect();
    assert!(numbers.is_sorted());
    assert!(numbers.iter().map(|n| n.parse::<u128>().unwrap()).is_sorted_by(|a, b| a < b));
    assert!(numbers.iter().all(|n| n.len() == 20));
}

#[test]
fn system_attributes_show_the_history_of_a_message() {
    let mut queue = queue();
    queue.send(at(0), NewMessage::new("a", "id", "x")).unwrap();
    receive(&mut queue, 10, 1);
    let attributes = receive(&mut queue, 50, 1)[0].system_attributes();
    assert_eq!(attributes["SentTimestamp"], "1800000000000");
    assert_eq!(attributes["ApproximateFirstReceiveTimestamp"], "1800000010000");
    assert_eq!(attributes["ApproximateReceiveCount"], "2");
    assert_eq!(attributes["MessageGroupId"], "a");
    assert_eq!(attributes["MessageDeduplicationId"], "id");
    assert_eq!(attributes["SequenceNumber"], "18850000000000000256");
    assert!(!attributes.contains_key("DeadLetterQueueSourceArn"));
}

#[test]
fn a_message_received_too_often_is_removed_and_unblocks_its_group() {
    let mut queue = FifoQueue::new("q.fifo", Uuid::from_u128(7), FifoOptions { max_receive_count: Some(2), ..OPTIONS });
    let sent = queue.send(at(0), NewMessage::new("a", "1", "poison").with_text_attribute("k", "v")).unwrap();
    queue.send(at(0), NewMessage::new("a", "2", "fine")).unwrap();
    for receive_number in 0..2 {
        let now = receive_number * 30;
        assert_eq!(bodies(&receive(&mut queue, now, 1)), ["poison"]);
    }
    let mut third = queue.receive(at(60), &ReceiveOptions::default()).unwrap();
    assert_eq!(bodies(&third.messages), ["fine"]);
    let letter = third.dead_letters.remove(0);

    let mut dead = FifoQueue::new("dead.fifo", Uuid::from_u128(8), OPTIONS);
    dead.accept_dead_letter(at(60), letter, "arn:source");
    let moved = receive(&mut dead, 61, 1).remove(0);
    assert_eq!((moved.message_id, moved.body.as_str(), moved.group.as_str()), (sent.message_id, "poison", "a"));
    assert!(moved.attributes.contains_key("k"));
    assert_eq!((moved.sent_at, moved.receive_count), (at(60), 1));
    assert_eq!(moved.dead_letter_source.as_deref(), Some("arn:source"));
}

#[test]
fn a_purge_empties_the_queue_and_unblocks_its_groups() {
    let mut queue = filled(&[("a", "a1"), ("a", "a2")]);
    let handle = receive(&mut queue, 0, 1)[0].receipt_handle.clone();
    queue.purge();
    assert_eq!(queue.counts(at(1)).total(), 0);
    queue.delete(at(1), &handle).unwrap();
    queue.send(at(1), NewMessage::new("a", "new", "a3")).unwrap();
    assert_eq!(bodies(&receive(&mut queue, 1, 10)), ["a3"]);
}

#[test]
fn peeking_changes_nothing() {
    let mut queue = filled(&[("a", "a1"), ("b", "b1")]);
    receive(&mut queue, 0, 1);
    let seen = queue.peek();
    assert_eq!(bodies(&seen), ["a1", "b1"]);
    assert_eq!(seen[0].receive_count, 1);
    assert_eq!(queue.counts(at(1)), QueueCounts { visible: 1, in_flight: 1 });
}

#[test]
fn a_receive_of_nothing_or_of_more_than_ten_is_refused() {
    for max in [0, 11] {
        assert!(queue().receive(at(0), &ReceiveOptions { max, ..Default::default() }).is_err());
    }
}

#[test]
fn a_message_is_dropped_when_its_retention_period_ends_and_is_reported_once() {
    let mut queue = forgetful();
    let sent = queue.send(at(0), NewMessage::new("a", "1", "a1")).unwrap();
    queue.send(at(0), NewMessage::new("b", "1", "b1")).unwrap();
    queue.send(at(1), NewMessage::new("a", "2", "a2")).unwrap();
    assert!(queue.take_dropped(at(59)).is_empty());
    assert_eq!(bodies(&receive(&mut queue, 60, 10)), ["a2"], "a dropped message is not received");
    let dropped = queue.take_dropped(at(60));
    assert_eq!(bodies(&dropped), ["a1", "b1"]);
    assert_eq!((&dropped[0].message_id, dropped[0].receive_count), (&sent.message_id, 0));
    assert!(queue.take_dropped(at(60)).is_empty(), "reported twice");
    assert_eq!(queue.counts(at(61)).total(), 0, "a2 is dropped one second later, although it is in flight");
    assert_eq!(bodies(&queue.take_dropped(at(61))), ["a2"]);
}

#[test]
fn a_message_dropped_in_flight_unblocks_its_group() {
    let mut queue = forgetful();
    queue.send(at(0), NewMessage::new("a", "1", "a1")).unwrap();
    queue.send(at(50), NewMessage::new("a", "2", "a2")).unwrap();
    let handle = receive(&mut queue, 50, 1)[0].receipt_handle.clone();
    assert!(receive(&mut queue, 59, 10).is_empty(), "a1 blocks its group until its visibility timeout at 80");
    assert_eq!(bodies(&receive(&mut queue, 60, 10)), ["a2"]);
    assert_eq!(queue.change_visibility(at(60), &handle, TIMEOUT), Err(FifoError::NotAvailable(handle.clone())));
    queue.delete(at(60), &handle).unwrap();
    let dropped = queue.take_dropped(at(60));
    assert_eq!((bodies(&dropped), dropped[0].receive_count), (vec!["a1"], 1));
}

#[test]
fn a_message_can_be_deleted_until_its_retention_period_ends_and_is_not_reported_then() {
    let mut queue = forgetful();
    queue.send(at(0), NewMessage::new("a", "1", "a1")).unwrap();
    let handle = receive(&mut queue, 50, 1)[0].receipt_handle.clone();
    queue.delete(at(59), &handle).unwrap();
    assert!(queue.take_dropped(at(60)).is_empty());
}

#[test]
fn a_message_that_is_too_old_is_dropped_rather_than_given_up() {
    let retention = Some(Duration::from_secs(60));
    let options = FifoOptions { max_receive_count: Some(1), retention, ..OPTIONS };
    let mut queue = FifoQueue::new("q.fifo", Uuid::from_u128(7), options);
    queue.send(at(0), NewMessage::new("a", "1", "a1")).unwrap();
    receive(&mut queue, 0, 1);
    assert_eq!(queue.receive(at(60), &ReceiveOptions::default()).unwrap(), ReceiveResult::default());
    assert_eq!(bodies(&queue.take_dropped(at(60))), ["a1"]);
}

#[test]
fn the_retention_period_of_a_dead_letter_begins_when_it_moves() {
    let mut queue = FifoQueue::new("q.fifo", Uuid::from_u128(7), FifoOptions { max_receive_count: Some(1), ..OPTIONS });
    queue.send(at(0), NewMessage::new("a", "1", "a1")).unwrap();
    receive(&mut queue, 0, 1);
    let letter = queue.receive(at(1_000), &ReceiveOptions::default()).unwrap().dead_letters.remove(0);
    let mut dead = forgetful();
    dead.accept_dead_letter(at(1_000), letter, "arn:source");
    assert!(dead.take_dropped(at(1_059)).is_empty());
    assert_eq!(bodies(&dead.take_dropped(at(1_060))), ["a1"]);
}

#[test]
fn a_queue_without_a_retention_period_keeps_messages_until_they_are_deleted() {
    let mut queue = filled(&[("a", "a1")]);
    let years = 3_650 * 24 * 3_600;
    assert!(queue.take_dropped(at(years)).is_empty());
    assert_eq!(bodies(&receive(&mut queue, years, 1)), ["a1"]);
}

/// A queue that looks through two messages.
fn short_sighted(messages: &[(&str, &str)]) -> FifoQueue {
    let mut queue = FifoQueue::new("q.fifo", Uuid::from_u128(7), FifoOptions { look_through: 2, ..OPTIONS });
    for (group, body) in messages {
        queue.send(at(0), NewMessage::new(*group, *body, *body)).unwrap();
    }
    queue
}

#[test]
fn a_free_group_behind_the_messages_that_the_queue_looks_through_is_not_found() {
    let mut queue = short_sighted(&[("a", "a1"), ("a", "a2"), ("b", "b1")]);
    let first = receive(&mut queue, 0, 1);
    assert!(receive(&mut queue, 1, 10).is_empty(), "a1 and a2 are all that is looked through");
    queue.delete(at(2), &first[0].receipt_handle).unwrap();
    assert_eq!(bodies(&receive(&mut queue, 3, 10)), ["a2", "b1"], "in the place of a1, b1 is looked at");
}

#[test]
fn no_more_messages_are_in_flight_than_are_looked_through() {
    let mut queue = short_sighted(&[("a", "a1"), ("b", "b1"), ("c", "c1")]);
    assert_eq!(bodies(&receive(&mut queue, 0, 10)), ["a1", "b1"]);
    assert!(receive(&mut queue, 1, 10).is_empty());
    assert_eq!(bodies(&receive(&mut queue, 30, 10)), ["a1", "b1"], "messages that are visible again come first");
}

#[test]
fn a_later_message_of_a_group_that_was_found_is_not_looked_at() {
    let mut queue = short_sighted(&[("a", "a1"), ("b", "b1"), ("a", "a2")]);
    assert_eq!(bodies(&receive(&mut queue, 0, 10)), ["a1", "b1"]);
}

#[test]
fn a_purged_queue_looks_at_new_messages() {
    let mut queue = short_sighted(&[("a", "a1"), ("b", "b1"), ("c", "c1")]);
    queue.purge();
    queue.send(at(1), NewMessage::new("d", "1", "d1")).unwrap();
    assert_eq!(bodies(&receive(&mut queue, 1, 10)), ["d1"]);
}
