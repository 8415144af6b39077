//! The agent's desk, as methods of the handle. There is one agent per account, who answers everything.

use serde_json::Value;
use tokio::sync::broadcast;

use super::conversation::{Closer, Conversation, Outgoing, Publication, Refusal};
use super::event::{AcceptStatus, Audience, ChatState, Content, Event, FormInvitation, HostedFile};
use super::files::{NewFile, Owner};
use super::simulator::LiveEngageSimulator;
use super::view::{ConversationView, DeskChange};

/// A picture of one point: what stands for the preview of an agent's image.
const PREVIEW: &str = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/// Why the desk cannot do that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// No conversation has this id.
    #[error("there is no conversation {0}")]
    UnknownConversation(String),
    /// The conversation, or its main dialog, is closed; it never opens again.
    #[error("conversation {0} is closed")]
    Closed(String),
    /// This is only possible once the main dialog is closed.
    #[error("conversation {0} is open")]
    StillOpen(String),
    /// The simulator does not play this account.
    #[error("there is no account {0}")]
    UnknownAccount(String),
    /// The consumer of this conversation writes through the connector and cannot be played here.
    #[error("conversation {0} is not one of another channel")]
    NotForeign(String),
    /// Structured content and quick replies are JSON objects; the name of the part that is none.
    #[error("{0} must be a JSON object")]
    NotAnObject(&'static str),
    /// Metadata is a JSON array.
    #[error("metadata must be a JSON array")]
    NotAnArray,
    /// The file cannot be sent.
    #[error("the file cannot be sent: {0}")]
    BadFile(&'static str),
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

    /// An agent accepts the conversation: the suggested one, or else the desk's. Nothing happens if one has it already.
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
        self.say_event(conversation_id, Event::text(text), Audience::All, None)
    }

    /// A bot sends a text with metadata beside it, an array that is passed on as it is. Returns the sequence number.
    ///
    /// # Errors
    /// The metadata are no array, or the conversation is unknown or closed.
    pub fn say_with_metadata(&self, conversation_id: &str, text: &str, metadata: Value) -> Result<u64, DeskError> {
        if !metadata.is_array() {
            return Err(DeskError::NotAnArray);
        }
        self.say_event(conversation_id, Event::text(text), Audience::All, Some(metadata))
    }

    /// The agent leaves a note that only agents and managers may see. Returns its sequence number.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn say_privately(&self, conversation_id: &str, text: &str) -> Result<u64, DeskError> {
        self.say_event(conversation_id, Event::text(text), Audience::AgentsAndManagers, None)
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
        self.say_event(conversation_id, Event::text_with(text, Some(quick_replies)), Audience::All, None)
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
        self.say_event(conversation_id, Event::RichContent { content, quick_replies }, Audience::All, None)
    }

    /// The agent sends a file: it is put into the storage, and a `hosted/file` names it. Returns the sequence number.
    ///
    /// # Errors
    /// The file is empty or its type is no word, or the conversation is unknown or closed.
    pub fn say_file(&self, conversation_id: &str, file: NewFile) -> Result<u64, DeskError> {
        if let Some(fault) = file.fault() {
            return Err(DeskError::BadFile(fault));
        }
        self.as_agent(conversation_id, |conversation, now_ms| {
            let Conversation { opening, .. } = &*conversation;
            let owner = Owner { account_id: &opening.account_id, consumer_id: &opening.consumer_id };
            let relative_path = self.world().files().add(owner, &file);
            let preview = file.is_image().then(|| PREVIEW.to_owned());
            let NewFile { file_type, caption, .. } = file;
            let message = HostedFile { caption, relative_path, file_type, preview };
            let event = Event::Content(Content::File { message });
            let (sequence, out) = publish(conversation, event, Audience::All, None, now_ms)?;
            Ok((sequence.unwrap_or_default(), out))
        })
    }

    /// The agent invites the consumer to fill a secure form in (`forms/secure-invitation`). Only after that a
    /// `forms/secure-submission` with the same id is taken. Returns the sequence number.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn say_form_invitation(
        &self,
        conversation_id: &str,
        invitation_id: &str,
        title: &str,
    ) -> Result<u64, DeskError> {
        let message = FormInvitation { invitation_id: invitation_id.to_owned(), title: title.to_owned() };
        let event = Event::Content(Content::FormInvitation { message });
        self.say_event(conversation_id, event, Audience::All, None)
    }

    /// The agent begins to type, or stops.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn typing(&self, conversation_id: &str, typing: bool) -> Result<(), DeskError> {
        let chat_state = if typing { ChatState::Composing } else { ChatState::Active };
        self.as_agent(conversation_id, |conversation, now_ms| {
            let (_, out) = publish(conversation, Event::chat_state(chat_state), Audience::All, None, now_ms)?;
            Ok(((), out))
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
            let (_, out) = publish(conversation, event, Audience::All, None, now_ms)?;
            Ok((unread, out))
        })
    }

    /// The agent closes the main dialog, joined or not. If the account has a survey, an agent has the conversation and
    /// every call of the consumer declared MULTI_DIALOG, the survey begins; else the conversation is closed with that.
    ///
    /// # Errors
    /// The conversation is unknown, or its main dialog closed.
    pub fn close(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let main = conversation.id.clone();
            Ok(((), conversation.close_dialog(&main, Closer::Agent, None, now_ms)?))
        })
    }

    /// LivePerson closes everything at once, as it does when nothing was said for long. No survey follows, and one that
    /// runs ends.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn system_close(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            Ok(((), vec![conversation.close_all(Closer::System, None, now_ms)?]))
        })
    }

    /// A text of the agent that was under way when the main dialog closed, and is published in it all the same. Returns
    /// its sequence number.
    ///
    /// # Errors
    /// The conversation is unknown, or its main dialog still open.
    pub fn say_after_close(&self, conversation_id: &str, text: &str) -> Result<u64, DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let last_words = Publication::by(conversation.agent(), conversation.id.clone(), Event::text(text));
            let (sequence, out) = conversation.publish_late(last_words, now_ms)?;
            Ok((sequence.unwrap_or_default(), vec![out]))
        })
    }

    fn say_event(
        &self,
        conversation_id: &str,
        event: Event,
        audience: Audience,
        metadata: Option<Value>,
    ) -> Result<u64, DeskError> {
        self.as_agent(conversation_id, |conversation, now_ms| {
            let (sequence, out) = publish(conversation, event, audience, metadata, now_ms)?;
            Ok((sequence.unwrap_or_default(), out))
        })
    }

    /// Does something that only the assigned agent does, so the agent accepts the conversation first.
    fn as_agent<T>(
        &self,
        conversation_id: &str,
        act: impl FnOnce(&mut Conversation, i64) -> Result<(T, Vec<Outgoing>), Refusal>,
    ) -> Result<T, DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let mut outgoing: Vec<Outgoing> = conversation.join(now_ms)?.into_iter().collect();
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
        changed.map(|changed| changed.result).map_err(|refusal| match refusal {
            Refusal::StillOpen => DeskError::StillOpen(conversation_id.to_owned()),
            // The desk acts on main dialogs, which every conversation has, and says nothing impossible.
            Refusal::Closed | Refusal::UnknownDialog | Refusal::Impossible => {
                DeskError::Closed(conversation_id.to_owned())
            }
        })
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
    metadata: Option<Value>,
    now_ms: i64,
) -> Result<(Option<u64>, Vec<Outgoing>), Refusal> {
    let publication =
        Publication { audience, metadata, ..Publication::by(conversation.agent(), conversation.id.clone(), event) };
    conversation.publish(publication, now_ms)
}
