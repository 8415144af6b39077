//! The LiveEngage simulator, written from the documentation and not from our client.
//!
//! One loopback HTTP server plays the LivePerson services that a connector talks to, for one or more accounts: the Domain
//! API, Sentinel, IDP and the Send API. It signs and delivers the webhooks, and the handle plays the agent's desk.
//! Each service has its file; [`LiveEngageSimulator`] is the handle.

mod conversation;
mod desk;
mod domain;
mod endpoint;
mod event;
mod fault;
mod foreign;
mod idp;
mod messaging;
mod notification;
mod options;
mod page_desk;
mod sentinel;
mod signature;
mod simulator;
mod structured_content;
#[cfg(test)]
mod tests;
mod tokens;
mod view;
mod webhooks;
mod world;

pub use desk::DeskError;
pub use event::{AcceptStatus, Audience, Role};
pub use fault::{CallCounts, Service};
pub use foreign::Speaker;
pub use options::{AccountOptions, LiveEngageOptions, StartError, WebhookEvent, WebhookSettings};
pub use signature::SignatureForm;
pub use simulator::LiveEngageSimulator;
pub use view::{ConsumerView, ConversationView, DeskChange, Receipt, TranscriptLine};
pub use webhooks::{DeliveredWebhook, UnknownDelivery};
