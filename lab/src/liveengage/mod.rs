//! The LiveEngage simulator, written from the documentation and not from our client.
//!
//! One loopback HTTP server plays the LivePerson services that a connector talks to, for one or more accounts: the Domain
//! API, Sentinel, IDP, the Send API and the file storage. It signs and delivers the webhooks, and the handle plays the
//! agents' desk. Each service has its file; [`LiveEngageSimulator`] is the handle.

mod conversation;
mod desk;
mod domain;
mod endpoint;
mod event;
mod fault;
mod files;
mod foreign;
mod forms;
mod idp;
mod messaging;
mod notification;
mod options;
mod page_desk;
mod sentinel;
mod signature;
mod simulator;
mod staff;
mod structured_content;
mod survey;
mod swift;
#[cfg(test)]
mod tests;
mod tokens;
mod view;
mod webhooks;
mod world;

pub use conversation::{Closer, Csat, CsatStatus, DialogKind, SurveyAnswer};
pub use desk::DeskError;
pub use event::{AcceptStatus, Audience, ChatState, Role};
pub use fault::{CallCounts, Service};
pub use files::{FileView, NewFile, StoredFile};
pub use foreign::Speaker;
pub use forms::{AnswerCode, Forms, Ids, NoMetadata, Originator, Participants, RichContent, SingleService, TypePrefix};
pub use options::{AccountOptions, LiveEngageOptions, StartError, WebhookEvent, WebhookSettings};
pub use signature::SignatureForm;
pub use simulator::LiveEngageSimulator;
pub use staff::SpeakerRole;
pub use survey::{SurveyOptions, SurveyQuestion, SurveyReply};
pub use view::{
    ChatStateView, ConsumerView, ConversationView, DeskChange, DialogView, ParticipantView, Receipt, TranscriptLine,
};
pub use webhooks::{DeliveredWebhook, InstallState, SlowRule, UnknownDelivery, WebhookChaos};
