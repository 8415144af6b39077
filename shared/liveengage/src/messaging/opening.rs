//! CONVERSATION: opens a conversation and sets the consumer's profile (Connector API, Conversation page).

use oxilangtag::LanguageTag;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use serde_with::skip_serializing_none;
use url::Url;

use super::{CONVERSATION, Credentials, answer::ReplyElement, call, characters, send};
use crate::{
    LiveEngageError,
    error::classify,
    id::{AccountId, ConversationId, VisitorId, VisitorSessionId},
    messaging::LONGEST_REQUEST,
    profile::UserProfile,
};
use connector_message::http::{HttpCall, HttpReply};

/// The routing of a new conversation. Read from the connector's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The skill id. `None` for the account's default skill (`-1`).
    pub skill_id: Option<String>,
    /// The campaign and engagement, for reporting and routing.
    pub campaign: Option<Campaign>,
    /// The priority. `None` for [`TimeToRespond::Normal`].
    pub ttr: Option<TimeToRespond>,
    /// The language of the conversation: a BCP 47 tag of at most 35 characters, such as `de-AT`. `None` for the account's default.
    #[serde(default, deserialize_with = "language")]
    pub language: Option<String>,
    /// The interaction that led to the conversation. Not a setting: [`crate::monitoring`] finds it for each conversation.
    #[serde(skip)]
    pub interaction: Option<Interaction>,
}

/// An interaction that the Monitoring API knows: which visitor was shown which engagement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interaction {
    /// The visitor.
    pub visitor: VisitorId,
    /// The visitor's session.
    pub session: Option<VisitorSessionId>,
    /// The context of the engagement (`interactionContextId`).
    pub context_id: Option<String>,
}

/// A campaign and one of its engagements, with the ids in the campaign builder's URL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// The campaign's id.
    pub campaign_id: String,
    /// The engagement's id.
    pub engagement_id: String,
}

/// The priority of a conversation (`ttrDefName`; Connector API, Conversation page). The account defines the response time of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TimeToRespond {
    /// The usual response time.
    #[default]
    Normal,
    /// Shorter than usual.
    Urgent,
    /// By the priorities of the account.
    Prioritized,
}

/// The most characters of a language tag.
const LONGEST_LANGUAGE_TAG: usize = 35;

/// Deserializes a language tag. The error doesn't contain the value.
fn language<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let tag = Option::<String>::deserialize(deserializer)?;
    match tag {
        Some(tag) if !is_language_tag(&tag) => {
            Err(serde::de::Error::custom("must be a BCP 47 language tag, such as `de` or `de-AT`"))
        }
        tag => Ok(tag),
    }
}

/// Whether a text is a well-formed BCP 47 tag of at most 35 characters, the length that RFC 5646 section 4.4.1 recommends to accept. It is
/// not looked up in the registry.
fn is_language_tag(tag: &str) -> bool {
    tag.len() <= LONGEST_LANGUAGE_TAG && LanguageTag::parse(tag).is_ok()
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversationBody<'a> {
    ttr_def_name: TimeToRespond,
    channel_type: &'static str,
    brand_id: &'a str,
    skill_id: &'a str,
    campaign_info: Option<CampaignInfo<'a>>,
    conversation_context: Option<ConversationContext<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CampaignInfo<'a> {
    campaign_id: &'a str,
    engagement_id: &'a str,
}

/// The context of a conversation: its language, and the ids of the Monitoring API.
#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConversationContext<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    lang: Option<&'a str>,
    visitor_id: Option<&'a str>,
    session_id: Option<&'a str>,
    interaction_context_id: Option<&'a str>,
}

impl<'a> ConversationContext<'a> {
    /// `None` if there is nothing to say.
    fn of(routing: &'a Routing) -> Option<Self> {
        let interaction = routing.interaction.as_ref();
        (routing.language.is_some() || interaction.is_some()).then(|| Self {
            kind: "SharkContext",
            lang: routing.language.as_deref(),
            visitor_id: interaction.map(|interaction| interaction.visitor.as_str()),
            session_id: interaction.and_then(|interaction| interaction.session.as_ref()).map(VisitorSessionId::as_str),
            interaction_context_id: interaction.and_then(|interaction| interaction.context_id.as_deref()),
        })
    }
}

/// Builds the request that opens a conversation: `SetUserProfile` and `ConsumerRequestConversation` in one array, in this order. Their ids
/// are `request_id` (at most 60 characters) with `.1` and `.2`.
///
/// If the profile makes the request longer than [`LONGEST_REQUEST`], an empty profile is sent, because opening the conversation is more
/// important.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header.
pub fn open_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    routing: &Routing,
    profile: &UserProfile,
) -> Result<HttpCall, LiveEngageError> {
    let body = |profile: Value| {
        let conversation = conversation_body(credentials.account, routing);
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

/// The body of `cm.ConsumerRequestConversation`.
pub(crate) fn conversation_body(account: &AccountId, routing: &Routing) -> Value {
    json!(ConversationBody {
        ttr_def_name: routing.ttr.unwrap_or_default(),
        channel_type: "MESSAGING",
        brand_id: account.as_str(),
        skill_id: routing.skill_id.as_deref().unwrap_or("-1"),
        campaign_info: routing.campaign.as_ref().map(|campaign| CampaignInfo {
            campaign_id: &campaign.campaign_id,
            engagement_id: &campaign.engagement_id,
        }),
        conversation_context: ConversationContext::of(routing),
    })
}

/// Builds the SEND that sets the consumer's profile during a conversation.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header, [`LiveEngageError::Unsendable`] if the JSON is longer than
/// [`LONGEST_REQUEST`].
pub fn profile_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    profile: &UserProfile,
) -> Result<HttpCall, LiveEngageError> {
    let body = json!({"kind": "req", "id": request_id, "type": "userprofile.SetUserProfile", "body": profile});
    send(messaging, credentials, &body)
}

/// Reads the reply to [`open_request`]. Elements are matched by position: the second one is about the conversation.
///
/// # Errors
/// [`LiveEngageError`]. An element that is not OK counts as HTTP 400 with its message, also inside a 200. If the conversation was opened, a
/// profile that was not set is not an error: the conversation's id would be lost.
pub fn open_answer(reply: &HttpReply) -> Result<ConversationId, LiveEngageError> {
    let elements: Vec<ReplyElement> = serde_json::from_slice(&reply.body).unwrap_or_default();
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
