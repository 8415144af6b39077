//! Carries out what [`Link`] and [`Session`] decide.

use std::{collections::VecDeque, time::Duration};

use async_trait::async_trait;
use connector_liveengage::{
    client_properties::ClientProperties,
    id::AccountId,
    idp::window::SignedIn,
    messaging::Routing,
    messaging_window::{CloseReason, Handshake},
};
use futures::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use crate::{
    Command, ConnectError, Event, Link, Output, Policy, Session, Step, TokenNeed,
    transport::{self, Socket},
};

/// Where a client gets its tokens.
#[async_trait]
pub trait TokenSource: Send {
    /// Gets a token. `known` is the one in use.
    ///
    /// # Errors
    /// [`TokenFailure`].
    async fn token(&mut self, need: TokenNeed, known: Option<&SignedIn>) -> Result<SignedIn, TokenFailure>;
}

/// Why there is no token. The texts contain no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenFailure {
    /// It may work later: the client asks again after a pause.
    #[error("{0}")]
    Temporary(String),
    /// It won't work: the client stops.
    #[error("{0}")]
    Permanent(String),
}

/// The options of a client.
#[derive(derive_more::Debug)]
pub struct ClientOptions {
    /// The base URL of the service `asyncMessagingEnt`.
    pub messaging: Url,
    /// The account.
    pub account: AccountId,
    /// The skill and the campaign of new conversations.
    pub routing: Routing,
    /// What the client can show.
    pub client_properties: ClientProperties,
    /// The times.
    pub policy: Policy,
    /// The clock.
    #[debug(skip)]
    pub clock: fn() -> Timestamp,
}

/// What a client reports.
#[derive(Debug)]
pub enum Report {
    /// The connection is open.
    Connected,
    /// The connection has ended. The next attempt begins at this time; `None` for at once.
    Disconnected(CloseReason, Option<Timestamp>),
    /// There is no connection. The next attempt begins at this time; `None` for at once.
    ConnectFailed(ConnectError, Option<Timestamp>),
    /// There is no token. The next attempt begins at this time.
    NoToken(TokenFailure, Option<Timestamp>),
    /// The new token is that of another consumer: the earlier conversation is out of reach.
    NewConsumer,
    /// Something happened in the conversation.
    Event(Event),
}

/// A running client. It stops when dropped.
#[derive(Debug)]
pub struct Client {
    commands: mpsc::UnboundedSender<Command>,
    reports: mpsc::UnboundedReceiver<Report>,
    task: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Starts a client in the current tokio runtime.
    pub fn start(options: ClientOptions, tokens: Box<dyn TokenSource>) -> Self {
        let (commands, incoming) = mpsc::unbounded_channel();
        let (outgoing, reports) = mpsc::unbounded_channel();
        let link = Link::new(options.policy.clone());
        let driver = Driver {
            options,
            tokens,
            link,
            token: None,
            session: None,
            early: VecDeque::new(),
            commands: incoming,
            reports: outgoing,
        };
        Self { commands, reports, task: tokio::spawn(driver.run()) }
    }

    /// Does something as the consumer. After the client has stopped, nothing happens.
    pub fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Waits for the next report. `None` after the client has stopped.
    pub async fn next(&mut self) -> Option<Report> {
        self.reports.recv().await
    }
}

struct Driver {
    options: ClientOptions,
    tokens: Box<dyn TokenSource>,
    link: Link,
    token: Option<SignedIn>,
    /// `None` until the first token names the consumer.
    session: Option<Session>,
    /// Commands that came before the session.
    early: VecDeque<Command>,
    commands: mpsc::UnboundedReceiver<Command>,
    reports: mpsc::UnboundedSender<Report>,
}

/// Why the driver stops: the client was dropped, or there will be no token.
struct Stopped;

/// What an open connection brings.
enum Incoming {
    Frame(Option<Result<Message, tokio_tungstenite::tungstenite::Error>>),
    Command(Option<Command>),
    Nothing,
}

impl Driver {
    async fn run(mut self) {
        let mut socket: Option<Socket> = None;
        while self.step(&mut socket).await.is_ok() {}
    }

    fn now(&self) -> Timestamp {
        (self.options.clock)()
    }

    fn report(&self, report: Report) {
        // The client may have been dropped.
        let _ = self.reports.send(report);
    }

    async fn step(&mut self, socket: &mut Option<Socket>) -> Result<(), Stopped> {
        let now = self.now();
        match self.link.step(now) {
            Step::GetToken(need) => self.get_token(need).await,
            Step::Connect => {
                *socket = self.connect().await;
                Ok(())
            }
            Step::Ask => {
                let output = self.session.as_mut().map(|session| session.ask(now)).unwrap_or_default();
                self.carry_out(output, socket).await;
                Ok(())
            }
            Step::Drop => {
                *socket = None;
                self.disconnected(CloseReason::Lost);
                Ok(())
            }
            Step::Wait(until) => {
                let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
                self.wait(socket, wait).await
            }
        }
    }

