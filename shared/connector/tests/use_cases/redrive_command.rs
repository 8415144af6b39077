//! Resends messages in order and once each, wherever a run is stopped.

mod dead_letters;

use std::collections::{HashSet, VecDeque};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::json;

use connector::{
    app::redrive::*,
    domain::{
        delivery::{ConsumerRef, Parked},
        id::LineId,
        message_key::MessageKey,
    },
    port::{
        ParkedId, ParkedList, ParkedMessage, ParkedMessages, Queue, QueueError, QueueMessage, Reopened, StoreError,
    },
    queue_message::wire::renewed,
};
use connector_channels::id::ChannelUserId;
use connector_liveengage::id::ConversationId;
use connector_message::code::Code;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}
fn line() -> LineId {
    LineId::new("sms-main").unwrap()
}
fn key(id: &str) -> MessageKey {
    MessageKey::FromChannel { line: line(), name: id.to_owned() }
}

/// A consumer's text that the connector accepted at `accepted`.
fn text(id: &str, user: &str, accepted: i64) -> String {
    json!({
        "task": "channel_event_v1", "line": "sms-main", "correlation": format!("r-{id}"), "accepted_at": at(accepted),
        "event": {"id": id, "part": 0, "user": user, "at": at(0), "content": {"kind": "text", "text": id}},
    })
    .to_string()
}

fn parked(id: &str, user: &str, accepted: i64, parked_at: i64) -> ParkedMessage {
    ParkedMessage {
        id: ParkedId::new(format!("sms-main/{parked_at}#{id}")),
        message: key(id),
        parked: Parked {
            at: at(parked_at),
            reason: "refused".to_owned(),
            permanent: true,
            line: Some(line()),
            conversation: None,
            body: text(id, user, accepted),
        },
        begun: None,
    }
}

fn names(plan: &ParkedPlan) -> Vec<String> {
    plan.messages
        .iter()
        .map(|planned| Facts::read(&planned.parked.parked.body).unwrap().correlation)
        .map(|id| id.as_str().to_owned())
        .collect()
}

#[test]
fn one_that_was_parked_again_later_keeps_its_place() {
    let (first, second) = (parked("a", "anna", 0, 900), parked("b", "anna", 5, 60));
    let plan = plan_parked(vec![second, first], &Selection::default());
    assert_eq!(names(&plan), ["r-a", "r-b"]);
}

#[test]
fn one_that_begins_anew_keeps_its_place_too() {
    let mut first = parked("a", "anna", 0, 900);
    first.parked.body = renewed(&renewed(&first.parked.body, at(500)), at(800));
    assert_eq!(Facts::read(&first.parked.body).unwrap().accepted_at, at(800));
    let plan = plan_parked(vec![parked("b", "anna", 5, 60), first], &Selection::default());
    assert_eq!(names(&plan), ["r-a", "r-b"]);
}

#[test]
fn what_has_no_time_stays_as_it_is() {
    for task in ["", "no json", "[1]", r#"{"task":"unreadable_notification_v1","body":"eA=="}"#] {
        assert_eq!(renewed(task, at(0)), task);
    }
}

#[test]
fn the_plan_counts_the_messages_that_a_selection_overtakes() {
    let all = vec![parked("a", "anna", 0, 10), parked("b", "anna", 1, 20), parked("c", "ben", 2, 30)];
    let later = Selection { since: Some(at(20)), ..Selection::default() };
    let plan = plan_parked(all, &later);
    assert_eq!((names(&plan), plan.overtaking), (vec!["r-b".to_owned(), "r-c".to_owned()], 1));
}

#[test]
fn a_message_that_is_parked_twice_is_sent_once() {
    let (mut old, new) = (parked("a", "anna", 0, 10), parked("a", "anna", 0, 20));
    old.begun = Some(at(15));
    for all in [vec![old.clone(), new.clone()], vec![new.clone(), old.clone()]] {
        let only_the_old = Selection { ids: vec![parked_name(&old.message)], ..Selection::default() };
        let plan = plan_parked(all, &only_the_old);
        assert_eq!(plan.messages.len(), 1);
        assert_eq!((&plan.messages[0].parked, &plan.messages[0].twins), (&new, &vec![old.id.clone()]));
    }
}

