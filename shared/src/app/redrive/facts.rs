//! What a queue message is and where it belongs, without what was said in it.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::{
    bundle::parts,
    inbound::{group, typing_group},
    task::{Said, ToChannel, ToLiveEngage, conversation_group, digest},
};
use crate::{
    domain::{
        delivery::ConsumerRef,
        id::{AccountId, ChannelUserId, ConversationId, CorrelationId, LineId},
        message::{InboundContent, InboundEvent},
    },
    liveengage::notification::{self, Change, EventKind, NotificationType, Role},
};

/// One of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueKind {
    /// The queue to LiveEngage.
    ToLiveEngage,
    /// The queue to the channels.
    ToChannel,
}

impl QueueKind {
    /// The name of its worker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ToLiveEngage => "to-liveengage",
            Self::ToChannel => "to-channel",
        }
    }
}

/// What a queue message tells of itself. Nothing here is a text or a phone number but the person, which `Debug` hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The queue that it belongs into.
    pub queue: QueueKind,
    /// The group that the connector itself puts it into.
    pub group: String,
    /// What it is, in a word or two.
    pub kind: &'static str,
    /// The person at the channel's end, where the message names them: an agent's names only its conversation.
    pub person: Option<ConsumerRef>,
    /// The conversation, where the message names it: a person's names only the person.
    pub conversation: Option<ConversationId>,
    /// Follows it through the logs.
    pub correlation: CorrelationId,
    /// When the connector took it over, or was last told to begin anew.
    pub accepted_at: Option<Timestamp>,
    /// When the connector first took it over.
    first_accepted_at: Option<Timestamp>,
    /// Its place among those taken over in the same instant: the number in the dialog, or the channel's time.
    within: i128,
}

impl Facts {
    /// Reads a queue message; `None` for one of a form that this version can't read, and for a change that it leaves out.
    pub fn read(task: &str) -> Option<Self> {
        if let Some(parts) = parts(task) {
            // They belong into one group, and the first says what they are.
            return parts.iter().find_map(|part| Self::read(part));
        }
        let to_liveengage = serde_json::from_str::<ToLiveEngage>(task).ok().map(to_liveengage);
        let mut facts = match to_liveengage {
            Some(facts) => facts,
            None => to_channel(serde_json::from_str(task).ok()?)?,
        };
        let first = serde_json::from_str::<FirstAccepted>(task).ok().and_then(|first| first.first_accepted_at);
        facts.first_accepted_at = first.or(facts.accepted_at);
        Some(facts)
    }

    /// What messages are put into order by: when they came, and for those that came together, where they stood.
    pub(super) fn order(&self) -> (Option<Timestamp>, i128) {
        (self.first_accepted_at, self.within)
    }
}

/// The queue and the group that a queue message belongs into; `None` as for [`Facts::read`].
pub fn regroup(task: &str) -> Option<(QueueKind, String)> {
    Facts::read(task).map(|facts| (facts.queue, facts.group))
}

#[derive(Deserialize)]
struct FirstAccepted {
    first_accepted_at: Option<Timestamp>,
}

/// The group of what the connector says of a person of its own accord, by what it is.
fn own(what: &str, line: &LineId, user: &ChannelUserId) -> String {
    digest([what.as_bytes(), line.as_str().as_bytes(), user.as_str().as_bytes()])
}

fn to_liveengage(task: ToLiveEngage) -> Facts {
    let facts = |kind, group, line, user, correlation, accepted_at| Facts {
        queue: QueueKind::ToLiveEngage,
        group,
        kind,
        person: Some(ConsumerRef { line, user }),
        conversation: None,
        correlation,
        accepted_at: Some(accepted_at),
        first_accepted_at: None,
        within: 0,
    };
    match task {
        ToLiveEngage::ChannelEventV1 { line, correlation, accepted_at, event, .. } => {
            let (kind, group) = (event_kind(&event.content), event_group(&line, &event, accepted_at));
            let within = event.at.as_nanosecond();
            Facts { within, ..facts(kind, group, line, event.user, correlation, accepted_at) }
        }
        ToLiveEngage::ReportsV1 { line, user, correlation, accepted_at, .. } => {
            facts("report", own("reports", &line, &user), line, user, correlation, accepted_at)
        }
        ToLiveEngage::UnreadableMessageV1(message) => Facts {
            queue: QueueKind::ToLiveEngage,
            group: message.group(),
            kind: "unreadable",
            person: None,
            conversation: None,
            correlation: message.correlation,
            accepted_at: None,
            first_accepted_at: None,
            within: 0,
        },
        ToLiveEngage::UndeliveredV1 { line, user, correlation, accepted_at, conversation, sequence, .. } => Facts {
            conversation: Some(conversation),
            within: sequence.map_or(0, |sequence| i128::from(sequence.0)),
            ..facts("undelivered", own("undelivered", &line, &user), line, user, correlation, accepted_at)
        },
    }
}

