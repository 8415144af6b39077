//! Profiles, closing words, surveys, satisfaction, and files.

use serde_json::{Value, json};

use super::world::{
    ANNA, CONVERSATION, Fault, SEND, World, again, agent_says, at, attempt, change, conversation_change, event,
    from_channel, from_consumer,
};
use connector::{app::redrive::regroup, domain::conversation::Conversation};
use connector_liveengage::id::DialogId;

/// Returns the connector's own texts in the queue to the channels.
fn announced(world: &World) -> Vec<String> {
    let tasks = world.news.sent().into_iter().map(|message| serde_json::from_str::<Value>(&message.body).unwrap());
    tasks
        .filter(|task| task["task"] == "announcement_v1")
        .map(|task| task["text"].as_str().unwrap().to_owned())
        .collect()
}

fn open_request(world: &World) -> Value {
    let call = world.http.calls().into_iter().find(|call| call.name == CONVERSATION).unwrap();
    serde_json::from_slice(&call.body).unwrap()
}

fn with_consumer(id: &str, name: &str) -> String {
    let mut task: Value = serde_json::from_str(&from_consumer(id, ANNA, "hello")).unwrap();
    task["event"]["profile"] = json!({"name": name});
    task.to_string()
}

fn state(dialogs: &Value, state: &str, stage: &str, as_of: i64) -> String {
    let details = json!({
        "participants": [{"id": "lp", "role": "CONSUMER"}, {"id": "agent-1", "role": "ASSIGNED_AGENT"}],
        "dialogs": dialogs, "state": state, "stage": stage, "metaDataLastUpdateTs": at(as_of).as_millisecond(),
    });
    let state = json!({"type": "UPSERT", "result": {"convId": "c1", "conversationDetails": details}});
    change("cqm.ExConversationChangeNotification", 0, &state)
}

#[tokio::test]
async fn the_agent_sees_who_writes_and_every_call_declares_the_same() {
    let world = World::with(&json!({
        "routing": {"skill_id": "2187", "language": "de-DE", "ttr": "URGENT"}, "profile": {"customer_type": "sms"},
    }))
    .await;
    world.workers().to_liveengage.work(&with_consumer("mo-1", "Ada Muster"), &attempt("a", 0)).await.unwrap();
    let request = open_request(&world);
    assert_eq!(request[0]["body"]["firstName"], "Ada");
    assert_eq!(request[0]["body"]["privateData"]["mobileNum"], ANNA);
    let sdes = &request[0]["body"]["authenticatedData"]["lp_sdes"];
    assert_eq!(sdes[0], json!({"type": "ctmrinfo", "info": {"ctype": "sms", "socialId": ANNA}}));
    assert_eq!((&sdes[1]["type"], &sdes[1]["personal"]["lastname"]), (&json!("personal"), &json!("Muster")));
    assert_eq!(request[1]["body"]["ttrDefName"], "URGENT");
    assert_eq!(request[1]["body"]["conversationContext"]["lang"], "de-DE");
    let declared: Vec<_> = world
        .http
        .calls()
        .iter()
        .filter(|call| call.name == CONVERSATION || call.name == SEND)
        .map(|call| call.headers.get("client-properties").unwrap().clone())
        .collect();
    assert_eq!(declared.len(), 2);
    assert_eq!(declared[0], declared[1]);
}

#[tokio::test]
async fn a_new_name_is_sent_once_before_the_text() {
    let world = World::new().await;
    let worker = world.workers().to_liveengage;
    worker.work(&with_consumer("mo-1", "Ada"), &attempt("a", 0)).await.unwrap();
    worker.work(&with_consumer("mo-2", "Ada"), &attempt("b", 1)).await.unwrap();
    worker.work(&with_consumer("mo-3", "Ada Lovelace"), &attempt("c", 2)).await.unwrap();
    worker.work(&from_consumer("mo-4", ANNA, "no name in this one"), &attempt("d", 3)).await.unwrap();
    let names: Vec<_> =
        world.other().requests.iter().map(|request| request["type"].as_str().unwrap().to_owned()).collect();
    let (text, profile) = ("ms.PublishEvent", "userprofile.SetUserProfile");
    assert_eq!(names, [text, text, profile, text, text]);
}

