//! The LiveEngage simulator, written from the documentation and not from our client.
//!
//! One loopback HTTP server provides the LivePerson services that a connector calls, for one or more accounts: the
//! Domain API, Sentinel, IDP, the Send API and the file storage. It also provides their neighbors: the history, the
//! agents' profiles, the login, the app installs and the Monitoring API. It signs and delivers the webhooks. The handle
//! simulates the agents' desk. Each service has its own file; [`LiveEngageSimulator`] is the handle.

mod account_features;
mod agent_profile;
mod backend;
mod configuration;
mod conversation;
mod desk;
mod domain;
mod endpoint;
mod event;
mod fault;
mod features;
mod files;
mod foreign;
mod forms;
mod history;
mod idp;
mod login;
mod messaging;
mod messaging_window;
mod monitoring;
mod notification;
mod options;
mod page_desk;
mod router;
mod sentinel;
mod served_at;
mod servers;
mod signature;
mod simulator;
mod staff;
mod start_error;
mod structured_content;
mod survey;
mod swift;
mod terms;
#[cfg(test)]
mod tests;
mod tokens;
mod view;
mod webhook_control;
mod webhooks;
mod window_identity;

pub use conversation::{Receipt, SurveyAnswer};
pub use desk::DeskError;
pub use event::{AcceptStatus, Audience, ChatState, Role};
pub use fault::{CallCounts, Service};
pub use files::{FileView, NewFile, StoredFile};
pub use foreign::Speaker;
pub use forms::{
    AnswerCode, Forms, Generation, Ids, NoMetadata, Originator, Participants, RichContent, SingleService, TypePrefix,
    UnknownGeneration,
};
pub use login::{UserOptions, UserProof};
pub use monitoring::EngagementOptions;
pub use options::{AccountOptions, LiveEngageOptions};
pub use servers::TlsAddress;
pub use signature::{SignatureForm, UnknownSignatureForm};
pub use simulator::LiveEngageSimulator;
pub use staff::SpeakerRole;
pub use start_error::StartError;
pub use survey::{SurveyOptions, SurveyQuestion, SurveyReply};
pub use terms::{Closer, Csat, CsatStatus, DialogKind, WebhookEvent};
pub use view::{
    ChatStateView, ConsumerView, ConversationView, DeskChange, DialogView, ParticipantView, TranscriptLine,
};
pub use webhooks::{
    DeliveredWebhook, InstallState, ManifestError, SlowRule, UnknownDelivery, WebhookChaos, WebhookSettings,
};
