use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::liveengage::{AccountOptions, LiveEngageOptions, Speaker};
use crate::liveengage::{Closer, Csat, CsatStatus};

const ACCOUNT: &str = "20260814";

async fn desk() -> (LiveEngageSimulator, String) {
    let accounts = vec![AccountOptions::new(ACCOUNT, "client", "secret")];
    let options = LiveEngageOptions { accounts, ..LiveEngageOptions::default() };
    let simulator = LiveEngageSimulator::start(options).await.unwrap();
    let lines = [(Speaker::Visitor, "Where is my tent?"), (Speaker::Agent, "On its way")];
    let conversation = simulator.foreign_conversation(ACCOUNT, &lines).unwrap();
    (simulator, conversation)
}

async fn shown(simulator: &LiveEngageSimulator) -> DeskConversationView {
    Desk::conversations(simulator).await.remove(0)
}

fn file(name: &str, content_type: &str, caption: Option<&str>) -> UploadedFile {
    UploadedFile {
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        bytes: Bytes::from_static(b"GIF89a and so on"),
        caption: caption.map(str::to_owned),
    }
}

#[tokio::test]
async fn the_header_shows_the_skill_and_the_agent() {
    let (simulator, conversation) = desk().await;
    Desk::transfer(&simulator, &conversation, "1202").await.unwrap();
    let waiting = shown(&simulator).await;
    assert_eq!((waiting.skill.as_deref(), waiting.agent_joined), (Some("1202"), false));
    Desk::typing(&simulator, &conversation, true).await.unwrap();
    assert!(shown(&simulator).await.agent_joined, "who types has accepted the conversation");
    Desk::leave(&simulator, &conversation).await.unwrap();
    let waiting = shown(&simulator).await;
    assert_eq!((waiting.skill.as_deref(), waiting.agent_joined), (Some("1202"), false));
    assert_eq!(waiting.dialogs, [DeskDialogView { id: conversation.clone(), kind: DialogKindView::Main, open: true }]);
    assert_eq!((waiting.state, waiting.satisfaction), (ConversationState::Open, None));
    assert!(matches!(Desk::leave(&simulator, "nowhere").await, Err(ActionError::NotFound(_))));
}

#[tokio::test]
async fn messages_read_by_the_agent_are_ticked() {
    let (simulator, conversation) = desk().await;
    let states = async || {
        let bubbles = Desk::transcript(&simulator, &conversation).await.unwrap();
        bubbles.into_iter().map(|bubble| bubble.bubble.state).collect::<Vec<_>>()
    };
    assert_eq!(states().await, [None, Some(BubbleState::Accepted)]);
    Desk::read(&simulator, &conversation).await.unwrap();
    assert_eq!(states().await, [Some(BubbleState::Read), Some(BubbleState::Accepted)]);
}

#[tokio::test]
async fn a_picture_is_shown_and_another_file_is_named() {
    let (simulator, conversation) = desk().await;
    Desk::say_file(&simulator, &conversation, file("tent.gif", "image/gif", Some("The tent"))).await.unwrap();
    Desk::say_file(&simulator, &conversation, file("plan.cad", "", None)).await.unwrap();
    let bubbles = Desk::transcript(&simulator, &conversation).await.unwrap();
    let [AttachmentView::Picture { media, alt }] = &bubbles[2].bubble.attachments[..] else {
        panic!("{:?}", bubbles[2]);
    };
    assert_eq!((bubbles[2].bubble.text.as_str(), alt.as_str()), ("The tent", "The tent"));
    let stored = Desk::media(&simulator, media).await.unwrap();
    assert_eq!((stored.content_type.as_str(), &stored.bytes[..]), ("image/gif", &b"GIF89a and so on"[..]));
    let [AttachmentView::File { media: Some(media), name, size: Some(16) }] = &bubbles[3].bubble.attachments[..] else {
        panic!("{:?}", bubbles[3]);
    };
    assert!(name.ends_with(".CAD") && media.ends_with(name) && bubbles[3].bubble.text.is_empty(), "{name}");
    assert_eq!(Desk::media(&simulator, "/nowhere").await, None);
    let nameless = Desk::say_file(&simulator, &conversation, file("notes", "", None)).await;
    assert!(matches!(nameless, Err(ActionError::Rejected(why)) if why.contains("extension")));
}

#[test]
fn a_missing_file_cannot_be_downloaded() {
    let gone = FileView { relative_path: "/a/b_uuid_c.PNG".to_owned(), file_type: "PNG".to_owned(), caption: None };
    let name = "c.PNG".to_owned();
    assert_eq!(attachment(&gone, None), AttachmentView::File { media: None, name, size: None });
}

