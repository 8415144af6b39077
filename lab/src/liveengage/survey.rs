//! The questions of a post-conversation survey.

use serde_json::{Value, json};
use uuid::Uuid;

/// The survey of an account after its conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyOptions {
    /// The bot's message before the first question, if any.
    pub greeting: Option<String>,
    /// The questions in order. Each is asked after the previous one is answered.
    pub questions: Vec<SurveyQuestion>,
    /// The bot's message after the last answer.
    pub thanks: String,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyQuestion {
    /// Its id, which is in the metadata of a chosen reply.
    pub id: String,
    /// The question.
    pub text: String,
    /// The quick replies; without any, the consumer writes a text. They are omitted if the consumer's calls have not
    /// declared QUICK_REPLIES.
    pub replies: Vec<SurveyReply>,
}

/// A quick reply of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyReply {
    /// The id of the answer, which is in the metadata.
    pub id: String,
    /// The label.
    pub title: String,
    /// The text that choosing it sends (`publishText`).
    pub text: String,
}

impl SurveyQuestion {
    /// A question with a quick reply for each of these answers, which send their label. The ids are derived from the
    /// texts, so that the same question always has the same ids.
    pub fn with_replies(text: &str, answers: &[&str]) -> Self {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("survey question {text}").as_bytes());
        let reply = |answer: &&str| SurveyReply {
            id: Uuid::new_v5(&id, answer.as_bytes()).to_string(),
            title: (*answer).to_owned(),
            text: (*answer).to_owned(),
        };
        Self { id: id.to_string(), text: text.to_owned(), replies: answers.iter().map(reply).collect() }
    }

    /// A question that the consumer answers with a text.
    pub fn open(text: &str) -> Self {
        Self::with_replies(text, &[])
    }

    /// The replies in the form of LivePerson's survey bot; `None` if there are none.
    pub(super) fn quick_replies(&self) -> Option<Value> {
        let reply = |reply: &SurveyReply| {
            let answer = json!({ "type": "Answer", "questionId": self.id, "id": reply.id, "provider": "AC" });
            let click = json!({ "metadata": [answer], "actions": [{ "type": "publishText", "text": reply.text }] });
            json!({ "type": "button", "title": reply.title, "tooltip": reply.title, "click": click })
        };
        let replies: Vec<Value> = self.replies.iter().map(reply).collect();
        (!replies.is_empty()).then(|| json!({ "type": "quickReplies", "itemsPerRow": 8, "replies": replies }))
    }

    /// The metadata of the question.
    pub(super) fn metadata(&self) -> Value {
        let replies: Vec<&str> = self.replies.iter().map(|reply| reply.id.as_str()).collect();
        json!([{ "type": "Question", "id": self.id, "provider": "AC", "replies": replies }])
    }
}
