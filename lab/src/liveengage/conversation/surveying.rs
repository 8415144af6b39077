//! The survey after a conversation: a separate dialog in which a bot asks questions.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Author, Closer, Conversation, Dialog, DialogKind, Ended, Participant, PendingNotification, Publication, Staff,
};
use crate::liveengage::event::{AcceptStatus, ChatState, Content, Event, Role};
use crate::liveengage::survey::SurveyOptions;

/// The consumer's answer to a question of the survey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SurveyAnswer {
    /// The id of the question.
    pub question_id: String,
    /// The text of the answer.
    pub text: String,
    /// The id of the quick reply, if the text had the metadata of one that belongs to the question.
    pub answer_id: Option<String>,
}

/// A running or completed survey.
#[derive(Debug)]
pub(in crate::liveengage) struct SurveyRun {
    pub(in crate::liveengage) dialog_id: String,
    pub(in crate::liveengage) answers: Vec<SurveyAnswer>,
    options: Arc<SurveyOptions>,
}

impl Conversation {
    /// A survey follows if an agent had the conversation, and every call declared support for a second dialog.
    pub(super) fn survey_may_follow(&self) -> bool {
        self.planned_survey.is_some() && self.assigned_agent().is_some() && self.declared.has("MULTI_DIALOG")
    }

    /// Opens the survey's dialog and asks the first question.
    pub(super) fn start_survey(&mut self, now_ms: i64) -> Vec<PendingNotification> {
        let Some(options) = self.planned_survey.clone() else { return Vec::new() };
        // LivePerson's ids of survey dialogs are not UUIDs: they have 22 characters of Base64.
        let dialog_id = URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes());
        let mut participants = vec![
            Participant::active(self.opening.consumer_id.clone(), Role::Consumer),
            Participant::active(Staff::SurveyBot.id(&self.opening.account_id), Role::Agent),
        ];
        // The agent may read along.
        participants.extend(self.assigned_agent().map(|agent| Participant::active(agent.id.clone(), Role::Reader)));
        self.dialogs.push(Dialog::open(dialog_id.clone(), DialogKind::PostSurvey, participants, now_ms));
        let greeting = options.greeting.clone();
        self.survey = Some(SurveyRun { dialog_id, answers: Vec::new(), options });
        let mut outgoing = vec![self.changed()];
        if let Some(greeting) = greeting {
            outgoing.extend(self.survey_says(Event::text(&greeting), None, now_ms));
        }
        outgoing.extend(self.survey_goes_on(now_ms));
        outgoing
    }

    /// Stores the answer to the current question, marks it as read, and continues.
    pub(super) fn survey_answered(
        &mut self,
        sequence: u64,
        content: &Content,
        metadata: Option<&Value>,
        now_ms: i64,
    ) -> Vec<PendingNotification> {
        let Content::Text { message, .. } = content else { return Vec::new() };
        let Some(run) = &mut self.survey else { return Vec::new() };
        let Some(question) = run.options.questions.get(run.answers.len()) else { return Vec::new() };
        let answers = metadata.and_then(Value::as_array).into_iter().flatten();
        let text = |answer: &Value, member: &str| answer.get(member).and_then(Value::as_str).map(str::to_owned);
        let answer_id = answers
            .filter(|answer| text(answer, "type").as_deref() == Some("Answer"))
            .filter(|answer| text(answer, "questionId").as_ref() == Some(&question.id))
            .find_map(|answer| text(answer, "id"))
            .filter(|id| question.replies.iter().any(|reply| reply.id == *id));
        run.answers.push(SurveyAnswer { question_id: question.id.clone(), text: message.clone(), answer_id });
        let read = Event::AcceptStatus { status: AcceptStatus::Read, sequence_list: vec![sequence] };
        let mut outgoing: Vec<PendingNotification> = self.survey_publishes(read, None, now_ms).into_iter().collect();
        outgoing.extend(self.survey_goes_on(now_ms));
        outgoing
    }

    /// Asks the next question, or thanks and closes.
    fn survey_goes_on(&mut self, now_ms: i64) -> Vec<PendingNotification> {
        let Some(run) = &self.survey else { return Vec::new() };
        if let Some(question) = run.options.questions.get(run.answers.len()) {
            let replies = question.quick_replies().filter(|_| self.declared.has("QUICK_REPLIES"));
            let event = Event::text_with(&question.text, replies);
            let metadata = Some(question.metadata());
            return self.survey_says(event, metadata, now_ms);
        }
        let (thanks, dialog_id) = (run.options.thanks.clone(), run.dialog_id.clone());
        let mut outgoing = self.survey_says(Event::text(&thanks), None, now_ms);
        let at_ms = self.touch(now_ms);
        if let Some(dialog) = self.dialogs.iter_mut().find(|dialog| dialog.id == dialog_id) {
            dialog.end(Ended { at_ms, by: Closer::Agent, cause: Some("Completed".to_owned()) });
        }
        self.ended_ms = Some(at_ms);
        outgoing.push(self.changed());
        outgoing
    }

    /// The bot types, sends the event, and stops typing.
    fn survey_says(&mut self, event: Event, metadata: Option<Value>, now_ms: i64) -> Vec<PendingNotification> {
        [
            (Event::chat_state(ChatState::Composing), None),
            (event, metadata),
            (Event::chat_state(ChatState::Active), None),
        ]
        .into_iter()
        .filter_map(|(event, metadata)| self.survey_publishes(event, metadata, now_ms))
        .collect()
    }

    fn survey_publishes(&mut self, event: Event, metadata: Option<Value>, now_ms: i64) -> Option<PendingNotification> {
        let dialog_id = self.survey.as_ref()?.dialog_id.clone();
        let author = Author { id: Staff::SurveyBot.id(&self.opening.account_id), role: Role::Agent };
        let publication = Publication { metadata, ..Publication::by(author, dialog_id, event) };
        self.append(publication, now_ms).ok().map(|(_, out)| out)
    }
}
