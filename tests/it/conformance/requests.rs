//! Compares every request of the connector with the documented one. They are equal except for request ids and the differences allowed here.

use serde_json::{Value, json};

use super::{
    Sample,
    difference::{
        Allowance,
        Kind::{Added, AsText, Changed, LeftOut, Prefixed, Unwrapped},
        settle,
    },
    notifications,
    profiles::profile,
    rebuild::rebuild,
    structured, unknown,
};

const BOTH_IDS: Allowance =
    (Added, "/body/conversationId", "the Quickstart sends it beside the dialogId; other pages only the latter");
const NO_PREVIEW: Allowance =
    (LeftOut, "/body/event/message/preview", "optional, and up to 30 KB in a request of at most 5000 characters");
const KIND: Allowance = (Added, "/kind", "the printed sample leaves it out");
const LIST: Allowance = (
    Unwrapped,
    "/body/conversationField",
    "the connector's pages show an object, those for browsers and agents a list",
);
const TYPE: Allowance = (Prefixed, "/type", "the websocket's spelling of the type");
const CHANNEL: Allowance = (Added, "/1/body/channelType", "mandatory on one page, optional on another");
const TTR: Allowance = (Added, "/1/body/ttrDefName", "optional: the default is said");
const SKILL: Allowance = (Added, "/1/body/skillId", "optional: -1 is the default");
const VISITOR: &str = "an id of the Monitoring API, and the sample names no visitor";
const VISITOR_ID: Allowance = (LeftOut, "/1/body/conversationContext/visitorId", VISITOR);
const SESSION_ID: Allowance = (LeftOut, "/1/body/conversationContext/sessionId", VISITOR);
const CONTEXT_ID: Allowance = (LeftOut, "/1/body/conversationContext/interactionContextId", VISITOR);
const PROFILE: &str = "optional, and no channel knows it";
const ROLE: Allowance = (LeftOut, "/0/body/role", PROFILE);
const BACKGROUND: Allowance = (LeftOut, "/0/body/backgndImgUri", PROFILE);
const PUSH: Allowance = (LeftOut, "/0/body/privateData/pushNotificationData", PROFILE);
const NUMERIC: &str = "a string on the connector's pages";

