//! The list of a consumer's conversations ("Conversations - Metadata").

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_with::serde_as;
use url::Url;

use super::{call, document, records};
use crate::{
    LiveEngageError,
    id::{AccountId, ConversationId},
    identity::ConsumerToken,
    messaging::{SatisfactionRate, SatisfactionStatus},
    notification::Role,
    tolerant::{Lenient, LenientNumber, LenientText},
};
use connector_message::{
    http::{HttpCall, HttpReply},
    json,
};

/// The name of the call in logs and errors.
const CALL: &str = "LiveEngage history conversations";

/// The most conversations of a page (`limit`).
pub const MOST_CONVERSATIONS: u8 = 100;

/// Which of a consumer's conversations to list, and which page. The default is the first page of all that have ended, 100 of them, the
/// oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationSearch {
    started: Option<(Timestamp, Timestamp)>,
    offset: u64,
    limit: u8,
}

impl Default for ConversationSearch {
    fn default() -> Self {
        Self { started: None, offset: 0, limit: MOST_CONVERSATIONS }
    }
}

impl ConversationSearch {
    /// Only conversations that started from `from` to `to` (`startFrom`, `startTo`, milliseconds). Without this: the last 13 months.
    #[must_use]
    pub fn started_between(self, from: Timestamp, to: Timestamp) -> Self {
        Self { started: Some((from, to)), ..self }
    }

    /// At most this many conversations on a page: 1 to [`MOST_CONVERSATIONS`]. Another number counts as the nearest of these.
    #[must_use]
    pub fn at_most(self, limit: u8) -> Self {
        Self { limit: limit.clamp(1, MOST_CONVERSATIONS), ..self }
    }

    /// The search for the page after `page`, which this search found. `None` if `page` was the last one.
    ///
    /// `count` of a page is the number of conversations on all pages. Without it, a full page has a successor. A conversation that ends
    /// between two calls can shift the pages, so that a conversation comes twice or is missing.
    pub fn next(&self, page: &ConversationPage) -> Option<Self> {
        let length = u64::try_from(page.conversations.len() + page.unreadable).ok()?;
        let offset = self.offset.checked_add(length)?;
        let has_more = page.count.map_or(length >= u64::from(self.limit), |count| offset < count);
        (length > 0 && has_more).then(|| Self { offset, ..self.clone() })
    }
}

/// A page of a consumer's conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationPage {
    /// The conversations, in the order of their start.
    pub conversations: Vec<ConversationRecord>,
    /// How many records of the page have no usable conversation id.
    pub unreadable: usize,
    /// The number of conversations on all pages (`count`).
    pub count: Option<u64>,
    /// Whether a part of LivePerson's storage did not answer (`partialResult`): conversations may be missing. Ask again later.
    pub is_partial: bool,
}

/// What the list says of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRecord {
    /// The conversation.
    pub id: ConversationId,
    /// The consumer, the agents and all others.
    pub participants: Vec<Participant>,
    /// Whether it has ended (`state`). `None` if the record doesn't say.
    pub closed: Option<bool>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The consumer's rating.
    pub satisfaction: Option<RecordedSatisfaction>,
}

/// A participant of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The originator of its events.
    pub id: String,
    /// Whether it is the consumer.
    pub role: Role,
}

/// A consumer's rating of a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordedSatisfaction {
    /// The rating. LivePerson sends a number from 1 to 5, with or without a fraction of zero.
    pub rate: Option<SatisfactionRate>,
    /// Whether the issue was resolved.
    pub resolved: Option<bool>,
    /// How many questions were answered.
    pub status: Option<SatisfactionStatus>,
}

