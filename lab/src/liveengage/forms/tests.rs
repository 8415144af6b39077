use serde_json::{Value, json};

use super::*;

/// A message notification of the newest form, as [`super::super::notification`] writes it.
fn message(event: &Value, metadata: Option<Value>) -> Value {
    let mut change = json!({
        "sequence": 4,
        "originatorId": "agent-1",
        "originatorMetadata": { "id": "agent-1", "role": "ASSIGNED_AGENT" },
        "originatorClientProperties": { "type": ".ClientProperties" },
        "serverTimestamp": 1_790_000_000_000_i64,
        "event": event,
        "conversationId": "conversation-1",
        "dialogId": "dialog-1",
        "messageAudience": "ALL",
    });
    if let Some(metadata) = metadata {
        change["metadata"] = metadata;
    }
    json!({ "kind": "notification", "body": { "changes": [change] }, "type": "ms.MessagingEventNotification" })
}

fn text() -> Value {
    message(&json!({ "type": "ContentEvent", "contentType": "text/plain", "message": "Good evening" }), None)
}

/// A conversation notification of the newest form.
fn conversation(state: &str) -> Value {
    let consumer = json!({ "id": "consumer-1", "role": "CONSUMER", "state": "ACTIVE" });
    let agent = json!({ "id": "agent-1", "role": "ASSIGNED_AGENT", "state": "ACTIVE" });
    let listed = |participant: &Value| json!({ "id": participant["id"], "role": participant["role"] });
    let details = json!({
        "skillId": "318",
        "participants": [listed(&consumer), listed(&agent)],
        "dialogs": [{
            "dialogId": "conversation-1", "participantsDetails": [consumer, agent], "dialogType": "MAIN",
            "channelType": "MESSAGING", "state": state,
        }],
        "brandId": "74120988", "state": state, "stage": state, "startTs": 1_790_000_000_000_i64,
        "ttr": { "ttrType": "NORMAL", "value": 3600 },
        "campaignInfo": { "campaignId": 4711, "engagementId": 4712 },
        "context": { "type": "SharkContext", "interactionContextId": "2" },
        "conversationHandlerDetails": { "accountId": "74120988", "skillId": "-1" },
    });
    let result = json!({ "convId": "conversation-1", "effectiveTTR": -1, "conversationDetails": details });
    let body = json!({ "subscriptionId": "subscription-1", "changes": [{ "type": "UPSERT", "result": result }] });
    json!({ "kind": "notification", "body": body, "type": "cqm.ExConversationChangeNotification" })
}

fn formed(forms: Forms, notification: &Value) -> Value {
    serde_json::from_slice(&forms.notification(serde_json::to_vec(notification).unwrap()).unwrap()).unwrap()
}

/// The first change in this form, with or without an array.
fn change(forms: Forms, notification: &Value) -> Value {
    let changes = formed(forms, notification)["body"]["changes"].take();
    changes.get(0).cloned().unwrap_or(changes)
}

fn details(forms: Forms, state: &str) -> Value {
    change(forms, &conversation(state))["result"]["conversationDetails"].take()
}

const NEWEST: Forms = Forms {
    single_service: SingleService::Flat,
    bare_hosts: false,
    answer_code: AnswerCode::Text,
    typed_answers: false,
    text_bodies: false,
    app_jwt_missing_is_40104: false,
    type_prefix: TypePrefix::None,
    type_in_body: false,
    dialog_beside_changes: false,
    without_subscription_id: false,
    bare_changes: false,
    bare_participants: false,
    bare_dialogs: false,
    bare_metadata: false,
    originator: Originator::Metadata,
    without_conversation_id: false,
    without_audience: false,
    no_metadata: NoMetadata::Absent,
    rich_content: RichContent::ContentObject,
    ids: Ids::Mixed,
    participants: Participants::List,
    without_participant_state: false,
    without_dialogs: false,
    without_stage: false,
    closed_with_d: false,
    closed_drops_agents: false,
    unknown_fields: false,
    unknown_values: false,
};

#[test]
fn the_newest_form_is_the_default_and_changes_nothing() {
    assert_eq!(Forms::default(), NEWEST);
    assert_eq!(Forms::newest(), NEWEST);
    let odd = b"{ \"type\" : \"ms.MessagingEventNotification\",  \"body\" : {} }".to_vec();
    assert_eq!(NEWEST.notification(odd.clone()).unwrap(), odd);
}

#[test]
fn the_type_gets_a_prefix_and_moves_into_the_body() {
    let dot = formed(Forms { type_prefix: TypePrefix::Dot, ..NEWEST }, &text());
    assert_eq!(dot["type"], ".ms.MessagingEventNotification");
    let ams = formed(Forms { type_prefix: TypePrefix::Ams, ..NEWEST }, &conversation("OPEN"));
    assert_eq!(ams["type"], ".ams.cqm.ExConversationChangeNotification");
    let inside = formed(Forms { type_in_body: true, ..NEWEST }, &text());
    assert_eq!(inside.get("type"), None);
    assert_eq!(inside["body"]["type"], "ms.MessagingEventNotification");
}

