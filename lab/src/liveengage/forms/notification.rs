//! The forms of notifications.

use serde_json::{Map, Value, json};

use super::{Forms, Ids, NoMetadata, Originator, Participants, RichContent, TypePrefix, add_unknown_field, bare};

/// The id of the participant that [`Forms::unknown_values`] adds.
const UNKNOWN_PARTICIPANT: &str = "8d7a3c1e-6a0f-4f0a-9d58-1f2b7c5e9a44";

pub(super) fn formed(forms: &Forms, mut notification: Value) -> Value {
    let about_messages = notification.get("type").is_some_and(|kind| kind == "ms.MessagingEventNotification");
    if let Some(Value::Object(body)) = notification.get_mut("body") {
        if let Some(Value::Array(changes)) = body.get_mut("changes") {
            for change in changes.iter_mut().filter_map(Value::as_object_mut) {
                if about_messages { message(forms, change) } else { conversation(forms, change) }
            }
            if about_messages && forms.unknown_values {
                changes.extend(unknown_event(changes));
            }
            if forms.unknown_fields {
                changes.iter_mut().for_each(add_unknown_field);
            }
        }
        let dialog_id = body.get("changes").and_then(|changes| changes.pointer("/0/dialogId")).cloned();
        if let Some(dialog_id) = dialog_id.filter(|_| forms.dialog_beside_changes) {
            body.insert("dialogId".to_owned(), dialog_id);
        }
        if forms.without_subscription_id {
            body.remove("subscriptionId");
        }
        if let Some(changes) = body.get_mut("changes").filter(|_| forms.bare_changes) {
            bare(changes);
        }
    }
    if forms.unknown_fields {
        add_unknown_field(&mut notification);
        notification.get_mut("body").map(add_unknown_field);
    }
    place_type(forms, &mut notification);
    notification
}

fn place_type(forms: &Forms, notification: &mut Value) {
    let Some(notification) = notification.as_object_mut() else { return };
    let Some(Value::String(kind)) = notification.remove("type") else { return };
    let prefix = match forms.type_prefix {
        TypePrefix::None => "",
        TypePrefix::Dot => ".",
        TypePrefix::Ams => ".ams.",
    };
    let kind = Value::String(format!("{prefix}{kind}"));
    match notification.get_mut("body").and_then(Value::as_object_mut).filter(|_| forms.type_in_body) {
        Some(body) => body.insert("type".to_owned(), kind),
        None => notification.insert("type".to_owned(), kind),
    };
}

fn message(forms: &Forms, change: &mut Map<String, Value>) {
    let originator = match forms.originator {
        Originator::Metadata => None,
        Originator::Id => Some("originatorId"),
        Originator::PId => Some("originatorPId"),
        Originator::Pid => Some("originatorPid"),
    };
    if let (Some(name), Some(id)) = (originator, change.get("originatorId").cloned()) {
        for newer in ["originatorId", "originatorMetadata", "originatorClientProperties"] {
            change.remove(newer);
        }
        change.insert(name.to_owned(), id);
    }
    if forms.without_conversation_id {
        change.remove("conversationId");
    }
    if forms.without_audience && change.get("messageAudience").is_some_and(|audience| audience == "ALL") {
        change.remove("messageAudience");
    }
    match (change.get_mut("metadata").filter(|metadata| !metadata.is_null()), forms.no_metadata) {
        (Some(metadata), _) => {
            if forms.bare_metadata {
                bare(metadata);
            }
        }
        (None, NoMetadata::Absent) => {}
        (None, NoMetadata::Null) => {
            change.insert("metadata".to_owned(), Value::Null);
        }
        (None, NoMetadata::Empty) => {
            change.insert("metadata".to_owned(), json!([]));
        }
    }
    if let Some(event) = change.get_mut("event") {
        rich_content(forms, event);
        if forms.unknown_fields {
            add_unknown_field(event);
        }
    }
}

fn rich_content(forms: &Forms, event: &mut Value) {
    let (name, as_text) = match forms.rich_content {
        RichContent::ContentObject => return,
        RichContent::ContentText => ("content", true),
        RichContent::MessageObject => ("message", false),
        RichContent::MessageText => ("message", true),
    };
    let Some(event) =
        event.as_object_mut().filter(|event| event.get("type").is_some_and(|kind| kind == "RichContentEvent"))
    else {
        return;
    };
    if let Some(content) = event.remove("content") {
        event.insert(name.to_owned(), if as_text { content.to_string().into() } else { content });
    }
}