#[test]
fn what_is_set_must_all_fit() {
    let conversation = ConversationId::new("c1").unwrap();
    let anna = ConsumerRef { line: line(), user: ChannelUserId::new("anna").unwrap() };
    let mut agents = parked("agents", "ben", 0, 10);
    agents.parked.conversation = Some(conversation.clone());
    let all = vec![agents, parked("annas", "anna", 1, 20), parked("bens", "ben", 2, 30)];
    let chosen = |wanted: Selection| names(&plan_parked(all.clone(), &wanted));
    let of_conversation = Selection { conversation: Some(conversation), ..Selection::default() };
    assert_eq!(chosen(of_conversation.clone()), ["r-agents"]);
    let with_consumer = Selection { consumer: Some(anna), ..of_conversation };
    assert_eq!(chosen(with_consumer.clone()), ["r-agents", "r-annas"]);
    assert_eq!(chosen(Selection { until: Some(at(20)), ..with_consumer.clone() }), ["r-agents"]);
    assert_eq!(chosen(Selection { since: Some(at(20)), ..with_consumer }), ["r-annas"]);
    let line = |line: &str| Selection { line: Some(LineId::new(line).unwrap()), ..Selection::default() };
    assert_eq!(chosen(line("sms-main")).len(), 3);
    assert_eq!(chosen(line("other")).len(), 0);
}

proptest! {
    /// In whatever order they are read and parked, each group's selected messages are planned once, in the order in which they came.
    #[test]
    fn the_order_is_that_of_coming(
        messages in prop::collection::vec((0usize..3, 0i64..1000), 0..20).prop_shuffle(),
        since in prop::option::of(0i64..1000),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let users = ["anna", "ben", "carl"];
        let mut all: Vec<_> = messages.iter().enumerate()
            .map(|(n, (user, parked_at))| parked(&format!("{n:02}"), users[*user], n as i64, *parked_at)).collect();
        if !all.is_empty() {
            let middle = shuffle.index(all.len());
            all.rotate_left(middle);
            all.reverse();
        }
        let wanted = Selection { since: since.map(at), ..Selection::default() };
        let plan = plan_parked(all, &wanted);
        for user in users {
            let planned: Vec<_> = names(&plan).into_iter().filter(|name| {
                let n: usize = name.trim_start_matches("r-").parse().unwrap();
                users[messages[n].0] == user
            }).collect();
            let meant: Vec<_> = messages.iter().enumerate()
                .filter(|(_, (whose, parked_at))| users[*whose] == user && since.is_none_or(|since| *parked_at >= since))
                .map(|(n, _)| format!("r-{n:02}")).collect();
            prop_assert_eq!(planned, meant);
        }
    }
}

#[derive(Default)]
struct State {
    parked: Vec<ParkedMessage>,
    settled: HashSet<MessageKey>,
    queue: VecDeque<QueueMessage>,
    deduplicated: HashSet<String>,
    delivered: Vec<String>,
    /// The number of calls after which every call fails, and whether the last one still has its effect.
    crash_after: Option<(usize, bool)>,
}

impl State {
    /// Returns whether a call has its effect, and whether its answer arrives.
    fn call(&mut self) -> (bool, bool) {
        match &mut self.crash_after {
            None => (true, true),
            Some((0, _)) => (false, false),
            Some((left, effect)) => {
                *left -= 1;
                if *left == 0 { (*effect, false) } else { (true, true) }
            }
        }
    }

    /// Handles all messages of the queue, as a worker with leases does.
    fn work(&mut self) {
        while let Some(message) = self.queue.pop_front() {
            let id = Facts::read(&message.body).unwrap().correlation.as_str().trim_start_matches("r-").to_owned();
            if self.settled.insert(key(&id)) {
                self.delivered.push(id);
            }
        }
    }
}

/// The table and the queue, on a machine that can stop at any call.
#[derive(Default)]
struct Machine(Mutex<State>);

