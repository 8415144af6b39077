//! Everything outside the functions, and what is observed of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use serde_json::json;

use super::{
    agenda::{Agenda, Event},
    channel::{Channels, Line},
    faults::{Condition, Course, Faults},
    invocation::{Environment, Invocation, InvocationId, PREFIX},
    liveengage::{ACCOUNT, INSTALL, LiveEngage},
    load::Load,
    loss::LossState,
    outage::OutageState,
    queues::{QueueName, SourceQueue},
    table::GivenLease,
    truth::{MessageId, Piece, Truth},
};
use crate::{MemorySecrets, MemoryStore};
use connector::domain::id::LineId;
use connector_liveengage::id::AccountId;
use connector_message::http::{HttpCall, HttpReply};

/// How long the faults go on after the last message was written.
const FAULTS_LAST: SignedDuration = SignedDuration::from_mins(5);

/// How long after the end of the faults everything is settled at the latest.
const SETTLED_WITHIN: SignedDuration = SignedDuration::from_hours(2);

/// What all environments share.
pub(super) struct Shared {
    pub(super) store: MemoryStore,
    pub(super) secrets: MemorySecrets,
    pub(super) accounts: Vec<AccountId>,
    pub(super) lines: Vec<LineId>,
    world: Mutex<World>,
}

/// Everything outside the functions.
pub(super) struct World {
    pub(super) agenda: Agenda,
    pub(super) faults: Faults,
    pub(super) load: Load,
    pub(super) liveengage: LiveEngage,
    pub(super) channels: Channels,
    pub(super) queues: BTreeMap<QueueName, SourceQueue>,
    pub(super) environments: BTreeMap<u64, Environment>,
    pub(super) invocations: BTreeMap<InvocationId, Invocation>,
    pub(super) truth: Truth,
    /// The setting `on_uncertain` of both lines.
    pub(super) on_uncertain: &'static str,
    /// The version of new environments, and the oldest one that still gets invocations.
    pub(super) version: u64,
    pub(super) oldest_version: u64,
    /// The messages of each record's key.
    pub(super) keys: BTreeMap<String, Vec<MessageId>>,
    /// The leases that were given and neither ended nor given back.
    pub(super) leases: BTreeMap<String, GivenLease>,
    /// The outage of one line, if that is what is simulated.
    pub(super) outage: Option<OutageState>,
    /// The loss of webhooks, if that is what is simulated.
    pub(super) loss: Option<LossState>,
    /// How long after the end of the faults everything is settled at the latest.
    pub(super) settled_within: SignedDuration,
    /// When the faults ended.
    pub(super) recovered_at: Option<Timestamp>,
    /// The end of the outage that there is.
    outage_until: Option<Timestamp>,
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        let secrets = MemorySecrets::default();
        for line in Line::ALL {
            let mut secret = line.secret();
            secret["on_uncertain"] = world.on_uncertain.into();
            secrets.put(&format!("{PREFIX}/line/{}", line.id()), &secret);
        }
        let shared = Self {
            store: MemoryStore::default(),
            secrets,
            accounts: vec![AccountId::new(ACCOUNT).unwrap()],
            lines: Line::ALL.iter().map(|line| LineId::new(line.id()).unwrap()).collect(),
            world: Mutex::new(world),
        };
        let secret = shared.world().liveengage.secret.clone();
        shared.store_account(&secret);
        shared
    }

    /// Stores the account's secret with this client secret.
    pub(super) fn store_account(&self, client_secret: &str) {
        self.secrets.put(
            &format!("{PREFIX}/account/{ACCOUNT}"),
            &json!({"account_id": ACCOUNT, "client_id": INSTALL, "client_secret": client_secret}),
        );
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock()
    }
}

impl World {
    /// Creates a world in which nothing has happened.
    pub(super) fn new(mut agenda: Agenda, faults: Faults, messages: u64) -> Self {
        let load = Load::drawn(&mut agenda.random, messages);
        let queues = QueueName::ALL.map(|name| {
            let concurrency = 1 + agenda.random.index(20);
            (name, SourceQueue::new(name, concurrency))
        });
        let uncertain = [("repeat_once", 2), ("repeat_once", 2), ("repeat", 10), ("park", 1)];
        let (on_uncertain, most_copies) = agenda.random.one_of(uncertain);
        Self {
            agenda,
            faults,
            load,
            liveengage: LiveEngage::new(),
            channels: Channels::default(),
            queues: queues.into(),
            environments: BTreeMap::new(),
            invocations: BTreeMap::new(),
            truth: Truth::new(most_copies),
            on_uncertain,
            version: 0,
            oldest_version: 0,
            keys: BTreeMap::new(),
            leases: BTreeMap::new(),
            outage: None,
            loss: None,
            settled_within: SETTLED_WITHIN,
            recovered_at: None,
            outage_until: None,
        }
    }

