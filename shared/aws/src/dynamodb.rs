//! The state in DynamoDB: one table. Every rule is a condition of a write.
//!
//! TTL goes by `expires_at`, in seconds. Expired items stay readable for a while, so no rule relies on their removal.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError, update_item::UpdateItemError},
    types::{AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    error_code,
    item::Stored,
    key::{Key, PK, SK},
    schema_version::{self, ItemKind, SCHEMA_VERSION},
};
use connector::{
    domain::{
        conversation::Consumer,
        delivery::{ConsumerRef, ConversationOwner},
        id::Owner,
        pointer::Pointer,
    },
    port::{Consumers, Saved, StoreError, Tokens},
};
use connector_liveengage::{
    id::{AccountId, ConversationId, LpConsumerId},
    sentinel::AppJwt,
};

/// How long a delivered message is remembered: longer than any side repeats a webhook (LiveEngage for 3 days, gateways for 1 day), and as
/// long as a queue keeps a message.
const REMEMBER_MESSAGE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How long a conversation is remembered as another channel's.
const REMEMBER_FOREIGN: SignedDuration = SignedDuration::from_hours(24);

/// Whether a conversation is certainly or presumably another channel's: the values of the attribute `foreign`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Foreign {
    Known,
    Presumed,
}

impl Foreign {
    const fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Presumed => "presumed",
        }
    }

    /// Returns the condition for recording this: what may be recorded about the conversation already.
    const fn condition(self) -> &'static str {
        match self {
            Self::Known => "attribute_not_exists(#user)",
            Self::Presumed => "attribute_not_exists(#user) AND attribute_not_exists(#foreign)",
        }
    }
}

type Item = HashMap<String, AttributeValue>;

mod conversations;
mod ledger;
mod messages;

/// The store in DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoDbStore {
    client: Client,
    table: String,
}

impl DynamoDbStore {
    /// Creates a store in `table`, which must have the partition key `pk` and the sort key `sk`, both strings, and TTL on `expires_at`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let output = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, text(key.pk()))
            .key(SK, text(key.sk()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| unavailable(&error))?;
        output.item.as_ref().map_or(Ok(()), |item| key.kind().check(item))?;
        Ok(output.item)
    }

    /// Returns a put, which also replaces an item of a newer version. That is safe, because it writes a whole item, which the newer version
    /// can read.
    fn put(&self, key: &Key) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        let put = Put::builder().table_name(&self.table).item(PK, text(key.pk())).item(SK, text(key.sk()));
        put.item(SCHEMA_VERSION, key.kind().attribute())
    }

    fn update(&self, key: &Key) -> aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).key(PK, text(key.pk())).key(SK, text(key.sk()))
    }

    /// Writes an item that must not have been changed since it was read.
    ///
    /// If the answer to a write that was carried out is lost, the SDK repeats it, and its condition fails. So the item of a failed condition is
    /// compared. A transaction doesn't need this: the SDK gives its attempts one token.
    async fn put_over_version(&self, put: Put) -> Result<Saved, StoreError> {
        let written = put.item.clone();
        let output = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_values(put.expression_attribute_values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match output {
            Ok(_) => Ok(Saved::Saved),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) if failed.item() == Some(&written) => {
                    Ok(Saved::Saved)
                }
                Some(
                    PutItemError::ConditionalCheckFailedException(_) | PutItemError::TransactionConflictException(_),
                ) => Ok(Saved::Conflict),
                _ => Err(unavailable(&error)),
            },
        }
    }

    fn put_pointer(&self, pointer: &Pointer, consumer: &ConsumerRef) -> Result<TransactWriteItem, StoreError> {
        let (key, conversation) = match pointer.clone() {
            Pointer::LpConsumer(account, id) => (Key::LpConsumer(account, id), None),
            Pointer::Conversation(account, id) => (Key::Conversation(account, id), None),
            Pointer::Survey { account, dialog, conversation } => {
                (Key::Conversation(account, dialog), Some(conversation))
            }
        };
        let mut put =
            self.put(&key).item("line", text(consumer.line.as_str())).item("user", text(consumer.user.as_str()));
        if let Some(conversation) = conversation {
            put = put.item("conversation", text(conversation.as_str()));
        }
        let put = put.build().map_err(|_| StoreError::Unreadable { what: "pointer" })?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

impl DynamoDbStore {
    async fn put_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        certainty: Foreign,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = Key::Conversation(account.clone(), conversation.clone());
        let update = self
            .update(&key)
            .update_expression("SET #foreign = :certainty, expires_at = :expires, schema_version = :schema_version")
            .condition_expression(format!("{} AND {}", certainty.condition(), schema_version::IS_READABLE))
            .expression_attribute_values(":schema_version", key.kind().attribute())
            .expression_attribute_names("#foreign", "foreign")
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":certainty", text(certainty.name()))
            .expression_attribute_values(":expires", seconds(now, REMEMBER_FOREIGN));
        match lease_checked(update.send().await) {
            // Something more certain is recorded already.
            Err(StoreError::LeaseLost) => Ok(()),
            other => other,
        }
    }
}

