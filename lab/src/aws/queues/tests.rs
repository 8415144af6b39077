//! Tests of creating queues, of dead-letter queues, purges and attributes.

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn queues(max_receive_count: u32) -> Queues {
    let mut queues = Queues::new("eu-west-1", "111122223333", Uuid::from_u128(3));
    queues.create(at(0), "dead.fifo", QueueSettings::default()).unwrap();
    queues.create(at(0), "live.fifo", settings(max_receive_count)).unwrap();
    queues
}

fn settings(max_receive_count: u32) -> QueueSettings {
    let redrive = Redrive { dead_letter_queue: "dead.fifo".to_owned(), max_receive_count };
    QueueSettings { redrive: Some(redrive), ..QueueSettings::default() }
}

#[test]
fn a_message_received_too_often_moves_to_the_dead_letter_queue() {
    let mut queues = queues(1);
    let sent = queues.send(at(0), "live.fifo", NewMessage::new("g", "d", "text")).unwrap();
    assert_eq!(queues.receive(at(0), "live.fifo", &ReceiveOptions::default()).unwrap().len(), 1);
    assert!(queues.receive(at(30), "live.fifo", &ReceiveOptions::default()).unwrap().is_empty());
    assert_eq!(queues.counts(at(30), "live.fifo").unwrap().total(), 0);
    let dead = queues.peek("dead.fifo").unwrap();
    assert_eq!(dead[0].message_id, sent.message_id);
    assert_eq!(dead[0].dead_letter_source.as_deref(), Some("arn:aws:sqs:eu-west-1:111122223333:live.fifo"));
}

#[test]
fn every_change_relevant_to_a_receiver_changes_the_revision() {
    let mut queues = queues(1);
    let mut last = queues.revision();
    let mut changed = |queues: &Queues| std::mem::replace(&mut last, queues.revision()) != queues.revision();
    queues.send(at(0), "live.fifo", NewMessage::new("g", "d", "text")).unwrap();
    assert!(changed(&queues));
    queues.send(at(0), "live.fifo", NewMessage::new("g", "d", "text")).unwrap();
    assert!(!changed(&queues), "a duplicate changes nothing");
    let handle = queues.receive(at(0), "live.fifo", &ReceiveOptions::default()).unwrap()[0].receipt_handle.clone();
    assert!(changed(&queues));
    queues.receive(at(0), "live.fifo", &ReceiveOptions::default()).unwrap();
    assert!(!changed(&queues), "an empty receive changes nothing");
    queues.change_visibility(at(0), "live.fifo", &handle, Duration::from_secs(1)).unwrap();
    assert!(changed(&queues));
    queues.delete(at(0), "live.fifo", &handle).unwrap();
    assert!(changed(&queues));
}

#[test]
fn a_queue_can_be_created_again_with_the_same_settings_only() {
    let mut queues = queues(5);
    queues.create(at(9), "live.fifo", settings(5)).unwrap();
    assert_eq!(queues.create(at(9), "live.fifo", settings(6)), Err(FifoError::QueueExists("RedrivePolicy")));
    let other = QueueSettings { visibility_timeout: Duration::from_secs(1), ..settings(5) };
    assert_eq!(queues.create(at(9), "live.fifo", other), Err(FifoError::QueueExists("VisibilityTimeout")));
}

#[test]
fn names_and_policies_that_aws_refuses_are_refused() {
    let mut queues = queues(5);
    for name in ["standard", ".fifo", "a b.fifo", &format!("{}.fifo", "x".repeat(76))] {
        assert!(queues.create(at(0), name, QueueSettings::default()).is_err(), "{name}");
    }
    for (target, count) in [("missing.fifo", 5), ("dead.fifo", 0), ("dead.fifo", 1001), ("new.fifo", 5)] {
        let redrive = Redrive { dead_letter_queue: target.to_owned(), max_receive_count: count };
        let settings = QueueSettings { redrive: Some(redrive), ..QueueSettings::default() };
        assert!(queues.create(at(0), "new.fifo", settings).is_err(), "{target} {count}");
    }
}

#[test]
fn a_second_purge_waits_a_minute() {
    let mut queues = queues(5);
    queues.purge(at(0), "live.fifo").unwrap();
    assert_eq!(queues.purge(at(59), "live.fifo"), Err(FifoError::PurgeInProgress("live.fifo".to_owned())));
    queues.purge(at(60), "live.fifo").unwrap();
}

#[test]
fn attributes_contain_counts_and_policy() {
    let mut queues = queues(5);
    queues.send(at(0), "live.fifo", NewMessage::new("g", "1", "text")).unwrap();
    queues.send(at(0), "live.fifo", NewMessage::new("g", "2", "text")).unwrap();
    queues.receive(at(0), "live.fifo", &ReceiveOptions { max: 1, ..Default::default() }).unwrap();
    let attributes = queues.attributes(at(1), "live.fifo").unwrap();
    assert_eq!(attributes["ApproximateNumberOfMessages"], "1");
    assert_eq!(attributes["ApproximateNumberOfMessagesNotVisible"], "1");
    let policy: serde_json::Value = serde_json::from_str(&attributes["RedrivePolicy"]).unwrap();
    assert_eq!(policy["deadLetterTargetArn"], "arn:aws:sqs:eu-west-1:111122223333:dead.fifo");
    assert_eq!(policy["maxReceiveCount"], 5);
    assert!(queues.attributes(at(1), "missing.fifo").is_err());
}
