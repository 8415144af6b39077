//! Tests of the rules for connectors and of their violations.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ACCOUNT, BAD, Consumer, Receiver, opening, options, publication, refusal, simulator, text_event};
use crate::journal::Journal;
use crate::liveengage::options::LiveEngageOptions;
use crate::liveengage::simulator::LiveEngageSimulator;
use crate::liveengage::{ChatState, Role};

fn chat_state(state: &str) -> Value {
    json!({ "type": "ChatStateEvent", "chatState": state })
}

#[tokio::test]
async fn typing_continues_after_the_text_until_another_state() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    let view = || simulator.conversation(&conversation).unwrap();
    assert_eq!(view().consumer_chat_state(), None);
    consumer.publish(&conversation, &chat_state("COMPOSING")).await;
    consumer.say(&conversation, "Hello").await;
    assert!(view().consumer_is_typing);
    consumer.publish(&conversation, &chat_state("ACTIVE")).await;
    assert!(!view().consumer_is_typing);
    let states: Vec<ChatState> = view().consumer_chat_states.iter().map(|state| state.chat_state).collect();
    assert_eq!(states, [ChatState::Composing, ChatState::Active]);
    assert!(view().consumer_chat_states.is_sorted_by_key(|state| state.at_ms));
    assert_eq!(view().consumer_chat_state(), Some(ChatState::Active));
}

#[tokio::test]
async fn receipts_must_name_sequences_of_the_dialog() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.say(&conversation, "One").unwrap();
    simulator.say(&conversation, "Two").unwrap();
    let receipt =
        |sequences: Value| json!({ "type": "AcceptStatusEvent", "status": "READ", "sequenceList": sequences });
    for sequences in [json!([2]), json!([0, 7]), json!([]), json!([-1]), json!(["0"])] {
        assert_eq!(refusal(&consumer.publish(&conversation, &receipt(sequences.clone())).await), BAD, "{sequences}");
    }
    let view = simulator.conversation(&conversation).unwrap();
    assert!(view.transcript.iter().all(|line| line.receipts.is_empty()));
    assert_eq!(consumer.publish(&conversation, &receipt(json!([0, 1]))).await.0, 200);
}

#[tokio::test]
async fn consumers_have_no_private_audience() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    for audience in ["AGENTS_AND_MANAGERS", "ALL"] {
        let mut request = publication(&conversation, &text_event("Hello"));
        request["body"]["messageAudience"] = json!(audience);
        assert_eq!(refusal(&consumer.send(&request).await), BAD, "{audience}");
    }
    assert!(simulator.conversation(&conversation).unwrap().transcript.is_empty());
}

#[tokio::test]
async fn a_profile_with_other_attributes_is_refused_by_both_calls() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let cart = json!({ "authenticatedData": { "lp_sdes": [{ "type": "cart", "total": 12.5 }] } });
    let mut batch = opening(&json!({ "brandId": ACCOUNT }));
    batch[0]["body"] = cart.clone();
    assert_eq!(refusal(&consumer.conversation(&batch).await), BAD);
    assert!(simulator.conversations().is_empty());

    consumer.open().await;
    let set =
        |profile: Value| json!({ "kind": "req", "id": "p", "type": "userprofile.SetUserProfile", "body": profile });
    assert_eq!(refusal(&consumer.send(&set(cart)).await), BAD);
    let customer = json!({ "type": "ctmrinfo", "info": { "socialId": "771", "ctype": "gold" } });
    let good = json!({ "authenticatedData": { "lp_sdes": [customer] } });
    assert_eq!(consumer.send(&set(good.clone())).await.0, 200);
    assert_eq!(simulator.conversations()[0].consumer.profile, good);
}

#[tokio::test]
async fn the_client_properties_have_to_stay_the_same() {
    let simulator = simulator().await;
    let consumer = Consumer::new(&simulator, "phone-7").await.declaring(&["MULTI_DIALOG"]);
    let conversation = consumer.open().await;
    let view = || simulator.conversation(&conversation).unwrap();
    consumer.say(&conversation, "Hello").await;
    let declared = json!({ "type": ".ClientProperties", "features": ["MULTI_DIALOG"] });
    assert_eq!((view().client_properties, view().client_properties_changed), (Some(declared), false));

    // A call that names no conversation applies to the open one.
    let consumer = consumer.declaring(&["MULTI_DIALOG", "PHOTO_SHARING"]);
    let url = json!({ "kind": "req", "id": "u", "type": "ms.GenerateURLForUploadFile", "body": { "fileSize": 9, "fileType": "PNG" } });
    assert_eq!(consumer.send(&url).await.0, 200);
    assert!(view().client_properties_changed);
    assert_eq!(view().client_properties.unwrap()["features"][1], "PHOTO_SHARING");

    let second = Consumer::new(&simulator, "phone-8").await.declaring(&[]);
    let conversation = second.open().await;
    let second = Consumer { client_properties: None, ..second };
    second.say(&conversation, "Hello").await;
    let view = simulator.conversation(&conversation).unwrap();
    assert_eq!((view.client_properties, view.client_properties_changed), (None, true));
}

