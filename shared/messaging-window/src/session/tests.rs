use connector_liveengage::notification::EventKind;
use serde_json::{Value, json};

use super::*;

const ME: &str = "b7c1-visitor";

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

fn session() -> Session {
    Session::new(AccountId::new("72419083").unwrap(), LpConsumerId::new(ME).ok(), Routing::default())
}

fn sent(output: &Output) -> Vec<Value> {
    output.frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
}

fn types(output: &Output) -> Vec<String> {
    sent(output).iter().map(|frame| frame["type"].as_str().unwrap().to_owned()).collect()
}

fn answer(request: &Value, code: u16, body: Value) -> String {
    json!({"kind": "resp", "reqId": request["id"], "code": code, "body": body}).to_string()
}

fn event(sequence: u64, originator: &str, text: &str) -> String {
    json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {"changes": [{
        "sequence": sequence, "originatorId": originator, "conversationId": "c-1", "dialogId": "c-1",
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text}}]}})
    .to_string()
}

fn state(conversation: &str, state: &str) -> String {
    json!({"kind": "notification", "type": "cqm.ExConversationChangeNotification", "body": {"changes": [{
        "type": "UPSERT", "result": {"convId": conversation, "conversationDetails": {"state": state, "stage": state,
            "dialogs": [{"dialogId": conversation, "dialogType": "MAIN", "state": state}]}}}]}})
    .to_string()
}

fn say(session: &mut Session, ticket: u64, text: &str) -> Output {
    session.command(Command::Say(Ticket(ticket), text.to_owned()), now())
}

/// Connects, and opens the conversation `c-1` with a first text.
fn talking() -> Session {
    let mut session = session();
    assert_eq!(types(&session.connected(now())), ["cqm.SubscribeExConversations"]);
    let request = say(&mut session, 1, "Grüezi");
    assert_eq!(types(&request), ["cm.ConsumerRequestConversation"]);
    let opened = session.receive(&answer(&sent(&request)[0], 200, json!({"conversationId": "c-1"})), now());
    assert_eq!(types(&opened), ["ms.SubscribeMessagingEvents", "ms.PublishEvent"]);
    assert_eq!(sent(&opened)[0]["body"]["fromSeq"], 0);
    let accepted = session.receive(&answer(&sent(&opened)[1], 200, json!({"sequence": 0})), now());
    assert_eq!(accepted.events, [Event::Sent(Ticket(1))]);
    session
}

#[test]
fn the_first_text_opens_a_conversation_and_the_next_does_not() {
    let mut session = talking();
    assert_eq!(session.conversation().map(ConversationId::as_str), Some("c-1"));
    assert_eq!(types(&say(&mut session, 2, "Still there?")), ["ms.PublishEvent"]);
}

