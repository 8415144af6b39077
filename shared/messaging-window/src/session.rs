//! The conversation of a consumer over one connection after the other.

use std::collections::{BTreeSet, VecDeque};

use connector_liveengage::{
    LiveEngageError,
    event::{AcceptStatus, ChatState},
    id::{AccountId, ConversationId, DialogId, LpConsumerId, Sequence},
    messaging::{self, Close, DialogRef, Publication, Routing},
    messaging_window::{
        Answer, ConversationFilter, DialogPositions, Frame, Names, PendingRequests, Request, RequestKind, Response,
    },
    notification::{Audience, Change, ConversationChange, DialogEvent, Role},
};
use connector_message::code::Code;
use jiff::Timestamp;

/// Names a text, so that its result can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the consumer does. `Debug` hides texts.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Writes a text. Without an open conversation, one is requested first. The text must fit into a request:
    /// [`connector_liveengage::messaging::text_pieces`] splits it.
    #[debug("Say({_0:?}, hidden)")]
    Say(Ticket, String),
    /// Marks messages as received or read.
    Status(DialogRef, AcceptStatus, Vec<Sequence>),
    /// Says whether the consumer types.
    Typing(ChatState),
    /// Closes the conversation, without a survey.
    Close,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message, a receipt or typing of the brand's side that the consumer may see. Each comes once.
    Received(DialogEvent),
    /// The state of a conversation has changed.
    Conversation(ConversationChange),
    /// LiveEngage has accepted the text.
    Sent(Ticket),
    /// LiveEngage has refused the text, or the conversation that it needs.
    Failed(Ticket, LiveEngageError),
    /// The connection ended before the answer: the text may have arrived.
    Uncertain(Ticket),
    /// LiveEngage has refused another request.
    Refused(RequestKind, LiveEngageError),
    /// Something arrived that can't be used: `not_json`, `nobodys_response`, `unreadable_change`, or the name of the unknown type.
    Ignored(Code),
}

/// The result of an input: frames to send, in this order, and what happened.
#[derive(derive_more::Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Text frames.
    #[debug("{} frames", frames.len())]
    pub frames: Vec<String>,
    /// What happened.
    pub events: Vec<Event>,
}

/// What waits for an answer. A text is kept: if the conversation has ended, it opens the next one.
#[derive(Clone)]
enum Waiting {
    Text(Ticket, String),
    Other(RequestKind),
}

/// The conversation of one consumer. It does no IO: [`Session::connected`] and the other inputs return the frames to send.
#[derive(derive_more::Debug)]
pub struct Session {
    account: AccountId,
    /// The originator of the consumer's own events. `None` if the token doesn't name it: then only the role tells them apart.
    consumer: Option<LpConsumerId>,
    routing: Routing,
    connected: bool,
    /// The open dialog in which the consumer writes.
    current: Option<DialogRef>,
    opening: bool,
    /// The dialogs that this connection has subscribed to.
    subscribed: BTreeSet<DialogId>,
    positions: DialogPositions,
    #[debug(skip)]
    pending: PendingRequests<Waiting>,
    /// The texts that wait for a connection or a conversation.
    #[debug(skip)]
    queue: VecDeque<(Ticket, String)>,
}

impl Session {
    /// A session of a consumer, without a connection.
    pub fn new(account: AccountId, consumer: Option<LpConsumerId>, routing: Routing) -> Self {
        Self {
            account,
            consumer,
            routing,
            connected: false,
            current: None,
            opening: false,
            subscribed: BTreeSet::new(),
            positions: DialogPositions::default(),
            pending: PendingRequests::default(),
            queue: VecDeque::new(),
        }
    }

    /// The conversation in which the consumer writes, if one is open.
    pub fn conversation(&self) -> Option<&ConversationId> {
        self.current.as_ref().map(|dialog| &dialog.conversation)
    }

    /// Whether the token of a connection names the consumer of this session.
    pub fn is_of(&self, consumer: Option<&LpConsumerId>) -> bool {
        self.consumer.as_ref() == consumer
    }

