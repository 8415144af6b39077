//! The ports of one environment. Every call takes simulated time, and can fail as the faults say.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};

use super::{
    agenda::Event,
    faults::{Course, Failure, Fate},
    invocation::{Function, FunctionName, Invocation, InvocationId, Work},
    queues::QueueName,
    world::{Shared, World},
};
use crate::{downloaded, with_file};
use connector::port::{
    Clock, Download, Http, Postpone, Queue, QueueError, QueueMessage, SecretVersion, Secrets, SecretsError, StoreError,
    StreamedFile,
};
use connector_channels::FileEnvelope;
use connector_message::{
    code::Code,
    http::{HttpCall, HttpFailure, HttpReply},
};

/// The ports of one environment.
#[derive(Clone)]
pub(super) struct Ports {
    shared: Arc<Shared>,
    environment: u64,
    name: FunctionName,
    skew: SignedDuration,
}

/// One queue, from one environment.
#[derive(Clone)]
pub(super) struct QueuePort {
    ports: Ports,
    queue: QueueName,
}

impl Ports {
    pub(super) const fn new(shared: Arc<Shared>, environment: u64, name: FunctionName, skew: SignedDuration) -> Self {
        Self { shared, environment, name, skew }
    }

    pub(super) const fn name(&self) -> FunctionName {
        self.name
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn queue(&self, queue: QueueName) -> QueuePort {
        QueuePort { ports: self.clone(), queue }
    }

    /// Keeps a started function for the next invocation.
    pub(super) fn keep(&self, function: Function) {
        if let Some(environment) = self.shared.world().environments.get_mut(&self.environment) {
            environment.function.get_or_insert(function);
        }
    }

    /// Waits in simulated time.
    pub(super) async fn sleep(&self, time: SignedDuration) {
        let until = self.shared.world().agenda.now() + time;
        Sleep { ports: self, until, is_scheduled: false }.await;
    }

    /// Adds a line about a call of this environment's invocation to the history.
    pub(super) fn note(&self, world: &mut World, call: &str, result: &str) {
        let id = self.invocation_id(world);
        world.agenda.note(format_args!("{id} {call}: {result}"));
    }

    /// Returns the invocation that makes the call.
    pub(super) fn invocation_id(&self, world: &World) -> InvocationId {
        world.environments[&self.environment].invocation.unwrap()
    }

    /// Returns the invocation that makes the call, with its number.
    pub(super) fn invocation<'w>(&self, world: &'w mut World) -> (InvocationId, &'w mut Invocation) {
        let id = self.invocation_id(world);
        (id, world.invocations.get_mut(&id).unwrap())
    }

    /// Makes a call of the table, which does its `work` in the middle of the call's time.
    pub(super) async fn stored<T>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let course = {
            let World { agenda, faults, .. } = &mut *self.shared.world();
            faults.table(&mut agenda.random)
        };
        self.sleep(course.before).await;
        let result = match course.fate {
            Fate::Fails(_) => Err(unavailable("throttled")),
            Fate::CarriedOut | Fate::CarriedOutThen(_) => work.await,
        };
        let how = match (&result, course.fate) {
            (_, Fate::Fails(_)) => "throttled",
            (Ok(_), Fate::CarriedOutThen(_)) => "ok, no answer",
            (Ok(_), _) => "ok",
            (Err(_), _) => "failed",
        };
        self.note(&mut self.shared.world(), call, how);
        self.sleep(course.after).await;
        match course.fate {
            Fate::CarriedOutThen(_) => result.and(Err(unavailable("timeout"))),
            Fate::CarriedOut | Fate::Fails(_) => result,
        }
    }

    /// Reads a secret, which takes time and can fail.
    async fn read_secret(&self, name: &str) -> Result<(), SecretsError> {
        let (time, fails) = {
            let World { agenda, faults, .. } = &mut *self.shared.world();
            (agenda.random.millis(3, 20), agenda.random.hits(faults.secrets_failed))
        };
        self.sleep(time).await;
        self.note(&mut self.shared.world(), "secret", if fails { "failed" } else { "ok" });
        if fails {
            return Err(SecretsError::Unavailable { name: name.to_owned(), code: Code::internal("throttled") });
        }
        Ok(())
    }

    /// Makes a call over HTTP.
    async fn exchange(&self, call: &HttpCall) -> Result<HttpReply, HttpFailure> {
        let course = self.shared.world().course(call);
        self.sleep(course.before).await;
        let reply = {
            let mut world = self.shared.world();
            let (id, _) = self.invocation(&mut world);
            let reply = world.answer(call, &course, id);
            let how = match &reply {
                Ok(reply) => reply.status.as_str().to_owned(),
                Err(failure) => format!("{failure:?}"),
            };
            self.note(&mut world, call.name, &how);
            reply
        };
        self.sleep(course.after).await;
        reply
    }
}

