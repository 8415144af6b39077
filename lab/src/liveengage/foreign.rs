//! Conversations of other channels. An account's webhooks report them too, and the connector must ignore them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::conversation::{Opening, Publication, TimeToRespond};
use super::desk::DeskError;
use super::event::Event;
use super::simulator::LiveEngageSimulator;
use super::tokens::consumer_id;

/// The author of a text in a foreign conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// A visitor of the brand's web site.
    Visitor,
    /// The agent, at the same desk.
    Agent,
}

impl LiveEngageSimulator {
    /// Opens a web chat of another channel with a new visitor and these texts. Returns its id. The desk's methods work
    /// on it as on any other conversation.
    ///
    /// # Errors
    /// [`DeskError::UnknownAccount`].
    pub fn foreign_conversation(&self, account_id: &str, lines: &[(Speaker, &str)]) -> Result<String, DeskError> {
        if !self.backend().accounts.contains_key(account_id) {
            return Err(DeskError::UnknownAccount(account_id.to_owned()));
        }
        let visitor = Uuid::new_v4().to_string();
        let opened = self.backend().open_conversation(Opening {
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

    /// Sends a text from the visitor of a foreign conversation, also into its survey. Returns the sequence number.
    ///
    /// # Errors
    /// The conversation is unknown, closed, or was opened by the connector.
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

/// The client properties of a browser.
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