/// Every request, with its allowed differences.
const REQUESTS: &[(&str, &[Allowance])] = &[
    ("app-accept-request.json", &[BOTH_IDS]),
    ("app-chatstate-composing-request.json", &[BOTH_IDS]),
    ("app-close-with-survey-request.json", &[]),
    (
        "app-open-conversation-request.json",
        &[
            ROLE,
            BACKGROUND,
            PUSH,
            (Changed, "/1/body/ttrDefName", "null stands for the default, which the connector says"),
            (AsText, "/1/body/campaignInfo/campaignId", NUMERIC),
            (AsText, "/1/body/campaignInfo/engagementId", NUMERIC),
            VISITOR_ID,
            SESSION_ID,
            CONTEXT_ID,
            (LeftOut, "/1/body/conversationContext/features", "features are in the header Client-Properties"),
        ],
    ),
    ("app-read-request.json", &[BOTH_IDS]),
    ("app-send-text-request.json", &[]),
    ("dc-auth-consumer-request.json", &[]),
    ("dc-conversation-full-request.json", &[]),
    ("dc-conversation-minimal-request.json", &[CHANNEL, TTR, SKILL]),
    ("dc-conversation-sdes-request.json", &[CHANNEL, TTR, SKILL]),
    ("dc-csat-array-request.json", &[KIND, LIST]),
    ("dc-csat-legacy-request.json", &[]),
    ("dc-examples-close-request.json", &[]),
    ("dc-examples-composing-request.json", &[BOTH_IDS]),
    ("dc-examples-create-automessages-request.json", &[SKILL, VISITOR_ID, SESSION_ID, CONTEXT_ID]),
    ("dc-examples-create-campaign-request.json", &[SKILL]),
    ("dc-examples-create-companybranch-request.json", &[SKILL]),
    ("dc-examples-create-ctype-request.json", &[SKILL]),
    ("dc-examples-create-request.json", &[SKILL]),
    ("dc-examples-create-skill-request.json", &[]),
    ("dc-examples-download-url-request.json", &[]),
    ("dc-examples-publish-file-request.json", &[BOTH_IDS, NO_PREVIEW]),
    ("dc-examples-send-text-automessages-request.json", &[BOTH_IDS]),
    ("dc-examples-send-text-request.json", &[BOTH_IDS]),
    ("dc-examples-upload-url-request.json", &[]),
    ("dc-filesharing-ws-publish-file-request.json", &[BOTH_IDS, NO_PREVIEW]),
    ("dc-filesharing-ws-upload-url-request.json", &[(AsText, "/body/fileSize", "a string in the connector's sample")]),
    ("dc-pcs-answer-action-request.json", &[]),
    ("dc-pcs-answer-text-request.json", &[]),
    ("dc-pcs-close-dialog-request.json", &[]),
    (
        "dc-pcs-close-stage-request.json",
        &[(Changed, "/body/conversationField/field", "the newer name of the field; both end all dialogs")],
    ),
    (
        "dc-pcs-request-conversation.json",
        &[
            (Added, "/body/brandId", "the websocket's address names the account already"),
            (Added, "/body/skillId", "optional: -1 is the default"),
            (Changed, "/body/ttrDefName", "null stands for the default, which the connector says"),
            (AsText, "/body/campaignInfo/campaignId", NUMERIC),
            (AsText, "/body/campaignInfo/engagementId", NUMERIC),
        ],
    ),
    ("dc-send-accept-request.json", &[BOTH_IDS]),
    ("dc-send-text-request.json", &[BOTH_IDS]),
    ("dc-sendapi-overview-csat-request.json", &[]),
    (
        "dc-setuserprofile-schema.json",
        &[
            (LeftOut, "/body/userId", PROFILE),
            (LeftOut, "/body/role", PROFILE),
            (LeftOut, "/body/backgndImgUri", PROFILE),
            (LeftOut, "/body/privateData/pushNotificationData", PROFILE),
        ],
    ),
    ("devhub-ws-accept-request.json", &[BOTH_IDS]),
    (
        "old-create-three-part-request.json",
        &[
            ROLE,
            BACKGROUND,
            PUSH,
            (Changed, "/1/body/ttrDefName", "CUSTOM is in no newer sample"),
            (LeftOut, "/2", "newer pages have no first message in the batch: it is a SEND of its own"),
        ],
    ),
    ("qs-close-request.json", &[]),
    ("qs-consumer-jws-request.json", &[]),
    ("qs-conversation-campaign-request.json", &[TTR, SKILL]),
    ("qs-conversation-request.json", &[TTR, SKILL]),
    ("qs-send-text-request.json", &[]),
    ("sdk-close-conversation-array-request.json", &[KIND, LIST]),
    (
        "sdk-close-dialog-array-request.json",
        &[
            KIND,
            LIST,
            (Added, "/body/conversationField/dialog/closedCause", "the connector's samples say who closed it"),
        ],
    ),
    ("sdk-publish-active.json", &[KIND, BOTH_IDS]),
    ("sdk-publish-composing.json", &[KIND, BOTH_IDS]),
    ("sdk-publish-hosted-file.json", &[KIND, BOTH_IDS]),
    ("seed3-ws-publish-event.json", &[BOTH_IDS, TYPE]),
    ("seed4-csat-request.json", &[]),
    ("seed4-publish-text-request.json", &[BOTH_IDS]),
    // The connector's own samples.
    ("accept-request.json", &[]),
    ("access-request.json", &[]),
    ("action-request.json", &[]),
    ("close-main-dialog-request.json", &[]),
    ("close-request.json", &[]),
    ("composing-request.json", &[]),
    ("consumer-request.json", &[]),
    ("csat-partial-request.json", &[]),
    ("csat-request.json", &[]),
    ("download-url-request.json", &[]),
    ("file-request.json", &[]),
    ("not-received-request.json", &[]),
    ("open-full-request.json", &[]),
    ("open-minimal-request.json", &[]),
    ("profile-request.json", &[]),
    ("text-request.json", &[]),
    ("upload-url-request.json", &[]),
];

