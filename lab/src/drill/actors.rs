//! The people and the agents: they say what the plan has for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use connector::port::{Clock as _, SystemClock};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::evidence;
use super::fault_plan::FaultPlan;
use super::plan::{Line, Plan, is_on_whatsapp};
use super::score::Sent;
use super::tag::{Destination, Piece, Tag};
use crate::lab::Lab;

/// How often a desk with few conversations is looked at. A look takes longer the more there are.
const LOOK: Duration = Duration::from_millis(50);
/// How often all tokens expire.
const TOKENS_EXPIRE: Duration = Duration::from_secs(3);

/// What is seen at the desk.
#[derive(Clone, Default)]
struct Desk {
    /// The open conversation of each person who has one.
    open: BTreeMap<u16, String>,
    /// How often the desk was looked at.
    looks: u64,
    /// Nothing is on its way any more and nobody writes: a conversation that is not open now will not be.
    settled: bool,
}

pub(super) struct Actors {
    people: JoinSet<()>,
    agents: JoinSet<()>,
    watching: JoinSet<()>,
    desk: watch::Sender<Desk>,
    sent: Arc<Mutex<Vec<Sent>>>,
    planned: Vec<Tag>,
}

/// What one actor needs.
#[derive(Clone)]
struct Stage {
    lab: Arc<Lab>,
    fault_plan: FaultPlan,
    begun: Instant,
    sent: Arc<Mutex<Vec<Sent>>>,
    /// How many texts each person still has to write.
    to_write: Arc<[Mutex<usize>]>,
}

/// The number of the phone of a conversation.
pub(super) fn phone(conversation: u16) -> String {
    format!("+49151700{conversation:05}")
}

impl Actors {
    /// Lets everybody begin.
    pub(super) fn start(lab: &Arc<Lab>, fault_plan: &FaultPlan, plan: Plan) -> Self {
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let stage = Stage {
            lab: Arc::clone(lab),
            fault_plan: fault_plan.clone(),
            begun: Instant::now(),
            sent: Arc::clone(&sent),
            to_write: plan.conversations.iter().map(|(person, _)| Mutex::new(person.len())).collect(),
        };
        let (desk, seen) = watch::channel(Desk::default());
        let mut watching = JoinSet::new();
        watching.spawn(watch_desk(Arc::clone(lab), desk.clone()));
        let planned = plan.lines().map(|line| line.tag).collect();
        let (mut people, mut agents) = (JoinSet::new(), JoinSet::new());
        for (person, agent) in plan.conversations {
            people.spawn(stage.clone().person(person));
            agents.spawn(stage.clone().agent(agent, seen.clone()));
        }
        Self { people, agents, watching, desk, sent, planned }
    }

    /// Returns at `end`; until then, tokens expire now and then, if they shall.
    pub(super) async fn weather(&mut self, lab: &Lab, end: Instant, tokens: bool) {
        let mut next = Instant::now() + TOKENS_EXPIRE;
        while tokens && next < end {
            tokio::time::sleep_until(next).await;
            lab.liveengage().expire_tokens();
            next += TOKENS_EXPIRE;
        }
        tokio::time::sleep_until(end).await;
    }

    /// Waits until everybody has said all, however long it takes. An agent without an open conversation stops waiting for one when
    /// nothing that could open it is on its way.
    pub(super) async fn end(&mut self, lab: &Lab) {
        while self.people.join_next().await.is_some() {}
        let all_said = async { while self.agents.join_next().await.is_some() {} };
        let settled = async {
            evidence::rest(lab).await;
            // The look that is going on can have begun before.
            let (mut seen, looks) = (self.desk.subscribe(), self.desk.borrow().looks);
            let _ = seen.wait_for(|desk| desk.looks >= looks + 2).await;
            self.desk.send_modify(|desk| desk.settled = true);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = all_said => {}
            () = settled => {}
        }
        self.watching.abort_all();
    }

    pub(super) fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the plan had and nobody could say, for want of an open conversation.
    pub(super) fn unsaid(&self) -> Vec<Tag> {
        let said: std::collections::BTreeSet<Tag> = self.sent().into_iter().map(|sent| sent.tag).collect();
        self.planned.iter().copied().filter(|tag| !said.contains(tag)).collect()
    }
}