    /// A connection is open: subscribes to the conversations, and to the events that are missing.
    pub fn connected(&mut self, now: Timestamp) -> Output {
        let mut output = Output::default();
        self.connected = true;
        self.send(Request::SubscribeConversations(ConversationFilter::All), now, &mut output);
        if let Some(dialog) = self.current.clone() {
            self.subscribe(&dialog, now, &mut output);
        }
        self.flush(now, &mut output);
        output
    }

    /// The connection has ended: no answer to an earlier request will come.
    pub fn disconnected(&mut self) -> Output {
        self.connected = false;
        self.opening = false;
        self.subscribed.clear();
        let lost = self.pending.take_all();
        self.pending = PendingRequests::default();
        let events = lost.into_iter().filter_map(|waiting| match waiting {
            Waiting::Text(ticket, _) => Some(Event::Uncertain(ticket)),
            Waiting::Other(_) => None,
        });
        Output { frames: vec![], events: events.collect() }
    }

    /// The keep-alive request. LiveEngage answers it.
    pub fn ask(&mut self, now: Timestamp) -> Output {
        let mut output = Output::default();
        self.send(Request::GetClock, now, &mut output);
        output
    }

    /// Carries out a command. Without a connection, a text waits for one; typing and statuses are dropped, because they would be late.
    pub fn command(&mut self, command: Command, now: Timestamp) -> Output {
        let mut output = Output::default();
        match command {
            Command::Say(ticket, text) => {
                self.queue.push_back((ticket, text));
                self.flush(now, &mut output);
            }
            Command::Status(dialog, status, sequences) if self.connected => {
                let event = messaging::Event::Status(status, &sequences);
                self.send(Request::Publish(&dialog, event.into()), now, &mut output);
            }
            Command::Typing(state) if self.connected => {
                if let Some(dialog) = self.current.clone() {
                    let event = messaging::Event::ChatState(state);
                    self.send(Request::Publish(&dialog, event.into()), now, &mut output);
                }
            }
            Command::Close if self.connected => {
                if let Some(dialog) = self.current.clone() {
                    self.send(Request::Close(&dialog.conversation, Close::Conversation), now, &mut output);
                }
            }
            Command::Status(..) | Command::Typing(_) | Command::Close => {}
        }
        output
    }

    /// Reads a text frame.
    pub fn receive(&mut self, text: &str, now: Timestamp) -> Output {
        let mut output = Output::default();
        match Frame::read(text) {
            Frame::Response(response) => self.response(&response, now, &mut output),
            Frame::Notification(changes) => {
                for change in changes {
                    match change {
                        Ok(Change::Event(event)) => self.event(event, &mut output),
                        Ok(Change::Conversation(change)) => self.change(change, now, &mut output),
                        Ok(Change::Unknown) => {}
                        Err(_) => output.events.push(Event::Ignored(Code::internal("unreadable_change"))),
                    }
                }
            }
            Frame::Unknown(name) => output.events.push(Event::Ignored(name)),
            Frame::NotJson => output.events.push(Event::Ignored(Code::internal("not_json"))),
        }
        output
    }

    fn response(&mut self, response: &Response, now: Timestamp, output: &mut Output) {
        let Some(waiting) = self.pending.take(response) else {
            return output.events.push(Event::Ignored(Code::internal("nobodys_response")));
        };
        match (waiting, response.answer(RequestKind::GetClock).err()) {
            (Waiting::Text(ticket, _), None) => output.events.push(Event::Sent(ticket)),
            // The documented remedy is to open a conversation and send the text again (Connector API, Send API page).
            (Waiting::Text(ticket, text), Some(LiveEngageError::ConversationClosed { .. })) => {
                self.current = None;
                self.queue.push_back((ticket, text));
                self.flush(now, output);
            }
            (Waiting::Text(ticket, _), Some(error)) => output.events.push(Event::Failed(ticket, error)),
            (Waiting::Other(RequestKind::RequestConversation), _) => self.opened(response, now, output),
            (Waiting::Other(_), None) => {}
            (Waiting::Other(kind), Some(error)) => output.events.push(Event::Refused(kind, error)),
        }
    }

