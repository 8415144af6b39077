//! The people at the desk: they are invited, join, leave and transfer, and others write too.

use super::conversation::{Publication, Staff};
use super::desk::DeskError;
use super::event::{Event, Role};
use super::simulator::LiveEngageSimulator;

/// An author other than the assigned agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeakerRole {
    /// Another agent, or a bot.
    Agent,
    /// A manager who joined.
    Manager,
    /// A manager who took over the conversation.
    AssignedManager,
    /// A manager who joined, as some versions name it.
    AgentManager,
    /// The controller bot, with an automatic message.
    Controller,
    /// Someone who only reads.
    Reader,
}

impl SpeakerRole {
    fn staff(self) -> (Staff, Role) {
        match self {
            Self::Agent => (Staff::Colleague, Role::Agent),
            Self::Manager => (Staff::Manager, Role::Manager),
            Self::AssignedManager => (Staff::Manager, Role::AssignedManager),
            Self::AgentManager => (Staff::Manager, Role::AgentManager),
            Self::Controller => (Staff::Controller, Role::Controller),
            Self::Reader => (Staff::Reader, Role::Reader),
        }
    }
}

impl LiveEngageSimulator {
    /// Invites an agent, who is a participant in the state `SUGGESTED` until [`Self::join`]. It is the desk's agent, or
    /// a colleague if the desk's agent has the conversation and gives it up (a transfer to an agent).
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn suggest_agent(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            Ok(((), vec![conversation.suggest_agent(now_ms)?]))
        })
    }

    /// Returns the conversation to the queue of its skill.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn leave(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            Ok(((), vec![conversation.back_to_queue(None, now_ms)?]))
        })
    }

    /// Transfers the conversation to another skill, where it waits for an agent.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn transfer_to_skill(&self, conversation_id: &str, skill_id: &str) -> Result<(), DeskError> {
        self.in_conversation(conversation_id, |conversation, now_ms| {
            Ok(((), vec![conversation.back_to_queue(Some(skill_id), now_ms)?]))
        })
    }

    /// Another agent joins in addition to the assigned one, with the role `AGENT`.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn second_agent_joins(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.add_participant(conversation_id, SpeakerRole::Agent)
    }

    /// A manager joins, with the role `MANAGER`.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn manager_joins(&self, conversation_id: &str) -> Result<(), DeskError> {
        self.add_participant(conversation_id, SpeakerRole::Manager)
    }

    /// Sends a text to the consumer from someone other than the assigned agent, who becomes a participant. Returns the
    /// sequence number.
    ///
    /// # Errors
    /// The conversation is unknown or closed.
    pub fn say_as(&self, conversation_id: &str, speaker: SpeakerRole, text: &str) -> Result<u64, DeskError> {
        let (staff, role) = speaker.staff();
        self.in_conversation(conversation_id, |conversation, now_ms| {
            let mut outgoing: Vec<_> = conversation.add_participant(staff, role, now_ms)?.into_iter().collect();
            let author = conversation.staff(staff, role);
            let said = Publication::by(author, conversation.id.clone(), Event::text(text));
            let (sequence, out) = conversation.publish(said, now_ms)?;
            outgoing.extend(out);
            Ok((sequence.unwrap_or_default(), outgoing))
        })
    }

    fn add_participant(&self, conversation_id: &str, speaker: SpeakerRole) -> Result<(), DeskError> {
        let (staff, role) = speaker.staff();
        self.in_conversation(conversation_id, |conversation, now_ms| {
            Ok(((), conversation.add_participant(staff, role, now_ms)?.into_iter().collect()))
        })
    }
}