fn store_error() -> StoreError {
    StoreError::Unavailable { code: Code::internal("dead") }
}

#[async_trait]
impl ParkedMessages for Machine {
    async fn parked(&self) -> Result<ParkedList, StoreError> {
        Ok(ParkedList { messages: self.0.lock().parked.clone(), unreadable: 0 })
    }

    async fn reopen(&self, parked: &ParkedMessage, now: Timestamp) -> Result<Reopened, StoreError> {
        let mut state = self.0.lock();
        let (effect, answer) = state.call();
        if effect {
            let Some(item) = state.parked.iter_mut().find(|item| item.id == parked.id && item.begun.is_none()) else {
                return Ok(Reopened::Taken);
            };
            item.begun = Some(now);
            state.settled.remove(&parked.message);
        }
        if answer { Ok(Reopened::Reopened) } else { Err(store_error()) }
    }

    async fn is_settled(&self, message: &MessageKey) -> Result<bool, StoreError> {
        Ok(self.0.lock().settled.contains(message))
    }

    async fn forget(&self, id: &ParkedId) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        let (effect, answer) = state.call();
        if effect {
            state.parked.retain(|item| item.id != *id);
        }
        if answer { Ok(()) } else { Err(store_error()) }
    }
}

#[async_trait]
impl Queue for Machine {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        let mut state = self.0.lock();
        let (effect, answer) = state.call();
        for message in messages.into_iter().filter(|_| effect) {
            if state.deduplicated.insert(message.deduplication.clone()) {
                state.queue.push_back(message);
            }
        }
        if answer { Ok(()) } else { Err(QueueError { code: Code::internal("dead") }) }
    }
}

impl Machine {
    fn with(parked: Vec<ParkedMessage>) -> Self {
        let settled = parked.iter().map(|item| item.message.clone()).collect();
        Self(Mutex::new(State { parked, settled, ..State::default() }))
    }

    async fn run(&self, now: i64) -> Vec<Redriven> {
        let plan = plan_parked(self.parked().await.unwrap().messages, &Selection::default());
        let queues = WorkerQueues { to_liveengage: self, to_channel: self };
        redrive_parked(&plan, self, queues, false, at(now)).await
    }
}

#[derive(Debug, Clone)]
struct Crash {
    call: usize,
    effect: bool,
    worked: bool,
    five_minutes_later: bool,
}

fn crash() -> impl Strategy<Value = Crash> {
    (1usize..9, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(call, effect, worked, five_minutes_later)| Crash { call, effect, worked, five_minutes_later })
}

proptest! {
    /// Wherever a run stops, with or without the call's effect, and whatever the worker and SQS do in the meantime: running it again
    /// delivers every message once, in order.
    #[test]
    fn every_message_arrives_once_and_in_order(crashes in prop::collection::vec(crash(), 0..5)) {
        let all = vec![
            parked("0", "anna", 0, 40), parked("1", "ben", 1, 10), parked("2", "anna", 2, 20), parked("3", "anna", 3, 30),
        ];
        let machine = Machine::with(all);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (n, crash) in crashes.iter().enumerate() {
            machine.0.lock().crash_after = Some((crash.call, crash.effect));
            runtime.block_on(machine.run(100 + n as i64));
            let mut state = machine.0.lock();
            if crash.worked {
                state.work();
            }
            if crash.five_minutes_later {
                state.deduplicated.clear();
            }
        }
        machine.0.lock().crash_after = None;
        let redriven = runtime.block_on(machine.run(200));
        prop_assert!(redriven.iter().all(|one| one.outcome == RedriveOutcome::Sent), "{redriven:?}");
        let mut state = machine.0.lock();
        state.work();
        prop_assert!(state.parked.is_empty());
        let of = |ids: &[&str]| -> Vec<String> {
            state.delivered.iter().filter(|id| ids.contains(&id.as_str())).cloned().collect()
        };
        prop_assert_eq!(of(&["0", "2", "3"]), ["0", "2", "3"]);
        prop_assert_eq!(of(&["1"]), ["1"]);
    }
}

