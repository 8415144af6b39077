//! The participants: agents are suggested, join, leave, and transfer to another skill.

use uuid::Uuid;

use super::{Author, Conversation, ConversationError, PendingNotification};
use crate::liveengage::event::Role;

/// The people and bots of an account. There is one of each, with a fixed id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::liveengage) enum Staff {
    /// The agent whose desk the handle simulates.
    Agent,
    /// Another agent.
    Colleague,
    Manager,
    /// The bot that sends automatic messages.
    Controller,
    Reader,
    SurveyBot,
}

impl Staff {
    pub(in crate::liveengage) const ALL: [Self; 6] =
        [Self::Agent, Self::Colleague, Self::Manager, Self::Controller, Self::Reader, Self::SurveyBot];

    pub(in crate::liveengage) fn id(self, account_id: &str) -> String {
        let name = match self {
            Self::Agent => "agent",
            Self::Colleague => "colleague",
            Self::Manager => "manager",
            Self::Controller => "controller",
            Self::Reader => "reader",
            Self::SurveyBot => "survey bot",
        };
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{account_id} {name}").as_bytes()).to_string()
    }
}

/// A participant of a dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::liveengage) struct Participant {
    pub(in crate::liveengage) id: String,
    pub(in crate::liveengage) role: Role,
    /// Invited, but not in the conversation yet.
    pub(in crate::liveengage) suggested: bool,
}

impl Participant {
    pub(super) fn active(id: String, role: Role) -> Self {
        Self { id, role, suggested: false }
    }
}

impl Conversation {
    /// The unique participants of all dialogs, consumer first. They stay listed after the close.
    pub(in crate::liveengage) fn participants(&self) -> Vec<&Participant> {
        let mut participants: Vec<&Participant> = Vec::new();
        for participant in self.dialogs.iter().flat_map(|dialog| &dialog.participants) {
            let is_same = |other: &&Participant| other.id == participant.id && other.role == participant.role;
            if !participants.iter().any(is_same) {
                participants.push(participant);
            }
        }
        participants
    }

    /// The agent who has accepted the conversation.
    pub(in crate::liveengage) fn assigned_agent(&self) -> Option<&Participant> {
        let participants = self.main().into_iter().flat_map(|main| &main.participants);
        participants.into_iter().find(|participant| participant.role == Role::AssignedAgent && !participant.suggested)
    }

    /// One of the account's people as an author.
    pub(in crate::liveengage) fn staff(&self, staff: Staff, role: Role) -> Author {
        Author { id: staff.id(&self.opening.account_id), role }
    }

    /// The consumer as an author.
    pub(in crate::liveengage) fn consumer(&self) -> Author {
        Author { id: self.opening.consumer_id.clone(), role: Role::Consumer }
    }

    /// The assigned agent as an author, also after leaving.
    pub(in crate::liveengage) fn agent(&self) -> Author {
        match self.assigned_agent() {
            Some(agent) => Author { id: agent.id.clone(), role: Role::AssignedAgent },
            None => self.staff(Staff::Agent, Role::AssignedAgent),
        }
    }

    /// An agent accepts the conversation: the suggested one, or else the desk's. Reports nothing if an agent has it
    /// already.
    pub(in crate::liveengage) fn join(
        &mut self,
        now_ms: i64,
    ) -> Result<Option<PendingNotification>, ConversationError> {
        self.main_must_be_open()?;
        if self.assigned_agent().is_some() {
            return Ok(None);
        }
        let Some(main) = self.dialogs.first_mut() else { return Err(ConversationError::UnknownDialog) };
        match main.participants.iter_mut().find(|participant| participant.role == Role::AssignedAgent) {
            Some(suggested) => suggested.suggested = false,
            None => {
                let agent = Staff::Agent.id(&self.opening.account_id);
                main.participants.push(Participant::active(agent, Role::AssignedAgent));
            }
        }
        self.touch(now_ms);
        Ok(Some(self.changed()))
    }

    /// This agent accepts the conversation. Reports nothing if an agent has it already.
    pub(in crate::liveengage) fn join_as(
        &mut self,
        agent_id: String,
        now_ms: i64,
    ) -> Result<Option<PendingNotification>, ConversationError> {
        self.main_must_be_open()?;
        if self.assigned_agent().is_some() {
            return Ok(None);
        }
        let Some(main) = self.dialogs.first_mut() else { return Err(ConversationError::UnknownDialog) };
        main.participants.retain(|participant| participant.role != Role::AssignedAgent);
        main.participants.push(Participant::active(agent_id, Role::AssignedAgent));
        self.touch(now_ms);
        Ok(Some(self.changed()))
    }

    /// Invites an agent: the desk's, or a colleague if the desk's agent has the conversation and gives it up.
    pub(in crate::liveengage) fn suggest_agent(
        &mut self,
        now_ms: i64,
    ) -> Result<PendingNotification, ConversationError> {
        self.main_must_be_open()?;
        let desk = Staff::Agent.id(&self.opening.account_id);
        let suggested = match self.assigned_agent() {
            Some(agent) if agent.id == desk => Staff::Colleague.id(&self.opening.account_id),
            _ => desk,
        };
        self.without_agents();
        if let Some(main) = self.dialogs.first_mut() {
            main.participants.push(Participant { id: suggested, role: Role::AssignedAgent, suggested: true });
        }
        self.touch(now_ms);
        Ok(self.changed())
    }

    /// The agents leave. The conversation waits in the queue of its skill, or of another skill.
    pub(in crate::liveengage) fn back_to_queue(
        &mut self,
        skill_id: Option<&str>,
        now_ms: i64,
    ) -> Result<PendingNotification, ConversationError> {
        self.main_must_be_open()?;
        self.without_agents();
        if let Some(skill_id) = skill_id {
            skill_id.clone_into(&mut self.skill_id);
        }
        self.touch(now_ms);
        Ok(self.changed())
    }

    /// Adds a participant in addition to the assigned agent. Reports nothing if that was done already.
    pub(in crate::liveengage) fn add_participant(
        &mut self,
        staff: Staff,
        role: Role,
        now_ms: i64,
    ) -> Result<Option<PendingNotification>, ConversationError> {
        self.main_must_be_open()?;
        let id = staff.id(&self.opening.account_id);
        let Some(main) = self.dialogs.first_mut() else { return Err(ConversationError::UnknownDialog) };
        if main.participants.iter().any(|participant| participant.id == id && participant.role == role) {
            return Ok(None);
        }
        main.participants.push(Participant::active(id, role));
        self.touch(now_ms);
        Ok(Some(self.changed()))
    }

    fn without_agents(&mut self) {
        if let Some(main) = self.dialogs.first_mut() {
            main.participants.retain(|participant| matches!(participant.role, Role::Consumer | Role::Controller));
        }
    }
}