#[tokio::test]
async fn a_rejected_profile_does_not_delay_the_text() {
    let world = World::new().await;
    let worker = world.workers().to_liveengage;
    worker.work(&with_consumer("mo-1", "Ada"), &attempt("a", 0)).await.unwrap();
    world.fault(SEND, Fault::Answer(503, json!({})));
    worker.work(&with_consumer("mo-2", "Ada B"), &attempt("b", 1)).await.unwrap();
    assert_eq!(world.other().texts.len(), 2);
}

#[tokio::test]
async fn a_closing_word_closes_with_or_without_a_survey() {
    for (surveys, field) in [(true, "DialogChange"), (false, "ConversationStateField")] {
        let world = World::talking_with(ANNA, &json!({"close_words": ["#end"], "surveys": surveys})).await;
        let worker = world.workers().to_liveengage;
        for process in ["a", "b"] {
            worker.work(&from_consumer("mo-2", ANNA, " #END "), &attempt(process, 1)).await.unwrap();
        }
        let requests = world.other().requests.clone();
        assert_eq!(requests.len(), 2, "{requests:?}");
        assert_eq!(requests[0]["body"]["event"]["message"], " #END ");
        assert_eq!(requests[1]["body"]["conversationField"]["field"], field);
    }
}

#[tokio::test]
async fn a_closing_word_without_a_conversation_opens_none() {
    let world = World::with(&json!({"close_words": ["#end"]})).await;
    world.workers().to_liveengage.work(&from_consumer("mo-1", ANNA, "#end"), &attempt("a", 0)).await.unwrap();
    assert_eq!(world.count(CONVERSATION), 0);
    assert_eq!(announced(&world), ["There is no open conversation."]);
}

#[tokio::test]
async fn texts_go_into_the_surveys_dialog_while_it_is_open() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    let dialogs = json!([
        {"dialogId": "s-9", "dialogType": "POST_SURVEY", "state": "OPEN"},
        {"dialogId": "c1", "dialogType": "MAIN", "state": "CLOSE"},
    ]);
    world.other().begin_survey("c1", "s-9");
    workers.to_channel.work(&state(&dialogs, "CLOSE", "OPEN", 20), &attempt("news", 20)).await.unwrap();
    // A question that names only its dialog reaches the consumer, and so does the answer reach the dialog.
    let question = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "1 to 5?"});
    let mut asked = event("c1", 0, "AGENT", "ALL", &question);
    asked["dialogId"] = json!("s-9");
    asked.as_object_mut().unwrap().remove("conversationId");
    let asked = change("ms.MessagingEventNotification", 0, &asked);
    workers.to_channel.work(&asked, &attempt("q", 21)).await.unwrap();
    // It is sent to the conversation's group, like a message that names the conversation.
    let moved = world.news.sent().pop().unwrap();
    assert_eq!(world.other().sms_texts(), [""; 0]);
    let (_, group) = regroup(&agent_says("c1", 1, "hello")).unwrap();
    assert_eq!(moved.group, group);
    workers.to_channel.work(&moved.body, &attempt("q2", 21)).await.unwrap();
    workers.to_channel.work(&asked, &attempt("q3", 21)).await.unwrap();
    workers.to_channel.work(&moved.body, &attempt("q4", 21)).await.unwrap();
    assert_eq!(world.other().sms_texts(), ["1 to 5?"]);
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "5"), &attempt("a", 22)).await.unwrap();
    let answer = world.other().requests.pop().unwrap();
    assert_eq!((&answer["body"]["conversationId"], &answer["body"]["dialogId"]), (&json!("c1"), &json!("s-9")));
    // No typing is published there, and the end of the conversation ends the survey.
    let typing = from_channel("t-1", ANNA, 23, &json!({"kind": "typing", "typing": true}));
    let _ = workers.to_liveengage.work(&typing, &attempt("t", 23)).await;
    assert!(world.other().requests.iter().all(|request| request["body"]["event"]["type"] != "ChatStateEvent"));
    workers.to_channel.work(&state(&json!([]), "CLOSE", "CLOSE", 30), &attempt("end", 30)).await.unwrap();
    assert!(matches!(world.consumer(ANNA).await.conversation, Conversation::Closed { .. }));
}