#[tokio::test]
async fn automatic_messages_are_sent_to_clients_that_declare_them() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    simulator.set_auto_messages(ACCOUNT, Some("We answer from eight to six"));
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let silent = Consumer::new(&simulator, "phone-7").await.open().await;
    assert!(simulator.conversation(&silent).unwrap().transcript.is_empty());

    let consumer = Consumer::new(&simulator, "phone-8").await.declaring(&["AUTO_MESSAGES"]);
    let conversation = consumer.open().await;
    let (_, answer) = consumer.say(&conversation, "Hello").await;
    assert_eq!(answer["body"]["sequence"], 1, "the automatic message was number 0");
    let view = simulator.conversation(&conversation).unwrap();
    let lines: Vec<_> = view.transcript.iter().map(|line| (line.who, line.text.as_str())).collect();
    assert_eq!(lines, [(Role::Controller, "We answer from eight to six"), (Role::Consumer, "Hello")]);
    assert!(!view.agent_joined);
    simulator.webhooks_settled().await;
    let automatic =
        receiver.received().iter().map(super::ReceivedWebhook::change).find(|change| change["event"].is_object());
    assert_eq!(automatic.unwrap()["originatorMetadata"]["role"], "CONTROLLER");
}

#[tokio::test]
async fn the_journal_reports_a_late_first_send() {
    let journal = Journal::default();
    let options =
        LiveEngageOptions { journal: journal.clone(), first_send_within: Duration::from_millis(1500), ..options() };
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    simulator.set_auto_messages(ACCOUNT, Some("Welcome"));
    let mut entries = journal.follow();
    let prompt = Consumer::new(&simulator, "phone-7").await.declaring(&["AUTO_MESSAGES"]);
    let prompt_one = prompt.open().await;
    prompt.say(&prompt_one, "Hello").await;
    let late = Consumer::new(&simulator, "phone-8").await.declaring(&["AUTO_MESSAGES"]).open().await;
    let complaint = async {
        loop {
            let entry = entries.recv().await.unwrap();
            if entry.what.starts_with("no SEND within") {
                return entry.detail.clone().unwrap();
            }
        }
    };
    let complaint = tokio::time::timeout(Duration::from_secs(20), complaint).await.expect("nothing was said of it");
    assert_eq!(complaint["conversationId"], late.as_str(), "the first conversation was written to at once");
}

#[tokio::test]
async fn a_form_is_sent_only_after_the_invitation() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let consumer = Consumer::new(&simulator, "phone-7").await;
    let conversation = consumer.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let form = |kind: &str, message: Value| json!({ "type": "ContentEvent", "contentType": kind, "message": message });
    let submission = form("forms/secure-submission", json!({ "invitationId": "card-data" }));
    assert_eq!(refusal(&consumer.publish(&conversation, &submission).await), BAD);
    simulator.say_form_invitation(&conversation, "card-data", "Your card").unwrap();
    assert_eq!(consumer.publish(&conversation, &submission).await.0, 200);
    let invitation = form("forms/secure-invitation", json!({ "invitationId": "card-data", "title": "Your card" }));
    assert_eq!(refusal(&consumer.publish(&conversation, &invitation).await), BAD, "agents invite");
    simulator.webhooks_settled().await;
    let events: Vec<Value> = receiver.received().iter().map(|call| call.change()["event"].clone()).collect();
    assert_eq!(events, [invitation, submission]);
}

#[tokio::test]
async fn metadata_of_a_bot_accompanies_its_text() {
    let simulator = simulator().await;
    let receiver = Receiver::accepting().await;
    let conversation = Consumer::new(&simulator, "phone-7").await.open().await;
    simulator.join(&conversation).unwrap();
    simulator.set_webhooks(ACCOUNT, receiver.settings());
    let metadata = json!([{ "type": "BotResponse", "externalConversationId": "bot-1", "intents": [] }]);
    assert_eq!(simulator.say_with_metadata(&conversation, "Hello", metadata.clone()), Ok(0));
    let odd = simulator.say_with_metadata(&conversation, "Hello", json!({ "type": "BotResponse" }));
    assert_eq!(odd, Err(crate::liveengage::DeskError::NotAnArray));
    simulator.webhooks_settled().await;
    assert_eq!(receiver.received()[0].change()["metadata"], metadata);
    assert_eq!(simulator.conversation(&conversation).unwrap().transcript[0].metadata, Some(metadata));
}
