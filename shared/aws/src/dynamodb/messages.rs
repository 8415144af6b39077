//! A message's record: its lease, its finished steps, and its uncertain outcome.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use jiff::Timestamp;

use super::{
    DynamoDbStore, Item, REMEMBER_MESSAGE, is_canceled_for, is_text, lease_checked, millis, number, seconds, text,
    unavailable,
};
use crate::{
    item::Stored,
    key::{Key, PK, SK, parked_pk, parked_sk},
    schema_version::{self, ItemKind, SCHEMA_VERSION},
};
use connector::{
    domain::{
        delivery::{Acquired, Lease, Parked},
        message_key::MessageKey,
        progress::Step,
        receipt::LedgerEntry,
        uncertain::{CarriedOut, UncertainOutcome},
    },
    port::{Messages, StoreError},
};

/// The end of a lease that was released.
const RELEASED: &str = "0";

impl DynamoDbStore {
    /// Records the uncertain outcome of an attempt that was stopped. If the new attempt is stopped, too, that adds another one.
    async fn begun(&self, lease: &Lease, (begun, was_stopped): (Acquired, bool)) -> Result<Acquired, StoreError> {
        if let (Acquired::Started { uncertain, .. }, true) = (&begun, was_stopped) {
            let uncertain = uncertain.to_attribute()?;
            let update = self
                .update(&Key::Message(lease.message.clone()))
                .update_expression("SET uncertain = :uncertain, taken_until = :past")
                .condition_expression("#owner = :me AND #status = :working")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":me", text(lease.owner.as_str()))
                .expression_attribute_values(":working", text("working"))
                .expression_attribute_values(":uncertain", uncertain)
                .expression_attribute_values(":past", AttributeValue::N(RELEASED.to_owned()));
            lease_checked(update.send().await)?;
        }
        Ok(begun)
    }
}

