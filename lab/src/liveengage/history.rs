//! The Consumer Messaging History API: a consumer's conversations that have ended, and the events of any of them.

use http::StatusCode;
use serde_json::{Value, json};

use super::backend::{Backend, now_s};
use super::conversation::{Conversation, KeptEvent};
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::event::{Audience, Content, Event};
use super::fault::Service;

/// The number of conversations on a page if the call doesn't say, and the most that a call may ask for.
const LIMITS: (usize, usize) = (50, 100);

/// `GET /messaging_history/api/account/{account}/conversations/consumer/metadata/search`
pub(super) const CONVERSATIONS: Endpoint = Endpoint {
    service: Service::History,
    label: |_| "History conversations".to_owned(),
    shown: show_query,
    answer: conversations,
};

/// `GET /messaging_history/api/account/{account}/conversations/conversation/content/search`
pub(super) const EVENTS: Endpoint =
    Endpoint { service: Service::History, label: |_| "History events".to_owned(), shown: show_query, answer: events };

/// The documentation has no error bodies, so errors have none.
fn conversations(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let Some(consumer) = consumer(backend, call) else { return ServiceAnswer::empty(StatusCode::UNAUTHORIZED) };
    let Some(search) = Search::read(call) else { return ServiceAnswer::empty(StatusCode::BAD_REQUEST) };
    let state = backend.state();
    let mut found: Vec<&Conversation> = state
        .conversations
        .values()
        .filter(|conversation| is_of(conversation, call.account_id(), &consumer) && search.wants(conversation))
        .collect();
    found.sort_by_key(|conversation| (search.by)(conversation));
    if search.descending {
        found.reverse();
    }
    let page = found.iter().skip(search.offset).take(search.limit).map(|conversation| record(conversation));
    let href = format!(
        "{}/messaging_history/api/account/{}/conversations/consumer/metadata/search?limit={}&offset={}",
        call.served_at.url(),
        call.account_id(),
        search.limit,
        search.offset
    );
    let metadata = json!({
        "count": found.len(),
        "self": { "rel": "self", "href": href },
        "shardsStatusResult": { "partialResult": false },
    });
    let records: Vec<Value> = page.collect();
    ServiceAnswer::new(
        StatusCode::OK,
        json!({ "_responseMetadata": metadata, "conversationHistoryMetadataRecords": records }),
    )
}

/// A conversation that isn't the consumer's is not found: the answer has no events.
fn events(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let Some(consumer) = consumer(backend, call) else { return ServiceAnswer::empty(StatusCode::UNAUTHORIZED) };
    let Some(id) = call.query.get("conversationId").filter(|id| !id.is_empty()) else {
        return ServiceAnswer::empty(StatusCode::BAD_REQUEST);
    };
    let state = backend.state();
    let found = state.conversations.get(id).filter(|found| is_of(found, call.account_id(), &consumer));
    let visible = |event: &&KeptEvent| event.audience == Audience::All;
    let mut events: Vec<Value> =
        found.into_iter().flat_map(|found| &found.kept_events).filter(visible).map(event_record).collect();
    // Not in the order of the conversation, as in LivePerson's sample: content first, then status.
    events.sort_by_key(|event| event.get("sequence").is_none());
    ServiceAnswer::new(StatusCode::OK, json!({ "messageEventRecords": events }))
}

/// The consumer of a call, by a ConsumerJWS or a token of the Messaging Window API. The documentation shows the token bare, and LivePerson's
/// own client puts `Bearer` before it.
fn consumer(backend: &Backend, call: &ServiceCall) -> Option<String> {
    let given = call.authorization()?;
    let token = given.strip_prefix("Bearer ").unwrap_or(given);
    let by_connector = backend.tokens.consumer(token, call.account_id()).map(|consumer| consumer.id);
    by_connector.or_else(|| backend.tokens.window_consumer(token, call.account_id(), now_s()))
}

fn is_of(conversation: &Conversation, account_id: &str, consumer: &str) -> bool {
    conversation.opening.account_id == account_id && conversation.opening.consumer_id == consumer
}

struct Search {
    closed: bool,
    started_ms: Option<(i64, i64)>,
    offset: usize,
    limit: usize,
    by: fn(&Conversation) -> i64,
    descending: bool,
}

impl Search {
    /// Reads the query; `None` if a value is not a documented one.
    fn read(call: &ServiceCall) -> Option<Self> {
        let text = |name: &str| call.query.get(name).map(String::as_str);
        let number = |name: &str, default: usize| text(name).map_or(Some(default), |text| text.parse().ok());
        let states: Vec<&str> = text("state").unwrap_or("archive").split(',').collect();
        let started_ms = match (text("startFrom"), text("startTo")) {
            (None, None) => None,
            (Some(from), Some(to)) => Some((from.parse().ok()?, to.parse().ok()?)),
            // "Must be passed together or not at all".
            _ => return None,
        };
        let (by, order) = text("sort").unwrap_or("start:desc").split_once(':')?;
        let limit = number("limit", LIMITS.0).filter(|limit| (1..=LIMITS.1).contains(limit))?;
        let known = |name: &str, names: [&str; 2]| names.contains(&name);
        let valid = states.iter().all(|state| known(state, ["close", "archive"]))
            && known(by, ["start", "end"])
            && known(order, ["asc", "desc"]);
        valid.then_some(Self {
            closed: states.contains(&"close"),
            started_ms,
            offset: number("offset", 0)?,
            limit,
            by: if by == "start" { |found| found.started_ms } else { |found| found.ended_ms.unwrap_or_default() },
            descending: order == "desc",
        })
    }

    /// The simulator archives nothing: a conversation that has ended has the state `close`.
    fn wants(&self, conversation: &Conversation) -> bool {
        self.closed
            && conversation.ended_ms.is_some()
            && self.started_ms.is_none_or(|(from, to)| (from..=to).contains(&conversation.started_ms))
    }
}

fn record(conversation: &Conversation) -> Value {
    let participants: Vec<Value> = conversation
        .participants()
        .iter()
        .map(|participant| json!({ "id": participant.id, "role": participant.role }))
        .collect();
    let mut record = json!({
        "convId": conversation.id,
        "participants": participants,
        "state": "CLOSE",
        "startTs": conversation.started_ms,
        "endTs": conversation.ended_ms,
    });
    if let (Some(record), Some(csat)) = (record.as_object_mut(), &conversation.csat) {
        record.insert("csat".to_owned(), json!(csat));
    }
    record
}

/// The documented record names neither the dialog nor the role. Only content has a sequence number.
fn event_record(kept: &KeptEvent) -> Value {
    let mut record = json!({
        "originatorId": kept.author.id,
        "serverTimestamp": kept.at_ms,
        "event": event_body(&kept.event),
    });
    let is_content = !matches!(kept.event, Event::AcceptStatus { .. });
    if let Some(record) = record.as_object_mut().filter(|_| is_content) {
        record.insert("sequence".to_owned(), kept.sequence.into());
    }
    record
}

/// A card is JSON in a string. The documented events have no quick replies.
fn event_body(event: &Event) -> Value {
    match event {
        Event::RichContent { content, .. } => json!({ "type": "RichContentEvent", "content": content.to_string() }),
        Event::Content(Content::Text { message, .. }) => json!(Event::text(message)),
        Event::Content(_) | Event::AcceptStatus { .. } | Event::ChatState { .. } => json!(event),
    }
}

fn show_query(call: &ServiceCall, answer: Option<&Value>) -> Option<Value> {
    Some(json!({ "query": call.query, "answer": answer }))
}