#[tokio::test]
async fn after_one_that_cannot_be_sent_nothing_of_its_conversation_is() {
    let machine = Machine::with(vec![parked("0", "anna", 0, 1), parked("1", "anna", 1, 2), parked("2", "ben", 2, 3)]);
    // Another run takes the first one after the plan was made.
    let plan = plan_parked(machine.parked().await.unwrap().messages, &Selection::default());
    machine.0.lock().parked[0].begun = Some(at(5));
    let queues = WorkerQueues { to_liveengage: &machine, to_channel: &machine };
    let redriven = redrive_parked(&plan, &machine, queues, false, at(6)).await;
    let outcomes: Vec<_> = redriven.into_iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [RedriveOutcome::Taken, RedriveOutcome::Behind, RedriveOutcome::Sent]);
    assert_eq!(machine.0.lock().queue.len(), 1);
}

#[tokio::test]
async fn the_outcome_of_each_is_known_as_soon_as_a_worker_has_finished_with_it() {
    let machine = Machine::with(vec![parked("0", "anna", 0, 1), parked("1", "ben", 1, 2)]);
    let plan = plan_parked(machine.parked().await.unwrap().messages, &Selection::default());
    let queues = WorkerQueues { to_liveengage: &machine, to_channel: &machine };
    let mut redriven = redrive_parked(&plan, &machine, queues, false, at(6)).await;
    let names: Vec<_> = redriven.iter().map(|one| one.id.clone()).collect();
    let outcomes = |redriven: &[Redriven]| redriven.iter().map(|one| one.outcome.clone()).collect::<Vec<_>>();
    settle(&plan, &mut redriven, &machine).await.unwrap();
    assert_eq!(outcomes(&redriven), [RedriveOutcome::Sent, RedriveOutcome::Sent], "no worker has run yet");
    {
        let mut state = machine.0.lock();
        state.queue.truncate(1);
        state.work();
    }
    settle(&plan, &mut redriven, &machine).await.unwrap();
    assert_eq!(outcomes(&redriven), [RedriveOutcome::Settled, RedriveOutcome::Sent]);
    {
        // The worker parks the other one again.
        let mut state = machine.0.lock();
        state.settled.insert(key("1"));
        state.parked.push(parked("1", "ben", 1, 9));
    }
    settle(&plan, &mut redriven, &machine).await.unwrap();
    assert_eq!(outcomes(&redriven), [RedriveOutcome::Settled, RedriveOutcome::ParkedAgain("refused".to_owned())]);
    assert_eq!(redriven.iter().map(|one| one.outcome.is_done()).collect::<Vec<_>>(), [true, false]);
    let again = plan_parked(machine.parked().await.unwrap().messages, &Selection::default());
    assert_eq!(again.messages[0].id, names[1], "it is known by the same name");
}

#[tokio::test]
async fn what_this_version_cannot_read_stays_parked() {
    let mut unknown = parked("0", "anna", 0, 1);
    unknown.parked.body = json!({"task": "from_the_future_v9"}).to_string();
    let machine = Machine::with(vec![unknown]);
    assert!(matches!(&machine.run(5).await[..], [Redriven { outcome: RedriveOutcome::Failed(_), .. }]));
    let state = machine.0.lock();
    assert_eq!((state.parked.len(), state.parked[0].begun, state.queue.len()), (1, None, 0));
}

#[tokio::test]
async fn deleting_takes_the_message_away_and_sends_nothing() {
    let machine = Machine::with(vec![parked("0", "anna", 0, 1), parked("1", "ben", 1, 2)]);
    let wanted = Selection { until: Some(at(2)), ..Selection::default() };
    let plan = plan_parked(machine.parked().await.unwrap().messages, &wanted);
    assert!(delete_parked(&plan, &machine).await.iter().all(|one| one.outcome == RedriveOutcome::Deleted));
    let state = machine.0.lock();
    assert_eq!((state.parked.len(), state.queue.len()), (1, 0));
    assert!(state.settled.contains(&key("0")), "a repeated webhook doesn't bring it back");
}
