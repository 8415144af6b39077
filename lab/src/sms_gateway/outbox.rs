//! The queues of webhooks.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::GatewayAccount;

/// A webhook that is not sent yet.
#[derive(Debug, Clone)]
pub(super) struct PendingWebhook {
    /// The phone that it concerns.
    pub(super) phone: String,
    pub(super) purpose: WebhookPurpose,
    pub(super) body: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WebhookPurpose {
    /// A message from the phone. The phone shows the result.
    Message { id: String },
    /// A report about a text to the phone.
    Report,
    /// A typing indicator. It is posted once, because a late one would be wrong.
    Typing,
}

/// The queues of a phone's webhooks. Webhooks of one queue are posted in sequence. Reports have their own queue, so
/// that a consumer's text doesn't wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum WebhookQueue {
    Chat,
    Reports,
}

impl WebhookPurpose {
    fn queue(&self) -> WebhookQueue {
        match self {
            Self::Message { .. } | Self::Typing => WebhookQueue::Chat,
            Self::Report => WebhookQueue::Reports,
        }
    }
}

/// Posts the received webhooks; queues run concurrently. Everything that it started ends with it.
pub(super) async fn work(account: Arc<GatewayAccount>, mut webhooks: mpsc::UnboundedReceiver<PendingWebhook>) {
    let mut queues: HashMap<(String, WebhookQueue), mpsc::UnboundedSender<PendingWebhook>> = HashMap::new();
    let mut workers = JoinSet::new();
    while let Some(webhook) = webhooks.recv().await {
        let queue = queues.entry((webhook.phone.clone(), webhook.purpose.queue())).or_insert_with(|| {
            let (queue, mut queued) = mpsc::unbounded_channel::<PendingWebhook>();
            let account = Arc::clone(&account);
            workers.spawn(async move {
                while let Some(webhook) = queued.recv().await {
                    account.deliver(&webhook).await;
                }
            });
            queue
        });
        // The queue's worker lives as long as this task.
        let _ = queue.send(webhook);
    }
}