impl World {
    /// Carries out a call, unless its course says otherwise, and returns what the caller sees.
    fn answer(&mut self, call: &HttpCall, course: &Course, id: InvocationId) -> Result<HttpReply, HttpFailure> {
        let failure = match course.fate {
            Fate::Fails(failure) => failure,
            Fate::CarriedOut => {
                return Ok(self.carry_out(call, id).0);
            }
            Fate::CarriedOutThen(failure) => {
                let (_, pieces) = self.carry_out(call, id);
                for piece in pieces {
                    // The caller can't know what it has shown.
                    self.truth.excuse(piece, id);
                    if let Failure::Status(408 | 503) = failure {
                        self.truth.looked_undone(piece);
                    }
                }
                failure
            }
        };
        match failure {
            Failure::NotSent => Err(HttpFailure::NotSent),
            Failure::NoAnswer => Err(HttpFailure::Unanswered),
            Failure::Status(status) => Ok(reply(status, String::new())),
            Failure::Page => Ok(reply(200, "<html>Back soon</html>".to_owned())),
        }
    }
}

/// Returns a reply.
pub(super) fn reply(status: u16, body: String) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.into() }
}

fn unavailable(code: &'static str) -> StoreError {
    StoreError::Unavailable { code: Code::internal(code) }
}

struct Sleep<'a> {
    ports: &'a Ports,
    until: Timestamp,
    is_scheduled: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let mut world = self.ports.shared.world();
        if world.agenda.now() >= self.until && self.is_scheduled {
            return Poll::Ready(());
        }
        if !self.is_scheduled {
            let id = self.ports.invocation_id(&world);
            world.agenda.at(self.until, Event::Wake(id));
            drop(world);
            self.is_scheduled = true;
        }
        Poll::Pending
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        self.shared.world().agenda.now() + self.skew
    }
}

#[async_trait]
impl Secrets for Ports {
    async fn current(&self, name: &str) -> Result<SecretVersion, SecretsError> {
        self.read_secret(name).await?;
        self.shared.secrets.current(name).await
    }

    async fn previous(&self, name: &str) -> Result<Option<SecretVersion>, SecretsError> {
        self.read_secret(name).await?;
        self.shared.secrets.previous(name).await
    }
}

#[async_trait]
impl Queue for QueuePort {
    async fn send(&self, messages: Vec<QueueMessage>) -> Result<(), QueueError> {
        let Self { ports, queue } = self;
        let (course, accepted) = {
            let World { agenda, faults, .. } = &mut *ports.shared.world();
            faults.queue(&mut agenda.random, messages.len())
        };
        ports.sleep(course.before).await;
        {
            let mut world = ports.shared.world();
            for message in &messages[..accepted] {
                world.enqueue(*queue, message, ports.environment);
                if is_notice(&message.body) {
                    ports.invocation(&mut world).1.attempt().notices += 1;
                }
            }
            let how = format!("{accepted} of {} accepted", messages.len());
            ports.note(&mut world, "send", &how);
        }
        ports.sleep(course.after).await;
        if course.fate == Fate::CarriedOut { Ok(()) } else { Err(QueueError { code: Code::internal("failed") }) }
    }
}

/// Whether a queue message tells a sender that their message was not delivered.
fn is_notice(body: &str) -> bool {
    ["\"undelivered_v1\"", "\"notice_v1\""].iter().any(|task| body.contains(task))
}

#[async_trait]
impl Postpone for QueuePort {
    async fn postpone(&self, messages: Vec<(String, SignedDuration)>) -> Result<(), QueueError> {
        let Self { ports, queue } = self;
        let (time, fails) = {
            let World { agenda, faults, .. } = &mut *ports.shared.world();
            (agenda.random.millis(3, 20), agenda.random.hits(faults.postpone_failed))
        };
        ports.sleep(time).await;
        let mut world = ports.shared.world();
        if fails {
            ports.note(&mut world, "postpone", "failed");
            return Err(QueueError { code: Code::internal("failed") });
        }
        // Where each line has its own queue, it is the one that the batch came from.
        let queue = match &ports.invocation(&mut world).1.work {
            Work::Batch { queue, .. } => *queue,
            _ => *queue,
        };
        for (receipt, after) in &messages {
            world.postpone(queue, receipt, *after);
        }
        Ok(())
    }
}

#[async_trait]
impl Http for Ports {
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure> {
        self.exchange(&call).await
    }

    async fn download(&self, call: HttpCall) -> Result<Download, HttpFailure> {
        self.exchange(&call).await.map(downloaded)
    }

    async fn upload(
        &self,
        call: HttpCall,
        file: StreamedFile,
        envelope: FileEnvelope,
    ) -> Result<HttpReply, HttpFailure> {
        self.exchange(&with_file(call, file, envelope).await?).await
    }
}