    /// Whether people write as one event after the other says, and not as they like.
    pub(super) const fn is_scripted(&self) -> bool {
        self.outage.is_some() || self.loss.is_some()
    }

    /// Returns the time by LiveEngage's clock.
    pub(super) fn liveengage_now(&self) -> Timestamp {
        self.agenda.now() + self.faults.liveengage_skew
    }

    /// Draws the course of a call.
    pub(super) fn course(&mut self, call: &HttpCall) -> Course {
        let condition = match self.channels.down {
            _ if is_liveengage(call) => self.liveengage.condition,
            Some(line) if line.gets(call) => Condition::Unreachable,
            _ => self.channels.condition,
        };
        self.faults.http(&mut self.agenda.random, condition)
    }

    /// Carries out a call. Returns the answer, and the pieces that are shown now.
    pub(super) fn carry_out(&mut self, call: &HttpCall, by: InvocationId) -> (HttpReply, Vec<Piece>) {
        let (reply, pieces) =
            if is_liveengage(call) { self.liveengage_answers(call, by) } else { self.channel_answers(call, by) };
        self.invocations.get_mut(&by).unwrap().attempt().unrecorded.extend(&pieces);
        (reply, pieces)
    }

    /// Pieces are shown to their recipient by this invocation.
    pub(super) fn shown(&mut self, pieces: &[Piece], by: InvocationId) {
        let began = self.invocations.get_mut(&by).unwrap().attempt().began;
        let Invocation { work, environment, .. } = &self.invocations[&by];
        let batch = self.sortable(work, self.environments[environment].version);
        let now = self.agenda.now();
        for piece in pieces {
            if let Some(outage) = &mut self.outage {
                outage.shown(*piece, now);
            }
            if let Some(loss) = &mut self.loss {
                loss.shown(*piece, now);
            }
            self.truth.check_batch(*piece, &batch);
            self.truth.shown(*piece, by, began);
        }
    }

    /// The last message is written: the faults end soon.
    pub(super) fn load_is_over(&mut self) {
        // A loss ends at its time.
        if self.loss.is_some() {
            return;
        }
        self.agenda.after(FAULTS_LAST, Event::Recover);
    }

    /// All faults end, once both sides are up.
    pub(super) fn recover(&mut self) {
        if let Some(until) = self.outage_until {
            self.faults.outages = 0;
            self.agenda.at(until, Event::Recover);
            return;
        }
        self.agenda.note(format_args!("the faults end"));
        // Clocks stay as they are.
        let Faults { skew, liveengage_skew, .. } = self.faults;
        self.faults = Faults { skew, liveengage_skew, ..Faults::none() };
        self.recovered_at = Some(self.agenda.now());
    }

    /// LiveEngage or the channels go down or become slow for a while.
    pub(super) fn outage(&mut self, begins: bool) {
        let World { agenda, faults, liveengage, channels, outage_until, .. } = self;
        if !begins {
            (liveengage.condition, channels.condition, *outage_until) = (Condition::Up, Condition::Up, None);
            agenda.note(format_args!("both sides are up"));
            return;
        }
        if faults.outages == 0 || outage_until.is_some() {
            return;
        }
        let condition = agenda.random.one_of([Condition::Down, Condition::Down, Condition::Slow]);
        let sides = [(condition, Condition::Up), (Condition::Up, condition), (condition, condition)];
        (liveengage.condition, channels.condition) = agenda.random.one_of(sides);
        let time = agenda.random.between(SignedDuration::from_secs(20), faults.longest_outage);
        agenda.note(format_args!(
            "for {} s: LiveEngage {:?}, channels {:?}",
            time.as_secs(),
            liveengage.condition,
            channels.condition
        ));
        let until = agenda.now() + time;
        *outage_until = Some(until);
        agenda.at(until, Event::Outage(false));
    }

    /// Whether nothing is under way any more.
    pub(super) fn is_settled(&mut self) -> bool {
        let now = self.agenda.now();
        self.load.is_over()
            && self.recovered_at.is_some()
            && self.loss.as_ref().is_none_or(LossState::is_over)
            && self.invocations.is_empty()
            && self.channels.requests.values().all(|request| request.is_repeat)
            && self.liveengage.notifications.is_empty()
            && self.queues.values_mut().all(|queue| queue.len(now) == 0)
    }
}

fn is_liveengage(call: &HttpCall) -> bool {
    call.name.starts_with("LiveEngage")
}
