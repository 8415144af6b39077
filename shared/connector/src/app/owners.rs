//! Whose conversations are, read once by each process.

use std::{num::NonZeroUsize, sync::Arc};

use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    domain::delivery::ConversationOwner,
    port::{Consumers, StoreError},
};
use connector_liveengage::id::{AccountId, ConversationId};

/// How many conversations a process knows. Each takes about 300 bytes.
const MOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The owners of conversations. What can't change is kept in memory: a conversation belongs to one consumer for ever, and one of another
/// channel never becomes ours. That none is known, or that it is presumably another channel's, can change, and is read again.
#[derive(derive_more::Debug)]
#[debug("Owners")]
pub(super) struct Owners {
    consumers: Arc<dyn Consumers>,
    known: Mutex<LruCache<(AccountId, ConversationId), ConversationOwner>>,
}

impl Owners {
    /// Creates it without any conversation in memory.
    pub(super) fn new(consumers: Arc<dyn Consumers>) -> Self {
        Self { consumers, known: Mutex::new(LruCache::new(MOST)) }
    }

    /// Returns whose a conversation is. `None` if nothing is recorded about it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn of(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<ConversationOwner>, StoreError> {
        let key = (account.clone(), conversation.clone());
        if let Some(owner) = self.known.lock().get(&key) {
            return Ok(Some(owner.clone()));
        }
        let owner = self.consumers.conversation_owner(account, conversation).await?;
        if let Some(
            owner @ (ConversationOwner::Ours(_) | ConversationOwner::OurSurvey(..) | ConversationOwner::Foreign),
        ) = &owner
        {
            self.known.lock().put(key, owner.clone());
        }
        Ok(owner)
    }
}
