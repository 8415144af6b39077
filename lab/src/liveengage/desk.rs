//! The agent's desk, as methods of the handle. There is one agent per account, who answers everything.

use serde_json::Value;
use tokio::sync::broadcast;

use super::conversation::{Conversation, Outgoing, Publication, Refusal};
use super::event::{AcceptStatus, Audience, ChatState, Event, Role};
use super::simulator::LiveEngageSimulator;
use super::view::{ConversationView, DeskChange};
use super::world::World;

/// Why the desk cannot do that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// No conversation has this id.
    #[error("there is no conversation {0}")]
    UnknownConversation(String),
    /// The conversation is closed; it never opens again.
    #[error("conversation {0} is closed")]
    Closed(String),
    /// The simulator does not play this account.
    #[error("there is no account {0}")]
    UnknownAccount(String),
    /// The consumer of this conversation writes through the connector and cannot be played here.
    #[error("conversation {0} is not one of another channel")]
    NotForeign(String),
    /// Structured content and quick replies are JSON objects; the name of the part that is none.
    #[error("{0} must be a JSON object")]
    NotAnObject(&'static str),
}

impl LiveEngageSimulator {
    /// All conversations of all accounts, in the order of their opening.
    pub fn conversations(&self) -> Vec<ConversationView> {
        let state = self.world().state();
        let mut conversations: Vec<&Conversation> = state.conversations.values().collect();
        conversations.sort_by_key(|conversation| conversation.number);
        conversations.into_iter().map(|conversation| ConversationView::of(conversation, &state)).collect()
    }

    /// One conversation.
    ///
    /// # Errors
    /// [`DeskError::UnknownConversation`].
    pub fn conversation(&self, conversation_id: &str) -> Result<ConversationView, DeskError> {
        let state = self.world().state();
        let conversation = state.conversations.get(conversation_id);
        conversation
            .map(|conversation| ConversationView::of(conversation, &state))
            .ok_or_else(|| DeskError::UnknownConversation(conversation_id.to_owned()))
    }

    /// Follows the conversations from now on. A follower that falls 1024 changes behind is told so, and reads all again.
    pub fn subscribe(&self) -> broadcast::Receiver<DeskChange> {
        self.world().desk_changes.subscribe()
    }

    /// The agent accepts the conversation. Nothing happens if that is done already.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn join(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.as_agent(conversation_id, |_, _| Ok(((), Vec::new())))
    }

    /// The agent answers, and accepts the conversation first if need be. Returns the sequence number of the text.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn say(&self, conversation_id: &str, text: &str) -> Result<u64, DeskError> {
        self.say_event(conversation_id, Event::text(text), Audience::All)
    }

    /// The agent leaves a note that only agents and managers may see. Returns its sequence number.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn say_privately(&self, conversation_id: &str, text: &str) -> Result<u64, DeskError> {
        self.say_event(conversation_id, Event::text(text), Audience::AgentsAndManagers)
    }

    /// The agent or a bot sends a text with quick replies below it: a `ContentEvent` with `quickReplies`, which is passed
    /// on as it is, correct or not. Returns its sequence number.
    ///
    /// # Errors
    /// The quick replies are no object, or the conversation is unknown or closed.
    pub fn say_with_quick_replies(
        &self,
        conversation_id: &str,
        text: &str,
        quick_replies: Value,
    ) -> Result<u64, DeskError> {
        must_be_object(&quick_replies, "quick_replies")?;
        self.say_event(conversation_id, Event::with_quick_replies(text, quick_replies), Audience::All)
    }

    /// The agent or a bot sends structured content: a `RichContentEvent` with `content` and `quickReplies`, which are
    /// passed on as they are, correct or not. Returns its sequence number.
    ///
    /// # Errors
    /// One of the two is no object, or the conversation is unknown or closed.
    pub fn say_rich(
        &self,
        conversation_id: &str,
        content: Value,
        quick_replies: Option<Value>,
    ) -> Result<u64, DeskError> {
        must_be_object(&content, "content")?;
        if let Some(quick_replies) = &quick_replies {
            must_be_object(quick_replies, "quick_replies")?;
        }
        self.say_event(conversation_id, Event::RichContent { content, quick_replies }, Audience::All)
    }

    /// The agent begins to type, or stops.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn typing(&self, conversation_id: &str, typing: bool) -> Result<(), DeskError> {
        let chat_state = if typing { ChatState::Composing } else { ChatState::Active };
        self.as_agent(conversation_id, |conversation, now_ms| {
            let (_, out) = publish(conversation, Event::ChatState { chat_state }, Audience::All, now_ms)?;
            Ok(((), vec![out]))
        })
    }

    /// The agent reads all of the consumer's texts. Returns the numbers of those that were unread; without any, no
    /// receipt is sent.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn read(&self, conversation_id: &str) -> Result<Vec<u64>, DeskError> {
        self.as_agent(conversation_id, |conversation, now_ms| {
            let unread = conversation.unread_by_agent();
            if unread.is_empty() {
                return Ok((unread, Vec::new()));
            }
            let event = Event::AcceptStatus { status: AcceptStatus::Read, sequence_list: unread.clone() };
            let (_, out) = publish(conversation, event, Audience::All, now_ms)?;
            Ok((unread, vec![out]))
        })
    }

    /// The agent closes the conversation, joined or not.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn close(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let out = conversation.close(Role::AssignedAgent, None, now_ms)?;
            Ok(((), vec![out]))
        })
    }

    fn say_event(&self, conversation_id: &str, event: Event, audience: Audience) -> Result<u64, DeskError> {
        self.as_agent(conversation_id, |conversation, now_ms| {
            let (sequence, out) = publish(conversation, event, audience, now_ms)?;
            Ok((sequence.unwrap_or_default(), vec![out]))
        })
    }

    /// Does something that only the assigned agent does, so the agent accepts the conversation first.
    fn as_agent<T>(
        &self,
        conversation_id: &str,
        act: impl FnOnce(&mut Conversation, i64) -> Result<(T, Vec<Outgoing>), Refusal>,
    ) -> Result<T, DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let agent_id = World::agent_id(&conversation.opening.account_id);
            let mut outgoing: Vec<Outgoing> = conversation.join(&agent_id, now_ms)?.into_iter().collect();
            let (result, out) = act(conversation, now_ms)?;
            outgoing.extend(out);
            Ok((result, outgoing))
        })
    }

    pub(super) fn in_conversation<T>(
        &self,
        conversation_id: &str,
        act: impl FnOnce(&mut Conversation, i64) -> Result<(T, Vec<Outgoing>), Refusal>,
    ) -> Result<T, DeskError> {
        let changed = self
            .world()
            .change(conversation_id, act)
            .ok_or_else(|| DeskError::UnknownConversation(conversation_id.to_owned()))?;
        // The desk acts on main dialogs, which every conversation has: the one possible refusal is that it is closed.
        changed.map(|changed| changed.result).map_err(|_| DeskError::Closed(conversation_id.to_owned()))
    }
}

fn must_be_object(value: &Value, name: &'static str) -> Result<(), DeskError> {
    if value.is_object() { Ok(()) } else { Err(DeskError::NotAnObject(name)) }
}

/// Publishes in the main dialog, as the agent.
fn publish(
    conversation: &mut Conversation,
    event: Event,
    audience: Audience,
    now_ms: i64,
) -> Result<(Option<u64>, Outgoing), Refusal> {
    let publication = Publication {
        dialog_id: conversation.id.clone(),
        role: Role::AssignedAgent,
        event,
        audience,
        metadata: None,
        client_properties: None,
    };
    conversation.publish(publication, now_ms)
}
