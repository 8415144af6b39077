//! Requests, in both generations of names.

use serde_json::{Value, json};

use super::CALL;
use crate::{
    LiveEngageError,
    files::{FileType, RelativePath, download_url_body, upload_url_body},
    id::{AccountId, ConversationId, Sequence},
    messaging::{
        Close, CustomerSatisfaction, DialogRef, LONGEST_REQUEST, Publication, Routing, characters, closing, opening,
        publishing,
    },
    profile::UserProfile,
};
use connector_message::id;

id!(shown
    /// The id of a request, which its response repeats: 1 to 64 characters (Messaging Window API, Request Builder).
    RequestId, "request id", is_request_id, "1 to 64 characters, none of them a control character");

id!(shown
    /// The id of a subscription to conversations, which LiveEngage gives.
    SubscriptionId, "subscription id", id::is_opaque, id::OPAQUE_RULE);

fn is_request_id(text: &str) -> bool {
    id::is_opaque(text) && text.chars().count() <= 64
}

impl RequestId {
    /// The id with this number as its text.
    pub fn numbered(number: u64) -> Self {
        Self(number.to_string())
    }
}

/// The generation of the requests' type names. LiveEngage accepts both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Names {
    /// `ms.PublishEvent`: the newer pages.
    #[default]
    Current,
    /// `.ams.ms.PublishEvent`: the tutorial and LivePerson's `node-agent-sdk`.
    Ams,
}

/// The types of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// `.GetClock`: keeps the connection open and returns LiveEngage's time.
    GetClock,
    /// `cm.ConsumerRequestConversation`: opens a conversation.
    RequestConversation,
    /// `ms.PublishEvent`: publishes a text, a file, a status or typing.
    PublishEvent,
    /// `cm.UpdateConversationField`: closes or rates a conversation.
    UpdateConversation,
    /// `cqm.SubscribeExConversations`: notifications about conversations.
    SubscribeConversations,
    /// `cqm.UnsubscribeExConversations`: ends that.
    UnsubscribeConversations,
    /// `ms.SubscribeMessagingEvents`: the events of a dialog, from a sequence number on.
    SubscribeEvents,
    /// `userprofile.SetUserProfile`: the consumer's profile.
    SetUserProfile,
    /// `ms.GenerateURLForUploadFile`: the URL for the upload of a file.
    UploadUrl,
    /// `ms.GenerateURLForDownloadFile`: the URL of a file.
    DownloadUrl,
}

impl RequestKind {
    /// All types of requests.
    pub const ALL: [Self; 10] = [
        Self::GetClock,
        Self::RequestConversation,
        Self::PublishEvent,
        Self::UpdateConversation,
        Self::SubscribeConversations,
        Self::UnsubscribeConversations,
        Self::SubscribeEvents,
        Self::SetUserProfile,
        Self::UploadUrl,
        Self::DownloadUrl,
    ];

    /// The name on the wire.
    pub const fn name(self, names: Names) -> &'static str {
        match (self, names) {
            (Self::GetClock, _) => ".GetClock",
            (Self::RequestConversation, Names::Current) => "cm.ConsumerRequestConversation",
            (Self::RequestConversation, Names::Ams) => ".ams.cm.ConsumerRequestConversation",
            (Self::PublishEvent, Names::Current) => "ms.PublishEvent",
            (Self::PublishEvent, Names::Ams) => ".ams.ms.PublishEvent",
            (Self::UpdateConversation, Names::Current) => "cm.UpdateConversationField",
            (Self::UpdateConversation, Names::Ams) => ".ams.cm.UpdateConversationField",
            (Self::SubscribeConversations, Names::Current) => "cqm.SubscribeExConversations",
            // The module had another name, too.
            (Self::SubscribeConversations, Names::Ams) => ".ams.aam.SubscribeExConversations",
            (Self::UnsubscribeConversations, Names::Current) => "cqm.UnsubscribeExConversations",
            (Self::UnsubscribeConversations, Names::Ams) => ".ams.aam.UnsubscribeExConversations",
            (Self::SubscribeEvents, Names::Current) => "ms.SubscribeMessagingEvents",
            (Self::SubscribeEvents, Names::Ams) => ".ams.ms.SubscribeMessagingEvents",
            (Self::SetUserProfile, Names::Current) => "userprofile.SetUserProfile",
            (Self::SetUserProfile, Names::Ams) => ".ams.userprofile.SetUserProfile",
            (Self::UploadUrl, Names::Current) => "ms.GenerateURLForUploadFile",
            (Self::UploadUrl, Names::Ams) => ".ams.ms.GenerateURLForUploadFile",
            (Self::DownloadUrl, Names::Current) => "ms.GenerateURLForDownloadFile",
            (Self::DownloadUrl, Names::Ams) => ".ams.ms.GenerateURLForDownloadFile",
        }
    }

    /// Reads a name of either generation: the part behind the last dot decides. `None` for any other.
    pub fn from_name(name: &str) -> Option<Self> {
        let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
        Self::ALL.into_iter().find(|kind| last(kind.name(Names::Current)) == last(name))
    }
}

