//! The ledger: which message is which on the other side.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, TransactWriteItem, Update, builders::UpdateBuilder},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, to_attribute_value};

use super::{DynamoDbStore, REMEMBER_MESSAGE, is_condition, owned, seconds, text, unavailable};
use crate::{
    aws::key::{Key, PK, SK},
    domain::{
        delivery::{ConsumerRef, Heard, LedgerEntry, Shown},
        id::{AccountId, DialogId, LineId, ProviderMessageId, Sequence},
    },
    port::{Ledger, StoreError},
};

/// How often a transaction is tried when another one touches the same item at that moment.
const CONFLICT_ATTEMPTS: usize = 4;

impl DynamoDbStore {
    /// An update that can stand alone or in a transaction.
    pub(super) fn update_of(&self, key: &Key) -> UpdateBuilder {
        Update::builder().table_name(&self.table).key(PK, text(key.pk())).key(SK, text(key.sk()))
    }

    /// Carries out an update of a message under its lease, together with the ledger's entry.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when the update's condition fails: then there is no entry either.
    pub(super) async fn write(&self, update: UpdateBuilder, entry: Option<&LedgerEntry>) -> Result<(), StoreError> {
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
                .set_expression_attribute_values(update.expression_attribute_values);
            return owned(single.send().await);
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

    fn entries(&self, entry: &LedgerEntry) -> Result<Vec<TransactWriteItem>, StoreError> {
        match entry {
            LedgerEntry::Shown(shown) => {
                let key = Key::Shown(shown.line.clone(), shown.id.clone());
                Ok(vec![self.entry(&key, shown, shown.at)?])
            }
            LedgerEntry::Heard(heard) => {
                let by_place = Key::Heard(heard.account.clone(), heard.dialog.clone(), heard.sequence);
                let last = Key::LastHeard(heard.consumer.clone());
                Ok(vec![self.entry(&by_place, heard, heard.at)?, self.entry(&last, heard, heard.at)?])
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
    async fn shown(&self, line: &LineId, id: &ProviderMessageId) -> Result<Option<Shown>, StoreError> {
        self.record(&Key::Shown(line.clone(), id.clone())).await
    }

    async fn reported(&self, line: &LineId, id: &ProviderMessageId, rank: u8) -> Result<(), StoreError> {
        let result = self
            .update(&Key::Shown(line.clone(), id.clone()))
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

    async fn heard(
        &self,
        account: &AccountId,
        dialog: &DialogId,
        sequence: Sequence,
    ) -> Result<Option<Heard>, StoreError> {
        self.record(&Key::Heard(account.clone(), dialog.clone(), sequence)).await
    }

    async fn last_heard(&self, consumer: &ConsumerRef) -> Result<Option<ProviderMessageId>, StoreError> {
        let heard: Option<Heard> = self.record(&Key::LastHeard(consumer.clone())).await?;
        Ok(heard.map(|heard| heard.id))
    }
}
