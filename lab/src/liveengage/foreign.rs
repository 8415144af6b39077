//! Conversations of other channels: the webhooks of an account carry them too, and they are none of the connector's.

use serde_json::{Value, json};
use uuid::Uuid;

use super::conversation::{Opening, Publication, TimeToRespond};
use super::desk::DeskError;
use super::event::Event;
use super::simulator::LiveEngageSimulator;
use super::tokens::consumer_id;

/// Who says a line of a foreign conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A visitor of the brand's web site.
    Visitor,
    /// The agent, at the same desk as ever.
    Agent,
}

impl LiveEngageSimulator {
    /// A web chat of another channel: a new visitor opens a conversation, and these lines are said in it. Returns its id;
    /// the desk's methods work on it as on any other.
    ///
    /// # Errors
    /// [`DeskError::UnknownAccount`].
    pub fn foreign_conversation(&self, account_id: &str, lines: &[(Speaker, &str)]) -> Result<String, DeskError> {
        if !self.world().accounts.contains_key(account_id) {
            return Err(DeskError::UnknownAccount(account_id.to_owned()));
        }
        let visitor = Uuid::new_v4().to_string();
        let opened = self.world().open_conversation(Opening {
            account_id: account_id.to_owned(),
            consumer_id: consumer_id(account_id, &visitor),
            external_id: None,
            skill_id: "-1".to_owned(),
            ttr: TimeToRespond { kind: "PRIORITIZED", seconds: 600 },
            campaign_info: None,
            context: Some(json!({
                "type": "SharkContext",
                "lang": "en-US",
                "clientProperties": web_client(),
                "visitorId": visitor,
            })),
            client_properties: Some(web_client()),
            request: Value::Null,
            foreign: true,
        });
        let id = opened.map_err(|_| DeskError::UnknownAccount(account_id.to_owned()))?.result;
        for (speaker, text) in lines {
            match speaker {
                Speaker::Visitor => self.foreign_visitor_says(&id, text)?,
                Speaker::Agent => self.say(&id, text)?,
            };
        }
        Ok(id)
    }

    /// The visitor of a foreign conversation writes, be it into the survey after it. Returns the sequence number of the text.
    ///
    /// # Errors
    /// The conversation is unknown, closed, or one that the connector opened.
    pub fn foreign_visitor_says(&self, conversation_id: &str, text: &str) -> Result<u64, DeskError> {
        if !self.conversation(conversation_id)?.foreign {
            return Err(DeskError::NotForeign(conversation_id.to_owned()));
        }
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let (author, dialog) = (conversation.consumer(), conversation.current_dialog_id().to_owned());
            let publication = Publication {
                client_properties: Some(web_client()),
                ..Publication::by(author, dialog, Event::text(text))
            };
            let (sequence, out) = conversation.publish(publication, now_ms)?;
            Ok((sequence.unwrap_or_default(), out))
        })
    }
}

/// What a browser declares of itself.
fn web_client() -> Value {
    json!({
        "type": ".ClientProperties",
        "appId": "webAsync",
        "deviceFamily": "DESKTOP",
        "os": "LINUX",
        "integration": "WEB_SDK",
        "browser": "FIREFOX",
        "features": ["AUTO_MESSAGES", "RICH_CONTENT", "MULTI_DIALOG"],
    })
}
