//! The webhooks that wait for their turn.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Account;

/// A webhook on its way to the connector.
#[derive(Debug, Clone)]
pub(super) struct Posting {
    /// The phone that it is about.
    pub(super) phone: String,
    pub(super) purpose: Purpose,
    pub(super) body: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A message from the phone; the phone shows the outcome.
    Message { id: String },
    /// What became of a text to the phone.
    Report,
    /// A typing indicator. It is posted once: a late one would be wrong.
    Typing,
}

/// The webhooks of one line leave one after the other. Reports have their own: a consumer's text does not wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Line {
    Chat,
    Reports,
}

impl Purpose {
    fn line(&self) -> Line {
        match self {
            Self::Message { .. } | Self::Typing => Line::Chat,
            Self::Report => Line::Reports,
        }
    }
}

/// Delivers what is put in, each phone's lines beside those of the others. Everything it has started ends with it.
pub(super) async fn work(account: Arc<Account>, mut postings: mpsc::UnboundedReceiver<Posting>) {
    let mut lines: HashMap<(String, Line), mpsc::UnboundedSender<Posting>> = HashMap::new();
    let mut workers = JoinSet::new();
    while let Some(posting) = postings.recv().await {
        let line = lines.entry((posting.phone.clone(), posting.purpose.line())).or_insert_with(|| {
            let (line, mut queued) = mpsc::unbounded_channel::<Posting>();
            let account = Arc::clone(&account);
            workers.spawn(async move {
                while let Some(posting) = queued.recv().await {
                    account.deliver(&posting).await;
                }
            });
            line
        });
        // The line's worker lives as long as this one.
        let _ = line.send(posting);
    }
}