    async fn get_token(&mut self, need: TokenNeed) -> Result<(), Stopped> {
        match self.tokens.token(need, self.token.as_ref()).await {
            Ok(token) => {
                if self.session.as_ref().is_none_or(|session| !session.is_of(token.consumer.as_ref())) {
                    let ClientOptions { account, routing, .. } = &self.options;
                    let session = Session::new(account.clone(), token.consumer.clone(), routing.clone());
                    if self.session.replace(session).is_some() {
                        self.report(Report::NewConsumer);
                    }
                }
                for command in std::mem::take(&mut self.early) {
                    self.command(command, &mut None).await;
                }
                self.token = Some(token);
                self.link.token_received();
                Ok(())
            }
            Err(failure) => {
                self.link.token_failed(need, self.now());
                let stops = matches!(failure, TokenFailure::Permanent(_));
                self.report(Report::NoToken(failure, self.link.paused_until()));
                if stops { Err(Stopped) } else { Ok(()) }
            }
        }
    }

    async fn connect(&mut self) -> Option<Socket> {
        let ClientOptions { messaging, account, client_properties, .. } = &self.options;
        let token = self.token.as_ref()?.token.clone();
        let connecting = async {
            let handshake = Handshake::new(messaging, account, token, client_properties.clone());
            transport::connect(&handshake.map_err(|_| ConnectError::Unusable)?).await
        };
        let connected = timeout(self.link.connect_within(), connecting).await;
        let now = self.now();
        match connected.unwrap_or(Err(ConnectError::Timeout)) {
            Ok(socket) => {
                self.link.connected(now);
                self.report(Report::Connected);
                let mut socket = Some(socket);
                let output = self.session.as_mut().map(|session| session.connected(now)).unwrap_or_default();
                self.carry_out(output, &mut socket).await;
                socket
            }
            Err(error) => {
                self.link.ended(CloseReason::Lost, now);
                self.report(Report::ConnectFailed(error, self.link.paused_until()));
                None
            }
        }
    }

    fn disconnected(&mut self, reason: CloseReason) {
        self.report(Report::Disconnected(reason, self.link.paused_until()));
        let output = self.session.as_mut().map(Session::disconnected).unwrap_or_default();
        output.events.into_iter().for_each(|event| self.report(Report::Event(event)));
    }

    /// Waits for a frame or a command, but no longer than until the next step.
    async fn wait(&mut self, socket: &mut Option<Socket>, longest: Duration) -> Result<(), Stopped> {
        let incoming = async {
            match socket.as_mut() {
                Some(socket) => tokio::select! {
                    frame = socket.next() => Incoming::Frame(frame),
                    command = self.commands.recv() => Incoming::Command(command),
                },
                None => Incoming::Command(self.commands.recv().await),
            }
        };
        match timeout(longest, incoming).await.unwrap_or(Incoming::Nothing) {
            Incoming::Frame(frame) => self.frame(frame, socket).await,
            Incoming::Command(Some(command)) => self.command(command, socket).await,
            Incoming::Command(None) => return Err(Stopped),
            Incoming::Nothing => {}
        }
        Ok(())
    }

    async fn frame(
        &mut self,
        frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
        socket: &mut Option<Socket>,
    ) {
        let now = self.now();
        let ended = match frame {
            Some(Ok(Message::Text(text))) => {
                self.link.heard(true, now);
                let output =
                    self.session.as_mut().map(|session| session.receive(text.as_str(), now)).unwrap_or_default();
                return self.carry_out(output, socket).await;
            }
            Some(Ok(Message::Close(frame))) => CloseReason::from_code(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => return self.link.heard(false, now),
            Some(Err(_)) | None => CloseReason::Lost,
        };
        *socket = None;
        self.link.ended(ended, now);
        self.disconnected(ended);
    }

    async fn command(&mut self, command: Command, socket: &mut Option<Socket>) {
        let now = self.now();
        match self.session.as_mut() {
            Some(session) => {
                let output = session.command(command, now);
                self.carry_out(output, socket).await;
            }
            None => self.early.push_back(command),
        }
    }

    /// Sends frames, and reports events. A frame that can't be sent shows that the connection is lost, which the next read reports.
    async fn carry_out(&mut self, output: Output, socket: &mut Option<Socket>) {
        output.events.into_iter().for_each(|event| self.report(Report::Event(event)));
        if let Some(socket) = socket {
            for frame in output.frames {
                if socket.feed(Message::text(frame)).await.is_err() {
                    return;
                }
            }
            let _ = socket.flush().await;
        }
    }
}
