//! The ledger: the other side's ids of messages.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update, builders::UpdateBuilder},
};
use jiff::{SignedDuration, Timestamp};

use super::{DynamoDbStore, Item, REMEMBER_MESSAGE, is_condition, lease_checked, seconds, text, unavailable};
use crate::{
    item::Stored,
    key::{Key, PK, SK, echo_sk, echoes_pk},
    schema_version::{ItemKind, SCHEMA_VERSION},
};
use connector::{
    domain::{
        delivery::ConsumerRef,
        id::LineId,
        receipt::{AcceptedCall, Echo, InboundReceipt, LedgerEntry, OutboundReceipt, ReceiptName},
        retry::RETRY_FOR,
    },
    port::{Ledger, StoreError},
};
use connector_channels::id::CallReference;
use connector_liveengage::id::{AccountId, DialogId, Sequence};

/// How long a proof of delivery is kept. A message is retried for 12 hours, and its last attempt must still find the proof.
const REMEMBER_PROOF: SignedDuration = SignedDuration::from_hours(24);
const _: () = assert!(REMEMBER_PROOF.as_secs() > RETRY_FOR.as_secs(), "the last attempt must find it");

/// How often a transaction is tried if it conflicts with a concurrent one.
const CONFLICT_ATTEMPTS: usize = 4;

impl DynamoDbStore {
    /// Returns an update for use alone or in a transaction.
    pub(super) fn update_of(&self, key: &Key) -> UpdateBuilder {
        Update::builder().table_name(&self.table).key(PK, text(key.pk())).key(SK, text(key.sk()))
    }

    /// Carries out an update of a message under its lease, together with the ledger's entry. If the update's condition fails, but `is_done`
    /// shows that the item has the update already, this succeeds. In a transaction the SDK's idempotency token has the same effect.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if the update's condition fails. Then the entry isn't written either.
    pub(super) async fn write(
        &self,
        update: UpdateBuilder,
        entry: Option<&LedgerEntry>,
        is_done: impl Fn(&Item) -> bool + Send,
    ) -> Result<(), StoreError> {
        let update = update.build().map_err(|_| StoreError::Unreadable { what: "an update of a message" })?;
        let Some(entry) = entry else {
            let single = self
                .client
                .update_item()
                .table_name(&self.table)
                .set_key(Some(update.key))
                .update_expression(update.update_expression)
                .set_condition_expression(update.condition_expression)
                .set_expression_attribute_names(update.expression_attribute_names)
                .set_expression_attribute_values(update.expression_attribute_values)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let result = single.send().await;
            if let Err(error) = &result
                && let Some(UpdateItemError::ConditionalCheckFailedException(failed)) = error.as_service_error()
                && failed.item().is_some_and(is_done)
            {
                return Ok(());
            }
            return lease_checked(result);
        };
        let mut items = vec![TransactWriteItem::builder().update(update).build()];
        items.extend(self.entries(entry)?);
        for attempt in 1.. {
            let result = self.client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
            let Err(error) = result else { return Ok(()) };
            let codes: Vec<_> = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect()
                }
                _ => vec![],
            };
            if codes.contains(&"ConditionalCheckFailed") {
                return Err(StoreError::LeaseLost);
            }
            // Nothing was written. Retry at once, because what was done outside must be recorded.
            if !codes.contains(&"TransactionConflict") || attempt >= CONFLICT_ATTEMPTS {
                return Err(unavailable(&error));
            }
        }
        Ok(())
    }

    /// Writes a proof that the other side accepted a message.
    async fn put_for_a_day(
        &self,
        pk: String,
        sk: &str,
        record: AttributeValue,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.client
            .put_item()
            .table_name(&self.table)
            .item(PK, text(pk))
            .item(SK, text(sk))
            .item("record", record)
            .item(SCHEMA_VERSION, ItemKind::Proof.attribute())
            .item("expires_at", seconds(at, REMEMBER_PROOF))
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(())
    }

    fn entries(&self, entry: &LedgerEntry) -> Result<Vec<TransactWriteItem>, StoreError> {
        match entry {
            LedgerEntry::OutboundReceipt(receipt) => {
                let key = Key::OutboundReceipt(receipt.line.clone(), receipt.name.clone());
                Ok(vec![self.entry(&key, receipt, receipt.at)?])
            }
            LedgerEntry::InboundReceipt(receipt) => {
                let mut items = vec![self.entry(&Key::LastInbound(receipt.consumer.clone()), receipt, receipt.at)?];
                if receipt.by_position {
                    let by_position =
                        Key::InboundReceipt(receipt.account.clone(), receipt.dialog.clone(), receipt.sequence);
                    items.push(self.entry(&by_position, receipt, receipt.at)?);
                }
                Ok(items)
            }
        }
    }

    fn entry<T: Stored>(&self, key: &Key, record: &T, at: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let unwritable = || StoreError::Unreadable { what: T::WHAT };
        let put =
            self.put(key).item("record", record.to_attribute()?).item("expires_at", seconds(at, REMEMBER_MESSAGE));
        Ok(TransactWriteItem::builder().put(put.build().map_err(|_| unwritable())?).build())
    }

    async fn record<T: Stored>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let Some(mut item) = self.get(key).await? else { return Ok(None) };
        let record = item.remove("record").ok_or(StoreError::Unreadable { what: T::WHAT })?;
        T::from_attribute(record).map(Some)
    }
}