#[async_trait]
impl Messages for DynamoDbStore {
    async fn acquire(&self, lease: &Lease, now: Timestamp, until: Timestamp) -> Result<Acquired, StoreError> {
        let result = self
            .update(&Key::Message(lease.message.clone()))
            .update_expression(
                "SET taken_until = if_not_exists(lease_until, :past), #status = :working, #owner = :me, lease_until = :until, expires_at = :expires, schema_version = :schema_version ADD attempts :one",
            )
            .condition_expression(format!(
                "attribute_not_exists(pk) OR (#status = :working AND lease_until <= :now AND {})",
                schema_version::IS_READABLE
            ))
            .expression_attribute_values(":schema_version", ItemKind::Message.attribute())
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":working", text("working"))
            .expression_attribute_values(":me", text(lease.owner.as_str()))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":past", AttributeValue::N(RELEASED.to_owned()))
            .expression_attribute_values(":until", millis(until))
            .expression_attribute_values(":expires", seconds(now, REMEMBER_MESSAGE))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            // The old attributes show how the previous attempt ended.
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match result {
            Ok(output) => {
                let item = output.attributes.unwrap_or_default();
                self.begun(lease, started(item, "lease_until", 1)?).await
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => match failed.item() {
                    Some(item) if is_text(item, "status", "done") => Ok(Acquired::Done),
                    Some(item) => {
                        let is_ours = is_text(item, "owner", lease.owner.as_str());
                        let until = number(item, "lease_until").and_then(|ms| Timestamp::from_millisecond(ms).ok());
                        match until {
                            // The lease counts whatever the item's schema version.
                            Some(until) if !is_ours && until > now => return Ok(Acquired::Busy { until }),
                            _ => ItemKind::Message.check(item)?,
                        }
                        if is_ours {
                            // This request is a retry, because the response to the first one was lost. Its result is recorded in the item.
                            return self.begun(lease, started(item.clone(), "taken_until", 0)?).await;
                        }
                        Err(StoreError::Unreadable { what: "a message's lease" })
                    }
                    None => Err(StoreError::Unreadable { what: "a message's lease" }),
                },
                _ => Err(unavailable(&error)),
            },
        }
    }

    async fn is_done(&self, message: &MessageKey) -> Result<bool, StoreError> {
        let item = self.get(&Key::Message(message.clone())).await?;
        Ok(item.is_some_and(|item| is_text(&item, "status", "done")))
    }

    async fn step_done(
        &self,
        lease: &Lease,
        done: usize,
        step: &Step,
        entry: Option<&LedgerEntry>,
    ) -> Result<(), StoreError> {
        let step = step.to_attribute()?;
        let condition = if done == 0 { "attribute_not_exists(steps)" } else { "size(steps) = :done" };
        let mut update = self
            .update_of(&Key::Message(lease.message.clone()))
            .update_expression("SET steps = list_append(if_not_exists(steps, :none), :step) REMOVE uncertain")
            .condition_expression(format!("#owner = :me AND #status = :working AND {condition}"))
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":me", text(lease.owner.as_str()))
            .expression_attribute_values(":working", text("working"))
            .expression_attribute_values(":none", AttributeValue::L(vec![]))
            .expression_attribute_values(":step", AttributeValue::L(vec![step.clone()]));
        if done > 0 {
            update = update.expression_attribute_values(":done", AttributeValue::N(done.to_string()));
        }
        // This request is a retry, because the response to the first one was lost.
        let is_noted = |item: &Item| {
            let steps = item.get("steps").and_then(|steps| steps.as_l().ok());
            is_text(item, "owner", lease.owner.as_str())
                && is_text(item, "status", "working")
                && steps.is_some_and(|steps| steps.len() == done + 1 && steps.last() == Some(&step))
        };
        self.write(update, entry, is_noted).await
    }

    async fn complete(&self, lease: &Lease, entry: Option<&LedgerEntry>) -> Result<(), StoreError> {
        let update = self
            .update_of(&Key::Message(lease.message.clone()))
            .update_expression("SET #status = :done REMOVE lease_until")
            .condition_expression("#owner = :me")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":me", text(lease.owner.as_str()))
            .expression_attribute_values(":done", text("done"));
        self.write(update, entry, |_| false).await
    }

    async fn release(&self, lease: &Lease, counts: bool, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        let add = if counts { "" } else { " ADD attempts :one_less" };
        let mut update = self.update(&Key::Message(lease.message.clone()));
        update = if uncertain.exists() {
            let uncertain = uncertain.to_attribute()?;
            update
                .update_expression(format!("SET lease_until = :past, uncertain = :uncertain REMOVE #owner{add}"))
                .expression_attribute_values(":uncertain", uncertain)
        } else {
            update.update_expression(format!("SET lease_until = :past REMOVE uncertain, #owner{add}"))
        };
        update = update
            .condition_expression("#owner = :me AND #status = :working")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":me", text(lease.owner.as_str()))
            .expression_attribute_values(":working", text("working"))
            .expression_attribute_values(":past", AttributeValue::N(RELEASED.to_owned()));
        if !counts {
            update = update.expression_attribute_values(":one_less", AttributeValue::N("-1".to_owned()));
        }
        match lease_checked(update.send().await) {
            Err(StoreError::LeaseLost) => Ok(()),
            other => other,
        }
    }

    async fn abandon(&self, lease: &Lease) -> Result<(), StoreError> {
        let update = self
            .update(&Key::Message(lease.message.clone()))
            .update_expression("SET lease_until = :past REMOVE #owner ADD attempts :one_less")
            .condition_expression("#owner = :me AND #status = :working AND taken_until = :past")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":me", text(lease.owner.as_str()))
            .expression_attribute_values(":working", text("working"))
            .expression_attribute_values(":past", AttributeValue::N(RELEASED.to_owned()))
            .expression_attribute_values(":one_less", AttributeValue::N("-1".to_owned()));
        match lease_checked(update.send().await) {
            Err(StoreError::LeaseLost) => Ok(()),
            other => other,
        }
    }

    async fn park(&self, lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        let unwritable = || StoreError::Unreadable { what: Parked::WHAT };
        let (record, uncertain) = (parked.to_attribute()?, uncertain.parked().to_attribute()?);
        let key = Key::Message(lease.message.clone());
        let put = Put::builder()
            .table_name(&self.table)
            .item(PK, text(parked_pk(parked.line.as_ref())))
            .item(SK, text(parked_sk(parked.at, &lease.message)))
            // Resending it must reopen the message, so the parked item names the message's item.
            .item("message_pk", text(key.pk()))
            .item("record", record)
            .item(SCHEMA_VERSION, ItemKind::Parked.attribute())
            .build()
            .map_err(|_| unwritable())?;
        let done = Update::builder()
            .table_name(&self.table)
            .key(PK, text(key.pk()))
            .key(SK, text(key.sk()))
            .update_expression(
                "SET #status = :done, #owner = :me, expires_at = :expires, uncertain = :uncertain, schema_version = if_not_exists(schema_version, :schema_version) REMOVE lease_until",
            )
            .expression_attribute_values(":schema_version", ItemKind::Message.attribute())
            .condition_expression(
                "attribute_not_exists(pk) OR (#status = :working AND (#owner = :me OR lease_until <= :now))",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":me", text(lease.owner.as_str()))
            .expression_attribute_values(":done", text("done"))
            .expression_attribute_values(":working", text("working"))
            .expression_attribute_values(":now", millis(parked.at))
            .expression_attribute_values(":uncertain", uncertain)
            .expression_attribute_values(":expires", seconds(parked.at, REMEMBER_MESSAGE))
            .build()
            .map_err(|_| unwritable())?;
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(done).build())
            .transact_items(TransactWriteItem::builder().put(put).build())
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            // A concurrent transaction on the same items says nothing about the lease.
            Err(error) if is_canceled_for("ConditionalCheckFailed", &error) => Err(StoreError::LeaseLost),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// Reads a message's record for an attempt that has just begun. `item` is the record before this attempt or with it, and `more` is added to
/// its number of attempts. `lease` is the attribute with the end of the previous attempt's lease. Also returns whether that attempt was
/// stopped.
fn started(mut item: Item, lease: &str, more: u32) -> Result<(Acquired, bool), StoreError> {
    let attempts = number(&item, "attempts").and_then(|n| u32::try_from(n).ok()).unwrap_or(0) + more;
    let steps: Vec<Step> = match item.remove("steps") {
        Some(AttributeValue::L(steps)) => steps.into_iter().map(Step::from_attribute).collect::<Result<_, _>>()?,
        Some(_) => return Err(StoreError::Unreadable { what: "the steps of a message" }),
        None => vec![],
    };
    let mut uncertain = match item.remove("uncertain") {
        Some(uncertain) => UncertainOutcome::from_attribute(uncertain)?.after(steps.len()),
        None => UncertainOutcome::default(),
    };
    // The previous attempt did not release the lease.
    let was_stopped = number(&item, lease).is_some_and(|until| until > 0);
    if was_stopped {
        uncertain.add(CarriedOut::Possibly, None);
    }
    Ok((Acquired::Started { steps, attempts, uncertain }, was_stopped))
}
