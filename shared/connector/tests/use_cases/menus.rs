//! Cards and quick replies reach a phone as numbered text, and an answer is published as the click that it means.

use serde_json::{Value, json};

use super::world::{ANNA, Fault, SEND, SMS, World, again, agent_says, at, attempt, change, event, from_consumer};

const EVENTS: &str = "ms.MessagingEventNotification";

/// An agent's text with two quick replies.
fn question(sequence: u64) -> String {
    let reply = |title: &str, text: &str, id: &str| {
        json!({"type": "button", "title": title, "click": {
            "actions": [{"type": "publishText", "text": text}], "metadata": [{"type": "ExternalId", "id": id}]}})
    };
    let replies = json!({"type": "quickReplies", "itemsPerRow": 8,
        "replies": [reply("Yes", "yes please", "y-1"), reply("No", "no thanks", "n-1")]});
    let content = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "Shall I send it again?\n",
        "quickReplies": replies});
    change(EVENTS, 0, &event("c1", sequence, "ASSIGNED_AGENT", "ALL", &content))
}

/// A consumer's text, accepted at `second`.
fn text_at(id: &str, text: &str, second: i64) -> String {
    let mut task: Value = serde_json::from_str(&from_consumer(id, ANNA, text)).unwrap();
    task["accepted_at"] = json!(at(second));
    task.to_string()
}

/// Returns the SENDs after the first: their events and metadata.
fn sends(world: &World) -> Vec<(Value, Value)> {
    let calls = world.http.calls();
    calls
        .iter()
        .filter(|call| call.name == SEND)
        .skip(1)
        .map(|call| {
            let mut body: Value = serde_json::from_slice(&call.body).unwrap();
            (body["body"]["event"].take(), body["metadata"].take())
        })
        .collect()
}

fn click(sequence: u64) -> (Value, Value) {
    let event = json!({"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [sequence]});
    (event, json!([{"type": "ExternalId", "id": "y-1"}]))
}

fn text(text: &str, metadata: Value) -> (Value, Value) {
    (json!({"type": "ContentEvent", "contentType": "text/plain", "message": text}), metadata)
}

fn yes() -> (Value, Value) {
    text("yes please", json!([{"type": "ExternalId", "id": "y-1"}]))
}

#[tokio::test]
async fn quick_replies_are_a_numbered_list_and_a_number_is_a_click_and_its_text() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&question(4), &attempt("a", 1)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["Shall I send it again?\n\n1. Yes\n2. No\n\nReply with a number."]);
    workers.to_liveengage.work(&text_at("mo-2", "1", 2), &attempt("b", 2)).await.unwrap();
    assert_eq!(sends(&world), [click(4), yes()]);
}

#[tokio::test]
async fn a_typed_title_is_a_click_too_and_other_words_are_just_words() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&question(4), &attempt("a", 1)).await.unwrap();
    workers.to_liveengage.work(&text_at("mo-2", "what?", 2), &attempt("b", 2)).await.unwrap();
    workers.to_liveengage.work(&text_at("mo-3", "yes", 3), &attempt("c", 3)).await.unwrap();
    assert_eq!(sends(&world), [text("what?", Value::Null), click(4), yes()]);
}

#[tokio::test]
async fn a_newer_message_takes_the_menu_away_and_an_older_one_does_not() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&question(4), &attempt("a", 1)).await.unwrap();
    workers.to_channel.work(&agent_says("c1", 3, "late"), &attempt("b", 2)).await.unwrap();
    workers.to_liveengage.work(&text_at("mo-2", "1", 3), &attempt("c", 3)).await.unwrap();
    workers.to_channel.work(&agent_says("c1", 8, "something else"), &attempt("d", 4)).await.unwrap();
    workers.to_liveengage.work(&text_at("mo-3", "1", 5), &attempt("e", 5)).await.unwrap();
    assert_eq!(sends(&world), [click(4), yes(), text("1", Value::Null)]);
}

#[tokio::test]
async fn a_menu_of_yesterday_is_no_menu() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&question(4), &attempt("a", 1)).await.unwrap();
    let next_day = 24 * 60 * 60 + 1;
    workers.to_liveengage.work(&text_at("mo-2", "1", next_day), &attempt("b", next_day)).await.unwrap();
    assert_eq!(sends(&world), [text("1", Value::Null)]);
}

/// The menu was not recorded at the first attempt, which got no answer from SEND. It was shown before, by the clock of the other worker.
#[tokio::test]
async fn an_answer_that_was_published_as_a_text_is_not_published_again_as_a_click() {
    let as_text = text("1", Value::Null);
    for (fault, expected) in [
        (Fault::LoseAnswer, vec![as_text.clone()]),
        // It was not published. The first SEND is the attempt at it.
        (Fault::Page, vec![as_text, click(4), yes()]),
    ] {
        let world = World::talking(ANNA).await;
        let workers = world.workers();
        let answer = text_at("mo-2", "1", 5);
        world.fault(SEND, fault);
        workers.to_liveengage.work(&answer, &attempt("a", 5)).await.unwrap_err();
        world.receive_echoes(6).await;
        workers.to_channel.work(&question(4), &attempt("b", 4)).await.unwrap();
        workers.to_liveengage.work(&answer, &attempt("c", 10)).await.unwrap();
        assert_eq!(sends(&world), expected);
    }
}