fn event_kind(content: &InboundContent) -> &'static str {
    match content {
        InboundContent::Text { .. } => "text",
        InboundContent::Media(_) => "file",
        InboundContent::Location(_) => "location",
        InboundContent::Contact(_) => "contact",
        InboundContent::Choice { .. } => "choice",
        InboundContent::Report { .. } => "report",
        InboundContent::Typing { .. } => "typing",
        InboundContent::Unsupported { .. } => "unsupported",
    }
}

fn event_group(line: &LineId, event: &InboundEvent, accepted_at: Timestamp) -> String {
    match event.content {
        InboundContent::Typing { typing } => typing_group(line, &event.user, typing, accepted_at),
        InboundContent::Report { .. } => own("reports", line, &event.user),
        _ => group(line, &event.user),
    }
}

fn to_channel(task: ToChannel) -> Option<Facts> {
    let facts = |kind, group, person, correlation, accepted_at| Facts {
        queue: QueueKind::ToChannel,
        group,
        kind,
        person,
        conversation: None,
        correlation,
        accepted_at,
        first_accepted_at: None,
        within: 0,
    };
    Some(match task {
        ToChannel::LiveEngageChangeV1 { account, correlation, accepted_at, notification, change } => {
            let change = changed(&account, notification, &change)?;
            let facts = facts(change.kind, change.group, None, correlation, Some(accepted_at));
            Facts { conversation: change.conversation, within: change.within, ..facts }
        }
        ToChannel::UnreadableNotificationV1 { account, correlation, body } => {
            // The entry point names it by the bytes that came.
            let bytes = STANDARD.decode(body).ok()?;
            let group = digest([account.as_str().as_bytes(), &bytes]);
            facts("unreadable", group, None, correlation, None)
        }
        // The question after a conversation was asked in the conversation's group. By now nothing is left for it to follow.
        ToChannel::SaidV1(Said { line, user, correlation, accepted_at, .. }) => {
            let group = own("said", &line, &user);
            facts("said", group, Some(ConsumerRef { line, user }), correlation, Some(accepted_at))
        }
        ToChannel::NoticeV1 { line, user, correlation, accepted_at, .. } => {
            let group = own("notice", &line, &user);
            facts("notice", group, Some(ConsumerRef { line, user }), correlation, Some(accepted_at))
        }
    })
}

struct Changed {
    kind: &'static str,
    group: String,
    conversation: Option<ConversationId>,
    within: i128,
}

/// What the entry point makes of a change; `None` for one that it leaves out.
fn changed(account: &AccountId, notification: NotificationType, change: &Value) -> Option<Changed> {
    let name = account.as_str().as_bytes();
    let (kind, group, conversation, within) = match notification::read(notification, change) {
        Ok(Change::Event(event)) => {
            let conversation = event.conversation;
            let usual = match event.role {
                Role::Consumer => digest([name, conversation.as_str().as_bytes(), b"echo".as_slice()]),
                Role::Brand | Role::Unsaid => conversation_group(account, conversation.as_str()),
            };
            let (kind, group) = match event.kind {
                EventKind::Text(_) => ("text", usual),
                EventKind::File(_) => ("file", usual),
                EventKind::RichContent(_) => ("card", usual),
                EventKind::OtherContent(_) => ("content", usual),
                EventKind::AcceptStatus { .. } => ("receipt", usual),
                EventKind::ChatState(_) => {
                    ("typing", digest([name, conversation.as_str().as_bytes(), b"chat state".as_slice()]))
                }
                EventKind::Unknown(_) => return None,
            };
            (kind, group, Some(conversation), event.sequence.map_or(0, |sequence| i128::from(sequence.0)))
        }
        Ok(Change::Conversation(state)) => {
            let group = digest([name, state.conversation.as_str().as_bytes(), b"state".as_slice()]);
            ("conversation", group, Some(state.conversation), 0)
        }
        Ok(Change::Unknown) => return None,
        Err(_) => {
            let json = change.to_string();
            ("unreadable", digest([name, b"unreadable".as_slice(), json.as_bytes()]), None, 0)
        }
    };
    Some(Changed { kind, group, conversation, within })
}
