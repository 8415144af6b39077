//! CONVERSATION: opening a conversation, and the consumer's profile with it.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::{CONVERSATION, Credentials, answer::Element, call, characters, send};
use crate::{
    domain::{
        http::{HttpCall, HttpReply},
        id::ConversationId,
    },
    liveengage::{LiveEngageError, error::classify, messaging::LONGEST_REQUEST, profile::UserProfile},
};

/// How a new conversation is routed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The skill, `None` for the account's default (`-1`).
    pub skill_id: Option<String>,
    /// The campaign and engagement, for reporting and routing.
    pub campaign: Option<Campaign>,
    /// How soon the consumer expects an answer, `None` for [`TimeToRespond::Normal`].
    pub ttr: Option<TimeToRespond>,
    /// The language of the conversation, a BCP 47 tag such as `de-AT`; `None` leaves it to the account.
    #[serde(default, deserialize_with = "language")]
    pub language: Option<String>,
}

/// A campaign and one of its engagements, as the campaign builder's URL names them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// The campaign's id.
    pub campaign_id: String,
    /// The engagement's id.
    pub engagement_id: String,
}

/// How soon a consumer expects an answer: the account sets the times (`ttrDefName`, Connector API, Conversation page).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeToRespond {
    /// As usual.
    #[default]
    Normal,
    /// Before the usual ones.
    Urgent,
    /// In the order of the account's priorities.
    Prioritized,
}

/// Reads a language tag. The error doesn't hold the value.
fn language<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let tag = Option::<String>::deserialize(deserializer)?;
    match tag {
        Some(tag) if !is_language_tag(&tag) => {
            Err(serde::de::Error::custom("must be a BCP 47 language tag, such as `de` or `de-AT`"))
        }
        tag => Ok(tag),
    }
}

/// The form of a BCP 47 tag: a language of two to eight letters, then subtags of one to eight letters or digits. Whether the tag
/// is registered is not looked up.
fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts
        .next()
        .is_some_and(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    language
        && tag.len() <= 35
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversationBody<'a> {
    ttr_def_name: TimeToRespond,
    channel_type: &'static str,
    brand_id: &'a str,
    skill_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_info: Option<CampaignInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_context: Option<Context<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CampaignInfo<'a> {
    campaign_id: &'a str,
    engagement_id: &'a str,
}

/// Visitor and session ids belong to the Monitoring API.
#[derive(Serialize)]
struct Context<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    lang: &'a str,
}

/// Opens a conversation: `SetUserProfile` and `ConsumerRequestConversation` in one array, in this order.
/// `request_id` (at most 60 characters) names the two requests, with `.1` and `.2`.
///
/// A profile that would make the request longer than [`LONGEST_REQUEST`] is left out, because the conversation matters more.
///
/// # Errors
/// [`LiveEngageError::Header`].
pub fn open_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    routing: &Routing,
    profile: &UserProfile,
) -> Result<HttpCall, LiveEngageError> {
    let body = |profile: Value| {
        let conversation = ConversationBody {
            ttr_def_name: routing.ttr.unwrap_or_default(),
            channel_type: "MESSAGING",
            brand_id: credentials.account.as_str(),
            skill_id: routing.skill_id.as_deref().unwrap_or("-1"),
            campaign_info: routing.campaign.as_ref().map(|campaign| CampaignInfo {
                campaign_id: &campaign.campaign_id,
                engagement_id: &campaign.engagement_id,
            }),
            conversation_context: routing.language.as_deref().map(|lang| Context { kind: "SharkContext", lang }),
        };
        json!([
            {"kind": "req", "id": format!("{request_id}.1"), "type": "userprofile.SetUserProfile", "body": profile},
            {"kind": "req", "id": format!("{request_id}.2"), "type": "cm.ConsumerRequestConversation", "body": conversation},
        ])
        .to_string()
    };
    let mut json = body(json!(profile));
    if characters(&json) > LONGEST_REQUEST {
        json = body(json!({}));
    }
    call(CONVERSATION, messaging, "", credentials, json)
}

/// Sets the consumer's profile while a conversation runs.
///
/// # Errors
/// [`LiveEngageError::Header`], [`LiveEngageError::Unsendable`] when the whole JSON is longer than [`LONGEST_REQUEST`].
pub fn profile_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    profile: &UserProfile,
) -> Result<HttpCall, LiveEngageError> {
    let body = json!({"kind": "req", "id": request_id, "type": "userprofile.SetUserProfile", "body": profile});
    send(messaging, credentials, &body)
}

/// Reads the answer to [`open_request`], by position: the second element is the conversation's.
///
/// # Errors
/// [`LiveEngageError`]; an element that is not OK counts as HTTP 400 with its message, also inside a 200. A profile that was not
/// set is no error when the conversation was opened: it would be lost.
pub fn open_answer(reply: &HttpReply) -> Result<ConversationId, LiveEngageError> {
    let elements: Vec<Element> = serde_json::from_slice(&reply.body).unwrap_or_default();
    let opened = elements
        .get(1)
        .filter(|element| reply.status.is_success() && element.is_ok())
        .and_then(|element| element.body.get("conversationId"))
        .and_then(Value::as_str)
        .and_then(|id| ConversationId::new(id).ok());
    if let Some(conversation) = opened {
        return Ok(conversation);
    }
    if let Some(failed) = elements.iter().find(|element| !element.is_ok())
        && (reply.status.is_success() || reply.status == http::StatusCode::BAD_REQUEST)
    {
        let mut reply = reply.clone();
        reply.status = failed.status();
        return Err(classify(CONVERSATION, &reply, Some(failed.message().unwrap_or_default())));
    }
    if !reply.status.is_success() {
        return Err(classify(CONVERSATION, reply, None));
    }
    Err(LiveEngageError::Unreadable { call: CONVERSATION, what: "no conversationId in the second element" })
}