#[test]
fn texts_wait_for_a_connection_and_keep_their_order() {
    let mut session = session();
    for (ticket, text) in [(1, "one"), (2, "two")] {
        assert_eq!(say(&mut session, ticket, text), Output::default());
    }
    let connected = session.connected(now());
    assert_eq!(types(&connected), ["cqm.SubscribeExConversations", "cm.ConsumerRequestConversation"]);
    assert_eq!(say(&mut session, 3, "three"), Output::default());
    let opened = session.receive(&answer(&sent(&connected)[1], 200, json!({"conversationId": "c-1"})), now());
    let texts: Vec<_> = sent(&opened)
        .iter()
        .filter_map(|frame| frame["body"]["event"]["message"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[test]
fn only_the_brands_new_events_are_reported() {
    let mut session = talking();
    assert_eq!(session.receive(&event(0, ME, "Grüezi"), now()), Output::default(), "an echo");
    let received = session.receive(&event(1, "agent-5", "Guten Tag"), now());
    let [Event::Received(event_1)] = received.events.as_slice() else { panic!("{received:?}") };
    assert!(matches!(&event_1.kind, EventKind::Text(text) if text.as_str() == "Guten Tag"));
    assert_eq!(session.receive(&event(1, "agent-5", "Guten Tag"), now()), Output::default(), "a copy");
}

#[test]
fn after_a_lost_connection_it_subscribes_where_it_left_off() {
    let mut session = talking();
    session.receive(&event(0, ME, "Grüezi"), now());
    session.receive(&event(1, "agent-5", "Guten Tag"), now());
    let unanswered = say(&mut session, 2, "Did you get this?");
    assert_eq!(session.disconnected().events, [Event::Uncertain(Ticket(2))]);
    assert_eq!(say(&mut session, 3, "later"), Output::default());

    let connected = session.connected(now());
    assert_eq!(types(&connected), ["cqm.SubscribeExConversations", "ms.SubscribeMessagingEvents", "ms.PublishEvent"]);
    assert_eq!(sent(&connected)[1]["body"]["fromSeq"], 2);
    // An answer of the earlier connection is nobody's now: the id was given to another request.
    let late = session.receive(&answer(&json!({"id": "99"}), 200, json!({})), now());
    assert_eq!(late.events, [Event::Ignored(Code::internal("nobodys_response"))]);
    assert_eq!(types(&unanswered), ["ms.PublishEvent"]);
}

#[test]
fn a_text_into_a_closed_conversation_opens_the_next_one() {
    let mut session = talking();
    let text = say(&mut session, 2, "One more thing");
    let closed = json!("Bad Request, Conversation is close");
    let again = session.receive(&answer(&sent(&text)[0], 400, closed), now());
    assert_eq!((types(&again), again.events.len()), (vec!["cm.ConsumerRequestConversation".to_owned()], 0));
    let opened = session.receive(&answer(&sent(&again)[0], 200, json!({"conversationId": "c-2"})), now());
    assert_eq!(sent(&opened)[1]["body"]["event"]["message"], "One more thing");

    session.receive(&state("c-2", "CLOSE"), now());
    assert_eq!(session.conversation(), None);
    assert_eq!(types(&say(&mut session, 3, "And again")), ["cm.ConsumerRequestConversation"]);
}

#[test]
fn an_open_conversation_is_adopted_whether_it_is_told_before_or_after_the_refusal() {
    let refusal = json!("User b7c1 already has open conversation. Can't open another one.");
    for told_first in [true, false] {
        let mut session = session();
        session.connected(now());
        let request = say(&mut session, 1, "Grüezi");
        let refused = answer(&sent(&request)[0], 400, refusal.clone());
        let inputs = if told_first { [state("c-9", "OPEN"), refused] } else { [refused, state("c-9", "OPEN")] };
        let outputs = inputs.map(|input| session.receive(&input, now()));
        let frames: Vec<_> = outputs.iter().flat_map(types).collect();
        assert_eq!(frames, ["ms.SubscribeMessagingEvents", "ms.PublishEvent"], "told first: {told_first}");
    }
}

#[test]
fn a_refused_conversation_fails_the_texts_that_wait_for_it() {
    let mut session = session();
    session.connected(now());
    let request = say(&mut session, 1, "Grüezi");
    say(&mut session, 2, "Hallo?");
    let failed = session.receive(&answer(&sent(&request)[0], 403, json!({})), now());
    assert!(matches!(failed.events.as_slice(), [Event::Failed(Ticket(1), _), Event::Failed(Ticket(2), _)]));
}

#[test]
fn the_consumer_writes_into_a_running_survey() {
    let mut session = talking();
    let survey = json!({"kind": "notification", "type": "cqm.ExConversationChangeNotification", "body": {"changes": [{
        "type": "UPSERT", "result": {"convId": "c-1", "conversationDetails": {"state": "CLOSE", "stage": "OPEN",
            "dialogs": [{"dialogId": "c-1", "dialogType": "MAIN", "state": "CLOSE"},
                {"dialogId": "s-1", "dialogType": "POST_SURVEY", "state": "OPEN"}]}}}]}});
    let told = session.receive(&survey.to_string(), now());
    assert_eq!(sent(&told)[0]["body"]["dialogId"], "s-1");
    let text = say(&mut session, 2, "5");
    assert_eq!(sent(&text)[0]["body"]["dialogId"], "s-1");
    assert_eq!(sent(&text)[0]["body"]["conversationId"], "c-1");
}

#[test]
fn statuses_typing_and_closing_need_a_connection_and_the_keep_alive_is_the_clock() {
    let mut session = talking();
    let dialog = DialogRef::main_of(&ConversationId::new("c-1").unwrap());
    let read = Command::Status(dialog, AcceptStatus::Read, vec![Sequence(1)]);
    for (command, name) in [
        (read, "ms.PublishEvent"),
        (Command::Typing(ChatState::Composing), "ms.PublishEvent"),
        (Command::Close, "cm.UpdateConversationField"),
    ] {
        assert_eq!(types(&session.command(command.clone(), now())), [name]);
        let mut lost = talking();
        lost.disconnected();
        assert_eq!(lost.command(command, now()), Output::default());
    }
    let asked = session.ask(now());
    assert_eq!(types(&asked), [".GetClock"]);
    let clock = answer(&sent(&asked)[0], 200, json!({"currentTime": 1}));
    assert_eq!(session.receive(&clock, now()), Output::default());
}

#[test]
fn what_cannot_be_used_is_reported_and_harms_nothing() {
    let mut session = talking();
    for (frame, code) in [
        ("pong".to_owned(), "not_json"),
        (json!({"kind": "notification", "type": "x.NewThing", "body": {}}).to_string(), "x.NewThing"),
        (
            json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {"changes": [{}]}})
                .to_string(),
            "unreadable_change",
        ),
    ] {
        assert_eq!(session.receive(&frame, now()).events, [Event::Ignored(Code::internal(code))]);
    }
    assert_eq!(types(&say(&mut session, 2, "Still works")), ["ms.PublishEvent"]);
    assert!(!format!("{session:?} {:?}", Command::Say(Ticket(1), "secret words".to_owned())).contains("secret"));
}
