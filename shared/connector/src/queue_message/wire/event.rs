//! The JSON of a channel's events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use connector_channels::{
    id::{CallReference, ChannelUserId, ProviderMessageId},
    message::{
        ChannelProfile, ContactCard, InboundContent, InboundEvent, InboundMedia, Location, MediaKind, ReportedStatus,
    },
};
use connector_message::{MessageText, code::Code, rich_content::Coordinates};

#[derive(Serialize, Deserialize)]
pub(super) struct EventV1 {
    id: ProviderMessageId,
    part: u32,
    user: ChannelUserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    content: ContentV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<ProfileV1>,
}

#[derive(Serialize, Deserialize)]
struct ProfileV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<MessageText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_name: Option<MessageText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<MessageText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<MessageText>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ContentV1 {
    Text {
        text: MessageText,
    },
    Media(MediaV1),
    Location {
        place: Option<Coordinates>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<MessageText>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<MessageText>,
    },
    Contact {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<MessageText>,
        #[serde(default)]
        phones: Vec<MessageText>,
        #[serde(default)]
        emails: Vec<MessageText>,
    },
    Choice {
        id: String,
        title: MessageText,
    },
    Report {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<ProviderMessageId>,
        status: StatusV1,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<CallReference>,
    },
    Typing {
        typing: bool,
    },
    Edited {
        text: MessageText,
    },
    Deleted,
    Unsupported {
        label: String,
    },
}

#[derive(Serialize, Deserialize)]
struct MediaV1 {
    media: MediaKindV1,
    reference: MessageText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<MessageText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caption: Option<MessageText>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MediaKindV1 {
    Picture,
    Video,
    Audio,
    Document,
    Sticker,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum StatusV1 {
    Failed { code: Code },
    Delivered,
    Read,
}

/// Maps the variants of two enums without fields to each other.
macro_rules! same_variants {
    ($wire:ident = $domain:ident: $($variant:ident),+) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }
        impl From<$wire> for $domain {
            fn from(value: $wire) -> Self {
                match value { $($wire::$variant => Self::$variant),+ }
            }
        }
    };
}

same_variants!(MediaKindV1 = MediaKind: Picture, Video, Audio, Document, Sticker);

impl From<&InboundEvent> for EventV1 {
    fn from(event: &InboundEvent) -> Self {
        let InboundEvent { id, part, user, at, content, profile } = event.clone();
        Self { id, part, user, at, content: content.into(), profile: profile.map(Into::into) }
    }
}

impl From<EventV1> for InboundEvent {
    fn from(EventV1 { id, part, user, at, content, profile }: EventV1) -> Self {
        Self { id, part, user, at, content: content.into(), profile: profile.map(Into::into) }
    }
}

impl From<ChannelProfile> for ProfileV1 {
    fn from(ChannelProfile { name, user_name, phone, language }: ChannelProfile) -> Self {
        Self { name, user_name, phone, language }
    }
}

impl From<ProfileV1> for ChannelProfile {
    fn from(ProfileV1 { name, user_name, phone, language }: ProfileV1) -> Self {
        Self { name, user_name, phone, language }
    }
}

impl From<&ReportedStatus> for StatusV1 {
    fn from(status: &ReportedStatus) -> Self {
        match status {
            ReportedStatus::Failed { code } => Self::Failed { code: code.clone() },
            ReportedStatus::Delivered => Self::Delivered,
            ReportedStatus::Read => Self::Read,
        }
    }
}

impl From<StatusV1> for ReportedStatus {
    fn from(status: StatusV1) -> Self {
        match status {
            StatusV1::Failed { code } => Self::Failed { code },
            StatusV1::Delivered => Self::Delivered,
            StatusV1::Read => Self::Read,
        }
    }
}

impl From<InboundContent> for ContentV1 {
    fn from(content: InboundContent) -> Self {
        match content {
            InboundContent::Text { text } => Self::Text { text },
            InboundContent::Media(InboundMedia { kind, reference, content_type, name, caption }) => {
                Self::Media(MediaV1 { media: kind.into(), reference, content_type, name, caption })
            }
            InboundContent::Location(Location { place, name, address }) => Self::Location { place, name, address },
            InboundContent::Contact(ContactCard { name, phones, emails }) => Self::Contact { name, phones, emails },
            InboundContent::Choice { id, title } => Self::Choice { id, title },
            InboundContent::Report { message, status, reference } => {
                Self::Report { message, status: (&status).into(), reference }
            }
            InboundContent::Typing { typing } => Self::Typing { typing },
            InboundContent::Edited { text } => Self::Edited { text },
            InboundContent::Deleted => Self::Deleted,
            InboundContent::Unsupported { label } => Self::Unsupported { label },
        }
    }
}

impl From<ContentV1> for InboundContent {
    fn from(content: ContentV1) -> Self {
        match content {
            ContentV1::Text { text } => Self::Text { text },
            ContentV1::Media(MediaV1 { media, reference, content_type, name, caption }) => {
                Self::Media(InboundMedia { kind: media.into(), reference, content_type, name, caption })
            }
            ContentV1::Location { place, name, address } => Self::Location(Location { place, name, address }),
            ContentV1::Contact { name, phones, emails } => Self::Contact(ContactCard { name, phones, emails }),
            ContentV1::Choice { id, title } => Self::Choice { id, title },
            ContentV1::Report { message, status, reference } => {
                Self::Report { message, status: status.into(), reference }
            }
            ContentV1::Typing { typing } => Self::Typing { typing },
            ContentV1::Edited { text } => Self::Edited { text },
            ContentV1::Deleted => Self::Deleted,
            ContentV1::Unsupported { label } => Self::Unsupported { label },
        }
    }
}
