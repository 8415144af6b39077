//! Collects the result of a drill.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::progress::UnderWay;
use super::score::{Evidence, SentMessage};
use crate::aws::{TO_CHANNEL_DEAD_LETTERS, TO_LIVEENGAGE_DEAD_LETTERS};
use crate::faults::FaultPlan;
use crate::faults::{Destination, Piece, Tag};
use crate::lab::Lab;
use crate::liveengage::{AcceptStatus, ConversationView, Role};
use crate::phone::Direction;

/// Reads the phones, the desk, the table and the observations of the fault plan. The observations are read last,
/// because they explain what the others show. `under_way` was read before: what has left it since is shown.
pub(super) async fn collect(
    lab: &Lab,
    fault_plan: &FaultPlan,
    sent: Vec<SentMessage>,
    under_way: UnderWay,
) -> Result<Evidence, String> {
    let conversations = lab.liveengage().conversations();
    let mut shown = Vec::new();
    for conversation in &conversations {
        for line in conversation.transcript.iter().filter(|line| line.who == Role::Consumer) {
            let at = Timestamp::from_millisecond(line.at_ms).map_err(|error| error.to_string())?;
            shown.extend(marks(&line.text, Destination::ToDesk).map(|piece| (piece, at)));
        }
    }
    let mut notified_phones = Vec::new();
    for (phone, text, at) in texts_on_phones(lab) {
        shown.extend(marks(&text, Destination::ToPhone).map(|piece| (piece, at)));
        // Notices by the connector have no mark.
        if Piece::find_all(text.as_bytes()).is_empty() {
            notified_phones.push(phone);
        }
    }
    let mut parked = BTreeMap::new();
    for tag in parked_tags(lab).await? {
        let notified = match tag.destination {
            Destination::ToDesk => notified_phones.contains(&super::plan::phone(tag.conversation)),
            Destination::ToPhone => agent_was_notified(&conversations, tag),
        };
        parked.insert(tag, notified);
    }
    for queue in [TO_LIVEENGAGE_DEAD_LETTERS, TO_CHANNEL_DEAD_LETTERS] {
        let dead = lab.aws().queue(queue).map_or(0, |queue| queue.counts().total());
        if dead > 0 {
            return Err(format!("{dead} messages are in {queue}"));
        }
    }
    let UnderWay { tags: mut under_way, has_notices } = under_way;
    if has_notices {
        under_way.extend(parked.iter().filter(|(_, notified)| !**notified).map(|(tag, _)| *tag));
    }
    Ok(Evidence { sent, observations: fault_plan.observations_from(0), shown, parked, under_way })
}

fn marks(text: &str, destination: Destination) -> impl Iterator<Item = Piece> + use<> {
    Piece::find_all(text.as_bytes()).into_iter().filter(move |piece| piece.tag.destination == destination)
}

/// The texts that the phones show, in their order.
fn texts_on_phones(lab: &Lab) -> Vec<(String, String, Timestamp)> {
    let mut texts = Vec::new();
    for channel in lab.channels() {
        for phone in channel.simulator.phones() {
            let messages = channel.simulator.transcript(&phone).into_iter();
            let to_phone = messages.filter(|message| message.direction == Direction::ToPhone);
            texts.extend(to_phone.map(|message| (phone.clone(), message.text().to_owned(), message.at)));
        }
    }
    texts
}

/// Whether an agent's message is marked as not received, or its conversation has ended so that no agent can be
/// notified.
fn agent_was_notified(conversations: &[ConversationView], tag: Tag) -> bool {
    conversations.iter().any(|conversation| {
        let its = |text: &str| Piece::find_all(text.as_bytes()).iter().any(|piece| piece.tag == tag);
        let line = conversation.transcript.iter().find(|line| its(&line.text));
        line.is_some_and(|line| line.statuses.contains(&AcceptStatus::Nack) || !conversation.main_dialog_open)
    })
}

/// The parked messages.
async fn parked_tags(lab: &Lab) -> Result<Vec<Tag>, String> {
    let client = aws_sdk_dynamodb::Client::new(lab.aws().sdk_config());
    let items = client
        .scan()
        .table_name(lab.aws().table_name())
        .filter_expression("begins_with(pk, :parked)")
        .expression_attribute_values(":parked", AttributeValue::S("PARKED#".to_owned()))
        .into_paginator()
        .items()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .map_err(|error| format!("the table can't be read: {}", DisplayErrorContext(&error)))?;
    let mut tags = Vec::new();
    for item in items {
        let Some(Ok(record)) = item.get("record").map(AttributeValue::as_m) else { continue };
        let Some(Ok(task)) = record.get("body").map(AttributeValue::as_s) else { continue };
        // LiveEngage's changes contain the consumer's own texts too.
        let destination =
            if task.contains("\"liveengage_change_v1\"") { Destination::ToPhone } else { Destination::ToDesk };
        tags.extend(marks(task, destination).map(|piece| piece.tag));
    }
    Ok(tags)
}
