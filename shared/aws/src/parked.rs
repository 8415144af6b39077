//! The parked messages in the table, for the operator's commands. The functions only write them.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, TransactWriteItem, Update},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    error_code,
    item::Stored,
    key::{Key, PK, SK},
    schema_version::ItemKind,
};
use connector::{
    domain::{delivery::Parked, message_key::MessageKey},
    port::{ParkedId, ParkedList, ParkedMessage, ParkedMessages, Reopened, StoreError},
};

/// The prefix of the partition keys of parked messages.
const PARTITIONS: &str = "PARKED#";

/// How long a reopened message is remembered if no worker ever starts on it. A worker that starts on it sets its own time.
const REMEMBER: SignedDuration = SignedDuration::from_hours(14 * 24);

type Item = HashMap<String, AttributeValue>;

/// The parked messages of a table.
#[derive(Debug, Clone)]
pub struct ParkedTable {
    client: Client,
    table: String,
}

impl ParkedTable {
    /// Creates it for `table`.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Scans the whole table. There is no index, because only this command would use it.
    async fn items(&self) -> Result<Vec<Item>, StoreError> {
        self.client
            .scan()
            .table_name(&self.table)
            .consistent_read(true)
            .filter_expression("begins_with(pk, :partitions)")
            .expression_attribute_values(":partitions", text(PARTITIONS))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<_>, _>>()
            .await
            .map_err(|error| StoreError::Unavailable { code: error_code(&error) })
    }

    fn update(&self, pk: impl Into<String>, sk: &str) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder().table_name(&self.table).key(PK, text(pk)).key(SK, text(sk))
    }
}

#[async_trait]
impl ParkedMessages for ParkedTable {
    async fn parked(&self) -> Result<ParkedList, StoreError> {
        let items = self.items().await?;
        let count = items.len();
        let messages: Vec<_> = items.into_iter().filter_map(read).collect();
        Ok(ParkedList { unreadable: count - messages.len(), messages })
    }

