use super::*;
use crate::{AddressCounts, UnreadableEntry};
use crate::{
    id::CallReference,
    left_out::LeftOut,
    message::{ContactCard, InboundContent, InboundEvent, Location, MediaKind, ReportedStatus},
};
use connector_message::{MessageText, code::Code, rich_content::Coordinates};

pub(super) const CONSUMER: &str = "4915209988771";

pub(super) fn webhook(value: Value) -> String {
    let mut value = value;
    value["messaging_product"] = json!("whatsapp");
    if value.get("metadata").is_none() {
        value["metadata"] = json!({"display_phone_number": "4930555123", "phone_number_id": PHONE_NUMBER_ID});
    }
    let change = json!({"field": "messages", "value": value});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "209553311842077", "changes": [change]}]})
        .to_string()
}

pub(super) fn receive(body: &str) -> Reception {
    line().receive(&request(Method::POST, &[], body)).unwrap()
}

fn message(kind: &str, content: Value) -> Value {
    let mut message = json!({"from": CONSUMER, "id": "wamid.M1", "timestamp": "1786000000", "type": kind});
    message[kind] = content;
    message
}

fn contents(message: Value) -> Vec<InboundContent> {
    let reception = receive(&webhook(json!({"messages": [message]})));
    assert_eq!(reception.left_out.total(), 0);
    assert_eq!(reception.answer, Answer::empty(StatusCode::OK));
    reception.events.into_iter().map(|event| event.content).collect()
}

fn text(text: &str) -> InboundContent {
    InboundContent::Text { text: MessageText::new(text) }
}

fn unsupported(label: &str) -> InboundContent {
    InboundContent::Unsupported { label: label.to_owned() }
}

#[test]
fn a_text_has_its_sender_its_time_and_the_consumers_names() {
    let contact = json!({"profile": {"name": "Mara Lindqvist", "username": "mara.l"}, "wa_id": CONSUMER, "user_id": "DE.5520017734981"});
    let mut said = message("text", json!({"body": "Ist mein Paket da? 📦"}));
    said["context"] = json!({"from": "4930555123", "id": "wamid.before"});
    let mut reception = receive(&webhook(json!({"contacts": [contact], "messages": [said]})));
    let event: InboundEvent = reception.events.remove(0);
    assert_eq!((event.id.as_str(), event.user.as_str()), ("wamid.M1", "+4915209988771"));
    assert_eq!(event.at.unwrap().as_second(), 1_786_000_000);
    assert_eq!(event.content, text("Ist mein Paket da? 📦"));
    let profile = event.profile.clone().unwrap();
    assert_eq!(
        (profile.name, profile.user_name),
        (Some(MessageText::new("Mara Lindqvist")), Some(MessageText::new("mara.l")))
    );
    assert_eq!((profile.phone, profile.language), (None, None));
    let shown = format!("{event:?}");
    for private in [CONSUMER, "Paket", "Mara", "mara"] {
        assert!(!shown.contains(private), "{shown}");
    }
}

#[test]
fn a_consumer_without_a_number_has_the_user_id_as_address() {
    let contact = json!({"profile": {"name": "M"}, "user_id": "DE.5520017734981", "username": "mara.l"});
    let hidden = json!({"from_user_id": "DE.5520017734981", "id": "wamid.M2", "timestamp": 1_786_000_001, "type": "text", "text": {"body": "Hi"}});
    let reception = receive(&webhook(json!({"contacts": [contact], "messages": [hidden]})));
    assert_eq!(reception.events[0].user.as_str(), "DE.5520017734981");
    assert_eq!(reception.events[0].at.unwrap().as_second(), 1_786_000_001);
    assert_eq!(reception.events[0].profile.as_ref().unwrap().user_name, Some(MessageText::new("mara.l")));
}

