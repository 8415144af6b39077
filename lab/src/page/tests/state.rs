//! Tests of the page's own files and of its state.

use std::collections::BTreeSet;

use super::*;

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_sets_a_strict_policy() {
    let lab = PageFixture::start().await;
    for (path, content_type) in [
        ("", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("page.js", "text/javascript; charset=utf-8"),
        ("dom.js", "text/javascript; charset=utf-8"),
        ("actions.js", "text/javascript; charset=utf-8"),
        ("bubbles.js", "text/javascript; charset=utf-8"),
        ("attachments.js", "text/javascript; charset=utf-8"),
        ("state.js", "text/javascript; charset=utf-8"),
        ("phones.js", "text/javascript; charset=utf-8"),
        ("desk.js", "text/javascript; charset=utf-8"),
        ("files.js", "text/javascript; charset=utf-8"),
        ("replies.js", "text/javascript; charset=utf-8"),
        ("cards.js", "text/javascript; charset=utf-8"),
        ("wire_log.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("card_templates.json", "application/json"),
    ] {
        let response = lab.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = response.text().await.unwrap().replace("http://www.w3.org/2000/svg", "");
        // The templates are data: their addresses are sent to the consumer, and the browser opens none.
        if path == "card_templates.json" {
            continue;
        }
        for foreign in ["http:", "https:", "//cdn", "innerHTML", "onclick=", "style=\"", "@import"] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    let page = lab.get("").await.text().await.unwrap();
    for id in [
        "phone-input",
        "phone-send",
        "phone-messages",
        "phone-channel",
        "phone-attach",
        "phone-place",
        "phone-read",
        "phone-types",
        "desk-input",
        "desk-send",
        "desk-messages",
        "desk-close",
        "desk-attach",
        "desk-read",
        "desk-types",
        "desk-transfer",
        "desk-leave",
        "desk-survey",
        "desk-replies",
        "conversations",
        "wire-log",
    ] {
        assert!(page.contains(&format!(r#"id="{id}" data-testid="{id}""#)), "{id}");
    }
    assert_eq!(lab.get("nothing").await.status(), 404);
}

#[tokio::test]
async fn the_state_has_the_lists_and_the_open_transcripts() {
    let lab = PageFixture::start().await;
    let send = json!({ "channel": CHAT, "phone": PHONE, "text": "<b>hi</b> 👋" });
    assert_eq!(lab.post("api/phones/send", send).await, (204, Value::Null));
    assert_eq!(lab.post("api/desk/say", json!({ "conversation": "c1", "text": "hello" })).await, (204, Value::Null));

    let lists_only = lab.state("").await;
    let all = json!({ "longest_text": 40, "files": true, "places": true, "read_receipts": true, "typing": true });
    let nothing =
        json!({ "longest_text": null, "files": false, "places": false, "read_receipts": false, "typing": false });
    assert_eq!(
        lists_only["channels"],
        json!([
            { "name": CHAT, "features": all, "phones": [{ "number": PHONE, "messages": 2 }] },
            { "name": PLAIN, "features": nothing, "phones": [] },
        ])
    );
    assert_eq!(
        lists_only["conversations"],
        json!([{
            "id": "c1", "title": PHONE, "state": "open", "opened_at_ms": 1, "last_text": "hello", "messages": 2,
            "skill": "1201", "agent_joined": true, "consumer_is_typing": false, "satisfaction": 4,
            "dialogs": [{ "id": "c1", "kind": "main", "open": true }, { "id": "s1", "kind": "survey", "open": false }],
        }])
    );
    assert_eq!(lists_only["links"], json!([{ "name": "SMS gateway", "url": "http://127.0.0.1:40111" }]));
    assert_eq!(lists_only["survey"], false);
    for open in ["phone", "conversation", "brand_types_until_ms"] {
        assert_eq!(lists_only[open], Value::Null, "{open}");
    }

    let open = lab.state("?channel=Chat&phone=%2B12025550143&conversation=c1").await;
    assert_eq!(
        open["phone"][0],
        json!({
            "id": "m0", "side": "consumer", "text": "<b>hi</b> 👋", "at_ms": 1, "sequence": 0, "state": null,
            "note": null, "attachments": [],
        })
    );
    assert_eq!(open["brand_types_until_ms"], 1_780_000_000_000_i64);
    let bubble = &open["conversation"][1];
    let choice = json!({ "kind": "quick_reply", "text": "hello?", "detail": null, "tags": [] });
    assert_eq!((&bubble["side"], &bubble["card"]), (&json!("agent"), &json!([choice])));
    assert_eq!((&bubble["tags"], &bubble["dialog"]), (&json!(["ExternalId: 7"]), &json!("survey")));
    assert_eq!((&bubble["speaker"], &bubble["private"]), (&json!("Survey bot"), &json!(false)));
}

#[tokio::test]
async fn a_phone_is_identified_by_channel_and_number() {
    let lab = PageFixture::start().await;
    for query in [
        "?channel=Chat&phone=%2B1&conversation=c9",
        "?channel=Plain&phone=%2B12025550143",
        "?channel=Pigeon&phone=%2B12025550143",
        "?phone=%2B12025550143",
    ] {
        assert_eq!(lab.state(query).await["phone"], Value::Null, "{query}");
    }
    assert_eq!(lab.get("api/state?fone=1").await.status(), 400);
}

#[tokio::test]
async fn every_attachment_has_a_kind() {
    let lab = PageFixture::start().await;
    let text = || "words".to_owned();
    lab.fake.add(
        Side::Agent,
        "",
        vec![
            AttachmentView::Heading { text: text() },
            AttachmentView::Picture { media: "p".to_owned(), alt: text() },
            AttachmentView::LinkedPicture { url: "https://shop.example/tent.png".to_owned(), alt: text() },
            AttachmentView::File { media: None, name: "label.pdf".to_owned(), size: Some(7) },
            AttachmentView::Footer { text: text() },
            AttachmentView::Place { latitude: 47.5, longitude: 8.5, name: None, address: Some(text()) },
            AttachmentView::Link { title: text(), url: "https://shop.example/".to_owned() },
            AttachmentView::Section { title: text() },
            AttachmentView::Choice { id: "b-1".to_owned(), title: text(), description: None },
        ],
    );
    assert_eq!(
        lab.state("?channel=Chat&phone=%2B12025550143").await["phone"][0]["attachments"],
        json!([
            { "kind": "heading", "text": "words" },
            { "kind": "picture", "media": "p", "alt": "words" },
            { "kind": "linked_picture", "url": "https://shop.example/tent.png", "alt": "words" },
            { "kind": "file", "media": null, "name": "label.pdf", "size": 7 },
            { "kind": "footer", "text": "words" },
            { "kind": "place", "latitude": 47.5, "longitude": 8.5, "name": null, "address": "words" },
            { "kind": "link", "title": "words", "url": "https://shop.example/" },
            { "kind": "section", "title": "words" },
            { "kind": "choice", "id": "b-1", "title": "words", "description": null },
        ])
    );
    // The page's script must handle each of these kinds.
    let script = include_str!("../attachments.js");
    let kinds = ["heading", "picture", "linked_picture", "file", "footer", "place", "link", "section", "choice"];
    for kind in kinds {
        assert!(script.contains(&format!("\n  {kind}: {{")), "{kind}");
    }
}

/// The types of the elements and actions in a JSON value, and the ids of its metadata.
fn types(value: &Value, types_found: &mut BTreeSet<String>, ids: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let kind = members.get("type").and_then(Value::as_str);
            match (kind, members.get("id").and_then(Value::as_str)) {
                (Some("ExternalId"), Some(id)) => ids.push(id.to_owned()),
                (Some(kind), _) => {
                    types_found.insert(kind.to_owned());
                }
                (None, _) => {}
            }
            members
                .iter()
                // These members name other elements by their type.
                .filter(|(name, _)| *name != "ref" && *name != "selectMode")
                .for_each(|(_, value)| types(value, types_found, ids));
        }
        Value::Array(values) => values.iter().for_each(|value| types(value, types_found, ids)),
        _ => {}
    }
}

#[test]
fn the_templates_have_everything_that_agents_can_send() {
    let templates: Vec<Value> = serde_json::from_str(include_str!("../card_templates.json")).unwrap();
    let (mut found, mut ids, mut names) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for template in &templates {
        assert!(names.insert(template["name"].as_str().unwrap()), "{template}");
        let message = template["message"].as_object().unwrap();
        let (content, replies) = (message.get("content"), message.get("quick_replies"));
        assert!(content.is_none_or(Value::is_object) && replies.is_none_or(Value::is_object), "{template}");
        // The API accepts a card with or without choices, or a text with choices.
        assert!(content.is_some() != message.contains_key("text"), "{template}");
        assert!(content.is_some() || replies.is_some(), "{template}");
        types(&template["message"], &mut found, &mut ids);
    }
    let documented = [
        // Elements.
        "text",
        "button",
        "submitButton",
        "image",
        "map",
        "linkPreview",
        "template",
        "keyValuePairList",
        "checkbox",
        "scheduleSlot",
        // Containers.
        "vertical",
        "horizontal",
        "carousel",
        "carouselSelect",
        "accordionSelect",
        "tabs",
        "list",
        "sectionList",
        "section",
        "checklist",
        "buttonList",
        "quickReplies",
        // Actions.
        "publishText",
        "link",
        "navigate",
        "datePicker",
        "scheduleSlotList",
        "checked",
        "submitAsText",
    ];
    assert_eq!(found, documented.map(str::to_owned).into());
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all, "every choice comes back under an id of its own");
}
