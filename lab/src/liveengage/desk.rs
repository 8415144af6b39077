//! The agent's desk, as methods of the handle. Each account has one agent who answers everything.

use serde_json::Value;
use tokio::sync::broadcast;

use super::conversation::{Closer, Conversation, ConversationError, PendingNotification, Publication};
use super::event::{AcceptStatus, Audience, ChatState, Content, Event, FormInvitation, HostedFile};
use super::files::{FileOwner, NewFile};
use super::simulator::LiveEngageSimulator;
use super::view::{ConversationView, DeskChange};

/// A one-pixel picture, used as the preview of an agent's image.
const PREVIEW: &str = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

/// Why the desk refuses an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// No conversation has this id.
    #[error("there is no conversation {0}")]
    UnknownConversation(String),
    /// The conversation, or its main dialog, is closed and can't be opened again.
    #[error("conversation {0} is closed")]
    Closed(String),
    /// The action requires a closed main dialog.
    #[error("conversation {0} is open")]
    StillOpen(String),
    /// The simulator doesn't have this account.
    #[error("there is no account {0}")]
    UnknownAccount(String),
    /// The consumer of this conversation writes through the connector and can't be simulated here.
    #[error("conversation {0} was not opened by another channel")]
    NotForeign(String),
    /// Structured content and quick replies must be JSON objects; holds the name of the part that is not.
    #[error("{0} must be a JSON object")]
    NotAnObject(&'static str),
    /// Metadata must be a JSON array.
    #[error("metadata must be a JSON array")]
    NotAnArray,
    /// The file can't be sent.
    #[error("the file cannot be sent: {0}")]
    BadFile(&'static str),
}

impl LiveEngageSimulator {
    /// All conversations of all accounts, in the order of opening.
    pub fn conversations(&self) -> Vec<ConversationView> {
        let state = self.backend().state();
        let mut conversations: Vec<&Conversation> = state.conversations.values().collect();
        conversations.sort_by_key(|conversation| conversation.number);
        conversations.into_iter().map(|conversation| state.view(conversation)).collect()
    }

    /// One conversation.
    ///
    /// # Errors
    /// [`DeskError::UnknownConversation`].
    pub fn conversation(&self, conversation_id: &str) -> Result<ConversationView, DeskError> {
        let state = self.backend().state();
        let conversation = state.conversations.get(conversation_id);
        conversation
            .map(|conversation| state.view(conversation))
            .ok_or_else(|| DeskError::UnknownConversation(conversation_id.to_owned()))
    }

    /// Follows the conversations from now on. A follower that falls 1024 changes behind is notified and reads all
    /// again.
    pub fn subscribe(&self) -> broadcast::Receiver<DeskChange> {
        self.backend().desk_changes.subscribe()
    }

    /// An agent accepts the conversation: the suggested one, or else the desk's. Does nothing if an agent has it
    /// already.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn join(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.act_as_agent(conversation_id, |_, _| Ok(((), Vec::new())))
    }

    /// Sends a text from the agent, who accepts the conversation first if necessary. Returns the sequence number.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn say(&self, conversation_id: &str, text: &str) -> Result<u64, DeskError> {
        self.say_event(conversation_id, Event::text(text), Audience::All, None)
    }

    /// Sends a text with metadata from a bot. The metadata array is passed on unchanged. Returns the sequence number.
    ///
    /// # Errors
    /// The metadata is not an array, or the conversation is unknown or closed.
    pub fn say_with_metadata(&self, conversation_id: &str, text: &str, metadata: Value) -> Result<u64, DeskError> {
        if !metadata.is_array() {
            return Err(DeskError::NotAnArray);
        }
        self.say_event(conversation_id, Event::text(text), Audience::All, Some(metadata))
    }

    /// Adds a note that only agents and managers may see. Returns its sequence number.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn say_privately(&self, conversation_id: &str, text: &str) -> Result<u64, DeskError> {
        self.say_event(conversation_id, Event::text(text), Audience::AgentsAndManagers, None)
    }

    /// Sends a text with quick replies from the agent or a bot: a `ContentEvent` with `quickReplies`, which is passed
    /// on unchanged, valid or not. Returns the sequence number.
    ///
    /// # Errors
    /// The quick replies are not an object, or the conversation is unknown or closed.
    pub fn say_with_quick_replies(
        &self,
        conversation_id: &str,
        text: &str,
        quick_replies: Value,
    ) -> Result<u64, DeskError> {
        must_be_object(&quick_replies, "quick_replies")?;
        self.say_event(conversation_id, Event::text_with(text, Some(quick_replies)), Audience::All, None)
    }

    /// Sends structured content from the agent or a bot: a `RichContentEvent` with `content` and `quickReplies`, which
    /// are passed on unchanged, valid or not. Returns the sequence number.
    ///
    /// # Errors
    /// One of the two is not an object, or the conversation is unknown or closed.
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

    /// Sends a file from the agent: it is stored, and a `hosted/file` names it. Returns the sequence number.
    ///
    /// # Errors
    /// The file is empty or its type is invalid, or the conversation is unknown or closed.
    pub fn say_file(&self, conversation_id: &str, file: NewFile) -> Result<u64, DeskError> {
        if let Some(fault) = file.problem() {
            return Err(DeskError::BadFile(fault));
        }
        self.act_as_agent(conversation_id, |conversation, now_ms| {
            let Conversation { opening, .. } = &*conversation;
            let owner = FileOwner { account_id: &opening.account_id, consumer_id: &opening.consumer_id };
            let relative_path = self.backend().files().add(owner, &file);
            let preview = file.is_image().then(|| PREVIEW.to_owned());
            let NewFile { file_type, caption, .. } = file;
            let message = HostedFile { caption, relative_path, file_type, preview };
            let event = Event::Content(Content::File { message });
            let (sequence, out) = publish(conversation, event, Audience::All, None, now_ms)?;
            Ok((sequence.unwrap_or_default(), out))
        })
    }

    /// Invites the consumer to fill in a secure form (`forms/secure-invitation`). Only then is a
    /// `forms/secure-submission` with the same id accepted. Returns the sequence number.
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

    /// Starts or stops typing.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn typing(&self, conversation_id: &str, typing: bool) -> Result<(), DeskError> {
        let chat_state = if typing { ChatState::Composing } else { ChatState::Active };
        self.act_as_agent(conversation_id, |conversation, now_ms| {
            let (_, out) = publish(conversation, Event::chat_state(chat_state), Audience::All, None, now_ms)?;
            Ok(((), out))
        })
    }

    /// Marks all of the consumer's texts as read. Returns the sequence numbers of those that were unread; if there were
    /// none, no receipt is sent.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn read(&self, conversation_id: &str) -> Result<Vec<u64>, DeskError> {
        self.act_as_agent(conversation_id, |conversation, now_ms| {
            let unread = conversation.unread_by_agent();
            if unread.is_empty() {
                return Ok((unread, Vec::new()));
            }
            let event = Event::AcceptStatus { status: AcceptStatus::Read, sequence_list: unread.clone() };
            let (_, out) = publish(conversation, event, Audience::All, None, now_ms)?;
            Ok((unread, out))
        })
    }

    /// Closes the main dialog, whether or not the agent has joined.
    ///
    /// A survey starts if the account has one, an agent has the conversation, and every call of the consumer declared
    /// MULTI_DIALOG. Otherwise this closes the conversation.
    ///
    /// # Errors
    /// The conversation is unknown, or its main dialog is closed.
    pub fn close(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let main = conversation.id.clone();
            Ok(((), conversation.close_dialog(&main, Closer::Agent, None, now_ms)?))
        })
    }

    /// Closes everything at once, as LivePerson does after a long idle time. No survey follows, and a running one ends.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn system_close(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            Ok(((), vec![conversation.close_all(Closer::System, None, now_ms)?]))
        })
    }

    /// Publishes a text of the agent in a main dialog that was closed while the text was in transit. Returns its
    /// sequence number.
    ///
    /// # Errors
    /// The conversation is unknown, or its main dialog is open.
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
        self.act_as_agent(conversation_id, |conversation, now_ms| {
            let (sequence, out) = publish(conversation, event, audience, metadata, now_ms)?;
            Ok((sequence.unwrap_or_default(), out))
        })
    }

    /// Performs an action of the assigned agent. The agent accepts the conversation first.
    fn act_as_agent<T>(
        &self,
        conversation_id: &str,
        act: impl FnOnce(&mut Conversation, i64) -> Result<(T, Vec<PendingNotification>), ConversationError>,
    ) -> Result<T, DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let mut outgoing: Vec<PendingNotification> = conversation.join(now_ms)?.into_iter().collect();
            let (result, out) = act(conversation, now_ms)?;
            outgoing.extend(out);
            Ok((result, outgoing))
        })
    }

    pub(super) fn in_conversation<T>(
        &self,
        conversation_id: &str,
        act: impl FnOnce(&mut Conversation, i64) -> Result<(T, Vec<PendingNotification>), ConversationError>,
    ) -> Result<T, DeskError> {
        let changed = self
            .backend()
            .change(conversation_id, act)
            .ok_or_else(|| DeskError::UnknownConversation(conversation_id.to_owned()))?;
        changed.map(|changed| changed.result).map_err(|refusal| match refusal {
            ConversationError::StillOpen => DeskError::StillOpen(conversation_id.to_owned()),
            // The desk acts on main dialogs, which every conversation has, and sends valid events only.
            ConversationError::Closed | ConversationError::UnknownDialog | ConversationError::Impossible => {
                DeskError::Closed(conversation_id.to_owned())
            }
        })
    }
}

fn must_be_object(value: &Value, name: &'static str) -> Result<(), DeskError> {
    if value.is_object() { Ok(()) } else { Err(DeskError::NotAnObject(name)) }
}

/// Publishes in the main dialog as the agent.
fn publish(
    conversation: &mut Conversation,
    event: Event,
    audience: Audience,
    metadata: Option<Value>,
    now_ms: i64,
) -> Result<(Option<u64>, Vec<PendingNotification>), ConversationError> {
    let publication =
        Publication { audience, metadata, ..Publication::by(conversation.agent(), conversation.id.clone(), event) };
    conversation.publish(publication, now_ms)
}