#[tokio::test]
async fn a_text_between_the_close_and_the_news_of_the_survey_reaches_the_survey() {
    let world = World::talking(ANNA).await;
    let workers = world.workers();
    world.other().begin_survey("c1", "s-9");
    let task = from_consumer("mo-2", ANNA, "5");
    assert_eq!(workers.to_liveengage.work(&task, &attempt("a", 20)).await, again(5), "it can't open another one");
    let dialogs = json!([{"dialogId": "s-9", "dialogType": "POST_SURVEY", "state": "OPEN"}]);
    workers.to_channel.work(&state(&dialogs, "CLOSE", "OPEN", 19), &attempt("news", 21)).await.unwrap();
    assert_eq!(world.consumer(ANNA).await.survey(), Some(&DialogId::new("s-9").unwrap()));
    workers.to_liveengage.work(&task, &attempt("b", 25)).await.unwrap();
    assert_eq!(world.other().requests.pop().unwrap()["body"]["dialogId"], "s-9");
}

fn satisfaction() -> Value {
    json!({"satisfaction": {"question": "1 to 5?", "resolved_question": "Solved?", "thanks": "Thank you."}})
}

#[tokio::test]
async fn the_lines_own_questions_are_asked_and_answered_after_the_close() {
    let world = World::talking_with(ANNA, &satisfaction()).await;
    let workers = world.workers();
    for process in ["a", "b"] {
        workers.to_channel.work(&state(&json!([]), "CLOSE", "CLOSE", 20), &attempt(process, 20)).await.unwrap();
    }
    assert_eq!(announced(&world), ["1 to 5?"]);
    world.other().close("c1");
    for (id, text, second) in [("mo-2", "4", 30), ("mo-2", "4", 30), ("mo-3", "Yes", 40)] {
        let answer = from_channel(id, ANNA, second, &json!({"kind": "text", "text": text}));
        workers.to_liveengage.work(&answer, &attempt(id, second)).await.unwrap();
    }
    assert_eq!(announced(&world), ["1 to 5?", "Solved?", "Thank you."]);
    let fields: Vec<_> =
        world.other().requests.iter().map(|request| request["body"]["conversationField"].clone()).collect();
    assert_eq!(
        fields,
        [
            json!({"field": "CSATRate", "csatRate": 4, "status": "PARTIALLY_FILLED"}),
            json!({"field": "CSATRate", "csatRate": 4, "csatResolutionConfirmation": true, "status": "FILLED"}),
        ]
    );
    assert_eq!(world.count(CONVERSATION), 1);
    // The next text is an ordinary text.
    workers.to_liveengage.work(&from_consumer("mo-4", ANNA, "5"), &attempt("d", 40)).await.unwrap();
    assert_eq!(world.count(CONVERSATION), 2);
}

#[tokio::test]
async fn another_text_than_an_answer_is_a_text() {
    let world = World::talking_with(ANNA, &satisfaction()).await;
    let workers = world.workers();
    workers.to_channel.work(&state(&json!([]), "CLOSE", "CLOSE", 20), &attempt("a", 20)).await.unwrap();
    world.other().close("c1");
    workers.to_liveengage.work(&from_consumer("mo-2", ANNA, "one more thing"), &attempt("b", 30)).await.unwrap();
    workers.to_liveengage.work(&from_consumer("mo-3", ANNA, "4"), &attempt("c", 31)).await.unwrap();
    let texts: Vec<_> = world.other().texts.iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts, ["one more thing", "4"], "a new conversation ends the questions");
}