/// Which conversations a subscription is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConversationFilter {
    /// Only open ones.
    #[default]
    Open,
    /// Open and closed ones.
    All,
}

impl ConversationFilter {
    fn body(self) -> Value {
        let states: &[&str] = match self {
            Self::Open => &["OPEN"],
            Self::All => &["OPEN", "CLOSE"],
        };
        json!({"minLastUpdatedTime": 0, "convState": states, "stage": states})
    }
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    /// See [`RequestKind::GetClock`].
    GetClock,
    /// See [`RequestKind::RequestConversation`].
    RequestConversation(&'a AccountId, &'a Routing),
    /// Publishes an event in a dialog.
    Publish(&'a DialogRef, Publication<'a>),
    /// Closes a conversation or its main dialog.
    Close(&'a ConversationId, Close<'a>),
    /// Rates a conversation that has ended.
    Rate(&'a ConversationId, &'a CustomerSatisfaction),
    /// Subscribes to the consumer's conversations.
    SubscribeConversations(ConversationFilter),
    /// Ends a subscription to conversations.
    UnsubscribeConversations(&'a SubscriptionId),
    /// Subscribes to the events of a dialog, from this sequence number on.
    SubscribeEvents(&'a DialogRef, Sequence),
    /// Sets the consumer's profile.
    SetUserProfile(&'a UserProfile),
    /// Asks for the upload URL of a file of this many bytes.
    UploadUrl(u64, &'a FileType),
    /// Asks for the download URL of a file.
    DownloadUrl(&'a RelativePath),
}

impl Request<'_> {
    /// The type of the request.
    pub const fn kind(&self) -> RequestKind {
        match self {
            Self::GetClock => RequestKind::GetClock,
            Self::RequestConversation(..) => RequestKind::RequestConversation,
            Self::Publish(..) => RequestKind::PublishEvent,
            Self::Close(..) | Self::Rate(..) => RequestKind::UpdateConversation,
            Self::SubscribeConversations(_) => RequestKind::SubscribeConversations,
            Self::UnsubscribeConversations(_) => RequestKind::UnsubscribeConversations,
            Self::SubscribeEvents(..) => RequestKind::SubscribeEvents,
            Self::SetUserProfile(_) => RequestKind::SetUserProfile,
            Self::UploadUrl(..) => RequestKind::UploadUrl,
            Self::DownloadUrl(_) => RequestKind::DownloadUrl,
        }
    }

    fn body(&self) -> Value {
        match self {
            Self::GetClock => json!({}),
            Self::RequestConversation(account, routing) => opening::conversation_body(account, routing),
            Self::Publish(dialog, publication) => publishing::publish_body(dialog, publication.event),
            Self::Close(conversation, close) => closing::update_body(conversation, &close.field()),
            Self::Rate(conversation, satisfaction) => closing::update_body(conversation, &satisfaction.field()),
            Self::SubscribeConversations(filter) => filter.body(),
            Self::UnsubscribeConversations(subscription) => json!({"subscriptionId": subscription.as_str()}),
            Self::SubscribeEvents(dialog, from) => json!({
                "dialogId": dialog.dialog.as_str(),
                "conversationId": dialog.conversation.as_str(),
                "fromSeq": from,
            }),
            Self::SetUserProfile(profile) => json!(profile),
            Self::UploadUrl(size, file_type) => upload_url_body(*size, file_type),
            Self::DownloadUrl(relative_path) => download_url_body(relative_path),
        }
    }

    /// The text frame of the request. The type is beside the body, where every newer page has it.
    ///
    /// # Errors
    /// [`LiveEngageError::Unsendable`] if the JSON is longer than [`LONGEST_REQUEST`]. That limit is documented for the Send API; it is kept
    /// here because both APIs write to the same service.
    pub fn frame(&self, id: &RequestId, names: Names) -> Result<String, LiveEngageError> {
        let mut frame = json!({"kind": "req", "id": id.as_str(), "type": self.kind().name(names), "body": self.body()});
        if let (Self::Publish(_, Publication { metadata: Some(metadata), .. }), Some(frame)) =
            (self, frame.as_object_mut())
        {
            frame.insert("metadata".to_owned(), (*metadata).clone());
        }
        let frame = frame.to_string();
        if characters(&frame) > LONGEST_REQUEST {
            return Err(LiveEngageError::Unsendable { call: CALL, what: "the request is longer than 5000 characters" });
        }
        Ok(frame)
    }
}