#[test]
fn each_message_of_a_batch_has_its_own_consumer() {
    let profile = |number: &str, name: &str| json!({"profile": {"name": name}, "wa_id": number});
    let mut other = message("text", json!({"body": "b"}));
    (other["from"], other["id"]) = (json!("4915200000002"), json!("wamid.M2"));
    let mut stranger = other.clone();
    (stranger["from"], stranger["id"]) = (json!("4915200000003"), json!("wamid.M3"));
    let contacts = json!([profile("4915200000002", "Bo"), profile(CONSUMER, "Mara")]);
    let messages = json!([message("text", json!({"body": "a"})), other, stranger]);
    let reception = receive(&webhook(json!({"contacts": contacts, "messages": messages})));
    let names: Vec<_> = reception
        .events
        .iter()
        .map(|event| event.profile.as_ref().and_then(|profile| profile.name.as_ref()).map(MessageText::as_str))
        .collect();
    assert_eq!(names, [Some("Mara"), Some("Bo"), None]);
}

#[test]
fn files_are_read_with_their_metadata() {
    for (kind, expected) in [
        ("image", MediaKind::Picture),
        ("video", MediaKind::Video),
        ("audio", MediaKind::Audio),
        ("document", MediaKind::Document),
        ("sticker", MediaKind::Sticker),
    ] {
        let file = json!({"id": "640011", "mime_type": "application/pdf", "sha256": "x", "filename": "Rechnung.pdf", "caption": "bitte"});
        let contents = contents(message(kind, file));
        let [InboundContent::Media(media)] = &contents[..] else { panic!("{contents:?}") };
        assert_eq!((media.kind, media.reference.as_str()), (expected, "640011"));
        assert_eq!(media.content_type.as_deref(), Some("application/pdf"));
        assert_eq!(media.name, Some(MessageText::new("Rechnung.pdf")));
        assert_eq!(media.caption, Some(MessageText::new("bitte")));
        assert!(!format!("{media:?}").contains("640011"));
    }
    let voice =
        contents(message("audio", json!({"id": 640_012, "mime_type": "audio/ogg; codecs=opus", "voice": true})));
    assert!(
        matches!(&voice[..], [InboundContent::Media(media)] if media.reference.as_str() == "640012" && media.caption.is_none())
    );
    assert_eq!(contents(message("image", json!({"mime_type": "image/png"}))), [unsupported("picture")]);
}

#[test]
fn a_location_with_invalid_coordinates_keeps_its_name() {
    let place = |latitude: Value| json!({"latitude": latitude, "longitude": 13.3777, "name": "Tor", "address": "Pariser Platz", "url": "https://x.example"});
    for (latitude, expected) in [
        (json!(52.5163), Coordinates::new(52.5163, 13.3777)),
        (json!("52.5163"), Coordinates::new(52.5163, 13.3777)),
        (json!(520), None),
    ] {
        let expected = Location {
            place: expected,
            name: Some(MessageText::new("Tor")),
            address: Some(MessageText::new("Pariser Platz")),
        };
        assert_eq!(contents(message("location", place(latitude))), [InboundContent::Location(expected)]);
    }
}

#[test]
fn every_contact_card_is_an_event() {
    let cards = json!([
        {"name": {"formatted_name": "Bo Nygård", "first_name": "Bo"}, "phones": [{"phone": "+46 70 1", "wa_id": "46701"}, {"wa_id": "46702"}, {}], "emails": [{"email": "bo@x.example"}]},
        {"name": {"first_name": "Ada"}},
    ]);
    let reception = receive(&webhook(json!({"messages": [message("contacts", cards)]})));
    let ids: Vec<_> = reception.events.iter().map(|event| (event.id.as_str(), event.part)).collect();
    assert_eq!(ids, [("wamid.M1", 0), ("wamid.M1", 1)]);
    let texts = |texts: &[&str]| texts.iter().copied().map(MessageText::new).collect::<Vec<_>>();
    assert_eq!(
        reception.events[0].content,
        InboundContent::Contact(ContactCard {
            name: Some(MessageText::new("Bo Nygård")),
            phones: texts(&["+46 70 1", "+46702"]),
            emails: texts(&["bo@x.example"]),
        })
    );
    assert!(
        matches!(&reception.events[1].content, InboundContent::Contact(card) if card.name == Some(MessageText::new("Ada")))
    );
    assert_eq!(contents(message("contacts", json!([]))), [unsupported("contact")]);
}