#[tokio::test]
async fn a_conversation_without_an_agent_is_not_rated() {
    let world = World::talking_with(ANNA, &satisfaction()).await;
    let closed = conversation_change("c1", None, "CLOSE", 20);
    world.workers().to_channel.work(&closed, &attempt("a", 20)).await.unwrap();
    assert_eq!(announced(&world), [] as [&str; 0]);
}

const PNG: &[u8] = b"\x89PNG\r\n\x1A\nthe rest of a picture";

fn picture(id: &str, caption: &str) -> String {
    let media = json!({
        "kind": "media", "media": "picture", "reference": "https://gateway.example/media/1", "caption": caption,
    });
    from_channel(id, ANNA, 0, &media)
}

#[tokio::test]
async fn a_picture_is_stored_and_published_with_its_caption() {
    let world = World::talking(ANNA).await;
    world.other().files.insert("/media/1".to_owned(), PNG.to_vec());
    for process in ["a", "b"] {
        world.workers().to_liveengage.work(&picture("mo-2", "look"), &attempt(process, 1)).await.unwrap();
    }
    assert_eq!(world.other().files.get("/v1/files/72419083/new").map(Vec::as_slice), Some(PNG));
    let requests = world.other().requests.clone();
    assert_eq!(requests[0]["body"], json!({"fileSize": PNG.len().to_string(), "fileType": "PNG"}));
    let file = json!({"type": "ContentEvent", "contentType": "hosted/file",
        "message": {"relativePath": "/v1/files/72419083/new", "fileType": "PNG", "caption": "look"}});
    assert_eq!(requests[1]["body"]["event"], file);
    assert_eq!(requests.len(), 2);
}

#[tokio::test]
async fn an_unsupported_or_too_large_file_becomes_a_placeholder_and_the_consumer_is_notified() {
    let mut large = PNG.to_vec();
    large.resize(3_000_001, 0);
    for (file, placeholder) in [
        (b"%PDF-1.7 not on this line".to_vec(), "[picture: files of this kind can't be shown here]"),
        (large, "[picture: it is larger than 3 MB and can't be shown here]"),
        (vec![], "[picture: files of this kind can't be shown here]"),
    ] {
        let world = World::talking(ANNA).await;
        world.other().files.insert("/media/1".to_owned(), file);
        world.workers().to_liveengage.work(&picture("mo-2", "look"), &attempt("a", 1)).await.unwrap();
        let texts: Vec<_> = world.other().texts.iter().map(|(_, text)| text.clone()).collect();
        assert_eq!(texts, [placeholder, "look"]);
        assert_eq!(
            announced(&world),
            ["Sorry, we can't open this file. Pictures (JPG, PNG, GIF) of up to 3 MB work best."]
        );
    }
}

#[tokio::test]
async fn a_caption_that_is_too_long_for_the_files_request_follows_it() {
    let world = World::talking(ANNA).await;
    world.other().files.insert("/media/1".to_owned(), PNG.to_vec());
    let long = "\u{1}\"".repeat(400);
    for process in ["a", "b"] {
        world.workers().to_liveengage.work(&picture("mo-2", &long), &attempt(process, 1)).await.unwrap();
    }
    let requests = world.other().requests.clone();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[1]["body"]["event"]["message"].get("caption"), None);
    assert_eq!(requests[2]["body"]["event"]["message"], long);
}

#[tokio::test]
async fn a_picture_that_cant_be_fetched_now_comes_again() {
    let faults = [
        ("SMS gateway media", Fault::Answer(503, json!({}))),
        ("SMS gateway media", Fault::Page),
        ("LiveEngage file upload", Fault::Page),
    ];
    for (call, fault) in faults {
        let world = World::talking(ANNA).await;
        world.other().files.insert("/media/1".to_owned(), PNG.to_vec());
        world.fault(call, fault);
        let worker = world.workers().to_liveengage;
        assert_eq!(worker.work(&picture("mo-2", ""), &attempt("a", 1)).await, again(5), "{call}");
        worker.work(&picture("mo-2", ""), &attempt("b", 6)).await.unwrap();
        let published = world.other().requests.last().unwrap()["body"]["event"]["message"]["relativePath"].clone();
        assert!(world.other().files.contains_key(published.as_str().unwrap()), "{call}: it is in the storage");
    }
}