/// Requests of agents. The connector receives their events by webhook.
const AGENTS_EVENTS: &[&str] = &[
    "sdk-publish-private-message.json",
    "sdk-publish-richcontent-quickreplies.json",
    "sdk-publish-richcontent.json",
    "sdk-publish-text-quickreplies.json",
];

const NUMBERS: &str = "an amount or a date, which no channel knows";

/// The engagement attributes that the connector sends.
const ATTRIBUTES: &[(&str, &[Allowance])] = &[
    (
        "sde-ctmrinfo.json",
        &[
            (LeftOut, "/info/balance", NUMBERS),
            (LeftOut, "/info/companySize", NUMBERS),
            (LeftOut, "/info/lastPaymentDate", NUMBERS),
            (LeftOut, "/info/registrationDate", NUMBERS),
        ],
    ),
    ("sde-personal.json", &[(LeftOut, "/personal/age", NUMBERS)]),
    ("customer-info.json", &[]),
    ("personal.json", &[]),
];

pub(super) fn files() -> Vec<&'static str> {
    let tabled = REQUESTS.iter().chain(ATTRIBUTES).map(|(file, _)| *file);
    tabled.chain(AGENTS_EVENTS.iter().copied()).collect()
}

fn allowed(table: &'static [(&str, &'static [Allowance])], sample: &Sample) -> Result<&'static [Allowance], String> {
    table.iter().find(|(file, _)| *file == sample.file).map(|(_, allowed)| *allowed).ok_or_else(unknown)
}

pub(super) fn check(sample: &Sample) -> Result<(), String> {
    if AGENTS_EVENTS.contains(&sample.file.as_str()) {
        return check_agents_event(&sample.json);
    }
    let allowed = allowed(REQUESTS, sample)?;
    let (path, mut ours) = rebuild(&sample.json)?;
    if let Some(documented) = sample.http.as_deref().and_then(|http| http.split_whitespace().nth(1)) {
        let documented = documented.split('?').next().unwrap_or_default();
        if documented != path {
            return Err(format!("goes to {documented}, ours to {path}"));
        }
    }
    let mut documented = sample.json.clone();
    for request in [&mut ours, &mut documented] {
        match request {
            Value::Array(requests) => requests.iter_mut().for_each(without_id),
            request => without_id(request),
        }
    }
    settle(&documented, &ours, allowed)
}

fn without_id(request: &mut Value) {
    if let Some(request) = request.as_object_mut() {
        request.remove("id");
    }
}

fn check_agents_event(request: &Value) -> Result<(), String> {
    let body = &request["body"];
    let mut change = json!({
        "sequence": 3, "originatorId": "a1", "originatorMetadata": {"id": "a1", "role": "ASSIGNED_AGENT"},
        "dialogId": body["dialogId"], "event": body["event"],
    });
    if let Some(audience) = body.get("messageAudience") {
        change["messageAudience"] = audience.clone();
    }
    notifications::check_event(&change)?;
    let event = &body["event"];
    structured::check_shown(event.get("content").unwrap_or(&Value::Null), event.get("quickReplies"))
}

pub(super) fn check_attribute(sample: &Sample) -> Result<(), String> {
    let allowed = allowed(ATTRIBUTES, sample)?;
    let ours = profile(&json!({"authenticatedData": {"lp_sdes": [sample.json]}}));
    let ours = serde_json::to_value(ours).unwrap();
    settle(&sample.json, &ours["authenticatedData"]["lp_sdes"][0], allowed)
}

#[test]
fn request_ids_are_strings_of_a_length_that_liveengage_takes() {
    for documented in [
        json!([{"body": {}}, {"body": {}}]),
        json!({"type": "ms.PublishEvent", "body": {"dialogId": "d", "event": {"type": "ChatStateEvent", "chatState": "ACTIVE"}}}),
    ] {
        let (_, ours) = rebuild(&documented).unwrap();
        for request in ours.as_array().cloned().unwrap_or_else(|| vec![ours.clone()]) {
            assert!((1..=64).contains(&request["id"].as_str().unwrap().len()));
        }
    }
}