#[tokio::test]
async fn an_answer_that_is_interrupted_goes_on_although_the_menu_is_gone() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&question(4), &attempt("a", 1)).await.unwrap();
    // The click is published, and then LiveEngage is down.
    world.fault(SEND, Fault::Nothing);
    world.fault(SEND, Fault::Answer(503, json!({})));
    let answer = text_at("mo-2", "1", 2);
    assert_eq!(workers.to_liveengage.work(&answer, &attempt("b", 2)).await, again(5));
    workers.to_channel.work(&agent_says("c1", 8, "never mind"), &attempt("c", 3)).await.unwrap();
    workers.to_liveengage.work(&answer, &attempt("d", 7)).await.unwrap();
    assert_eq!(sends(&world).last(), Some(&yes()));
    assert_eq!(sends(&world).iter().filter(|sent| **sent == click(4)).count(), 1);
}

#[tokio::test]
async fn a_card_is_text_with_everything_in_it() {
    let world = World::talking(ANNA).await;
    let card = json!({"type": "RichContentEvent", "content": {"type": "vertical", "elements": [
        {"type": "text", "text": "Opening hours"},
        {"type": "button", "title": "See the map", "click": {"actions": [{"type": "link", "uri": "https://shop.example/map"}]}},
        {"type": "button", "title": "Book", "click": {"actions": [{"type": "publishText", "text": "book"}]}},
    ]}});
    let task = change(EVENTS, 0, &event("c1", 4, "ASSIGNED_AGENT", "ALL", &card));
    let workers = world.workers();
    workers.to_channel.work(&task, &attempt("a", 1)).await.unwrap();
    let shown = world.other().sms_texts().concat();
    for part in ["Opening hours", "See the map: https://shop.example/map", "1. Book"] {
        assert!(shown.contains(part), "{shown}");
    }
    workers.to_liveengage.work(&text_at("mo-2", "1", 2), &attempt("b", 2)).await.unwrap();
    let click = json!({"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [4]});
    assert_eq!(sends(&world), [(click, Value::Null), text("book", Value::Null)]);
}

#[tokio::test]
async fn a_text_from_before_the_menu_is_no_answer_to_it_however_late_it_goes() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    world.fault(SEND, Fault::Answer(503, json!({})));
    let two = text_at("mo-2", "2", 1);
    assert_eq!(workers.to_liveengage.work(&two, &attempt("a", 1)).await, again(5));
    workers.to_channel.work(&question(4), &attempt("b", 3)).await.unwrap();
    workers.to_liveengage.work(&two, &attempt("c", 6)).await.unwrap();
    assert_eq!(sends(&world).last(), Some(&text("2", Value::Null)));
}

#[tokio::test]
async fn a_rejected_click_does_not_stop_its_text() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&question(4), &attempt("a", 1)).await.unwrap();
    world.fault(SEND, Fault::Answer(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}})));
    workers.to_liveengage.work(&text_at("mo-2", "1", 2), &attempt("b", 2)).await.unwrap();
    assert_eq!(sends(&world).last(), Some(&yes()));
    assert!(world.store.parked().is_empty());
}

#[tokio::test]
async fn an_ended_conversation_has_no_say_in_the_next_ones_menu() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    workers.to_channel.work(&question(4), &attempt("a", 1)).await.unwrap();
    workers.to_channel.work(&agent_says("c0", 50, "from long ago"), &attempt("b", 90)).await.unwrap_err();
    workers.to_channel.work(&agent_says("c0", 50, "from long ago"), &attempt("b", 1000)).await.unwrap();
    workers.to_liveengage.work(&text_at("mo-2", "1", 1001), &attempt("c", 1001)).await.unwrap();
    assert_eq!(sends(&world), [click(4), yes()]);
}

/// A question for a date. The next text is the answer.
fn which_day(sequence: u64) -> String {
    let picker = json!({"type": "button", "title": "Choose", "click": {
        "metadata": [{"type": "ExternalId", "id": "d-1"}],
        "actions": [{"type": "datePicker", "class": "single", "title": "Day"}]}});
    let card = json!({"type": "RichContentEvent", "content": {"type": "vertical", "elements": [
        {"type": "text", "text": "Which day?"}, picker]}});
    change(EVENTS, 0, &event("c1", sequence, "ASSIGNED_AGENT", "ALL", &card))
}

/// The consumer received it, the gateway's answer was lost, and the consumer answered before the next attempt.
#[tokio::test]
async fn a_menu_that_is_proved_to_have_arrived_is_not_offered_again_after_it_was_answered() {
    let world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
    let workers = world.workers();
    world.fault(SMS, Fault::LoseAnswer);
    workers.to_channel.work(&which_day(4), &attempt("a", 1)).await.unwrap_err();
    let reference = world.other().sms[0].1.clone();
    let report = json!({
        "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-rep", "accepted_at": at(1),
        "status": {"status": "delivered"}, "messages": ["mt-1"], "references": [["mt-1", reference]],
    });
    workers.to_liveengage.work(&report.to_string(), &attempt("r", 1)).await.unwrap_err();
    workers.to_liveengage.work(&text_at("mo-2", "Friday", 2), &attempt("b", 2)).await.unwrap();
    workers.to_channel.work(&which_day(4), &attempt("c", 6)).await.unwrap();
    workers.to_liveengage.work(&text_at("mo-3", "thank you", 9), &attempt("d", 9)).await.unwrap();
    assert_eq!(world.count(SMS), 1);
    let choice = json!({"type": "AcceptStatusEvent", "status": "ACTION", "sequenceList": [4]});
    let day = json!([{"type": "ExternalId", "id": "d-1"}]);
    let friday = [(choice, day.clone()), text("Friday", day)];
    assert_eq!(sends(&world), [&friday[..], &[text("thank you", Value::Null)]].concat());
}
