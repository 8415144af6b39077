//! LiveEngage's terms that both conversations and webhooks use.

use serde::{Deserialize, Serialize};

/// The kind of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DialogKind {
    /// The conversation with the agent. It has the conversation's id.
    Main,
    /// The survey after it, with its own id.
    PostSurvey,
}

/// Who closed a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Closer {
    /// An agent, or the bot of a survey.
    Agent,
    /// The consumer.
    Consumer,
    /// LivePerson itself, for example after a long idle time.
    System,
}

impl Closer {
    /// The name in notifications.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Agent => "AGENT",
            Self::Consumer => "CONSUMER",
            Self::System => "SYSTEM",
        }
    }
}

/// How completely a rating was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CsatStatus {
    /// Rated and answered.
    Filled,
    /// Either rated or answered.
    PartiallyFilled,
    /// Skipped by the consumer.
    Skipped,
}

/// The rating of a conversation before surveys were introduced: `CSATRate` of `cm.UpdateConversationField`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Csat {
    /// The rating, 1 to 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csat_rate: Option<u8>,
    /// Whether the issue was resolved at the first contact (FCR).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csat_resolution_confirmation: Option<bool>,
    /// How completely it was given.
    pub status: CsatStatus,
}

impl Csat {
    /// Whether the members are consistent. It is not documented what `PARTIALLY_FILLED` and `SKIPPED` may omit: here
    /// `FILLED` requires a rating, and `PARTIALLY_FILLED` one of the two.
    pub(super) fn is_valid(&self) -> bool {
        let in_range = self.csat_rate.is_none_or(|rate| (1..=5).contains(&rate));
        in_range
            && match self.status {
                CsatStatus::Filled => self.csat_rate.is_some(),
                CsatStatus::PartiallyFilled => self.csat_rate.is_some() || self.csat_resolution_confirmation.is_some(),
                CsatStatus::Skipped => true,
            }
    }
}

/// The events that can be sent to an app install. Each has its own key and endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEvent {
    /// `ms.MessagingEventNotification.ContentEvent`: a text, by any participant.
    Content,
    /// `ms.MessagingEventNotification.RichContentEvent`: a card, by the agent or a bot.
    RichContent,
    /// `ms.MessagingEventNotification.AcceptStatusEvent`: delivered, read, refused, answered.
    AcceptStatus,
    /// `ms.MessagingEventNotification.ChatStateEvent`: typing and presence.
    ChatState,
    /// `cqm.ExConversationChangeNotification`: created, agent joined, closed.
    ExConversation,
}

impl WebhookEvent {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Content, Self::RichContent, Self::AcceptStatus, Self::ChatState, Self::ExConversation];

    /// The key in a manifest's `capabilities.webhooks`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Content => "ms.MessagingEventNotification.ContentEvent",
            Self::RichContent => "ms.MessagingEventNotification.RichContentEvent",
            Self::AcceptStatus => "ms.MessagingEventNotification.AcceptStatusEvent",
            Self::ChatState => "ms.MessagingEventNotification.ChatStateEvent",
            Self::ExConversation => "cqm.ExConversationChangeNotification",
        }
    }

    /// The short name in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Content => "ContentEvent",
            Self::RichContent => "RichContentEvent",
            Self::AcceptStatus => "AcceptStatusEvent",
            Self::ChatState => "ChatStateEvent",
            Self::ExConversation => "ExConversationChange",
        }
    }
}
