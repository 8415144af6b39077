//! Simulated LiveEngage and channels: they carry out calls, fail, and lose answers.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    messages::{change, conversation_change, event},
    world::{CONVERSATION, DOMAIN_API, ENGAGEMENT, HISTORY, HISTORY_CONVERSATIONS, PROFILE, SEND, SENTINEL, SMS},
};
use connector_message::http::{HttpCall, HttpFailure, HttpReply};

/// A fault of the other side at a call.
pub(super) enum Fault {
    /// No fault, for a call before the one with a fault.
    Nothing,
    /// It answers with this status and body, and carries nothing out.
    Answer(u16, Value),
    /// It carries the call out, and the answer is lost.
    LoseAnswer,
    /// It carries the call out, and answers with this status and an empty body.
    CarryOutAndAnswer(u16),
    /// A proxy answers 200 with a page of its own, and nothing is carried out.
    Page,
    /// There is no connection.
    NotSent,
}

pub(super) struct TheirConversation {
    pub(super) id: String,
    consumer: String,
    open: bool,
    /// The dialog of the survey that is open in it. Then the main dialog is closed.
    survey: Option<String>,
}

impl TheirConversation {
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }
}

/// LiveEngage and the SMS gateway.
#[derive(Default)]
pub(super) struct OtherSide {
    pub(super) conversations: Vec<TheirConversation>,
    /// Texts that LiveEngage published, with their conversations.
    pub(super) texts: Vec<(String, String)>,
    /// Texts that the gateway accepted, with their references.
    pub(super) sms: Vec<(String, String)>,
    pub(super) faults: Vec<(&'static str, Fault)>,
    /// Messages that WhatsApp accepted.
    pub(super) whatsapp: Vec<Value>,
    /// The requests of SEND, unchanged.
    pub(super) requests: Vec<Value>,
    /// Files in LivePerson's storage and at the gateway, by path.
    pub(super) files: HashMap<String, Vec<u8>>,
    /// Notifications of conversations that LiveEngage has not sent yet.
    pub(super) news: Vec<String>,
    /// Notifications of the consumers' own messages that LiveEngage has not sent yet.
    pub(super) echoes: Vec<String>,
    /// LiveEngage's answer for a closed conversation, if it is not the documented one.
    pub(super) closed_words: Option<&'static str>,
    /// Whether LiveEngage closes each conversation as soon as it is open.
    pub(super) closes_at_once: bool,
    /// What LiveEngage's history has: the events of each conversation, and the conversations that have ended.
    pub(super) history: HashMap<String, Vec<Value>>,
    pub(super) ended: Vec<Value>,
    /// The public profiles of agents, by id.
    pub(super) profiles: HashMap<String, Value>,
    /// What the Monitoring API has for every consumer.
    pub(super) engagements: Vec<Value>,
    /// How many events LiveEngage has published.
    published: u64,
    app_jwts: usize,
    consumers: HashMap<String, String>,
}

impl OtherSide {
    pub(super) fn answer(&mut self, call: &HttpCall) -> Result<HttpReply, HttpFailure> {
        let fault = self.faults.iter().position(|(name, _)| *name == call.name).map(|at| self.faults.remove(at).1);
        match fault {
            Some(Fault::NotSent) => Err(HttpFailure::NotSent),
            Some(Fault::Answer(status, body)) => Ok(reply(status, &body)),
            Some(Fault::LoseAnswer) => {
                self.carry_out(call);
                Err(HttpFailure::Unanswered)
            }
            Some(Fault::Page) => Ok(HttpReply { body: "<html>Back soon</html>".into(), ..reply(200, &json!({})) }),
            Some(Fault::CarryOutAndAnswer(status)) => {
                self.carry_out(call);
                Ok(reply(status, &json!({})))
            }
            Some(Fault::Nothing) | None => Ok(self.carry_out(call)),
        }
    }

    fn carry_out(&mut self, call: &HttpCall) -> HttpReply {
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        match call.name {
            DOMAIN_API => reply(200, &hosts()),
            SENTINEL => {
                self.app_jwts += 1;
                reply(200, &json!({"access_token": format!("app-jwt-{}", self.app_jwts), "expires_in": 36_000}))
            }
            "LiveEngage IDP" => {
                let ext = body["ext_consumer_id"].as_str().unwrap();
                let lp = format!("lp-{}", &ext[..16]);
                let claims = URL_SAFE_NO_PAD.encode(json!({"lp_consumer_id": lp}).to_string());
                let token = format!("e30.{claims}.c2ln");
                self.consumers.insert(token.clone(), lp);
                reply(201, &json!({"token": token}))
            }
            CONVERSATION => self.open_conversation(&header(call, "x-lp-on-behalf").unwrap()),
            SEND if body["type"] == "ms.PublishEvent" => self.publish(body),
            SEND => self.send(body),
            SMS => {
                let field = |name: &str| body[name].as_str().unwrap().to_owned();
                self.sms.push((field("text"), field("client_reference")));
                reply(201, &json!({"id": format!("mt-{}", self.sms.len())}))
            }
            PROFILE => {
                let agent = call.url.path_segments().unwrap().next_back().unwrap();
                self.profiles.get(agent).map_or_else(|| reply(404, &Value::Null), |profile| reply(200, profile))
            }
            ENGAGEMENT => reply(
                201,
                &json!({"visitorId": "visitor-1", "sessionId": "session-1", "engagementDetails": self.engagements}),
            ),
            HISTORY => {
                let id = call.url.query_pairs().find(|(name, _)| name == "conversationId").unwrap().1.into_owned();
                reply(200, &json!({"messageEventRecords": self.history.get(&id).cloned().unwrap_or_default()}))
            }
            HISTORY_CONVERSATIONS => reply(200, &json!({"conversationHistoryMetadataRecords": self.ended})),
            "WhatsApp upload" => reply(200, &json!({"id": "640011"})),
            "WhatsApp send" => {
                self.whatsapp.push(body);
                reply(200, &json!({"messages": [{"id": format!("wamid.OUT{}", self.whatsapp.len())}]}))
            }
            _ => self.carry_file(call),
        }
    }

