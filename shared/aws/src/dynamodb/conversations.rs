//! The index of consumers by the state of their conversation, and when an account was last reconciled.
//!
//! Only a consumer whose conversation is open or closed is in the index. It holds keys alone, so it is written when a conversation is
//! opened or closed, and not by other changes of the record.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use jiff::Timestamp;

use super::{DynamoDbStore, Item, millis, number, text, unavailable};
use crate::{
    key::{self, CONVERSATION_CLOSED_AT, CONVERSATION_STATE, CONVERSATIONS_INDEX, Key, PK, SK},
    schema_version::SCHEMA_VERSION,
};
use connector::{
    domain::{
        conversation::{Consumer, Conversation},
        delivery::ConsumerRef,
    },
    port::{ConversationFilter, Conversations, FoundConsumers, PastRuns, StoreError},
};
use connector_liveengage::id::AccountId;

/// When the last complete reconciliation of an account began.
const COMPLETE: &str = "at";

/// When the history last refused.
const REFUSED: &str = "refused_at";

/// Adds the attributes of the index to a consumer's item.
pub(super) fn indexed(put: PutBuilder, consumer: &Consumer) -> PutBuilder {
    let (is_open, closed_at) = match &consumer.conversation {
        // The same for all, so that news of an open conversation doesn't change the index.
        Conversation::Open { .. } => (true, None),
        Conversation::Closed { as_of, .. } => (false, *as_of),
        Conversation::None | Conversation::Opening { .. } => return put,
    };
    put.item(CONVERSATION_STATE, text(key::conversations_pk(&consumer.account, is_open)))
        .item(CONVERSATION_CLOSED_AT, millis(closed_at.unwrap_or(Timestamp::UNIX_EPOCH)))
}

fn consumer_of(item: &Item) -> Result<ConsumerRef, StoreError> {
    match item.get(PK).and_then(|pk| pk.as_s().ok()).and_then(|pk| Key::parse(pk)) {
        Some(Key::Consumer(consumer)) => Ok(consumer),
        _ => Err(StoreError::Unreadable { what: "a key in the index of conversations" }),
    }
}

#[async_trait]
impl Conversations for DynamoDbStore {
    async fn consumers_in(
        &self,
        account: &AccountId,
        filter: ConversationFilter,
        most: usize,
    ) -> Result<FoundConsumers, StoreError> {
        let (is_open, since) = match filter {
            ConversationFilter::Open => (true, Timestamp::UNIX_EPOCH),
            ConversationFilter::ClosedSince(since) => (false, since),
        };
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(CONVERSATIONS_INDEX)
            .key_condition_expression("conversation_state = :state AND conversation_closed_at >= :since")
            .expression_attribute_values(":state", text(key::conversations_pk(account, is_open)))
            .expression_attribute_values(":since", millis(since));
        let mut pages = query.into_paginator().send();
        let mut found = FoundConsumers { consumers: vec![], is_complete: true };
        while let Some(page) = pages.next().await {
            for item in page.map_err(|error| unavailable(&error))?.items.unwrap_or_default() {
                if found.consumers.len() == most {
                    return Ok(FoundConsumers { is_complete: false, ..found });
                }
                found.consumers.push(consumer_of(&item)?);
            }
        }
        Ok(found)
    }

    async fn past_runs(&self, account: &AccountId) -> Result<PastRuns, StoreError> {
        let item = self.get(&Key::Reconciled(account.clone())).await?.unwrap_or_default();
        let time = |name| number(&item, name).and_then(|ms| Timestamp::from_millisecond(ms).ok());
        Ok(PastRuns { complete: time(COMPLETE), refused: time(REFUSED) })
    }

    async fn note_complete_run(&self, account: &AccountId, at: Timestamp) -> Result<(), StoreError> {
        self.note(account, COMPLETE, Some(at)).await
    }

    async fn note_refusal(&self, account: &AccountId, at: Option<Timestamp>) -> Result<(), StoreError> {
        self.note(account, REFUSED, at).await
    }
}

impl DynamoDbStore {
    /// Sets or removes one of the times of an account's reconciliations. The others stay, whoever writes at the same time.
    async fn note(&self, account: &AccountId, name: &'static str, at: Option<Timestamp>) -> Result<(), StoreError> {
        let key = Key::Reconciled(account.clone());
        let update = self.client.update_item().table_name(&self.table).key(PK, text(key.pk())).key(SK, text(key.sk()));
        let update =
            update.expression_attribute_names("#time", name).expression_attribute_names("#version", SCHEMA_VERSION);
        let update = update.expression_attribute_values(":version", key.kind().attribute());
        let update = match at {
            Some(at) => update
                .update_expression("SET #version = :version, #time = :time")
                .expression_attribute_values(":time", millis(at)),
            None => update.update_expression("SET #version = :version REMOVE #time"),
        };
        update.send().await.map(drop).map_err(|error| unavailable(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::{AttributeValue, Put};
    use connector::domain::id::LineId;
    use connector_channels::id::ChannelUserId;
    use connector_liveengage::id::ConversationId;

    fn indexed_as(consumer: &Consumer) -> Option<AttributeValue> {
        let put = Put::builder().table_name("t").item(PK, text("p"));
        indexed(put, consumer).build().unwrap().item.remove(CONVERSATION_STATE)
    }

    #[test]
    fn only_a_consumer_with_an_open_or_a_closed_conversation_is_in_the_index() {
        let (line, user) = (LineId::new("sms-main").unwrap(), ChannelUserId::new("+4915112345678").unwrap());
        let mut anna = Consumer::new(line, user, AccountId::new("72419083").unwrap());
        assert_eq!(indexed_as(&anna), None);
        let c1 = ConversationId::new("c1").unwrap();
        anna.conversation = Conversation::Open { id: c1.clone(), as_of: None, survey: None };
        assert_eq!(indexed_as(&anna), Some(text("OPEN#72419083")));
        anna.conversation = Conversation::Closed { id: c1, as_of: None };
        assert_eq!(indexed_as(&anna), Some(text("CLOSED#72419083")));
    }
}
