//! Events that don't prove that an attempt without an answer was published.

use serde_json::json;

use super::world::{ANNA, Fault, SEND, World, account, at, attempt, change, event, from_consumer, line, owner, who};
use connector::{
    domain::{
        delivery::{Acquired, Lease},
        message_key::MessageKey,
        receipt::{InboundReceipt, LedgerEntry},
        uncertain::UncertainOutcome,
    },
    port::Messages,
};
use connector_channels::id::ProviderMessageId;
use connector_liveengage::id::{AccountId, DialogId, Sequence};

/// A text that was not published and whose answer was lost, and another event of the consumer in the same dialog after it.
#[tokio::test]
async fn the_echo_of_another_text_proves_nothing() {
    let world = World::talking(ANNA).await;
    let task = from_consumer("mo-2", ANNA, "two");
    world.fault(SEND, Fault::Answer(504, json!({})));
    world.workers().to_liveengage.work(&task, &attempt("a", 0)).await.unwrap_err();
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "something else"});
    let other = event("c1", 7, "CONSUMER", "ALL", &content);
    let echo = change("ms.MessagingEventNotification", 1, &other);
    world.workers().to_channel.work(&echo, &attempt("echo", 1)).await.unwrap();
    world.workers().to_liveengage.work(&task, &attempt("b", 5)).await.unwrap();
    assert_eq!(world.other().texts, [("c1".to_owned(), "two".to_owned())]);
}

/// Records the consumer's last message: number 99 of the dialog c1, in this account.
async fn set_last_inbound_account(world: &World, account: AccountId) {
    let id = ProviderMessageId::new("mo-before").unwrap();
    let lease = Lease {
        message: MessageKey::FromChannel { line: line(), name: "mo-before".to_owned() },
        owner: owner("before"),
    };
    let begun = world.store.acquire(&lease, at(0), at(30)).await.unwrap();
    assert!(matches!(begun, Acquired::Started { uncertain: UncertainOutcome { attempts: 0, .. }, .. }));
    let receipt = InboundReceipt {
        account,
        dialog: DialogId::new("c1").unwrap(),
        sequence: Sequence(99),
        consumer: who(ANNA),
        id,
        at: at(0),
        by_position: false,
    };
    world.store.complete(&lease, Some(&LedgerEntry::InboundReceipt(receipt))).await.unwrap();
}

/// Every account numbers its own dialogs, so the last number in one account says nothing about the numbers in another.
#[tokio::test]
async fn the_last_number_in_another_account_hides_no_proof() {
    for (last, parked) in [(AccountId::new("55512345").unwrap(), 0), (account(), 1)] {
        let world = World::talking(ANNA).await;
        set_last_inbound_account(&world, last).await;
        let task = from_consumer("mo-2", ANNA, "two");
        world.fault(SEND, Fault::LoseAnswer);
        world.workers().to_liveengage.work(&task, &attempt("a", 1)).await.unwrap_err();
        world.receive_echoes(2).await;
        world.workers().to_liveengage.work(&task, &attempt("b", 6)).await.unwrap();
        assert_eq!((world.other().texts.len(), world.store.parked().len()), (1, parked));
    }
}