#[test]
fn a_tapped_button_or_row_is_a_choice() {
    for kind in ["button_reply", "list_reply"] {
        let mut reply = json!({"type": kind});
        reply[kind] = json!({"id": "3f.0", "title": "Ja, bitte", "description": "x"});
        let expected = InboundContent::Choice { id: "3f.0".to_owned(), title: MessageText::new("Ja, bitte") };
        assert_eq!(contents(message("interactive", reply.clone())), [expected]);
        reply[kind] = json!({"title": "Ja, bitte"});
        assert_eq!(contents(message("interactive", reply)), [text("Ja, bitte")]);
    }
    let form = json!({"type": "nfm_reply", "nfm_reply": {"response_json": "{}", "body": "Sent", "name": "flow"}});
    assert_eq!(contents(message("interactive", form)), [unsupported("form")]);
    let call = json!({"type": "call_permission_reply", "call_permission_reply": {}});
    assert_eq!(contents(message("interactive", call)), [unsupported("call permission reply")]);
    let template = json!({"payload": "not-ours", "text": "Termin ändern"});
    assert_eq!(contents(message("button", template)), [text("Termin ändern")]);
}

#[test]
fn a_reaction_is_its_emoji_and_a_removed_one_is_nothing() {
    assert_eq!(contents(message("reaction", json!({"message_id": "wamid.A1", "emoji": "👍"}))), [text("👍")]);
    for taken_back in [json!({"message_id": "wamid.A1"}), json!({"message_id": "wamid.A1", "emoji": ""})] {
        assert_eq!(contents(message("reaction", taken_back)), []);
    }
}

#[test]
fn an_edited_message_says_so_and_a_revoked_one_is_deleted() {
    let edited = json!({"original_message_id": "wamid.M0", "message": {"type": "text", "text": {"body": "morgen"}}});
    assert_eq!(contents(message("edit", edited)), [InboundContent::Edited { text: MessageText::new("morgen") }]);
    let nested = json!({"message": {"type": "edit", "edit": {"message": {"type": "text"}}}});
    assert_eq!(contents(message("edit", nested)), [unsupported("edited message")]);
    assert_eq!(contents(message("revoke", json!({"original_message_id": "wamid.M0"}))), [InboundContent::Deleted]);
}

#[test]
fn other_types_become_a_label() {
    for (kind, content, label) in [
        ("order", json!({"catalog_id": "1"}), "order"),
        ("system", json!({"type": "user_changed_number", "wa_id": "4915200000009"}), "change of the phone number"),
        ("system", json!({"type": "user_changed_user_id"}), "change of the WhatsApp account"),
        ("system", json!("x"), "system message"),
        ("unsupported", json!({"type": "poll"}), "poll"),
        ("unsupported", json!(null), "message of a kind that WhatsApp doesn't pass on"),
        ("text", json!({"body": " "}), "message without text"),
        ("text", json!(["private"]), "message without text"),
        ("interactive", json!({"type": "a <b>"}), "message"),
        ("unsupported", json!({"type": "call_to_4915200000009"}), "message"),
        ("hologram_video", json!({}), "hologram video"),
        ("🎈", json!({}), "message"),
    ] {
        assert_eq!(contents(message(kind, content)), [unsupported(label)], "{kind}");
    }
    assert_eq!(contents(json!({"from": CONSUMER, "id": "wamid.M1"})), [unsupported("message")]);
}