/// A change of the same dialog with an event of an unknown type.
fn unknown_event(changes: &[Value]) -> Option<Value> {
    let mut change = changes.first()?.clone();
    let members = change.as_object_mut()?;
    for name in ["sequence", "serverTimestamp", "metadata"] {
        members.remove(name);
    }
    members.insert("event".to_owned(), json!({ "type": "NotYetKnownEvent", "mood": "CURIOUS" }));
    Some(change)
}

fn conversation(forms: &Forms, change: &mut Map<String, Value>) {
    let Some(result) = change.get_mut("result").and_then(Value::as_object_mut) else { return };
    let Some(details) = result.get_mut("conversationDetails").and_then(Value::as_object_mut) else { return };
    let closed = details.get("stage").is_some_and(|stage| stage == "CLOSE");
    participants(forms, details, closed);
    dialogs(forms, details);
    ids(forms, details);
    if forms.closed_with_d {
        for name in ["state", "stage"] {
            details.get_mut(name).map(add_the_d);
        }
    }
    if forms.without_stage {
        details.remove("stage");
    }
    if forms.unknown_values
        && let Some(kind) = details.get_mut("ttr").and_then(|ttr| ttr.get_mut("ttrType"))
    {
        *kind = "NOT_YET_KNOWN".into();
    }
    if forms.unknown_fields {
        result.get_mut("conversationDetails").map(add_unknown_field);
    }
}

fn participants(forms: &Forms, details: &mut Map<String, Value>, closed: bool) {
    let Some(Value::Array(mut participants)) = details.remove("participants") else { return };
    if closed && forms.closed_drops_agents {
        participants.retain(|participant| participant.get("role").is_some_and(|role| role == "CONSUMER"));
    }
    if forms.unknown_values {
        participants.push(json!({ "id": UNKNOWN_PARTICIPANT, "role": "NOT_YET_KNOWN" }));
    }
    match forms.participants {
        Participants::List => {
            let mut participants = Value::Array(participants);
            if forms.bare_participants {
                bare(&mut participants);
            }
            details.insert("participants".to_owned(), participants);
        }
        Participants::ByRole => {
            let mut roles: Map<String, Value> = Map::new();
            for participant in participants {
                let text = |name: &str| participant.get(name).and_then(Value::as_str);
                let (Some(id), Some(role)) = (text("id"), text("role")) else { continue };
                let ids = roles.entry(role).or_insert_with(|| json!([]));
                if let Value::Array(ids) = ids {
                    ids.push(id.into());
                }
            }
            if forms.bare_participants {
                roles.values_mut().for_each(bare);
            }
            details.insert("participantsPId".to_owned(), roles.into());
        }
    }
}

fn dialogs(forms: &Forms, details: &mut Map<String, Value>) {
    if forms.without_dialogs {
        details.remove("dialogs");
        return;
    }
    let Some(dialogs) = details.get_mut("dialogs") else { return };
    for dialog in dialogs.as_array_mut().into_iter().flatten() {
        if forms.closed_with_d {
            dialog.get_mut("state").map(add_the_d);
        }
        if let Some(participants) = dialog.get_mut("participantsDetails") {
            for participant in participants.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
                if forms.without_participant_state {
                    participant.remove("state");
                }
            }
            if forms.bare_participants {
                bare(participants);
            }
        }
        if forms.unknown_fields {
            add_unknown_field(dialog);
        }
    }
    if forms.unknown_values
        && let Some(dialogs) = dialogs.as_array_mut()
    {
        let unknown =
            json!({ "dialogId": UNKNOWN_PARTICIPANT, "dialogType": "NOT_YET_KNOWN", "channelType": "NOT_YET_KNOWN" });
        dialogs.push(unknown);
    }
    if forms.bare_dialogs {
        bare(dialogs);
    }
}

fn ids(forms: &Forms, details: &mut Map<String, Value>) {
    if let Some(skill) = details.get_mut("skillId") {
        write_id(forms.ids, skill);
    }
    for (object, name) in [
        ("conversationHandlerDetails", "skillId"),
        ("campaignInfo", "campaignId"),
        ("campaignInfo", "engagementId"),
        ("context", "interactionContextId"),
    ] {
        if let Some(id) = details.get_mut(object).and_then(|object| object.get_mut(name)) {
            write_id(forms.ids, id);
        }
    }
}

fn write_id(form: Ids, id: &mut Value) {
    let written = match (form, &*id) {
        (Ids::Numbers, Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
        (Ids::Text, Value::Number(number)) => Some(number.to_string().into()),
        _ => None,
    };
    if let Some(written) = written {
        *id = written;
    }
}

fn add_the_d(state: &mut Value) {
    if *state == "CLOSE" {
        *state = "CLOSED".into();
    }
}
