//! Checks that every notification is read without losing anything that matters.

use connector_liveengage::notification::{
    self, AcceptStatus, AgentPresence, Audience, Change, ChatState, ClosedBy, ConversationChange, DialogEvent,
    EventKind, NotificationType, Role,
};
use serde_json::{Value, json};

use super::{Sample, structured, unknown};

/// The transition that a state shows.
struct State {
    closed: bool,
    main_open: bool,
    survey: Option<&'static str>,
    agent: AgentPresence,
    skill: Option<&'static str>,
    closed_by: Option<ClosedBy>,
    csat_filled: bool,
}

const OPEN: State = State {
    closed: false,
    main_open: true,
    survey: None,
    agent: AgentPresence::None,
    skill: None,
    closed_by: None,
    csat_filled: false,
};
const JOINED: State = State { agent: AgentPresence::Joined, ..OPEN };
const CLOSED: State = State { closed: true, main_open: false, ..OPEN };

/// Every notification about a conversation's state.
const STATES: &[(&str, State)] = &[
    ("app-webhook-closed-by-consumer.json", State { closed_by: Some(ClosedBy::Consumer), ..CLOSED }),
    ("app-webhook-conversation-created.json", OPEN),
    ("cblib-exconversation-full-change.json", State { skill: Some("920631532"), ..JOINED }),
    ("dc-conversation-metadata-agent-notification.json", JOINED),
    ("dc-conversation-metadata-created-notification.json", OPEN),
    (
        "dc-pcs-survey-completed-notification.json",
        State { agent: AgentPresence::Joined, skill: Some("496645413"), closed_by: Some(ClosedBy::Consumer), ..CLOSED },
    ),
    (
        "dc-pcs-survey-opened-notification.json",
        State {
            main_open: false,
            survey: Some("__YOUR_POST_SURVEY_DIALOG_ID__"),
            closed_by: Some(ClosedBy::Consumer),
            ..JOINED
        },
    ),
    ("dc-webhook-agent-assigned.json", JOINED),
    ("dc-webhook-conversation-created.json", OPEN),
    ("qs-webhook-agent-joined.json", State { skill: Some("558327413"), ..JOINED }),
    (
        "qs-webhook-closed-by-agent.json",
        State { agent: AgentPresence::Joined, skill: Some("558327413"), closed_by: Some(ClosedBy::Agent), ..CLOSED },
    ),
    ("qs-webhook-conversation-created.json", State { skill: Some("558327413"), ..OPEN }),
    ("qs-webhook-skill-transfer.json", State { skill: Some("99999999"), ..OPEN }),
    ("sdk-exconversation-body-with-context.json", JOINED),
    // The connector's own samples.
    ("agent-joined-notification.json", State { skill: Some("2187"), ..JOINED }),
    ("agent-suggested-notification.json", State { agent: AgentPresence::Suggested, skill: Some("2187"), ..OPEN }),
    ("closed-by-system-notification.json", State { closed_by: Some(ClosedBy::System), csat_filled: true, ..CLOSED }),
    ("created-notification.json", State { skill: Some("2187"), ..OPEN }),
    ("older-form-notification.json", JOINED),
    ("single-elements-notification.json", OPEN),
    (
        "survey-running-notification.json",
        State {
            main_open: false,
            survey: Some("Rk7_survey-dialog"),
            skill: Some("2187"),
            closed_by: Some(ClosedBy::Agent),
            ..JOINED
        },
    ),
    ("transferred-notification.json", State { skill: Some("2299"), ..OPEN }),
];

pub(super) fn files() -> Vec<&'static str> {
    STATES.iter().map(|(file, _)| *file).collect()
}

/// Completes a notification. Some samples show only its body, or only one change.
fn whole(json: &Value) -> Value {
    let named = |changes: &Value| {
        let state = changes.get(0).unwrap_or(changes).get("result").is_some();
        if state { "cqm.ExConversationChangeNotification" } else { "ms.MessagingEventNotification" }
    };
    if json.get("body").is_some() {
        json.clone()
    } else if let Some(changes) = json.get("changes") {
        json!({"kind": "notification", "type": named(changes), "body": json})
    } else {
        json!({"kind": "notification", "type": named(json), "body": {"changes": [json]}})
    }
}

