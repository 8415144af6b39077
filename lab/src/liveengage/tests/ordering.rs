//! Tests of duplicated, swapped and late notifications.

use std::time::Duration;

use super::{ACCOUNT, Consumer, Receiver, simulator};
use crate::liveengage::WebhookSettings;
use crate::liveengage::{DeskError, WebhookChaos};

/// The texts that a receiver gets when they are sent at once, by conversation.
async fn texts_under(chaos: Option<WebhookChaos>, conversations: usize, texts: usize) -> Vec<Vec<String>> {
    let simulator = simulator().await;
    let mut ids = Vec::new();
    for number in 0..conversations {
        let id = Consumer::new(&simulator, &format!("phone-{number}")).await.open().await;
        simulator.join(&id).unwrap();
        ids.push(id);
    }
    let receiver = Receiver::accepting().await;
    simulator.set_webhooks(ACCOUNT, WebhookSettings { chaos, ..receiver.settings() });
    for id in &ids {
        for number in 0..texts {
            simulator.say(id, &number.to_string()).unwrap();
        }
    }
    simulator.webhooks_settled().await;
    let received = receiver.received();
    let of = |id: &String| {
        let own = received.iter().filter(|call| call.change()["conversationId"] == id.as_str());
        own.flat_map(|call| call.texts()).collect()
    };
    ids.iter().map(of).collect()
}

#[tokio::test]
async fn the_next_notification_can_be_overtaken() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    let receiver = Receiver::accepting().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.overtake_next_webhook(&conversation, Duration::from_secs(10)).unwrap();
    for text in ["1", "2", "3"] {
        simulator.say(&conversation, text).unwrap();
    }
    simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["2", "1", "3"]);
    let unknown = simulator.overtake_next_webhook("nowhere", Duration::ZERO);
    assert_eq!(unknown, Err(DeskError::UnknownConversation("nowhere".to_owned())));
}

#[tokio::test]
async fn a_held_notification_is_sent_when_nothing_overtakes_it() {
    let simulator = simulator().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    let receiver = Receiver::accepting().await;
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    simulator.overtake_next_webhook(&conversation, Duration::from_millis(50)).unwrap();
    simulator.say(&conversation, "1").unwrap();
    simulator.webhooks_settled().await;
    assert_eq!(receiver.texts(), ["1"]);
}

#[tokio::test]
async fn chaos_duplicates_reorders_and_delays_but_loses_nothing() {
    let chaos = WebhookChaos {
        seed: 7,
        duplicate_per_mille: 300,
        swap_per_mille: 300,
        delay_per_mille: 200,
        longest_delay: Duration::from_millis(100),
    };
    let texts = texts_under(Some(chaos), 2, 20).await;
    for received in &texts {
        let mut numbers: Vec<usize> = received.iter().map(|text| text.parse().unwrap()).collect();
        assert!(numbers.len() > 20, "some come twice: {received:?}");
        assert!(!numbers.is_sorted(), "some are swapped: {received:?}");
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    }
    assert_ne!(texts[0], texts[1], "each conversation has its own failures");
    assert_eq!(texts_under(Some(chaos), 2, 20).await, texts, "the same seed, the same disorder");
}

#[tokio::test]
async fn without_chaos_everything_is_in_order() {
    let texts = texts_under(None, 1, 20).await;
    assert_eq!(texts[0], (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}
