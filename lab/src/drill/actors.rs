//! The consumers and agents of a drill, which write what is planned.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use connector::port::Clock as _;
use connector_aws::SystemClock;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plan::{Plan, PlannedMessage, channel_of, phone};
use super::progress::SentLog;
use super::score::SentMessage;
use super::transit;
use crate::faults::FaultPlan;
use crate::faults::{Destination, Piece, Tag};
use crate::lab::Lab;

/// The interval between reads of a desk with few conversations. Reading takes longer with more conversations.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// The interval at which all tokens expire.
const TOKENS_EXPIRE: Duration = Duration::from_secs(3);

/// The state of the desk at one time.
#[derive(Clone, Default)]
struct DeskSnapshot {
    /// The open conversation of each consumer who has one.
    open: BTreeMap<u16, String>,
    /// The number of reads of the desk.
    polls: u64,
    /// Nothing is in transit and nobody writes any more, so no further conversation will open.
    settled: bool,
}

pub(super) struct Actors {
    consumers: JoinSet<()>,
    agents: JoinSet<()>,
    desk_watcher: JoinSet<()>,
    desk: watch::Sender<DeskSnapshot>,
    sent: SentLog,
    planned: Vec<Tag>,
}

/// What one actor needs.
#[derive(Clone)]
struct ActorContext {
    lab: Arc<Lab>,
    fault_plan: FaultPlan,
    started: Instant,
    sent: SentLog,
    /// The number of texts that each consumer has not written yet.
    to_write: Arc<[Mutex<usize>]>,
}

impl Actors {
    /// Starts all actors.
    pub(super) fn start(lab: &Arc<Lab>, fault_plan: &FaultPlan, plan: Plan) -> Self {
        let sent = SentLog::default();
        let context = ActorContext {
            lab: Arc::clone(lab),
            fault_plan: fault_plan.clone(),
            started: Instant::now(),
            sent: Arc::clone(&sent),
            to_write: plan.conversations.iter().map(|(consumer, _)| Mutex::new(consumer.len())).collect(),
        };
        let (desk, seen) = watch::channel(DeskSnapshot::default());
        let mut desk_watcher = JoinSet::new();
        desk_watcher.spawn(watch_desk(Arc::clone(lab), desk.clone()));
        let planned = plan.messages().map(|message| message.tag).collect();
        let (mut consumers, mut agents) = (JoinSet::new(), JoinSet::new());
        for (consumer, agent) in plan.conversations {
            consumers.spawn(context.clone().consumer(consumer));
            agents.spawn(context.clone().agent(agent, seen.clone()));
        }
        Self { consumers, agents, desk_watcher, desk, sent, planned }
    }

    /// Returns at `end`. Until then, all tokens expire every few seconds if `tokens` is set.
    pub(super) async fn run_until(&mut self, lab: &Lab, end: Instant, tokens: bool) {
        let mut next = Instant::now() + TOKENS_EXPIRE;
        while tokens && next < end {
            tokio::time::sleep_until(next).await;
            lab.liveengage().expire_tokens();
            next += TOKENS_EXPIRE;
        }
        tokio::time::sleep_until(end).await;
    }

    /// Waits until every actor has finished, without a limit. An agent stops waiting for an open conversation when
    /// nothing is in transit that could open one.
    pub(super) async fn end(&mut self, lab: &Lab) {
        while self.consumers.join_next().await.is_some() {}
        let all_sent = async { while self.agents.join_next().await.is_some() {} };
        let settled = async {
            transit::wait_until_settled(lab).await;
            // The read that is running may have started earlier.
            let (mut seen, polls) = (self.desk.subscribe(), self.desk.borrow().polls);
            let _ = seen.wait_for(|desk| desk.polls >= polls + 2).await;
            self.desk.send_modify(|desk| desk.settled = true);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = all_sent => {}
            () = settled => {}
        }
        self.desk_watcher.abort_all();
    }

    /// Stops every actor at once. What an actor sends is recorded without a wait in between, so nothing that was sent
    /// is missing in the log.
    pub(super) async fn stop(&mut self) {
        self.consumers.shutdown().await;
        self.agents.shutdown().await;
        self.desk_watcher.shutdown().await;
    }

    /// The log of what is sent, which goes on while the actors run.
    pub(super) fn sent_log(&self) -> SentLog {
        Arc::clone(&self.sent)
    }

    pub(super) fn sent(&self) -> Vec<SentMessage> {
        self.sent.lock().clone()
    }