    fn opened(&mut self, response: &Response, now: Timestamp, output: &mut Output) {
        self.opening = false;
        match response.answer(RequestKind::RequestConversation) {
            Ok(Answer::Conversation(conversation)) => {
                self.write_in(&DialogRef::main_of(&conversation), now, output);
            }
            // The subscription to the conversations tells which one is open.
            Err(LiveEngageError::AlreadyOpen { .. }) => {
                if self.current.is_some() {
                    self.flush(now, output);
                }
            }
            Ok(_) => {}
            Err(error) => {
                let waiting = self.queue.drain(..);
                output.events.extend(waiting.map(|(ticket, _)| Event::Failed(ticket, error.clone())));
            }
        }
    }

    fn event(&mut self, event: DialogEvent, output: &mut Output) {
        let is_new = event.sequence.is_none_or(|sequence| self.positions.record(&event.dialog, sequence));
        let is_own = match event.role {
            Role::Consumer => true,
            Role::Brand | Role::Controller => false,
            // Older notifications have no role.
            Role::Unknown => {
                let own = self.consumer.as_ref().map(LpConsumerId::as_str);
                own.is_some() && event.originator.as_deref() == own
            }
        };
        if is_new && !is_own && event.audience == Audience::All {
            output.events.push(Event::Received(event));
        }
    }

    fn change(&mut self, change: ConversationChange, now: Timestamp, output: &mut Output) {
        let dialog = match &change.survey {
            Some(survey) => Some(DialogRef { conversation: change.conversation.clone(), dialog: survey.clone() }),
            None => change.main_open.then(|| DialogRef::main_of(&change.conversation)),
        };
        match dialog {
            Some(dialog) => self.write_in(&dialog, now, output),
            None if self.conversation() == Some(&change.conversation) => self.current = None,
            None => {}
        }
        output.events.push(Event::Conversation(change));
    }

    /// The consumer writes in this dialog from now on.
    fn write_in(&mut self, dialog: &DialogRef, now: Timestamp, output: &mut Output) {
        self.subscribe(dialog, now, output);
        self.current = Some(dialog.clone());
        self.flush(now, output);
    }

    fn subscribe(&mut self, dialog: &DialogRef, now: Timestamp, output: &mut Output) {
        if self.connected && self.subscribed.insert(dialog.dialog.clone()) {
            let from = self.positions.resume_from(&dialog.dialog);
            self.send(Request::SubscribeEvents(dialog, from), now, output);
        }
    }

    /// Sends the waiting texts, or requests the conversation that they need.
    fn flush(&mut self, now: Timestamp, output: &mut Output) {
        if !self.connected || self.opening || self.queue.is_empty() {
            return;
        }
        let Some(dialog) = self.current.clone() else {
            self.opening = true;
            let (account, routing) = (self.account.clone(), self.routing.clone());
            return self.send(Request::RequestConversation(&account, &routing), now, output);
        };
        while let Some((ticket, text)) = self.queue.pop_front() {
            let publication = Publication::from(messaging::Event::Text(&text));
            self.send_waiting(Request::Publish(&dialog, publication), Waiting::Text(ticket, text.clone()), now, output);
        }
    }

    fn send(&mut self, request: Request<'_>, now: Timestamp, output: &mut Output) {
        let waiting = Waiting::Other(request.kind());
        self.send_waiting(request, waiting, now, output);
    }

    fn send_waiting(&mut self, request: Request<'_>, waiting: Waiting, now: Timestamp, output: &mut Output) {
        let id = self.pending.add(waiting.clone(), now);
        match request.frame(&id, Names::Current) {
            Ok(frame) => output.frames.push(frame),
            Err(error) => output.events.push(match waiting {
                Waiting::Text(ticket, _) => Event::Failed(ticket, error),
                Waiting::Other(kind) => Event::Refused(kind, error),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