#[async_trait]
impl Ledger for DynamoDbStore {
    async fn outbound_receipt(&self, line: &LineId, name: &ReceiptName) -> Result<Option<OutboundReceipt>, StoreError> {
        self.record(&Key::OutboundReceipt(line.clone(), name.clone())).await
    }

    async fn reported(&self, line: &LineId, name: &ReceiptName, rank: u8) -> Result<(), StoreError> {
        let result = self
            .update(&Key::OutboundReceipt(line.clone(), name.clone()))
            .update_expression("SET #record.#rank = :rank")
            .condition_expression("attribute_exists(pk) AND #record.#rank < :rank")
            .expression_attribute_names("#record", "record")
            .expression_attribute_names("#rank", "rank")
            .expression_attribute_values(":rank", AttributeValue::N(rank.to_string()))
            .send()
            .await;
        match result {
            Err(error) if !is_condition(&error) => Err(unavailable(&error)),
            _ => Ok(()),
        }
    }

    async fn inbound_receipt(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        sequence: Sequence,
    ) -> Result<Option<InboundReceipt>, StoreError> {
        self.record(&Key::InboundReceipt(account.clone(), dialog.clone(), sequence)).await
    }

    async fn last_inbound(&self, consumer: &ConsumerRef) -> Result<Option<InboundReceipt>, StoreError> {
        self.record(&Key::LastInbound(consumer.clone())).await
    }

    async fn note_accepted(
        &self,
        line: &LineId,
        reference: &CallReference,
        accepted: &AcceptedCall,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = Key::AcceptedCall(line.clone(), reference.clone());
        self.put_for_a_day(key.pk(), key.sk(), accepted.to_attribute()?, at).await
    }

    async fn accepted_call(
        &self,
        line: &LineId,
        reference: &CallReference,
    ) -> Result<Option<AcceptedCall>, StoreError> {
        self.record(&Key::AcceptedCall(line.clone(), reference.clone())).await
    }

    async fn note_echo(&self, account: &AccountId, dialog: &DialogId, echo: &Echo) -> Result<(), StoreError> {
        let (pk, sk) = (echoes_pk(account, dialog), echo_sk(echo.sequence));
        self.put_for_a_day(pk, &sk, echo.to_attribute()?, echo.at).await
    }

    async fn echoes(&self, account: &AccountId, dialog: &DialogId) -> Result<Vec<Echo>, StoreError> {
        let items: Vec<_> = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :dialog")
            .expression_attribute_values(":dialog", text(echoes_pk(account, dialog)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| unavailable(&error))?;
        let mut echoes = Vec::with_capacity(items.len());
        for mut item in items {
            ItemKind::Proof.check(&item)?;
            let record = item.remove("record").ok_or(StoreError::Unreadable { what: Echo::WHAT })?;
            echoes.push(Echo::from_attribute(record)?);
        }
        Ok(echoes)
    }
}