#[test]
fn a_report_has_the_message_and_an_id_of_message_and_status() {
    let status = |word: &str| json!({"id": "wamid.OUT1", "status": word, "timestamp": "1786000002", "recipient_id": CONSUMER, "recipient_user_id": "DE.5520017734981", "biz_opaque_callback_data": "0a.0"});
    let mut failed = status("failed");
    failed["errors"] =
        json!([{"code": 131_047, "title": "Re-engagement message", "error_data": {"details": "private"}}]);
    let statuses = json!([status("sent"), status("delivered"), status("read"), status("played"), failed]);
    let reception = receive(&webhook(json!({"statuses": statuses})));
    assert_eq!(reception.left_out.total(), 0);
    let reports: Vec<_> = reception
        .events
        .iter()
        .map(|event| {
            assert_eq!(event.user.as_str(), "+4915209988771");
            let InboundContent::Report { message, status, reference } = &event.content else { panic!("{event:?}") };
            assert_eq!(message.as_ref().unwrap().as_str(), "wamid.OUT1");
            assert_eq!(*reference, CallReference::of("0a", 0));
            (event.id.as_str(), status.clone())
        })
        .collect();
    assert_eq!(
        reports,
        [
            ("wamid.OUT1.delivered", ReportedStatus::Delivered),
            ("wamid.OUT1.read", ReportedStatus::Read),
            ("wamid.OUT1.played", ReportedStatus::Read),
            ("wamid.OUT1.failed", ReportedStatus::Failed { code: Code::internal("131047") }),
        ]
    );
}

#[test]
fn a_report_without_a_number_has_the_user_id() {
    let status = json!({"id": "wamid.OUT1", "status": "failed", "timestamp": "1786000002", "recipient_user_id": "DE.5520017734981"});
    let reception = receive(&webhook(json!({"statuses": [status]})));
    assert_eq!(reception.events[0].user.as_str(), "DE.5520017734981");
    let failed = ReportedStatus::Failed { code: Code::NONE };
    assert!(matches!(&reception.events[0].content, InboundContent::Report { status, .. } if *status == failed));
}

#[test]
fn a_failure_without_a_recipient_is_still_reported() {
    let reception = receive(&webhook(json!({"statuses": [{"id": "wamid.OUT1", "status": "failed"}]})));
    assert!(matches!(reception.events[0].content, InboundContent::Report { .. }));
}

#[test]
fn the_words_of_one_person_never_go_by_the_address_of_another() {
    let mut said = message("text", json!({"body": "x"}));
    said.as_object_mut().unwrap().remove("from");
    said["from_user_id"] = json!("DE.111");
    let contacts = json!([{"wa_id": "4915209988771", "user_id": "DE.999", "profile": {"name": "Somebody"}}]);
    let reception = receive(&webhook(json!({"messages": [said], "contacts": contacts})));
    assert_eq!(reception.events[0].user.as_str(), "DE.111");
}

#[test]
fn a_batch_is_in_order_of_time_and_of_arrival_within_a_second() {
    let at = |id: &str, seconds: &str| {
        let mut said = message("text", json!({"body": id}));
        (said["id"], said["timestamp"]) = (json!(id), json!(seconds));
        said
    };
    let messages = json!([at("c", "1786000009"), at("a", "1786000003"), at("b", "1786000003"), at("0", "soon")]);
    let reception = receive(&webhook(json!({"messages": messages})));
    let ids: Vec<_> = reception.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["0", "a", "b", "c"]);
}

#[test]
fn messages_for_another_number_are_counted_by_number() {
    let said = || message("text", json!({"body": "x"}));
    let foreign = json!({"metadata": {"phone_number_id": "999"}, "messages": [said(), said()], "statuses": [{}]});
    let reception = receive(&webhook(foreign.clone()));
    assert!(reception.events.is_empty());
    assert_eq!(reception.left_out.total(), 0);
    assert_eq!(reception.elsewhere.total(), AddressCounts { messages: 2, reports: 1 });
    let settings = json!({"phone_number_id": "999", "access_token": "t", "app_secret": "s", "verify_token": "v"});
    let theirs = WhatsApp.line(&settings).unwrap().receive(&request(Method::POST, &[], &webhook(foreign))).unwrap();
    assert_eq!((theirs.events.len(), theirs.elsewhere.is_empty()), (2, true));
    assert!(reception.elsewhere.clone().claim(&theirs.elsewhere));
    assert!(!reception.elsewhere.clone().claim(&reception.elsewhere), "of another line without the number");
}