/// Builds the request for a page of a consumer's conversations.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header.
pub fn conversations_request(
    history: &Url,
    account: &AccountId,
    consumer: &ConsumerToken,
    search: &ConversationSearch,
) -> Result<HttpCall, LiveEngageError> {
    let mut call = call(CALL, history, "consumer/metadata/search", account, consumer)?;
    let mut query = call.url.query_pairs_mut();
    // Without `close`, the list has only what was archived.
    query.append_pair("state", "close,archive");
    if let Some((from, to)) = search.started {
        query.append_pair("startFrom", &from.as_millisecond().to_string());
        query.append_pair("startTo", &to.as_millisecond().to_string());
    }
    query.append_pair("offset", &search.offset.to_string());
    query.append_pair("limit", &search.limit.to_string());
    query.append_pair("sort", "start:asc");
    drop(query);
    Ok(call)
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PageWire {
    #[serde_as(as = "LenientNumber")]
    count: Option<i64>,
    #[serde_as(as = "Lenient")]
    shards_status_result: ShardsWire,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ShardsWire {
    #[serde_as(as = "Lenient")]
    partial_result: bool,
}

/// Reads the reply to [`conversations_request`].
///
/// # Errors
/// [`LiveEngageError::ConsumerJwsRefused`] for 401, [`LiveEngageError::Unreadable`] for a 200 without a list, otherwise by the status.
pub fn conversations_answer(reply: &HttpReply) -> Result<ConversationPage, LiveEngageError> {
    let document = document(CALL, reply)?;
    let Some(list) = document.get("conversationHistoryMetadataRecords") else {
        return Err(LiveEngageError::Unreadable { call: CALL, what: "no list of conversations" });
    };
    let page = document.get("_responseMetadata").and_then(|page| PageWire::deserialize(page).ok()).unwrap_or_default();
    let (conversations, unreadable) = records(Some(list), conversation);
    Ok(ConversationPage {
        conversations,
        unreadable,
        count: page.count.and_then(|count| u64::try_from(count).ok()),
        is_partial: page.shards_status_result.partial_result,
    })
}

#[serde_as]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConversationWire {
    conv_id: ConversationId,
    #[serde_as(as = "LenientText")]
    #[serde(default)]
    state: Option<String>,
    #[serde_as(as = "LenientNumber")]
    #[serde(default)]
    start_ts: Option<i64>,
    #[serde_as(as = "LenientNumber")]
    #[serde(default)]
    end_ts: Option<i64>,
}

#[serde_as]
#[derive(Deserialize)]
struct ParticipantWire {
    id: String,
    #[serde_as(as = "LenientText")]
    #[serde(default)]
    role: Option<String>,
}

fn conversation(record: &Value) -> Option<ConversationRecord> {
    let wire = ConversationWire::deserialize(record).ok()?;
    let time = |milliseconds: Option<i64>| Timestamp::from_millisecond(milliseconds?).ok();
    let participants = json::one_or_many(record.get("participants")).iter().filter_map(|participant| {
        let ParticipantWire { id, role } = ParticipantWire::deserialize(participant).ok()?;
        Some(Participant { id, role: role.as_deref().map_or(Role::Unknown, Role::from_name) })
    });
    Some(ConversationRecord {
        id: wire.conv_id,
        participants: participants.collect(),
        closed: wire.state.map(|state| matches!(state.as_str(), "CLOSE" | "CLOSED")),
        started_at: time(wire.start_ts),
        ended_at: time(wire.end_ts),
        satisfaction: record.get("csat").filter(|csat| csat.is_object()).map(satisfaction),
    })
}

fn satisfaction(csat: &Value) -> RecordedSatisfaction {
    let points = csat.get("csatRate").and_then(Value::as_f64);
    // A rating with a fraction is not one that the consumer gave.
    let rate = (1..=5_u8).find(|whole| points.is_some_and(|points| (points - f64::from(*whole)).abs() < f64::EPSILON));
    let status = csat.get("status").and_then(Value::as_str);
    RecordedSatisfaction {
        rate: rate.and_then(SatisfactionRate::new),
        resolved: csat.get("csatResolutionConfirmation").and_then(Value::as_bool),
        status: status.and_then(SatisfactionStatus::from_name),
    }
}