#[test]
fn the_body_names_the_dialog_and_loses_its_subscription() {
    let beside = formed(Forms { dialog_beside_changes: true, bare_changes: true, ..NEWEST }, &text());
    assert_eq!(beside["body"]["dialogId"], "dialog-1");
    assert_eq!(beside["body"]["changes"]["dialogId"], "dialog-1");
    let without = formed(Forms { without_subscription_id: true, ..NEWEST }, &conversation("OPEN"));
    assert_eq!(without["body"].get("subscriptionId"), None);
}

#[test]
fn only_single_entries_stand_without_their_array() {
    let mut two = text();
    let second = two["body"]["changes"][0].clone();
    two["body"]["changes"].as_array_mut().unwrap().push(second);
    let forms = Forms { bare_changes: true, bare_participants: true, bare_dialogs: true, ..NEWEST };
    assert_eq!(formed(forms, &two)["body"]["changes"].as_array().unwrap().len(), 2);
    assert!(formed(forms, &text())["body"]["changes"].is_object());
    let mut alone = conversation("OPEN");
    let place = "/body/changes/0/result/conversationDetails";
    let consumer = json!({ "id": "consumer-1", "role": "CONSUMER" });
    alone.pointer_mut(place).unwrap()["participants"] = json!([consumer]);
    let formed = formed(forms, &alone);
    let details = &formed["body"]["changes"]["result"]["conversationDetails"];
    assert_eq!(details["participants"], consumer);
    assert_eq!(details["dialogs"]["dialogId"], "conversation-1");
    assert_eq!(details["dialogs"]["participantsDetails"].as_array().unwrap().len(), 2);
}

#[test]
fn the_originator_is_named_by_one_id_only() {
    for (originator, name) in
        [(Originator::Id, "originatorId"), (Originator::PId, "originatorPId"), (Originator::Pid, "originatorPid")]
    {
        let change = change(Forms { originator, ..NEWEST }, &text());
        let about: Vec<&String> = change.as_object().unwrap().keys().filter(|key| key.starts_with("origin")).collect();
        assert_eq!(about, [name]);
        assert_eq!(change[name], "agent-1");
    }
}

#[test]
fn conversation_and_audience_are_omitted_but_a_private_message_stays_private() {
    let forms = Forms { without_conversation_id: true, without_audience: true, ..NEWEST };
    let public = change(forms, &text());
    assert_eq!((public.get("conversationId"), public.get("messageAudience")), (None, None));
    assert_eq!(public["dialogId"], "dialog-1");
    let mut private = text();
    private["body"]["changes"][0]["messageAudience"] = json!("AGENTS_AND_MANAGERS");
    assert_eq!(change(forms, &private)["messageAudience"], "AGENTS_AND_MANAGERS");
}

#[test]
fn missing_metadata_is_null_or_empty_and_real_metadata_stays() {
    let of =
        |forms: Forms, metadata: Option<Value>| change(forms, &message(&json!({}), metadata)).get("metadata").cloned();
    assert_eq!(of(NEWEST, None), None);
    assert_eq!(of(Forms { no_metadata: NoMetadata::Null, ..NEWEST }, None), Some(Value::Null));
    assert_eq!(of(Forms { no_metadata: NoMetadata::Empty, ..NEWEST }, None), Some(json!([])));
    let (one, two) = (json!([{ "type": "ExternalId" }]), json!([{ "type": "ExternalId" }, { "type": "Answer" }]));
    let forms = Forms { no_metadata: NoMetadata::Null, bare_metadata: true, ..NEWEST };
    assert_eq!(of(forms, Some(one.clone())), Some(one[0].clone()));
    assert_eq!(of(forms, Some(two.clone())), Some(two));
}

#[test]
fn rich_content_is_content_or_message_and_an_object_or_a_text() {
    let content = json!({ "type": "vertical", "elements": [{ "type": "text", "text": "Seat 12" }] });
    let replies = json!({ "type": "quickReplies", "replies": [] });
    let card = message(&json!({ "type": "RichContentEvent", "content": content, "quickReplies": replies }), None);
    for (rich_content, name, is_text) in [
        (RichContent::ContentObject, "content", false),
        (RichContent::ContentText, "content", true),
        (RichContent::MessageObject, "message", false),
        (RichContent::MessageText, "message", true),
    ] {
        let event = change(Forms { rich_content, ..NEWEST }, &card)["event"].take();
        let held = match event[name].as_str().filter(|_| is_text) {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => event[name].clone(),
        };
        assert_eq!(held, content, "{rich_content:?}");
        assert_eq!(event.as_object().unwrap().len(), 3, "{event}");
        assert_eq!(event["quickReplies"], replies);
    }
    let forms = Forms { rich_content: RichContent::MessageText, ..NEWEST };
    assert_eq!(change(forms, &text())["event"]["message"], "Good evening");
}