impl Stage {
    fn note(&self, line: &Line, at: jiff::Timestamp, sequence: String) {
        let sent = Sent { tag: line.tag, parts: line.parts, at, sequence };
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
    }

    async fn person(self, lines: Vec<Line>) {
        for line in lines {
            tokio::time::sleep_until(self.begun + line.at).await;
            let at = SystemClock.now();
            let phone = phone(line.tag.conversation);
            // Held until the text is sent: see `close`.
            let mut left = self.to_write(line.tag.conversation);
            if let Some(left) = &mut left {
                **left = left.saturating_sub(1);
            }
            let sent = if is_on_whatsapp(line.tag.conversation) {
                self.lab.whatsapp().consumer_sends(&phone, &line.text).map_err(|error| error.to_string())
            } else {
                self.lab.gateway().consumer_sends(&phone, &line.text).map_err(|error| error.to_string())
            };
            match sent {
                Ok(id) => {
                    self.fault_plan.name(line.tag, id);
                    self.note(&line, at, String::new());
                }
                Err(error) => tracing::error!(tag = %line.tag, %error, "a person can't write"),
            }
        }
    }

    /// How many texts this person still has to write. Nobody else writes or closes while the answer is held.
    fn to_write(&self, conversation: u16) -> Option<MutexGuard<'_, usize>> {
        let left = self.to_write.get(usize::from(conversation))?;
        Some(left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn agent(self, lines: Vec<Line>, mut desk: watch::Receiver<Desk>) {
        for line in lines {
            tokio::time::sleep_until(self.begun + line.at).await;
            if !self.say(&line, &mut desk).await {
                return;
            }
        }
    }

    /// Says it in the person's open conversation, and waits for one if there is none. Whether it could be said.
    async fn say(&self, line: &Line, desk: &mut watch::Receiver<Desk>) -> bool {
        loop {
            let (conversation, settled) = {
                let desk = desk.borrow_and_update();
                (desk.open.get(&line.tag.conversation).cloned(), desk.settled)
            };
            if let Some(conversation) = conversation {
                let at = SystemClock.now();
                if let Ok(sequence) = self.lab.liveengage().say(&conversation, &line.text) {
                    self.fault_plan.name(line.tag, format!("{conversation}#{sequence}"));
                    self.note(line, at, conversation.clone());
                    if line.then_close {
                        self.close(line, &conversation);
                    }
                    return true;
                }
            }
            if settled || desk.changed().await.is_err() {
                return false;
            }
        }
    }

    /// Closes the conversation, unless the person has nothing more to write: only they can open the next one, for what the agent still
    /// has to say.
    fn close(&self, line: &Line, conversation: &str) {
        let left = self.to_write(line.tag.conversation);
        if left.as_ref().is_some_and(|left| **left > 0) {
            // It may have been closed by now.
            let _ = self.lab.liveengage().close(conversation);
        }
    }
}

/// Keeps track of who has an open conversation. Whose it is, is seen by the marks of the person's texts in it, and for the next
/// ones known by the person's id.
async fn watch_desk(lab: Arc<Lab>, desk: watch::Sender<Desk>) {
    let mut people: HashMap<String, u16> = HashMap::new();
    let mut next = Instant::now();
    loop {
        tokio::time::sleep_until(next).await;
        let mut now = BTreeMap::new();
        let conversations = lab.liveengage().conversations();
        next = Instant::now() + LOOK * u32::try_from(conversations.len() / 100 + 1).unwrap_or(u32::MAX);
        for conversation in conversations.into_iter().filter(|one| one.main_dialog_open) {
            if !people.contains_key(&conversation.consumer.id) {
                let mut pieces = conversation.transcript.iter().flat_map(|line| Piece::find_all(line.text.as_bytes()));
                if let Some(piece) = pieces.find(|piece| piece.tag.destination == Destination::ToDesk) {
                    people.insert(conversation.consumer.id.clone(), piece.tag.conversation);
                }
            }
            if let Some(person) = people.get(&conversation.consumer.id) {
                now.insert(*person, conversation.id);
            }
        }
        desk.send_modify(|desk| {
            desk.open = now;
            desk.looks += 1;
        });
    }
}
