//! A message's record: who works on it, what is done of it, and what is in doubt.

use async_trait::async_trait;
use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, Put, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update},
};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, to_attribute_value};

use super::{
    DynamoDbStore, Item, REMEMBER_MESSAGE, is_cancelled_for, is_text, millis, number, owned, seconds, text, unavailable,
};
use crate::{
    aws::{
        key::{Key, PK, SK, parked_pk, parked_sk},
        schema_version::{self, SCHEMA_VERSION},
    },
    domain::delivery::{Acquired, CarriedOut, Lease, LedgerEntry, MessageKey, Parked, Step, UncertainOutcome},
    port::{Messages, StoreError},
};

/// Until when somebody has a lease that was given back.
const GIVEN_BACK: &str = "0";

impl DynamoDbStore {
    /// Notes the doubt that an attempt has left by dying: should this one die, too, there are two.
    async fn begun(&self, lease: &Lease, (begun, has_died): (Acquired, bool)) -> Result<Acquired, StoreError> {
        if let (Acquired::Started { uncertain, .. }, true) = (&begun, has_died) {
            let unwritable = |_| StoreError::Unreadable { what: "the uncertain outcome of a message" };
            let uncertain: AttributeValue = to_attribute_value(uncertain).map_err(unwritable)?;
            let update = self
                .update(&Key::Message(lease.message.clone()))
                .update_expression("SET uncertain = :uncertain, taken_until = :past")
                .condition_expression("#owner = :me AND #status = :working")
                .expression_attribute_names("#owner", "owner")
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":me", text(lease.owner.as_str()))
                .expression_attribute_values(":working", text("working"))
                .expression_attribute_values(":uncertain", uncertain)
                .expression_attribute_values(":past", AttributeValue::N(GIVEN_BACK.to_owned()));
            owned(update.send().await)?;
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
                "SET taken_until = if_not_exists(lease_until, :past), #status = :working, #owner = :me, lease_until = :until, expires_at = :expires, v = :v ADD attempts :one",
            )
            .condition_expression(format!(
                "attribute_not_exists(pk) OR (#status = :working AND lease_until <= :now AND {})",
                schema_version::IS_KNOWN
            ))
            .expression_attribute_values(":v", schema_version::current())
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":working", text("working"))
            .expression_attribute_values(":me", text(lease.owner.as_str()))
            .expression_attribute_values(":now", millis(now))
            .expression_attribute_values(":past", AttributeValue::N(GIVEN_BACK.to_owned()))
            .expression_attribute_values(":until", millis(until))
            .expression_attribute_values(":expires", seconds(now, REMEMBER_MESSAGE))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            // The old ones tell how the attempt before has ended.
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
                            // Whatever its form.
                            Some(until) if !is_ours && until > now => return Ok(Acquired::Busy { until }),
                            _ => schema_version::check(item)?,
                        }
                        if is_ours {
                            // The answer to this very request was lost, and it is repeated: what it found is noted.
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
        let step: AttributeValue =
            to_attribute_value(step).map_err(|_| StoreError::Unreadable { what: "a step of a message" })?;
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
        // The answer to this very request was lost, and it is repeated.
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
            let unwritable = |_| StoreError::Unreadable { what: "the uncertain outcome of a message" };
            let uncertain: AttributeValue = to_attribute_value(uncertain).map_err(unwritable)?;
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
            .expression_attribute_values(":past", AttributeValue::N(GIVEN_BACK.to_owned()));
        if !counts {
            update = update.expression_attribute_values(":one_less", AttributeValue::N("-1".to_owned()));
        }
        match owned(update.send().await) {
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
            .expression_attribute_values(":past", AttributeValue::N(GIVEN_BACK.to_owned()))
            .expression_attribute_values(":one_less", AttributeValue::N("-1".to_owned()));
        match owned(update.send().await) {
            Err(StoreError::LeaseLost) => Ok(()),
            other => other,
        }
    }

    async fn park(&self, lease: &Lease, parked: &Parked, uncertain: &UncertainOutcome) -> Result<(), StoreError> {
        let unwritable = || StoreError::Unreadable { what: "a parked message" };
        let record: AttributeValue = to_attribute_value(parked).map_err(|_| unwritable())?;
        let uncertain: AttributeValue = to_attribute_value(uncertain.parked()).map_err(|_| unwritable())?;
        let key = Key::Message(lease.message.clone());
        let put = Put::builder()
            .table_name(&self.table)
            .item(PK, text(parked_pk(parked.line.as_ref())))
            .item(SK, text(parked_sk(parked.at, &lease.message)))
            // Whoever sends it again must forget that it is done with: this names the item to delete.
            .item("message_pk", text(key.pk()))
            .item("record", record)
            .item(SCHEMA_VERSION, schema_version::current())
            .build()
            .map_err(|_| unwritable())?;
        let done = Update::builder()
            .table_name(&self.table)
            .key(PK, text(key.pk()))
            .key(SK, text(key.sk()))
            .update_expression(
                "SET #status = :done, #owner = :me, expires_at = :expires, uncertain = :uncertain, v = if_not_exists(v, :v) REMOVE lease_until",
            )
            .expression_attribute_values(":v", schema_version::current())
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
            // Another transaction on the same items says nothing about the lease.
            Err(error) if is_cancelled_for("ConditionalCheckFailed", &error) => Err(StoreError::LeaseLost),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// What the attempt that has just begun finds in a message's record: as it was before, or as it is with this attempt in it, and so many
/// are to be added to its attempts then. `lease` is the attribute that says until when the attempt before had it. With it, whether that
/// one has died.
fn started(mut item: Item, lease: &str, more: u32) -> Result<(Acquired, bool), StoreError> {
    let attempts = number(&item, "attempts").and_then(|n| u32::try_from(n).ok()).unwrap_or(0) + more;
    let steps: Vec<Step> = match item.remove("steps") {
        Some(steps) => {
            from_attribute_value(steps).map_err(|_| StoreError::Unreadable { what: "the steps of a message" })?
        }
        None => vec![],
    };
    let mut uncertain = match item.remove("uncertain") {
        Some(uncertain) => from_attribute_value::<UncertainOutcome>(uncertain)
            .map_err(|_| StoreError::Unreadable { what: "the uncertain outcome of a message" })?
            .after(steps.len()),
        None => UncertainOutcome::default(),
    };
    // It was not given back.
    let has_died = number(&item, lease).is_some_and(|until| until > 0);
    if has_died {
        uncertain.add(CarriedOut::Perhaps, None);
    }
    Ok((Acquired::Started { steps, attempts, uncertain }, has_died))
}