#[test]
fn ids_are_numbers_or_texts() {
    let ids = |form: Ids| {
        let details = details(Forms { ids: form, ..NEWEST }, "OPEN");
        json!([
            details["skillId"],
            details["conversationHandlerDetails"]["skillId"],
            details["campaignInfo"]["campaignId"],
            details["campaignInfo"]["engagementId"],
            details["context"]["interactionContextId"],
            details["brandId"],
        ])
    };
    assert_eq!(ids(Ids::Mixed), json!(["318", "-1", 4711, 4712, "2", "74120988"]));
    assert_eq!(ids(Ids::Numbers), json!([318, -1, 4711, 4712, 2, "74120988"]));
    assert_eq!(ids(Ids::Text), json!(["318", "-1", "4711", "4712", "2", "74120988"]));
}

#[test]
fn participants_are_listed_by_role() {
    let forms = Forms { participants: Participants::ByRole, ..NEWEST };
    let by_role = details(forms, "OPEN");
    assert_eq!(by_role.get("participants"), None);
    assert_eq!(by_role["participantsPId"], json!({ "CONSUMER": ["consumer-1"], "ASSIGNED_AGENT": ["agent-1"] }));
    let bare = details(Forms { bare_participants: true, ..forms }, "OPEN");
    assert_eq!(bare["participantsPId"], json!({ "CONSUMER": "consumer-1", "ASSIGNED_AGENT": "agent-1" }));
}

#[test]
fn a_closed_conversation_is_reported_in_the_older_form() {
    let forms = Forms { closed_with_d: true, closed_drops_agents: true, ..NEWEST };
    let closed = details(forms, "CLOSE");
    assert_eq!((&closed["state"], &closed["stage"]), (&json!("CLOSED"), &json!("CLOSED")));
    assert_eq!(closed["dialogs"][0]["state"], "CLOSED");
    assert_eq!(closed["participants"], json!([{ "id": "consumer-1", "role": "CONSUMER" }]));
    assert_eq!(details(forms, "OPEN"), details(NEWEST, "OPEN"), "an open one stays as it is");
    let without = details(Forms { without_stage: true, ..NEWEST }, "CLOSE");
    assert_eq!((&without["state"], without.get("stage")), (&json!("CLOSE"), None));
}

#[test]
fn dialogs_and_the_states_of_participants_can_be_missing() {
    assert_eq!(details(Forms { without_dialogs: true, ..NEWEST }, "OPEN").get("dialogs"), None);
    let without = details(Forms { without_participant_state: true, ..NEWEST }, "OPEN");
    let consumer = json!({ "id": "consumer-1", "role": "CONSUMER" });
    assert_eq!(without["dialogs"][0]["participantsDetails"][0], consumer);
}

#[test]
fn unknown_fields_and_values_leave_the_known_ones_as_they_are() {
    let forms = Forms { unknown_fields: true, unknown_values: true, ..NEWEST };
    let messages = formed(forms, &text());
    assert!(messages["introducedLater"].is_object() && messages["body"]["introducedLater"].is_object());
    let changes = messages["body"]["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    let mut known = changes[0].clone();
    assert!(known["event"].as_object_mut().unwrap().remove("introducedLater").is_some());
    assert!(known.as_object_mut().unwrap().remove("introducedLater").is_some());
    assert_eq!(known, text()["body"]["changes"][0]);
    assert_eq!(changes[1]["event"]["type"], "NotYetKnownEvent");
    assert_eq!((changes[1].get("sequence"), &changes[1]["dialogId"]), (None, &json!("dialog-1")));

    let open = details(forms, "OPEN");
    assert!(open["introducedLater"].is_object());
    let roles: Vec<&Value> = open["participants"].as_array().unwrap().iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["CONSUMER", "ASSIGNED_AGENT", "NOT_YET_KNOWN"]);
    assert_eq!(open["ttr"]["ttrType"], "NOT_YET_KNOWN");
    assert_eq!(open["dialogs"].as_array().unwrap().len(), 2);
    assert_eq!((&open["state"], &open["stage"]), (&json!("OPEN"), &json!("OPEN")));
}

#[test]
fn no_form_changes_texts_or_participants() {
    let oldest = change(Forms::oldest(), &text());
    assert_eq!(oldest["event"]["message"], "Good evening");
    assert_eq!((&oldest["sequence"], &oldest["dialogId"]), (&json!(4), &json!("dialog-1")));
    let change = change(Forms::oldest(), &conversation("OPEN"));
    assert_eq!((&change["type"], &change["result"]["convId"]), (&json!("UPSERT"), &json!("conversation-1")));
    let details = &change["result"]["conversationDetails"];
    assert_eq!(details["participantsPId"]["CONSUMER"], "consumer-1");
    assert_eq!((&details["state"], &details["startTs"]), (&json!("OPEN"), &json!(1_790_000_000_000_i64)));
}

#[test]
fn answers_of_other_services_stay_as_they_are() {
    let token = json!({ "access_token": "a.b.c", "token_type": "Bearer" });
    assert_eq!(Forms::oldest().answer(Service::Sentinel, token.clone()), token);
    let named = json!({ "token": "a.b.c" });
    assert_eq!(Forms::oldest().answer(Service::Idp, named.clone()), named);
}