    /// Uploads or downloads a file.
    fn carry_file(&mut self, call: &HttpCall) -> HttpReply {
        match call.name {
            "LiveEngage file upload" => {
                assert_eq!(header(call, "authorization"), None, "the storage must not see the token");
                self.files.insert(call.url.path().to_owned(), call.body.to_vec());
                reply(201, &json!({}))
            }
            "LiveEngage file download" | "SMS gateway media" => match self.files.get(call.url.path()) {
                Some(file) => HttpReply { body: file.clone().into(), ..reply(200, &json!({})) },
                None => reply(404, &json!({})),
            },
            other => panic!("an unknown call: {other}"),
        }
    }

    fn open_conversation(&mut self, token: &str) -> HttpReply {
        let consumer = self.consumers[token].clone();
        if self.conversations.iter().any(|known| known.open && known.consumer == consumer) {
            let refused = json!([
                {"code": "OK", "body": {"msg": "OK User Profile set successfully"}},
                {"code": "BAD_REQUEST", "body": {"msg": format!("User {consumer} already has open conversation")}},
            ]);
            return reply(400, &refused);
        }
        let id = format!("c{}", self.conversations.len() + 1);
        self.news.push(conversation_change(&id, Some(&consumer), "OPEN", 2));
        let open = !self.closes_at_once;
        self.conversations.push(TheirConversation { id: id.clone(), consumer, open, survey: None });
        reply(200, &json!([{"code": "OK", "body": {}}, {"code": "OK", "body": {"conversationId": id}}]))
    }

    /// A SEND that publishes no event.
    fn send(&mut self, body: Value) -> HttpReply {
        let answer = match body["type"].as_str() {
            Some("userprofile.SetUserProfile") => json!({"msg": "OK User Profile set successfully"}),
            Some(name) if name.starts_with("ms.GenerateURLFor") => {
                let path = body["body"]["relativePath"].as_str().unwrap_or("/v1/files/72419083/new");
                let query = json!({"temp_url_sig": "5167", "temp_url_expires": "1800000060"});
                json!({"relativePath": path, "queryParams": query})
            }
            Some("cm.UpdateConversationField") => {
                let id = body["body"]["conversationId"].as_str().unwrap().to_owned();
                if body["body"]["conversationField"]["field"] != "CSATRate" {
                    self.close(&id);
                }
                json!({"msg": "OK Conversation resolved successfully"})
            }
            other => panic!("an unknown request: {other:?}"),
        };
        self.requests.push(body);
        reply(200, &json!({"code": "OK", "body": answer}))
    }

    fn publish(&mut self, body: Value) -> HttpReply {
        let id = body["body"]["conversationId"].as_str().unwrap().to_owned();
        self.requests.push(body.clone());
        let dialog = body["body"]["dialogId"].as_str().unwrap();
        let takes = |known: &TheirConversation| known.survey.as_deref().unwrap_or(&known.id) == dialog;
        if !self.conversations.iter().any(|known| known.open && known.id == id && takes(known)) {
            let words = self.closed_words.unwrap_or("Bad Request, Conversation is close");
            return reply(400, &json!({"code": "BAD_REQUEST", "body": {"msg": words}}));
        }
        if body["body"]["event"]["type"] == "ChatStateEvent" {
            return reply(200, &json!({"code": "OK", "body": {"sequence": 0}}));
        }
        self.published += 1;
        let content = &body["body"]["event"];
        let echo = event(&id, self.published, "CONSUMER", "ALL", content);
        self.echoes.push(change("ms.MessagingEventNotification", 0, &echo));
        if let Some(text) = content["message"].as_str() {
            self.texts.push((id, text.to_owned()));
        }
        reply(200, &json!({"code": "OK", "body": {"sequence": self.published}}))
    }

    pub(super) fn close(&mut self, id: &str) {
        for known in self.conversations.iter_mut().filter(|known| known.id == id) {
            known.open = false;
        }
    }

    /// Ends the main dialog, and begins a survey in this dialog.
    pub(super) fn begin_survey(&mut self, id: &str, dialog: &str) {
        for known in self.conversations.iter_mut().filter(|known| known.id == id) {
            known.survey = Some(dialog.to_owned());
        }
    }

    pub(super) fn sms_texts(&self) -> Vec<&str> {
        self.sms.iter().map(|(text, _)| text.as_str()).collect()
    }
}

pub(super) fn reply(status: u16, body: &Value) -> HttpReply {
    HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
}

pub(super) fn hosts() -> Value {
    json!({"baseURIs": [
        {"service": "asyncMessagingEnt", "baseURI": "msg.liveengage.example"},
        {"service": "sentinel", "baseURI": "sentinel.liveengage.example"},
        {"service": "idp", "baseURI": "idp.liveengage.example"},
        {"service": "msgHist", "baseURI": "history.liveengage.example"},
        {"service": "acCdnDomain", "baseURI": "profiles.liveengage.example"},
        {"service": "smt", "baseURI": "monitoring.liveengage.example"},
        {"service": "swift", "baseURI": "swift.liveengage.example"},
    ]})
}

fn header(call: &HttpCall, name: &str) -> Option<String> {
    call.headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}
