//! The people and the agents: they say what the plan has for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use connector::port::{Clock as _, SystemClock};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plan::{Line, Plan, is_on_whatsapp};
use super::score::Sent;
use super::storm::Storm;
use super::tag::{Piece, Tag, Way};
use crate::lab::Lab;

/// How often a desk with few conversations is looked at. A look takes longer the more there are.
const LOOK: Duration = Duration::from_millis(50);
/// How often all tokens expire.
const TOKENS_EXPIRE: Duration = Duration::from_secs(3);

/// The open conversation of each person who has one.
type Open = watch::Receiver<BTreeMap<u16, String>>;

pub(super) struct Actors {
    acting: JoinSet<()>,
    watching: JoinSet<()>,
    sent: Arc<Mutex<Vec<Sent>>>,
    planned: Vec<Tag>,
}

/// What one actor needs.
#[derive(Clone)]
struct Stage {
    lab: Arc<Lab>,
    storm: Storm,
    begun: Instant,
    until: Instant,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// The number of the phone of a conversation.
pub(super) fn phone(conversation: u16) -> String {
    format!("+49151700{conversation:05}")
}

impl Actors {
    /// Lets everybody begin. At `until` agents stop to look for open conversations.
    pub(super) fn start(lab: &Arc<Lab>, storm: &Storm, plan: Plan, until: Instant) -> Self {
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let stage =
            Stage { lab: Arc::clone(lab), storm: storm.clone(), begun: Instant::now(), until, sent: Arc::clone(&sent) };
        let (open, known) = watch::channel(BTreeMap::new());
        let mut watching = JoinSet::new();
        watching.spawn(watch_desk(Arc::clone(lab), open));
        let planned = plan.lines().map(|line| line.tag).collect();
        let mut acting = JoinSet::new();
        for (person, agent) in plan.conversations {
            acting.spawn(stage.clone().person(person));
            acting.spawn(stage.clone().agent(agent, known.clone()));
        }
        Self { acting, watching, sent, planned }
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

    /// Waits until everybody has said all.
    pub(super) async fn end(&mut self) {
        while self.acting.join_next().await.is_some() {}
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
            let sent = if is_on_whatsapp(line.tag.conversation) {
                self.lab.whatsapp().consumer_sends(&phone, &line.text).map_err(|error| error.to_string())
            } else {
                self.lab.gateway().consumer_sends(&phone, &line.text).map_err(|error| error.to_string())
            };
            match sent {
                Ok(id) => {
                    self.storm.name(line.tag, id);
                    self.note(&line, at, String::new());
                }
                Err(error) => tracing::error!(tag = %line.tag, %error, "a person can't write"),
            }
        }
    }

    async fn agent(self, lines: Vec<Line>, mut open: Open) {
        for line in lines {
            tokio::time::sleep_until(self.begun + line.at).await;
            let said = tokio::time::timeout_at(self.until, self.say(&line, &mut open)).await;
            if said.is_err() {
                return;
            }
        }
    }

    /// Says it in the person's open conversation, and waits for one if there is none.
    async fn say(&self, line: &Line, open: &mut Open) {
        loop {
            let conversation = open.borrow_and_update().get(&line.tag.conversation).cloned();
            if let Some(conversation) = conversation {
                let at = SystemClock.now();
                if let Ok(sequence) = self.lab.liveengage().say(&conversation, &line.text) {
                    self.storm.name(line.tag, format!("{conversation}#{sequence}"));
                    self.note(line, at, conversation.clone());
                    if line.then_close {
                        // It may have been closed by now.
                        let _ = self.lab.liveengage().close(&conversation);
                    }
                    return;
                }
            }
            if open.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Keeps track of who has an open conversation. Whose it is, is seen by the marks of the person's texts in it, and for the next
/// ones known by the person's id.
async fn watch_desk(lab: Arc<Lab>, open: watch::Sender<BTreeMap<u16, String>>) {
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
                if let Some(piece) = pieces.find(|piece| piece.tag.way == Way::ToDesk) {
                    people.insert(conversation.consumer.id.clone(), piece.tag.conversation);
                }
            }
            if let Some(person) = people.get(&conversation.consumer.id) {
                now.insert(*person, conversation.id);
            }
        }
        open.send_if_modified(|known| {
            let changed = *known != now;
            *known = now;
            changed
        });
    }
}
