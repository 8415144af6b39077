//! Ports: traits for what the use cases need from outside. `connector-aws` implements them with DynamoDB, SQS, Secrets Manager and an HTTP
//! client.

mod clock;
mod http;
mod queue;
mod redrive;
mod secrets;
mod store;

pub use clock::Clock;
pub use http::{Download, HEAD, Http, StreamedFile};
pub use queue::{Postpone, Queue, QueueError, QueueMessage};
pub use redrive::{DeadLetter, DeadLetters, ParkedId, ParkedList, ParkedMessage, ParkedMessages, Reopened};
pub use secrets::{SecretStore, SecretVersion, Secrets, SecretsError, StoredSecret, StoredVersion};
pub use store::{
    Consumers, ConversationFilter, Conversations, FoundConsumers, Ledger, Messages, PastRuns, Saved, StoreError, Tokens,
};