#[test]
fn a_file_type_is_named_as_liveperson_names_it() {
    for (name, content_type, expected) in [
        ("a", "image/jpeg", Some("JPG")),
        ("a.bin", "application/pdf", Some("PDF")),
        ("a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Some("DOCX")),
        ("a.tar.gz", "", Some("GZ")),
        ("a", "", None),
        ("a.", "", None),
        ("a.far-too-long", "", None),
    ] {
        assert_eq!(file_type(&file(name, content_type, None)).as_deref(), expected, "{name} {content_type}");
    }
}

#[tokio::test]
async fn the_survey_of_all_accounts_is_switched_on_and_off() {
    let (simulator, _) = desk().await;
    for on in [true, false] {
        Desk::set_survey(&simulator, on).await.unwrap();
        assert_eq!(Desk::survey(&simulator).await, Some(on));
    }
}

#[tokio::test]
async fn a_survey_is_shown_between_two_notes_and_marked() {
    let (simulator, id) = desk().await;
    let mut conversation = simulator.conversation(&id).unwrap();
    let bubbles_of = |conversation: &ConversationView| bubbles(conversation, |_| None);
    conversation.main_dialog_open = false;
    conversation.closed_by = Some("AGENT".to_owned());
    conversation.dialogs[0].open = false;
    conversation.dialogs.push(view::DialogView {
        id: "survey".to_owned(),
        kind: conversation::DialogKind::PostSurvey,
        open: true,
        closed_by: None,
        closed_cause: None,
    });
    let view = DeskConversationView::from(&conversation);
    assert_eq!(view.state, ConversationState::Survey);
    assert_eq!(view.dialogs[1].kind, DialogKindView::Survey);
    let last = bubbles_of(&conversation).pop().unwrap();
    assert_eq!(last.bubble.text, "Closed by agent, a survey follows");

    let question =
        TranscriptLine { dialog_id: "survey".to_owned(), who: Role::Agent, ..conversation.transcript[1].clone() };
    conversation.transcript.push(question);
    conversation.dialogs[1].open = false;
    conversation.dialogs[1].closed_by = Some(Closer::Agent);
    conversation.dialogs[1].closed_cause = Some("Completed".to_owned());
    conversation.open = false;
    conversation.ended_at_ms = Some(conversation.started_at_ms + 1);
    conversation.csat =
        Some(Csat { csat_rate: Some(4), csat_resolution_confirmation: None, status: CsatStatus::Filled });
    let bubbles = bubbles_of(&conversation);
    let texts: Vec<&str> = bubbles.iter().map(|bubble| bubble.bubble.text.as_str()).collect();
    assert_eq!(
        texts,
        ["Where is my tent?", "On its way", "Closed by agent, a survey follows", "On its way", "Survey completed"]
    );
    assert_eq!((bubbles[3].dialog, bubbles[3].speaker.as_deref()), (DialogKindView::Survey, Some("Survey bot")));
    assert_eq!((bubbles[1].dialog, &bubbles[1].speaker), (DialogKindView::Main, &None));
    let ids: std::collections::BTreeSet<&str> = bubbles.iter().map(|bubble| bubble.bubble.id.as_str()).collect();
    assert_eq!(ids.len(), bubbles.len());
    let view = DeskConversationView::from(&conversation);
    assert_eq!((view.state, view.satisfaction), (ConversationState::Closed, Some(4)));
}

#[tokio::test]
async fn a_private_note_is_marked_and_has_no_ticks() {
    let (simulator, id) = desk().await;
    simulator.say_privately(&id, "A regular").unwrap();
    let bubble = Desk::transcript(&simulator, &id).await.unwrap().pop().unwrap();
    assert!(bubble.private);
    assert_eq!((bubble.bubble.state, bubble.bubble.text.as_str()), (None, "A regular"));
    let quick_replies = json!({ "type": "quickReplies", "replies": [] });
    let said = RichMessage::Text { text: "Well?".to_owned(), quick_replies };
    Desk::say_rich(&simulator, &id, said).await.unwrap();
    assert!(!Desk::transcript(&simulator, &id).await.unwrap().pop().unwrap().private);
}

#[tokio::test]
async fn the_page_shows_and_changes_how_webhooks_are_sent_and_no_value_of_a_header() {
    let (simulator, _) = desk().await;
    let content = "ms.MessagingEventNotification.ContentEvent";
    let header = |value: &str| json!([{ "header_name": "x-shared", "header_value": value }]);
    let webhooks = json!({
        content: { "endpoint": "https://hooks.example/", "max_retries": 1, "headers": header("canary") },
        "retry": { "retention_time": 60 },
    });
    let change = WebhooksChange {
        webhooks: Some(webhooks.clone()),
        signature: Some("sha256-hex".to_owned()),
        forms: Some("oldest".to_owned()),
    };
    Desk::set_webhooks(&simulator, change).await.unwrap();
    let mut shown = webhooks;
    shown[content]["headers"] = header("(not shown)");
    let expected = WebhooksView { webhooks: shown, signature: "sha256-hex", forms: Some("oldest"), state: "Up" };
    assert_eq!(Desk::webhooks(&simulator).await.as_ref(), Some(&expected));

    let text = |text: &str| Some(text.to_owned());
    let unchanged = WebhooksChange::default;
    for (change, problem) in [
        (WebhooksChange { webhooks: Some(json!([])), ..unchanged() }, "capabilities.webhooks must be an object"),
        (WebhooksChange { signature: text("md5"), ..unchanged() }, "the signature must be one of sha1-base64"),
        (WebhooksChange { signature: text("sha1-hex"), forms: text("old"), ..unchanged() }, "the forms must be"),
    ] {
        let Err(ActionError::Rejected(why)) = Desk::set_webhooks(&simulator, change).await else { panic!("{problem}") };
        assert!(why.starts_with(problem), "{why}");
    }
    assert_eq!(Desk::webhooks(&simulator).await, Some(expected), "nothing of a refused change is done");
}
