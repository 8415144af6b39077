//! LiveEngage: conversations, and the APIs that the connector calls.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    agenda::Event,
    channel::PICTURE,
    faults::Condition,
    invariant::Invariant,
    invocation::InvocationId,
    notifications::Notification,
    ports::reply,
    truth::{Piece, Writer},
    world::World,
};
use connector_message::http::{HttpCall, HttpReply};

/// The only account.
pub(super) const ACCOUNT: &str = "72419083";
/// Its app install.
pub(super) const INSTALL: &str = "5b8e1f40";
/// How long an AppJWT is valid.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How many of a thousand conversations begin with a bot's greeting, which comes before any text of the consumer.
const GREETINGS: u16 = 300;
/// How many of a thousand conversations that an agent ends have a survey.
const SURVEYS: u16 = 400;

/// Which dialog of a conversation is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Main,
    /// The main dialog is closed, and a survey runs.
    Survey,
    Closed,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) id: String,
    pub(super) consumer: String,
    pub(super) stage: Stage,
    /// The numbers of the last events, in the main dialog and in the survey's.
    pub(super) sequences: [u64; 2],
    /// How many things an agent will still do in it.
    pub(super) agent_acts: u32,
}

/// LiveEngage.
#[derive(Debug, Default)]
pub(super) struct LiveEngage {
    pub(super) condition: Condition,
    /// The app install's client secret, with which notifications are signed.
    pub(super) secret: String,
    /// How many client secrets there were.
    secrets: u64,
    pub(super) conversations: Vec<Conversation>,
    /// The open conversation of each consumer, by index.
    open: BTreeMap<String, usize>,
    /// Consumers by their tokens.
    consumers: BTreeMap<String, String>,
    /// AppJWTs with their expiry.
    tokens: BTreeMap<String, Timestamp>,
    /// How many addresses of files were given out, and the paths of those that were uploaded.
    files: u64,
    uploaded: BTreeSet<String>,
    pub(super) notifications: BTreeMap<u64, Notification>,
    pub(super) notified: u64,
}

/// Who sent an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Agent,
    Consumer,
}

impl LiveEngage {
    /// Creates LiveEngage without any conversation.
    pub(super) fn new() -> Self {
        let mut liveengage = Self::default();
        liveengage.secret = liveengage.next_secret();
        liveengage
    }

    /// Makes a new client secret, which LiveEngage doesn't use yet.
    pub(super) fn next_secret(&mut self) -> String {
        self.secrets += 1;
        format!("sim-client-s3cret-{}", self.secrets)
    }
}

impl Conversation {
    /// Returns the id of the open dialog.
    pub(super) fn dialog(&self) -> String {
        if self.stage == Stage::Survey { self.survey() } else { self.id.clone() }
    }

    /// Returns the id of the survey's dialog.
    pub(super) fn survey(&self) -> String {
        format!("{}-survey", self.id)
    }
}

impl World {
    /// Carries out a call to LiveEngage. Returns the answer, and the pieces that are shown to agents now.
    pub(super) fn liveengage_answers(&mut self, call: &HttpCall, by: InvocationId) -> (HttpReply, Vec<Piece>) {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let now = self.agenda.now();
        if let Some(reply) = self.history_answers(call) {
            return (reply, vec![]);
        }
        match call.name {
            "LiveEngage Domain API" => return (reply(200, hosts()), vec![]),
            "LiveEngage Sentinel" => {
                // The form is URL-encoded.
                if !String::from_utf8_lossy(&call.body).ends_with(&format!("client_secret={}", self.liveengage.secret))
                {
                    return (reply(401, json!({"error": "invalid_client"}).to_string()), vec![]);
                }
                let claims = json!({"iat": self.liveengage_now().as_second()}).to_string();
                let number = self.liveengage.tokens.len() + 1;
                let token = format!("e30.{}.app-jwt-{number}", URL_SAFE_NO_PAD.encode(claims));
                self.liveengage.tokens.insert(token.clone(), now + TOKEN_LIFE);
                return (reply(200, json!({"access_token": token, "expires_in": 3600}).to_string()), vec![]);
            }
            name if name.starts_with("LiveEngage file") => return (self.liveengage_file(call), vec![]),
            _ => {}
        }
        let is_valid = self.liveengage.tokens.get(&header(call, "authorization")).is_some_and(|until| *until > now);
        let World { agenda, faults, .. } = self;
        if !is_valid || agenda.random.hits(faults.token_refused) {
            return (refused_token("Invalid AppJWT", 40_102), vec![]);
        }
        if call.headers.contains_key("x-lp-on-behalf") && agenda.random.hits(faults.consumer_refused) {
            return (refused_token("Invalid ConsumerJWS", 40_103), vec![]);
        }
        match call.name {
            "LiveEngage IDP" => (self.identify(&body), vec![]),
            "LiveEngage CONVERSATION" => (self.open_conversation(&header(call, "x-lp-on-behalf")), vec![]),
            "LiveEngage SEND" if body["type"] == "ms.PublishEvent" => self.publish(&body["body"], by),
            "LiveEngage SEND" => (self.other_send(&body), vec![]),
            other => panic!("LiveEngage gets an unknown call: {other}"),
        }
    }