#[tokio::test]
async fn a_page_that_a_consumer_sends_is_refused_at_once_and_not_taken_for_a_proxys() {
    let world = World::talking(ANNA).await;
    world.other().files.insert("/media/1".to_owned(), b"<!DOCTYPE html><title>recipe</title>".to_vec());
    let media = json!({
        "kind": "media", "media": "document", "reference": "https://gateway.example/media/1", "caption": null,
        "content_type": "text/html",
    });
    world.workers().to_liveengage.work(&from_channel("mo-2", ANNA, 0, &media), &attempt("a", 1)).await.unwrap();
    assert_eq!(world.other().texts[0].1, "[document: files of this kind can't be shown here]");
}

#[tokio::test]
async fn locations_and_contacts_are_texts() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    let place = json!({"kind": "location", "place": null, "name": "Dom", "address": "Köln"});
    worker.work(&from_channel("mo-2", ANNA, 0, &place), &attempt("a", 1)).await.unwrap();
    let contact = json!({"kind": "contact", "name": "Ada", "phones": ["+49151"]});
    worker.work(&from_channel("mo-3", ANNA, 0, &contact), &attempt("b", 2)).await.unwrap();
    let texts: Vec<_> = world.other().texts.iter().map(|(_, text)| text.clone()).collect();
    assert_eq!(texts, ["[location]\nDom\nKöln", "[contact]\nAda\n+49151"]);
}

#[tokio::test]
async fn a_missing_file_does_not_delay_later_messages() {
    for status in [403, 404, 410] {
        let world = World::talking(ANNA).await;
        world.fault("SMS gateway media", Fault::Answer(status, json!({})));
        world.workers().to_liveengage.work(&picture("mo-2", "look"), &attempt("a", 1)).await.unwrap();
        let texts: Vec<_> = world.other().texts.iter().map(|(_, text)| text.clone()).collect();
        assert_eq!(texts, ["[picture: the channel doesn't hand it out]", "look"], "{status}");
        assert_eq!(announced(&world).len(), 1);
    }
}

#[tokio::test]
async fn a_file_waits_until_an_operator_has_replaced_its_lines_token() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    world.other().files.insert("/media/1".to_owned(), PNG.to_vec());
    world.fault("SMS gateway media", Fault::Answer(401, json!({})));
    worker.work(&picture("mo-2", ""), &attempt("a", 1)).await.unwrap_err();
    worker.work(&picture("mo-2", ""), &attempt("b", 6)).await.unwrap();
    assert!(world.other().texts.is_empty(), "no placeholder");
    assert_eq!(announced(&world), [] as [&str; 0]);
}

#[tokio::test]
async fn a_file_that_cant_be_fetched_for_five_minutes_is_a_placeholder() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    for second in [1, 200, 299] {
        world.fault("SMS gateway media", Fault::NotSent);
        worker.work(&picture("mo-2", ""), &attempt("a", second)).await.unwrap_err();
    }
    world.fault("SMS gateway media", Fault::NotSent);
    worker.work(&picture("mo-2", ""), &attempt("b", 300)).await.unwrap();
    assert_eq!(world.other().texts[0].1, "[picture: it could not be fetched]");
}

#[tokio::test]
async fn a_later_attempt_says_the_same_of_a_file_as_the_first() {
    let world = World::talking(ANNA).await;
    let worker = world.workers().to_liveengage;
    world.other().files.insert("/media/1".to_owned(), PNG.to_vec());
    // The file is published and the answer is lost. At the next attempt the channel no longer has the file.
    world.fault(SEND, Fault::Nothing);
    world.fault(SEND, Fault::LoseAnswer);
    assert_eq!(worker.work(&picture("mo-2", "look"), &attempt("a", 1)).await, again(5));
    world.other().files.remove("/media/1");
    worker.work(&picture("mo-2", "look"), &attempt("b", 6)).await.unwrap();
    assert!(world.other().texts.is_empty(), "no placeholder");
    assert_eq!(announced(&world), [] as [&str; 0]);
}