    async fn reopen(&self, parked: &ParkedMessage, now: Timestamp) -> Result<Reopened, StoreError> {
        let unwritable = || StoreError::Unreadable { what: "a parked message's key" };
        let (pk, sk) = keys(&parked.id).ok_or_else(unwritable)?;
        let message = Key::Message(parked.message.clone());
        // The finished steps stay. If TTL has deleted the item, this creates it anew with a released lease.
        let reopened = self
            .update(message.pk(), message.sk())
            .update_expression(
                "SET #status = :working, lease_until = :past, expires_at = :expires, schema_version = if_not_exists(schema_version, :schema_version) REMOVE attempts, #owner",
            )
            .expression_attribute_values(":schema_version", ItemKind::Message.attribute())
            .condition_expression("attribute_not_exists(pk) OR #status = :done OR lease_until <= :now")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":working", text("working"))
            .expression_attribute_values(":done", text("done"))
            .expression_attribute_values(":past", AttributeValue::N("0".to_owned()))
            .expression_attribute_values(":now", AttributeValue::N(now.as_millisecond().to_string()))
            .expression_attribute_values(
                ":expires",
                AttributeValue::N((now.as_second() + REMEMBER.as_secs()).to_string()),
            )
            .build()
            .map_err(|_| unwritable())?;
        let begun = self
            .update(pk, sk)
            .update_expression("SET redriven_at = :now")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(redriven_at)")
            .expression_attribute_values(":now", AttributeValue::N(now.as_millisecond().to_string()))
            .build()
            .map_err(|_| unwritable())?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(begun).build())
            .transact_items(TransactWriteItem::builder().update(reopened).build())
            .send()
            .await;
        let Err(error) = result else { return Ok(Reopened::Reopened) };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
            let mut codes = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or_default());
            let failed = |code: Option<&str>| matches!(code, Some("ConditionalCheckFailed" | "TransactionConflict"));
            if failed(codes.next()) {
                return Ok(Reopened::Taken);
            }
            if failed(codes.next()) {
                return Ok(Reopened::Busy);
            }
        }
        Err(StoreError::Unavailable { code: error_code(&error) })
    }

    async fn is_settled(&self, message: &MessageKey) -> Result<bool, StoreError> {
        let key = Key::Message(message.clone());
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PK, text(key.pk()))
            .key(SK, text(key.sk()))
            .consistent_read(true)
            .projection_expression("#status")
            .expression_attribute_names("#status", "status")
            .send()
            .await
            .map_err(|error| StoreError::Unavailable { code: error_code(&error) })?;
        Ok(found.item.is_some_and(|item| item.get("status") == Some(&text("done"))))
    }

    async fn forget(&self, id: &ParkedId) -> Result<(), StoreError> {
        let (pk, sk) = keys(id).ok_or(StoreError::Unreadable { what: "a parked message's key" })?;
        self.client
            .delete_item()
            .table_name(&self.table)
            .key(PK, text(pk))
            .key(SK, text(sk))
            .send()
            .await
            .map_err(|error| StoreError::Unavailable { code: error_code(&error) })?;
        Ok(())
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Returns the id of an item: its keys, which hold only the line, the time and a digest. A line's id has no slash.
fn id(pk: &str, sk: &str) -> Option<ParkedId> {
    Some(ParkedId::new(format!("{}/{sk}", pk.strip_prefix(PARTITIONS)?)))
}

fn keys(id: &ParkedId) -> Option<(String, &str)> {
    let (line, sk) = id.as_str().split_once('/')?;
    Some((format!("{PARTITIONS}{line}"), sk))
}

fn read(mut item: Item) -> Option<ParkedMessage> {
    ItemKind::Parked.check(&item).ok()?;
    let part = |name: &str| item.get(name)?.as_s().ok().cloned();
    let id = id(&part(PK)?, &part(SK)?)?;
    let Some(Key::Message(message)) = Key::parse(&part("message_pk")?) else { return None };
    let begun = match item.get("redriven_at") {
        Some(at) => Some(Timestamp::from_millisecond(at.as_n().ok()?.parse().ok()?).ok()?),
        None => None,
    };
    let parked = Parked::from_attribute(item.remove("record")?).ok()?;
    Some(ParkedMessage { id, message, parked, begun })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::{parked_pk, parked_sk};
    use connector::domain::id::LineId;

    fn item() -> Item {
        let line = LineId::new("sms-main").unwrap();
        let message = MessageKey::FromChannel { line: line.clone(), name: "mo#7/1".to_owned() };
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let record = json!({"at": at, "reason": "refused", "permanent": true, "line": "sms-main", "conversation": null, "body": "{}"});
        HashMap::from([
            (PK.to_owned(), text(parked_pk(Some(&line)))),
            (SK.to_owned(), text(parked_sk(at, &message))),
            ("message_pk".to_owned(), text(Key::Message(message).pk())),
            ("record".to_owned(), serde_dynamo::to_attribute_value(record).unwrap()),
            ("schema_version".to_owned(), AttributeValue::N("1".to_owned())),
        ])
    }

    #[test]
    fn an_item_is_found_again_by_its_name() {
        let item = item();
        let parked = read(item.clone()).unwrap();
        let (pk, sk) = keys(&parked.id).unwrap();
        assert_eq!((Some(&text(pk)), Some(&text(sk))), (item.get(PK), item.get(SK)));
        assert_eq!(parked.begun, None);
    }

    #[test]
    fn an_item_without_what_sending_it_needs_is_not_readable() {
        for missing in [PK, SK, "message_pk", "record"] {
            let mut item = item();
            item.remove(missing);
            assert_eq!(read(item), None, "{missing}");
        }
        let mut newer = item();
        newer.insert("schema_version".to_owned(), AttributeValue::N("2".to_owned()));
        assert_eq!(read(newer), None, "it is of a newer version");
        let mut other = item();
        other.insert("message_pk".to_owned(), text("CONS#sms-main#x"));
        assert_eq!(read(other), None, "it names no message");
    }
}