    fn identify(&mut self, body: &Value) -> HttpReply {
        let ext = body["ext_consumer_id"].as_str().unwrap();
        let lp = format!("lp-{}", &ext[..16]);
        let claims = URL_SAFE_NO_PAD.encode(json!({"lp_consumer_id": lp}).to_string());
        let token = format!("e30.{claims}.c2ln{}", self.liveengage.consumers.len());
        self.liveengage.consumers.insert(token.clone(), lp);
        reply(201, json!({"token": token}).to_string())
    }

    /// A SEND that publishes no event.
    fn other_send(&mut self, request: &Value) -> HttpReply {
        let body = &request["body"];
        let answer = match request["type"].as_str().unwrap_or_default() {
            "cm.UpdateConversationField" => {
                let index = self.conversation(body["conversationId"].as_str().unwrap_or_default());
                index.into_iter().for_each(|index| self.close(index));
                json!({"msg": "OK Conversation resolved successfully"})
            }
            name if name.starts_with("ms.GenerateURLFor") => {
                self.liveengage.files += 1;
                let new = format!("/v1/AUTH_async-images/{ACCOUNT}/sim_{}.PNG", self.liveengage.files);
                let path = body["relativePath"].as_str().unwrap_or(&new);
                json!({"relativePath": path, "queryParams": {"temp_url_sig": "5167", "temp_url_expires": "1800000060"}})
            }
            _ => json!({"msg": "OK"}),
        };
        reply(200, json!({"code": "OK", "body": answer}).to_string())
    }

    /// The storage takes or hands out a file.
    fn liveengage_file(&mut self, call: &HttpCall) -> HttpReply {
        if call.name == "LiveEngage file upload" {
            if *call.body != *PICTURE {
                self.truth.broken(Invariant::Lost, format_args!("LiveEngage gets other bytes than the consumer's"));
            }
            self.liveengage.uploaded.insert(call.url.path().to_owned());
            return reply(201, String::new());
        }
        HttpReply { body: PICTURE.into(), ..reply(200, String::new()) }
    }

    fn conversation(&self, id: &str) -> Option<usize> {
        id.strip_prefix("conversation-")?.parse::<usize>().ok()?.checked_sub(1)
    }

    fn open_conversation(&mut self, token: &str) -> HttpReply {
        let consumer = self.liveengage.consumers[token].clone();
        if self.liveengage.open.contains_key(&consumer) {
            let refused = json!([
                {"code": "OK", "body": {"msg": "OK User Profile set successfully"}},
                {"code": "BAD_REQUEST", "body": {"msg": format!("User {consumer} already has open conversation")}},
            ]);
            return reply(400, refused.to_string());
        }
        let index = self.liveengage.conversations.len();
        let id = format!("conversation-{}", index + 1);
        let (stage, sequences) = (Stage::Main, [0, 0]);
        let conversation = Conversation { id: id.clone(), consumer: consumer.clone(), stage, sequences, agent_acts: 0 };
        self.liveengage.conversations.push(conversation);
        self.liveengage.open.insert(consumer, index);
        self.agenda.note(format_args!("LiveEngage opens {id}"));
        self.notify_state(index);
        if self.agenda.random.hits(GREETINGS) {
            self.liveengage.conversations[index].agent_acts = 1;
            let after = self.agenda.random.millis(0, 400);
            self.agenda.after(after, Event::Agent(index));
        }
        reply(200, json!([{"code": "OK", "body": {}}, {"code": "OK", "body": {"conversationId": id}}]).to_string())
    }