pub(super) fn check(sample: &Sample) -> Result<(), String> {
    let whole = whole(&sample.json);
    let (kind, changes) = notification::split(whole.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let kind = kind.ok_or("of a type that nobody knows")?;
    let documented = match &whole["body"]["changes"] {
        Value::Array(changes) => changes.len(),
        _ => 1,
    };
    if changes.len() != documented {
        return Err(format!("{} of {documented} changes are left", changes.len()));
    }
    for change in &changes {
        match kind {
            NotificationType::MessagingEvent => check_event(change)?,
            NotificationType::ConversationChange => {
                let (_, state) = STATES.iter().find(|(file, _)| *file == sample.file).ok_or_else(unknown)?;
                check_conversation(change, state)?;
            }
        }
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: {found:?} was read where {wanted:?} stands")) }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// Reads one change of `ms.MessagingEventNotification`, and checks that the result has what the JSON says.
pub(super) fn check_event(change: &Value) -> Result<(), String> {
    let event = match notification::read(NotificationType::MessagingEvent, change) {
        Ok(Change::Event(event)) => event,
        Ok(other) => return Err(format!("{other:?} was read")),
        Err(error) => return Err(error.to_string()),
    };
    let conversation = text(change, "/conversationId");
    let dialog = text(change, "/dialogId").or(conversation);
    same("conversationId", Some(event.conversation.as_str()), conversation.or(dialog))?;
    same("a conversationId", event.has_conversation_id, conversation.is_some())?;
    same("dialogId", Some(event.dialog.as_str()), dialog)?;
    same("sequence", event.sequence.map(|sequence| sequence.0), change.get("sequence").and_then(Value::as_u64))?;
    let originator = ["/originatorMetadata/id", "/originatorId", "/originatorPId", "/originatorPid"];
    let originator = originator.iter().find_map(|pointer| text(change, pointer));
    same("originator", event.originator.as_deref(), originator)?;
    let role = match text(change, "/originatorMetadata/role") {
        Some("CONSUMER") => Role::Consumer,
        Some("CONTROLLER") => Role::Controller,
        Some(_) => Role::Brand,
        None => Role::Unknown,
    };
    same("role", event.role, role)?;
    let audience = match text(change, "/messageAudience") {
        None | Some("ALL") => Audience::All,
        Some("AGENTS_AND_MANAGERS") => Audience::Private,
        Some(_) => Audience::Unknown,
    };
    same("audience", event.audience, audience)?;
    let replies = change.pointer("/event/quickReplies").filter(|replies| !replies.is_null());
    same("quickReplies", event.quick_replies.as_ref().map(|replies| &replies.0), replies)?;
    check_kind(&event, &change["event"])
}

fn check_kind(event: &DialogEvent, wire: &Value) -> Result<(), String> {
    let replies = event.quick_replies.as_ref().map(|replies| &replies.0);
    match &event.kind {
        EventKind::Text(said) => {
            same("type", text(wire, "/type"), Some("ContentEvent"))?;
            same("message", Some(said.as_str()), text(wire, "/message"))?;
            structured::check_shown(&Value::Null, replies)
        }
        EventKind::File(file) => {
            same("contentType", text(wire, "/contentType"), Some("hosted/file"))?;
            same("relativePath", Some(file.relative_path.as_str()), text(wire, "/message/relativePath"))?;
            same("fileType", Some(file.file_type.name()), text(wire, "/message/fileType"))?;
            let caption = text(wire, "/message/caption").filter(|caption| !caption.is_empty());
            same("caption", file.caption.as_ref().map(|caption| caption.as_str()), caption)
        }
        EventKind::OtherContent(content_type) => {
            same("contentType", Some(content_type.as_str()), text(wire, "/contentType"))?;
            same("a content type with a form of its own", content_type.as_str().starts_with("forms/"), true)
        }
        EventKind::RichContent(content) => {
            same("type", text(wire, "/type"), Some("RichContentEvent"))?;
            same("content", Some(&content.0), wire.get("content").or(wire.get("message")))?;
            structured::check_shown(&content.0, replies)
        }
        EventKind::AcceptStatus { status, sequences } => {
            same("type", text(wire, "/type"), Some("AcceptStatusEvent"))?;
            same("status", status.map(AcceptStatus::name), text(wire, "/status"))?;
            let documented = match &wire["sequenceList"] {
                Value::Array(list) => list.clone(),
                bare => vec![bare.clone()],
            };
            same("sequenceList", sequences.iter().map(|sequence| json!(sequence.0)).collect(), documented)
        }
        EventKind::ChatState(state) => {
            same("type", text(wire, "/type"), Some("ChatStateEvent"))?;
            let said = text(wire, "/chatState");
            // LiveEngage sends this one word although it is not documented.
            same("chatState", state.map(ChatState::name), said.filter(|said| *said != "BACKGROUND"))?;
            same("typing", event.kind.is_composing(), said == Some("COMPOSING"))
        }
        EventKind::Unknown(name) => Err(format!("the event {name} is not known")),
    }
}

fn check_conversation(change: &Value, state: &State) -> Result<(), String> {
    let read = match notification::read(NotificationType::ConversationChange, change) {
        Ok(Change::Conversation(read)) => read,
        Ok(other) => return Err(format!("{other:?} was read")),
        Err(error) => return Err(error.to_string()),
    };
    let ConversationChange {
        conversation,
        closed,
        main_open,
        survey,
        closed_by,
        agent,
        skill,
        csat_filled,
        consumer,
        as_of,
    } = &read;
    let details = &change["result"]["conversationDetails"];
    same("convId", Some(conversation.as_str()), text(change, "/result/convId"))?;
    same("closed", *closed, state.closed)?;
    same("main dialog", *main_open, state.main_open)?;
    same("survey", survey.as_ref().map(|dialog| dialog.as_str()), state.survey)?;
    same("closed by", *closed_by, state.closed_by)?;
    same("agent", *agent, state.agent)?;
    same("skill", skill.as_deref(), state.skill)?;
    same("satisfaction", *csat_filled, state.csat_filled)?;
    let participants = match &details["participants"] {
        Value::Array(list) => list.clone(),
        bare => vec![bare.clone()],
    };
    let listed = participants.iter().find(|participant| participant["role"] == "CONSUMER");
    let mapped = &details["participantsPId"]["CONSUMER"];
    let person = listed.and_then(|participant| participant["id"].as_str());
    let person = person.or_else(|| mapped.get(0).unwrap_or(mapped).as_str());
    same("consumer", consumer.as_ref().map(|consumer| consumer.as_str()), person)?;
    let times = [&details["metaDataLastUpdateTs"], &change["result"]["lastUpdateTime"], &details["startTs"]];
    let time = times.iter().find_map(|time| time.as_i64().filter(|ms| *ms > 0));
    same("time", as_of.map(|at| at.as_millisecond()), time)
}