#[async_trait]
impl Consumers for DynamoDbStore {
    async fn consumer(&self, consumer: &ConsumerRef) -> Result<Option<Consumer>, StoreError> {
        let Some(mut item) = self.get(&Key::Consumer(consumer.clone())).await? else { return Ok(None) };
        let unreadable = || StoreError::Unreadable { what: Consumer::WHAT };
        let mut record = Consumer::from_attribute(item.remove("record").ok_or_else(unreadable)?)?;
        record.version = number(&item, "version").and_then(|n| u64::try_from(n).ok()).ok_or_else(unreadable)?;
        Ok(Some(record))
    }

    async fn save_consumer(&self, consumer: &Consumer, new: &[Pointer]) -> Result<Saved, StoreError> {
        let unwritable = || StoreError::Unreadable { what: Consumer::WHAT };
        let who = ConsumerRef { line: consumer.line.clone(), user: consumer.user.clone() };
        let record = consumer.to_attribute()?;
        let put = self
            .put(&Key::Consumer(who.clone()))
            .item("record", record)
            .item("version", AttributeValue::N((consumer.version + 1).to_string()));
        let put = conversations::indexed(put, consumer);
        let put = if consumer.version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(consumer.version.to_string()))
        };
        let put = put.build().map_err(|_| unwritable())?;
        // Outside of a transaction a write costs half.
        if new.is_empty() {
            return self.put_over_version(put).await;
        }
        let mut items = vec![TransactWriteItem::builder().put(put).build()];
        for pointer in new {
            items.push(self.put_pointer(pointer, &who)?);
        }
        match self.client.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(Saved::Saved),
            Err(error) if lost_race(&error) => Ok(Saved::Conflict),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn consumer_by_lp_id(
        &self,
        account: &AccountId,
        id: &LpConsumerId,
    ) -> Result<Option<ConsumerRef>, StoreError> {
        match self.get(&Key::LpConsumer(account.clone(), id.clone())).await? {
            Some(item) => consumer_ref(&item).map(Some),
            None => Ok(None),
        }
    }

    async fn conversation_owner(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Result<Option<ConversationOwner>, StoreError> {
        match self.get(&Key::Conversation(account.clone(), conversation.clone())).await? {
            Some(item) if is_text(&item, "foreign", Foreign::Known.name()) => Ok(Some(ConversationOwner::Foreign)),
            Some(item) if is_text(&item, "foreign", Foreign::Presumed.name()) => {
                Ok(Some(ConversationOwner::PresumedForeign))
            }
            // Without an owner the item only records that a worker has looked for it.
            Some(item) if !item.contains_key("user") => Ok(None),
            Some(item) => {
                let consumer = consumer_ref(&item)?;
                Ok(Some(match item.get("conversation").and_then(|attribute| attribute.as_s().ok()) {
                    Some(conversation) => {
                        let unreadable = |_| StoreError::Unreadable { what: "a pointer to a conversation" };
                        ConversationOwner::OurSurvey(consumer, conversation.clone().try_into().map_err(unreadable)?)
                    }
                    None => ConversationOwner::Ours(consumer),
                }))
            }
            None => Ok(None),
        }
    }

    async fn claim_conversation(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        consumer: &ConsumerRef,
    ) -> Result<(), StoreError> {
        let key = Key::Conversation(account.clone(), conversation.clone());
        let put = self.client.put_item().table_name(&self.table).item(PK, text(key.pk())).item(SK, text(key.sk()));
        let put = put
            .item(SCHEMA_VERSION, key.kind().attribute())
            .item("line", text(consumer.line.as_str()))
            .item("user", text(consumer.user.as_str()));
        put.send().await.map(drop).map_err(|error| unavailable(&error))
    }

    async fn unknown_since(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        let key = Key::Conversation(account.clone(), conversation.clone());
        let update = self
            .update(&key)
            .update_expression("SET unknown_since = if_not_exists(unknown_since, :now), expires_at = :expires, schema_version = :schema_version")
            .condition_expression(format!("attribute_not_exists(#user) AND {}", schema_version::IS_READABLE))
            .expression_attribute_values(":schema_version", key.kind().attribute())
            .expression_attribute_names("#user", "user")
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":expires", seconds(now, REMEMBER_FOREIGN))
            // Not `UPDATED_NEW`, which needn't return an attribute that is set to the same value.
            .return_values(ReturnValue::AllNew);
        match update.send().await {
            Ok(output) => {
                let since = output.attributes.and_then(|item| number(&item, "unknown_since"));
                // Don't return `now`: every lookup would return it, and the wait would never end.
                let unreadable = StoreError::Unreadable { what: "since when a conversation is unknown" };
                since.and_then(|ms| Timestamp::from_millisecond(ms).ok()).ok_or(unreadable)
            }
            Err(error) if is_condition(&error) => Ok(now),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn note_unattached(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        let key = Key::Unattached(account.clone());
        let put = self.client.put_item().table_name(&self.table).item(PK, text(key.pk())).item(SK, text(key.sk()));
        let put = put.item(SCHEMA_VERSION, key.kind().attribute()).item("at", millis(now));
        let put = put.item("expires_at", seconds(now, REMEMBER_FOREIGN));
        put.send().await.map(drop).map_err(|error| unavailable(&error))
    }

    async fn unattached_at(&self, account: &AccountId) -> Result<Option<Timestamp>, StoreError> {
        let item = self.get(&Key::Unattached(account.clone())).await?;
        Ok(item.and_then(|item| number(&item, "at")).and_then(|ms| Timestamp::from_millisecond(ms).ok()))
    }

    async fn mark_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.put_foreign(account, conversation, Foreign::Known, now).await
    }

    async fn presume_foreign(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.put_foreign(account, conversation, Foreign::Presumed, now).await
    }
}

