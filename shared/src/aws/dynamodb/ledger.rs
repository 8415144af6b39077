//! The ledger: which message is which on the other side.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::{transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update, builders::UpdateBuilder},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, to_attribute_value};

use super::{DynamoDbStore, Item, REMEMBER_MESSAGE, is_condition, owned, seconds, text, unavailable};
use crate::{
    aws::{
        key::{Key, PK, SK, echo_sk, echoes_pk},
        schema_version::{self, SCHEMA_VERSION},
    },
    domain::{
        delivery::{AcceptedCall, ConsumerRef, Echo, InboundReceipt, LedgerEntry, OutboundReceipt, ReceiptName},
        id::{AccountId, CallReference, DialogId, LineId, Sequence},
    },
    port::{Ledger, StoreError},
};

/// How long a proof is kept: a message is tried for 12 hours, and its last attempt must still find it.
const REMEMBER_PROOF: SignedDuration = SignedDuration::from_hours(24);

/// How often a transaction is tried when another one touches the same item at that moment.
const CONFLICT_ATTEMPTS: usize = 4;

impl DynamoDbStore {
    /// An update that can stand alone or in a transaction.
    pub(super) fn update_of(&self, key: &Key) -> UpdateBuilder {
        Update::builder().table_name(&self.table).key(PK, text(key.pk())).key(SK, text(key.sk()))
    }

    /// Carries out an update of a message under its lease, together with the ledger's entry. An update whose condition fails is none
    /// that failed if the item says that it `is_done`; in a transaction the SDK's token sees to that.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when the update's condition fails: then there is no entry either.
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
            return owned(result);
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
            // Nothing was written, and what is done outside must be noted: this is worth another try at once.
            if !codes.contains(&"TransactionConflict") || attempt >= CONFLICT_ATTEMPTS {
                return Err(unavailable(&error));
            }
        }
        Ok(())
    }

    /// Writes a proof that a message was taken.
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
            .item(SCHEMA_VERSION, schema_version::current())
            .item("expires_at", seconds(at, REMEMBER_PROOF))
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(())
    }

    fn entries(&self, entry: &LedgerEntry) -> Result<Vec<TransactWriteItem>, StoreError> {
        match entry {
            LedgerEntry::OutboundReceipt(shown) => {
                let key = Key::OutboundReceipt(shown.line.clone(), shown.name.clone());
                Ok(vec![self.entry(&key, shown, shown.at)?])
            }
            LedgerEntry::InboundReceipt(heard) => {
                let mut items = vec![self.entry(&Key::LastHeard(heard.consumer.clone()), heard, heard.at)?];
                if heard.by_position {
                    let by_position = Key::InboundReceipt(heard.account.clone(), heard.dialog.clone(), heard.sequence);
                    items.push(self.entry(&by_position, heard, heard.at)?);
                }
                Ok(items)
            }
        }
    }

    fn entry(&self, key: &Key, record: &impl Serialize, at: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let unwritable = || StoreError::Unreadable { what: "an entry of the ledger" };
        let record: AttributeValue = to_attribute_value(record).map_err(|_| unwritable())?;
        let put = self.put(key).item("record", record).item("expires_at", seconds(at, REMEMBER_MESSAGE));
        Ok(TransactWriteItem::builder().put(put.build().map_err(|_| unwritable())?).build())
    }

    async fn record<T: serde::de::DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let unreadable = || StoreError::Unreadable { what: "an entry of the ledger" };
        let Some(mut item) = self.get(key).await? else { return Ok(None) };
        let record = item.remove("record").ok_or_else(unreadable)?;
        from_attribute_value(record).map(Some).map_err(|_| unreadable())
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
        self.record(&Key::LastHeard(consumer.clone())).await
    }

    async fn note_accepted(
        &self,
        line: &LineId,
        reference: &CallReference,
        accepted: &AcceptedCall,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let key = Key::AcceptedCall(line.clone(), reference.clone());
        let unwritable = |_| StoreError::Unreadable { what: "a call that was taken" };
        let record: AttributeValue = to_attribute_value(accepted).map_err(unwritable)?;
        self.put_for_a_day(key.pk(), key.sk(), record, at).await
    }

    async fn accepted_call(
        &self,
        line: &LineId,
        reference: &CallReference,
    ) -> Result<Option<AcceptedCall>, StoreError> {
        self.record(&Key::AcceptedCall(line.clone(), reference.clone())).await
    }

    async fn note_echo(&self, account: &AccountId, dialog: &DialogId, echo: &Echo) -> Result<(), StoreError> {
        let unwritable = |_| StoreError::Unreadable { what: "an echo" };
        let record: AttributeValue = to_attribute_value(echo).map_err(unwritable)?;
        self.put_for_a_day(echoes_pk(account, dialog), &echo_sk(echo.sequence), record, echo.at).await
    }

    async fn echoes(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        after: Option<Sequence>,
    ) -> Result<Vec<Echo>, StoreError> {
        let unreadable = || StoreError::Unreadable { what: "an echo" };
        let items: Vec<_> = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :dialog AND sk > :after")
            .expression_attribute_values(":dialog", text(echoes_pk(account, dialog)))
            // Before the first number stands what is smaller than any.
            .expression_attribute_values(":after", text(after.map_or_else(|| "!".to_owned(), echo_sk)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| unavailable(&error))?;
        let mut echoes = Vec::with_capacity(items.len());
        for mut item in items {
            schema_version::check(&item)?;
            let record = item.remove("record").ok_or_else(unreadable)?;
            echoes.push(from_attribute_value(record).map_err(|_| unreadable())?);
        }
        Ok(echoes)
    }
}
