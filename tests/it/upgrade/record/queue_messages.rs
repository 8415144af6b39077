//! One message of every kind.

use std::collections::BTreeMap;

use connector::{
    domain::{
        delivery::ConsumerRef,
        id::{CorrelationId, LineId},
    },
    port::Clock,
    queue_message::{
        ChannelEvent, Envelope, Message, ToChannel, ToLiveEngage, UnreadableMessage, UnreadableNotification,
        bodies as bodies_in, decode, wire::encode,
    },
};
use connector_aws::SystemClock;
use connector_channels::{
    id::{ChannelUserId, ProviderMessageId},
    message::{InboundContent, InboundEvent, ReportedStatus},
};
use connector_liveengage::{
    id::AccountId,
    notification::{Change, ConversationChange, EventKind, Role},
};
use serde_json::{Value, json};

use crate::steps::PHONE;

/// Declares an enum without fields, and all of its variants.
macro_rules! kinds {
    ($(#[$doc:meta])* enum $name:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum $name { $($variant),+ }

        impl $name {
            /// All of them.
            pub(super) const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];
        }
    };
}

kinds! {
    /// What a message is. The order is the one of the file.
    enum Kind {
        Text, Media, Location, Contact, Choice, Report, Typing, Edited, Deleted, Unsupported,
        Delivered, Read, Failed, UnreadableMessage, Undelivered,
        Opened, Closed, AgentsText, ConsumersText, AgentsFile, ConsumersFile, RichContent,
        AgentsReceipt, ConsumersReceipt, ChatState,
        Announcement, Notice, UnreadableNotification,
    }
}

impl Kind {
    /// The kind of a message; `None` for a change that the connector leaves alone.
    pub(super) fn of(message: &Message) -> Option<Self> {
        match message {
            Message::ToLiveEngage(message) => Some(Self::to_liveengage(message)),
            Message::ToChannel(message) => Self::to_channel(message),
        }
    }

    const fn to_liveengage(message: &ToLiveEngage) -> Self {
        match message {
            ToLiveEngage::ChannelEvent(event) => match &event.event.content {
                InboundContent::Text { .. } => Self::Text,
                InboundContent::Media(_) => Self::Media,
                InboundContent::Location(_) => Self::Location,
                InboundContent::Contact(_) => Self::Contact,
                InboundContent::Choice { .. } => Self::Choice,
                InboundContent::Report { .. } => Self::Report,
                InboundContent::Typing { .. } => Self::Typing,
                InboundContent::Edited { .. } => Self::Edited,
                InboundContent::Deleted => Self::Deleted,
                InboundContent::Unsupported { .. } => Self::Unsupported,
            },
            ToLiveEngage::Reports(reports) => match reports.status {
                ReportedStatus::Delivered => Self::Delivered,
                ReportedStatus::Read => Self::Read,
                ReportedStatus::Failed { .. } => Self::Failed,
            },
            ToLiveEngage::Unreadable(_) => Self::UnreadableMessage,
            ToLiveEngage::Undelivered(_) => Self::Undelivered,
        }
    }

    fn to_channel(message: &ToChannel) -> Option<Self> {
        let change = match message {
            ToChannel::Change(change) => change.change(),
            ToChannel::Unreadable(_) => return Some(Self::UnreadableNotification),
            ToChannel::Announcement(_) => return Some(Self::Announcement),
            ToChannel::Notice(_) => return Some(Self::Notice),
        };
        match change {
            Ok(Change::Conversation(ConversationChange { closed: false, .. })) => Some(Self::Opened),
            Ok(Change::Conversation(ConversationChange { closed: true, .. })) => Some(Self::Closed),
            Ok(Change::Event(event)) => match (&event.kind, event.role) {
                (EventKind::Text(_), Role::Consumer) => Some(Self::ConsumersText),
                (EventKind::Text(_), Role::Brand | Role::Controller | Role::Unknown) => Some(Self::AgentsText),
                (EventKind::File(_), Role::Consumer) => Some(Self::ConsumersFile),
                (EventKind::File(_), Role::Brand | Role::Controller | Role::Unknown) => Some(Self::AgentsFile),
                (EventKind::RichContent(_), _) => Some(Self::RichContent),
                (EventKind::AcceptStatus { .. }, Role::Consumer) => Some(Self::ConsumersReceipt),
                (EventKind::AcceptStatus { .. }, Role::Brand | Role::Controller | Role::Unknown) => {
                    Some(Self::AgentsReceipt)
                }
                (EventKind::ChatState(_), _) => Some(Self::ChatState),
                (EventKind::OtherContent(_) | EventKind::Unknown(_), _) => None,
            },
            Ok(Change::Unknown) | Err(_) => None,
        }
    }
}

/// One message of every kind that was seen so far.
#[derive(Default)]
pub(super) struct QueueMessages(BTreeMap<Kind, Message>);

impl QueueMessages {
    /// Takes those of which the kind has not been seen.
    pub(super) fn add_all(&mut self, bodies: &[Value]) {
        for part in bodies.iter().flat_map(|body| bodies_in(&body.to_string())) {
            let message = decode(&part).unwrap();
            if let Some(kind) = Kind::of(&message) {
                self.0.entry(kind).or_insert(message);
            }
        }
    }

    /// Adds what no lab writes by itself.
    pub(super) fn add_unseen(&mut self) {
        let consumer =
            ConsumerRef { line: LineId::new(connector_lab::LINE).unwrap(), user: ChannelUserId::new(PHONE).unwrap() };
        let now = SystemClock.now();
        let envelope = |correlation: &str| Envelope::new(&CorrelationId::new(correlation).unwrap(), now);
        let report = InboundEvent {
            id: ProviderMessageId::new("mt-recorded.delivered").unwrap(),
            part: 0,
            user: consumer.user.clone(),
            at: Some(now),
            content: InboundContent::Report {
                message: Some(ProviderMessageId::new("mt-recorded").unwrap()),
                status: ReportedStatus::Delivered,
                reference: None,
            },
            profile: None,
        };
        let report = ChannelEvent { envelope: envelope("recorded-report"), line: consumer.line.clone(), event: report };
        let whole = b"not readable";
        let message = UnreadableMessage::new(envelope("recorded-message"), consumer.line, whole);
        let account = AccountId::new(connector_lab::ACCOUNT).unwrap();
        let notification = UnreadableNotification::new(envelope("recorded-notification"), account, whole);
        for message in [Message::from(report), message.into(), notification.into()] {
            self.0.insert(Kind::of(&message).unwrap(), message);
        }
    }

    /// As a file: the bodies by their queues.
    pub(super) fn file(&self) -> Value {
        let body = |message: &Message| serde_json::from_str(&encode(message).unwrap()).unwrap();
        let (to_liveengage, to_channel): (Vec<&Message>, Vec<_>) =
            self.0.values().partition(|message| matches!(message, Message::ToLiveEngage(_)));
        let bodies = |messages: Vec<&Message>| messages.into_iter().map(body).collect::<Vec<Value>>();
        json!({
            "recorded_at": SystemClock.now(), "to_liveengage": bodies(to_liveengage), "to_channel": bodies(to_channel),
        })
    }
}