#[async_trait]
impl Tokens for DynamoDbStore {
    async fn token(&self, account: &AccountId) -> Result<Option<AppJwt>, StoreError> {
        let Some(mut item) = self.get(&Key::Token(account.clone())).await? else { return Ok(None) };
        let Some(token) = item.remove("token") else { return Ok(None) };
        AppJwt::from_attribute(token).map(Some)
    }

    async fn lease_token(
        &self,
        account: &AccountId,
        owner: &Owner,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let result = self
            .update(&Key::Token(account.clone()))
            .update_expression("SET #owner = :me, lease_until = :until, schema_version = if_not_exists(schema_version, :schema_version)")
            .expression_attribute_values(":schema_version", ItemKind::Token.attribute())
            .condition_expression(format!(
                "(attribute_not_exists(lease_until) OR lease_until <= :now OR #owner = :me) AND {}",
                schema_version::IS_READABLE
            ))
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", text(owner.as_str()))
            .expression_attribute_values(":until", millis(until))
            .expression_attribute_values(":now", millis(now))
            .send()
            .await;
        match lease_checked(result) {
            Ok(()) => Ok(true),
            Err(StoreError::LeaseLost) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn save_token(&self, account: &AccountId, owner: &Owner, token: &AppJwt) -> Result<(), StoreError> {
        let token = token.to_attribute()?;
        let update = self
            .update(&Key::Token(account.clone()))
            .update_expression("SET #token = :token, schema_version = :schema_version REMOVE #owner, lease_until")
            .expression_attribute_values(":schema_version", ItemKind::Token.attribute())
            .condition_expression(format!("#owner = :me AND {}", schema_version::IS_READABLE))
            .expression_attribute_names("#token", "token")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":token", token)
            .expression_attribute_values(":me", text(owner.as_str()));
        match lease_checked(update.send().await) {
            // Another worker has saved a newer one by now. This one is valid all the same.
            Err(StoreError::LeaseLost) => Ok(()),
            other => other,
        }
    }

    async fn release_token(&self, account: &AccountId, owner: &Owner) -> Result<(), StoreError> {
        let update = self
            .update(&Key::Token(account.clone()))
            .update_expression("REMOVE #owner, lease_until")
            .condition_expression("#owner = :me")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", text(owner.as_str()));
        match lease_checked(update.send().await) {
            Err(StoreError::LeaseLost) => Ok(()),
            other => other,
        }
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn millis(at: Timestamp) -> AttributeValue {
    AttributeValue::N(at.as_millisecond().to_string())
}

fn seconds(now: Timestamp, later: SignedDuration) -> AttributeValue {
    AttributeValue::N((now.as_second() + later.as_secs()).to_string())
}

fn number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn is_text(item: &Item, name: &str, value: &str) -> bool {
    item.get(name).and_then(|attribute| attribute.as_s().ok()).is_some_and(|text| text == value)
}

fn consumer_ref(item: &Item) -> Result<ConsumerRef, StoreError> {
    let part = |name| item.get(name).and_then(|attribute| attribute.as_s().ok()).cloned().unwrap_or_default();
    let unreadable = |_| StoreError::Unreadable { what: "a pointer to a consumer" };
    Ok(ConsumerRef {
        line: part("line").try_into().map_err(unreadable)?,
        user: part("user").try_into().map_err(unreadable)?,
    })
}

fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> StoreError {
    StoreError::Unavailable { code: error_code(error) }
}

fn is_condition(error: &SdkError<UpdateItemError>) -> bool {
    matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_)))
}

/// Converts the result of a conditional update: a failed condition means that another attempt has the lease.
fn lease_checked<T>(result: Result<T, SdkError<UpdateItemError>>) -> Result<(), StoreError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if is_condition(&error) => Err(StoreError::LeaseLost),
        Err(error) => Err(unavailable(&error)),
    }
}

/// Whether a transaction was canceled because of a condition, or because of a concurrent transaction on the same items.
fn lost_race(error: &SdkError<TransactWriteItemsError>) -> bool {
    is_canceled_for("ConditionalCheckFailed", error) || is_canceled_for("TransactionConflict", error)
}

/// Whether a transaction was canceled for this reason, among others.
fn is_canceled_for(reason: &str, error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    cancelled.cancellation_reasons().iter().any(|cancelled| cancelled.code() == Some(reason))
}
