//! What a post conversation survey asks.

use serde_json::{Value, json};
use uuid::Uuid;

/// The survey that an account holds after its conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyOptions {
    /// What the survey bot says before the first question, if anything.
    pub greeting: Option<String>,
    /// The questions, in the order in which they are asked, each once the one before is answered.
    pub questions: Vec<SurveyQuestion>,
    /// What the survey bot says after the last answer.
    pub thanks: String,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyQuestion {
    /// Its id, which comes back in the metadata of a chosen reply.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// The quick replies below it; without any, the consumer answers in own words. They are left out if the consumer's
    /// calls have not declared QUICK_REPLIES.
    pub replies: Vec<SurveyReply>,
}

/// One quick reply of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyReply {
    /// The id of the answer, which comes back in the metadata.
    pub id: String,
    /// What the button reads.
    pub title: String,
    /// What choosing it says (`publishText`).
    pub text: String,
}

impl SurveyQuestion {
    /// A question with a quick reply for each of these answers, which say what they read. The ids are derived from the
    /// texts, so that the same question has the same ids always.
    pub fn with_replies(text: &str, answers: &[&str]) -> Self {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("survey question {text}").as_bytes());
        let reply = |answer: &&str| SurveyReply {
            id: Uuid::new_v5(&id, answer.as_bytes()).to_string(),
            title: (*answer).to_owned(),
            text: (*answer).to_owned(),
        };
        Self { id: id.to_string(), text: text.to_owned(), replies: answers.iter().map(reply).collect() }
    }

    /// A question that the consumer answers in own words.
    pub fn open(text: &str) -> Self {
        Self::with_replies(text, &[])
    }

    /// The replies as LivePerson's survey bot sends them; `None` without any.
    pub(super) fn quick_replies(&self) -> Option<Value> {
        let reply = |reply: &SurveyReply| {
            let answer = json!({ "type": "Answer", "questionId": self.id, "id": reply.id, "provider": "AC" });
            let click = json!({ "metadata": [answer], "actions": [{ "type": "publishText", "text": reply.text }] });
            json!({ "type": "button", "title": reply.title, "tooltip": reply.title, "click": click })
        };
        let replies: Vec<Value> = self.replies.iter().map(reply).collect();
        (!replies.is_empty()).then(|| json!({ "type": "quickReplies", "itemsPerRow": 8, "replies": replies }))
    }

    /// The metadata beside the question.
    pub(super) fn metadata(&self) -> Value {
        let replies: Vec<&str> = self.replies.iter().map(|reply| reply.id.as_str()).collect();
        json!([{ "type": "Question", "id": self.id, "provider": "AC", "replies": replies }])
    }
}
