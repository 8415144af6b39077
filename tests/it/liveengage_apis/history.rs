//! A consumer's history, from the first text to the last page.

use connector_lab::liveengage::Service as Simulated;
use connector_liveengage::{
    LiveEngageError,
    domain_api::Service,
    event::AcceptStatus,
    history::{
        ConversationHistory, ConversationSearch, conversations_answer, conversations_request, events_answer,
        events_request,
    },
    id::{ConversationId, Sequence},
    identity::ConsumerToken,
    notification::{EventKind, Role},
};
use http::StatusCode;

use super::{Client, Consumer};

/// The ids of all pages, and how many pages there are.
async fn list(consumer: &Consumer<'_>, search: ConversationSearch) -> (Vec<ConversationId>, usize) {
    let (mut search, mut ids, mut pages) = (Some(search), Vec::new(), 0);
    let Client { account, .. } = consumer.client;
    while let Some(this) = search {
        let host = consumer.client.host(Service::History);
        let call = conversations_request(host, account, &consumer.identity.token, &this).unwrap();
        let page = conversations_answer(&consumer.client.call(call).await).unwrap();
        assert!(page.conversations.iter().all(|conversation| conversation.closed == Some(true)));
        search = this.next(&page);
        ids.extend(page.conversations.into_iter().map(|conversation| conversation.id));
        pages += 1;
    }
    (ids, pages)
}

async fn events(
    consumer: &Consumer<'_>,
    token: &ConsumerToken,
    conversation: &ConversationId,
) -> Result<ConversationHistory, LiveEngageError> {
    let Client { account, .. } = consumer.client;
    let call = events_request(consumer.client.host(Service::History), account, token, conversation).unwrap();
    events_answer(&consumer.client.call(call).await)
}

#[tokio::test]
async fn all_conversations_that_have_ended_are_found_page_by_page() {
    let client = Client::new().await;
    let consumer = client.consumer("consumer-1").await;
    let mut ended = Vec::new();
    for _ in 0..5 {
        let conversation = consumer.open().await;
        consumer.close(&conversation).await;
        ended.push(conversation);
    }
    let open = consumer.open().await;
    let (mut found, pages) = list(&consumer, ConversationSearch::default().at_most(2)).await;
    assert_eq!(pages, 3);
    // Two that started in the same millisecond have no order.
    found.sort();
    ended.sort();
    assert_eq!(found, ended);
    assert!(!found.contains(&open));
    assert_eq!(list(&client.consumer("consumer-2").await, ConversationSearch::default()).await, (vec![], 1));
}

#[tokio::test]
async fn the_events_of_an_open_conversation_are_what_both_sides_wrote() {
    let client = Client::new().await;
    let consumer = client.consumer("consumer-1").await;
    let conversation = consumer.open().await;
    consumer.say(&conversation, "Is anybody there?").await;
    client.simulator.say(conversation.as_str(), "Good morning").unwrap();
    client.simulator.read(conversation.as_str()).unwrap();

    let history = events(&consumer, &consumer.identity.token, &conversation).await.unwrap();
    assert_eq!((history.events.len(), history.unreadable), (3, 0));
    let text = |text: &str| {
        let is_it = |kind: &EventKind| matches!(kind, EventKind::Text(found) if found.as_str() == text);
        history.events.iter().find(|event| is_it(&event.kind)).unwrap()
    };
    let (asked, answered) = (text("Is anybody there?"), text("Good morning"));
    assert_eq!((asked.sequence, answered.sequence), (Some(Sequence(0)), Some(Sequence(1))));
    assert!(asked.is_by(&consumer.identity.lp_consumer_id) && !answered.is_by(&consumer.identity.lp_consumer_id));
    assert!(history.events.iter().all(|event| event.at.is_some() && event.role == Role::Unknown));
    let read = EventKind::AcceptStatus { status: Some(AcceptStatus::Read), sequences: vec![Sequence(0)] };
    assert!(history.events.iter().any(|event| event.kind == read));
}

#[tokio::test]
async fn a_token_that_is_not_the_consumers_is_refused_as_one() {
    let client = Client::new().await;
    let consumer = client.consumer("consumer-1").await;
    let conversation = consumer.open().await;
    let refused = events(&consumer, &ConsumerToken::new("not.a.token"), &conversation).await;
    assert!(matches!(refused, Err(LiveEngageError::ConsumerJwsRefused { .. })), "{refused:?}");
    // Another consumer finds nothing.
    let other = client.consumer("consumer-2").await;
    let nothing = events(&other, &other.identity.token, &conversation).await;
    assert_eq!(nothing, Ok(ConversationHistory::default()));
    client.simulator.fail_next(Simulated::History, StatusCode::TOO_MANY_REQUESTS, "");
    let limited = events(&consumer, &consumer.identity.token, &conversation).await;
    assert!(matches!(limited, Err(LiveEngageError::RateLimited { .. })), "{limited:?}");
}