#[test]
fn what_nobody_can_use_is_left_out_and_counted_by_kind() {
    let said = || message("text", json!({"body": "x"}));
    let left_out = |body: &str| {
        let reception = receive(body);
        assert!(reception.events.is_empty() && reception.elsewhere.is_empty(), "{body}");
        reception.left_out
    };
    assert_eq!(
        left_out(&webhook(json!({"messages": [said()]})).replace("\"field\":\"messages\"", "\"field\":\"history\"")),
        LeftOut::of("change of another field", 1)
    );
    let errors = webhook(json!({"errors": [{"code": 130_429}]}));
    assert_eq!(left_out(&errors), LeftOut::of("change without messages", 1));
    let mut in_group = said();
    in_group["group_id"] = json!("120363");
    assert_eq!(left_out(&webhook(json!({"messages": [in_group]}))), LeftOut::of("message in a group", 1));
    let status = |word: Value| json!({"id": "wamid.OUT1", "status": word, "recipient_id": CONSUMER});
    let mut to_group = status(json!("read"));
    to_group["recipient_type"] = json!("group");
    let statuses = json!([status(json!("lost")), status(json!(7)), to_group, {"status": "read"}]);
    assert_eq!(left_out(&webhook(json!({"statuses": statuses}))), LeftOut::of("unknown report", 4));
    assert_eq!(
        left_out(&webhook(json!({"statuses": [status(json!("sent"))]}))),
        LeftOut::default(),
        "nobody waits for it"
    );
    let empty = r#"{"object":"whatsapp_business_account","entry":[{},5]}"#;
    assert_eq!(left_out(empty), LeftOut::of("entry without changes", 2));
}

#[test]
fn an_unreadable_part_does_not_affect_the_others() {
    let messages = json!([7, message("text", json!({"body": "still here"})), {"id": "x"}]);
    let reception = receive(&webhook(json!({"contacts": "none", "messages": messages})));
    assert_eq!((reception.events.len(), reception.unreadable.len(), reception.left_out.total()), (1, 2, 0));
    assert_eq!(reception.events[0].content, text("still here"));
}

#[test]
fn a_message_without_a_usable_id_or_sender_is_unreadable() {
    let said = |field: &str, value: Value| {
        let mut said = message("text", json!({"body": "private words"}));
        said[field] = value;
        said
    };
    let messages = [
        said("from", json!({})),
        said("from", json!("\u{7}")),
        said("id", json!("")),
        said("id", json!("x".repeat(300))),
        json!(5),
        json!(null),
    ];
    let reception = receive(&webhook(json!({"messages": messages})));
    assert_eq!((reception.events.len(), reception.left_out.total()), (0, 0));
    let kept: Vec<Value> =
        reception.unreadable.iter().map(|UnreadableEntry(bytes)| serde_json::from_slice(bytes).unwrap()).collect();
    assert_eq!(kept, messages);
    let shown = format!("{reception:?}");
    assert!(!shown.contains("private") && !shown.contains(CONSUMER), "{shown}");
}

#[test]
fn messages_without_a_number_are_unaddressed() {
    let said = message("text", json!({"body": "x"}));
    let reception = receive(&webhook(json!({"metadata": {}, "messages": [said.clone(), said], "statuses": [{}]})));
    assert_eq!((reception.events.len(), reception.unreadable.len(), reception.unaddressed.len()), (0, 0, 2));
    assert_eq!(reception.left_out, LeftOut::of("report that names no number", 1));
}

#[test]
fn a_bare_message_and_a_null_group_are_accepted() {
    let mut alone = message("text", json!({"body": "x"}));
    alone["group_id"] = json!(null);
    assert_eq!(receive(&webhook(json!({"messages": alone}))).events[0].content, text("x"));
}

#[test]
fn half_an_emoji_does_not_cost_the_text() {
    let body = webhook(json!({"messages": [message("text", json!({"body": "HALF"}))]})).replace("HALF", "Hi \\ud83d");
    assert_eq!(receive(&body).events[0].content, text("Hi \u{fffd}"));
}

#[test]
fn an_error_contains_no_text_of_the_body() {
    for body in
        ["", "private", "[]", "{}", r#"{"object":"page","entry":[]}"#, r#"{"object":"whatsapp_business_account"}"#]
    {
        let error = line().receive(&request(Method::POST, &[], body)).unwrap_err();
        assert!(!error.to_string().contains("private"), "{error}");
    }
}