    /// The planned messages that were not sent because no conversation was open.
    pub(super) fn unsent(&self) -> Vec<Tag> {
        let sent_tags: std::collections::BTreeSet<Tag> = self.sent().into_iter().map(|sent| sent.tag).collect();
        self.planned.iter().copied().filter(|tag| !sent_tags.contains(tag)).collect()
    }
}

impl ActorContext {
    fn record(&self, message: &PlannedMessage, at: jiff::Timestamp, sequence: String) {
        let sent = SentMessage { tag: message.tag, parts: message.parts, at, sequence };
        self.sent.lock().push(sent);
    }

    async fn consumer(self, planned: Vec<PlannedMessage>) {
        for message in planned {
            tokio::time::sleep_until(self.started + message.at).await;
            let at = SystemClock.now();
            let phone = phone(message.tag.conversation);
            // Held until the text is sent: see `close`.
            let mut left = self.to_write(message.tag.conversation);
            if let Some(left) = &mut left {
                **left = left.saturating_sub(1);
            }
            let Some(channel) = self.lab.channels().get(channel_of(message.tag.conversation)) else { continue };
            match channel.simulator.send_text(&phone, &message.text) {
                Ok(id) => {
                    self.fault_plan.name(message.tag, id);
                    self.record(&message, at, String::new());
                }
                Err(error) => tracing::error!(tag = %message.tag, %error, "a consumer failed to send"),
            }
        }
    }

    /// The number of texts that this consumer has not written yet. While the guard is held, nobody else writes or
    /// closes.
    fn to_write(&self, conversation: u16) -> Option<MutexGuard<'_, usize>> {
        let left = self.to_write.get(usize::from(conversation))?;
        Some(left.lock())
    }

    async fn agent(self, planned: Vec<PlannedMessage>, mut desk: watch::Receiver<DeskSnapshot>) {
        for message in planned {
            tokio::time::sleep_until(self.started + message.at).await;
            if !self.say(&message, &mut desk).await {
                return;
            }
        }
    }

    /// Sends the message in the consumer's open conversation, and waits for one if there is none. Returns whether it
    /// was sent.
    async fn say(&self, message: &PlannedMessage, desk: &mut watch::Receiver<DeskSnapshot>) -> bool {
        loop {
            let (conversation, settled) = {
                let desk = desk.borrow_and_update();
                (desk.open.get(&message.tag.conversation).cloned(), desk.settled)
            };
            if let Some(conversation) = conversation {
                let at = SystemClock.now();
                if let Ok(sequence) = self.lab.liveengage().say(&conversation, &message.text) {
                    self.fault_plan.name(message.tag, format!("{conversation}#{sequence}"));
                    self.record(message, at, conversation.clone());
                    if message.then_close {
                        self.close(message, &conversation);
                    }
                    return true;
                }
            }
            if settled || desk.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Closes the conversation, unless the consumer has nothing more to write. Only a consumer's text can open the next
    /// conversation, which the agent needs for its remaining messages.
    fn close(&self, message: &PlannedMessage, conversation: &str) {
        let left = self.to_write(message.tag.conversation);
        if left.as_ref().is_some_and(|left| **left > 0) {
            // It may be closed already.
            let _ = self.lab.liveengage().close(conversation);
        }
    }
}

/// Keeps track of open conversations. The marks in a consumer's texts identify the consumer of the first conversation,
/// and the consumer's id identifies those of later ones.
async fn watch_desk(lab: Arc<Lab>, desk: watch::Sender<DeskSnapshot>) {
    let mut consumers: HashMap<String, u16> = HashMap::new();
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        let mut now = BTreeMap::new();
        let conversations = lab.liveengage().conversations();
        next = Instant::now() + POLL_INTERVAL * u32::try_from(conversations.len() / 100 + 1).unwrap_or(u32::MAX);
        for conversation in conversations.into_iter().filter(|one| one.main_dialog_open) {
            if !consumers.contains_key(&conversation.consumer.id) {
                let mut pieces =
                    conversation.transcript.iter().flat_map(|message| Piece::find_all(message.text.as_bytes()));
                if let Some(piece) = pieces.find(|piece| piece.tag.destination == Destination::ToDesk) {
                    consumers.insert(conversation.consumer.id.clone(), piece.tag.conversation);
                }
            }
            if let Some(consumer) = consumers.get(&conversation.consumer.id) {
                now.insert(*consumer, conversation.id);
            }
        }
        desk.send_modify(|desk| {
            desk.open = now;
            desk.polls += 1;
        });
    }
}