    /// A consumer's event is published.
    fn publish(&mut self, request: &Value, by: InvocationId) -> (HttpReply, Vec<Piece>) {
        let takes = |conversation: &Conversation| {
            conversation.stage != Stage::Closed && request["dialogId"] == conversation.dialog().as_str()
        };
        let index = self.conversation(request["conversationId"].as_str().unwrap_or_default());
        let Some(index) = index.filter(|index| takes(&self.liveengage.conversations[*index])) else {
            let closed = json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request, Conversation is close"}});
            return (reply(400, closed.to_string()), vec![]);
        };
        let event = &request["event"];
        if event["type"] == "ChatStateEvent" {
            return (reply(200, json!({"code": "OK", "body": {"sequence": 0}}).to_string()), vec![]);
        }
        let text = event["message"].as_str().or(event["message"]["caption"].as_str()).unwrap_or_default();
        let pieces = self.truth.pieces_of(Writer::Consumer, text);
        if let Some(path) = event["message"]["relativePath"].as_str()
            && !self.liveengage.uploaded.contains(path)
        {
            self.truth.broken(Invariant::Lost, format_args!("{by} publishes a file that was not uploaded"));
        }
        let World { agenda, faults, .. } = self;
        if !pieces.is_empty() && agenda.random.hits(faults.refused) {
            return (reply(400, json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}}).to_string()), vec![]);
        }
        let sequence = self.show(index, Role::Consumer, event);
        self.shown(&pieces, by);
        pieces.iter().for_each(|piece| self.opened_by(index, *piece));
        if !pieces.is_empty() {
            self.agent_notices(index);
        }
        (reply(200, json!({"code": "OK", "body": {"sequence": sequence}}).to_string()), pieces)
    }

    /// Adds an event to a conversation, and notifies the connector of it. Returns its number.
    pub(super) fn show(&mut self, index: usize, role: Role, event: &Value) -> u64 {
        let conversation = &mut self.liveengage.conversations[index];
        let last = &mut conversation.sequences[usize::from(conversation.stage == Stage::Survey)];
        *last += 1;
        let sequence = *last;
        self.agenda.note(format_args!("LiveEngage shows {} {sequence} of {role:?}", conversation.dialog()));
        self.notify_event(index, role, sequence, event);
        sequence
    }

    /// An agent ends the main dialog. A survey may follow.
    pub(super) fn end_main(&mut self, index: usize) {
        if !self.agenda.random.hits(SURVEYS) {
            self.close(index);
            return;
        }
        let conversation = &mut self.liveengage.conversations[index];
        conversation.stage = Stage::Survey;
        conversation.agent_acts += 1;
        self.agenda.note(format_args!("a survey begins in {}", conversation.id));
        self.notify_state(index);
        self.agenda.after(SignedDuration::from_millis(200), Event::Agent(index));
    }

    /// LiveEngage takes the newest client secret.
    pub(super) fn take_secret(&mut self) {
        self.liveengage.secret = format!("sim-client-s3cret-{}", self.liveengage.secrets);
        self.agenda.note(format_args!("LiveEngage takes the newest client secret"));
    }

    /// Closes a conversation, if it is open.
    pub(super) fn close(&mut self, index: usize) {
        let conversation = &mut self.liveengage.conversations[index];
        if conversation.stage == Stage::Closed {
            return;
        }
        conversation.stage = Stage::Closed;
        self.liveengage.open.remove(&conversation.consumer);
        self.agenda.note(format_args!("LiveEngage closes {}", conversation.id));
        self.notify_state(index);
    }
}

fn header(call: &HttpCall, name: &str) -> String {
    call.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn refused_token(title: &str, code: u32) -> HttpReply {
    reply(401, json!({"kind": "resp", "code": 401, "body": {"title": title, "errorCode": code}}).to_string())
}

fn hosts() -> String {
    json!({"baseURIs": [
        {"service": "asyncMessagingEnt", "baseURI": "msg.liveengage.example"},
        {"service": "sentinel", "baseURI": "sentinel.liveengage.example"},
        {"service": "idp", "baseURI": "idp.liveengage.example"},
        {"service": "msgHist", "baseURI": "history.liveengage.example"},
        {"service": "swift", "baseURI": "swift.liveengage.example"},
    ]})
    .to_string()
}