#[tokio::test]
async fn a_closing_word_that_is_tried_again_closes_nothing_else() {
    let dialogs = json!([{"dialogId": "s-9", "dialogType": "POST_SURVEY", "state": "OPEN"}]);
    for (surveys, news) in
        [(true, state(&dialogs, "CLOSE", "OPEN", 20)), (false, state(&json!([]), "CLOSE", "CLOSE", 20))]
    {
        let world = World::talking_with(ANNA, &json!({"close_words": ["#end"], "surveys": surveys})).await;
        let workers = world.workers();
        world.fault(SEND, Fault::Nothing);
        world.fault(SEND, Fault::LoseAnswer);
        let task = from_consumer("mo-2", ANNA, "#end");
        assert_eq!(workers.to_liveengage.work(&task, &attempt("a", 1)).await, again(5));
        workers.to_channel.work(&news, &attempt("news", 3)).await.unwrap();
        workers.to_liveengage.work(&task, &attempt("b", 6)).await.unwrap();
        let closed: Vec<_> = world
            .other()
            .requests
            .iter()
            .filter(|request| request["type"] == "cm.UpdateConversationField")
            .map(|request| request["body"]["conversationField"]["field"].clone())
            .collect();
        let field = if surveys { "DialogChange" } else { "ConversationStateField" };
        assert_eq!(closed, [field, field]);
        assert_eq!(announced(&world), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_rejected_consumer_token_is_replaced_for_files_and_closing_too() {
    let refused = json!({"code": 401, "body": {"title": "Invalid ConsumerJWS", "errorCode": 40103}});
    for task in [picture("mo-2", ""), from_consumer("mo-2", ANNA, "#end")] {
        let world = World::talking_with(ANNA, &json!({"close_words": ["#end"]})).await;
        world.other().files.insert("/media/1".to_owned(), PNG.to_vec());
        world.fault(SEND, Fault::Answer(401, refused.clone()));
        let worker = world.workers().to_liveengage;
        let before = world.count("LiveEngage IDP");
        worker.work(&task, &attempt("a", 1)).await.unwrap();
        assert_eq!(world.count("LiveEngage IDP"), before + 1);
        assert!(!world.other().requests.is_empty());
    }
}

#[tokio::test]
async fn what_was_written_before_the_question_is_no_answer_to_it() {
    let world = World::talking_with(ANNA, &satisfaction()).await;
    let workers = world.workers();
    workers.to_channel.work(&state(&json!([]), "CLOSE", "CLOSE", 20), &attempt("end", 20)).await.unwrap();
    world.other().close("c1");
    let mut early: Value = serde_json::from_str(&from_consumer("mo-2", ANNA, "2")).unwrap();
    early["accepted_at"] = json!(at(10));
    workers.to_liveengage.work(&early.to_string(), &attempt("a", 25)).await.unwrap();
    assert_eq!(world.other().texts, [("c2".to_owned(), "2".to_owned())]);
    assert_eq!(announced(&world), ["1 to 5?"]);
}

#[tokio::test]
async fn the_agent_is_told_of_a_deletion_and_it_opens_no_conversation() {
    let world = World::new().await;
    let worker = world.workers().to_liveengage;
    let deleted = |id| from_channel(id, ANNA, 0, &json!({"kind": "deleted"}));
    worker.work(&deleted("mo-0"), &attempt("a", 0)).await.unwrap();
    assert!(world.http.calls().is_empty(), "{:?}", world.http.calls());
    worker.work(&from_consumer("mo-1", ANNA, "hello"), &attempt("b", 1)).await.unwrap();
    worker.work(&deleted("mo-2"), &attempt("c", 2)).await.unwrap();
    worker.work(&deleted("mo-2"), &attempt("d", 3)).await.unwrap();
    let said: Vec<_> =
        world.other().requests.iter().map(|request| request["body"]["event"]["message"].clone()).collect();
    assert_eq!(said, ["hello", "[a message was deleted]"]);
}
