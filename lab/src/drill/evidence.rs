//! What a drill finds when everything has come to rest.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::DisplayErrorContext;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::fault_plan::FaultPlan;
use super::score::{Evidence, Sent};
use super::tag::{Destination, Piece, Tag};
use crate::aws::{TO_CHANNEL, TO_CHANNEL_DEAD_LETTERS, TO_LIVEENGAGE, TO_LIVEENGAGE_DEAD_LETTERS};
use crate::lab::Lab;
use crate::liveengage::{AcceptStatus, ConversationView, Role};
use crate::sms_gateway::Direction;
use crate::whatsapp;

/// How often the queues are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// What is left in the queues must be gone for so many looks: a message may be between two of them.
const QUIET_LOOKS: u32 = 5;

/// Waits until no webhook is on its way and nothing in the queues will still reach a person or an agent. Reports and the like may
/// remain: they are not judged.
pub(super) async fn rest(lab: &Lab) {
    let mut quiet = 0;
    let mut looks = tokio::time::interval(LOOK);
    while quiet < QUIET_LOOKS {
        looks.tick().await;
        lab.gateway().webhooks_settled().await;
        lab.liveengage().webhooks_settled().await;
        let busy = [(TO_LIVEENGAGE, Destination::ToDesk), (TO_CHANNEL, Destination::ToPhone)].into_iter().any(
            |(name, destination)| {
                let queued = lab.aws().queue(name).map(|queue| queue.peek()).unwrap_or_default();
                queued.iter().any(|message| matters(&message.body, destination))
            },
        );
        quiet = if busy || waits_on_whatsapp(lab) { 0 } else { quiet + 1 };
    }
}

/// Whether a queue message holds a text that goes this way, or is the connector's own word to somebody.
fn matters(body: &str, destination: Destination) -> bool {
    let own = ["undelivered_v1", "notice_v1", "said_v1"].iter().any(|task| body.contains(&format!("\"{task}\"")));
    own || Piece::find_all(body.as_bytes()).iter().any(|piece| piece.tag.destination == destination)
}

/// Reads both ends, the table and the storm's notes.
pub(super) async fn gather(lab: &Lab, fault_plan: &FaultPlan, sent: Vec<Sent>) -> Result<Evidence, String> {
    let conversations = lab.liveengage().conversations();
    let mut shown = Vec::new();
    for conversation in &conversations {
        for line in conversation.transcript.iter().filter(|line| line.who == Role::Consumer) {
            let at = Timestamp::from_millisecond(line.at_ms).map_err(|error| error.to_string())?;
            shown.extend(marks(&line.text, Destination::ToDesk).map(|piece| (piece, at)));
        }
    }
    let mut noticed = Vec::new();
    for (phone, text, at) in on_phones(lab) {
        shown.extend(marks(&text, Destination::ToPhone).map(|piece| (piece, at)));
        // The connector's own words carry no mark.
        if Piece::find_all(text.as_bytes()).is_empty() {
            noticed.push(phone);
        }
    }
    let mut parked = BTreeMap::new();
    for tag in parked_tags(lab).await? {
        let told = match tag.destination {
            Destination::ToDesk => noticed.contains(&super::actors::phone(tag.conversation)),
            Destination::ToPhone => agent_knows(&conversations, tag),
        };
        parked.insert(tag, told);
    }
    for queue in [TO_LIVEENGAGE_DEAD_LETTERS, TO_CHANNEL_DEAD_LETTERS] {
        let dead = lab.aws().queue(queue).map_or(0, |queue| queue.counts().total());
        if dead > 0 {
            return Err(format!("{dead} messages are in {queue}"));
        }
    }
    Ok(Evidence { sent, observations: fault_plan.observations(), shown, parked })
}

fn marks(text: &str, destination: Destination) -> impl Iterator<Item = Piece> + use<> {
    Piece::find_all(text.as_bytes()).into_iter().filter(move |piece| piece.tag.destination == destination)
}

/// What the phones were sent, in the order in which they show it.
fn on_phones(lab: &Lab) -> Vec<(String, String, Timestamp)> {
    let mut texts = Vec::new();
    for phone in lab.gateway().phones() {
        let messages = lab.gateway().transcript(&phone).into_iter();
        let to_phone = messages.filter(|message| message.direction == Direction::ToPhone);
        texts.extend(to_phone.map(|message| (phone.clone(), message.text, message.at)));
    }
    for phone in lab.whatsapp().phones() {
        let messages = lab.whatsapp().transcript(&phone).into_iter();
        let to_phone = messages.filter(|message| message.direction == whatsapp::Direction::ToPhone);
        texts.extend(to_phone.map(|message| (phone.clone(), message.text().to_owned(), message.at)));
    }
    texts
}

/// Whether a message of a phone on WhatsApp has not been taken by the connector yet.
fn waits_on_whatsapp(lab: &Lab) -> bool {
    lab.whatsapp().phones().iter().flat_map(|phone| lab.whatsapp().transcript(phone)).any(|message| {
        message.direction == whatsapp::Direction::FromPhone && message.state == whatsapp::MessageState::Sent
    })
}

/// Whether an agent's message is marked as not received, or its conversation has ended: then there is nobody to tell.
fn agent_knows(conversations: &[ConversationView], tag: Tag) -> bool {
    conversations.iter().any(|conversation| {
        let its = |text: &str| Piece::find_all(text.as_bytes()).iter().any(|piece| piece.tag == tag);
        let line = conversation.transcript.iter().find(|line| its(&line.text));
        line.is_some_and(|line| line.statuses.contains(&AcceptStatus::Nack) || !conversation.main_dialog_open)
    })
}

/// The messages that were parked.
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
        let Some(Ok(task)) = record.get("task").map(AttributeValue::as_s) else { continue };
        // What LiveEngage tells holds the person's own words too.
        let destination =
            if task.contains("\"liveengage_change_v1\"") { Destination::ToPhone } else { Destination::ToDesk };
        tags.extend(marks(task, destination).map(|piece| piece.tag));
    }
    Ok(tags)
}
