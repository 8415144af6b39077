//! The connector's two questions after a conversation, for accounts without surveys.

use serde::Deserialize;

use super::wrong;
use connector_message::settings::WrongField;

/// The questions that a consumer is asked after a conversation, and the words of the answers.
///
/// The answers go to LiveEngage as CSAT and FCR (`CSATRate`; Connector API, Send API overview). This is the older way, which newer accounts
/// replace by a survey.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SatisfactionSettings {
    /// Asks for a number from 1 to 5.
    pub question: String,
    /// Asks whether the issue is resolved. `None`: only the number is asked for.
    #[serde(default)]
    pub resolved_question: Option<String>,
    /// The answers that count as yes, regardless of case.
    #[serde(default = "yes")]
    pub yes: Vec<String>,
    /// The answers that count as no, regardless of case.
    #[serde(default = "no")]
    pub no: Vec<String>,
    /// The text after the last answer. `None`: no text.
    #[serde(default)]
    pub thanks: Option<String>,
}

fn yes() -> Vec<String> {
    vec!["yes".to_owned(), "y".to_owned()]
}

fn no() -> Vec<String> {
    vec!["no".to_owned(), "n".to_owned()]
}

impl SatisfactionSettings {
    /// Checks that the questions can be asked and answered.
    ///
    /// # Errors
    /// [`WrongField`] names the first invalid field.
    pub(super) fn check(&self) -> Result<(), WrongField> {
        let blank = |text: &str| text.trim().is_empty();
        if blank(&self.question) {
            return Err(wrong("satisfaction.question", "must not be empty"));
        }
        if self.resolved_question.as_deref().is_some_and(blank) {
            return Err(wrong("satisfaction.resolved_question", "must not be empty"));
        }
        let words = |words: &[String]| words.iter().map(|word| word.trim().to_lowercase()).collect::<Vec<_>>();
        let (yes, no) = (words(&self.yes), words(&self.no));
        for (field, words) in [("satisfaction.yes", &yes), ("satisfaction.no", &no)] {
            if words.is_empty() || words.iter().any(String::is_empty) {
                return Err(wrong(field, "must hold words that a consumer can write"));
            }
        }
        if yes.iter().any(|word| no.contains(word)) {
            return Err(wrong("satisfaction.no", "must hold no word of satisfaction.yes"));
        }
        Ok(())
    }

    /// Returns the rate from 1 to 5 that a text gives. `None` for any other text.
    pub fn rate(&self, text: &str) -> Option<u8> {
        match text.trim() {
            "1" => Some(1),
            "2" => Some(2),
            "3" => Some(3),
            "4" => Some(4),
            "5" => Some(5),
            _ => None,
        }
    }

    /// Returns whether a text says that the issue is resolved. `None` for any other text.
    pub fn resolved(&self, text: &str) -> Option<bool> {
        let is_one_of = |words: &[String]| {
            words.iter().any(|word| word.trim().to_lowercase() == text.trim().to_lowercase() && !text.trim().is_empty())
        };
        match (is_one_of(&self.yes), is_one_of(&self.no)) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_whole_texts() {
        let settings: SatisfactionSettings =
            serde_json::from_value(json!({"question": "1 to 5?", "resolved_question": "Fertig?", "yes": ["Ja"]}))
                .unwrap();
        assert_eq!(settings.check(), Ok(()));
        for (yes, no) in [(vec![" "], vec!["no"]), (vec![], vec!["no"]), (vec!["ok"], vec!["OK "])] {
            let words = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
            let wrong = SatisfactionSettings { yes: words(yes), no: words(no), ..settings.clone() };
            assert!(wrong.check().is_err());
        }
        for (text, rate) in [("5", Some(5)), (" 1\n", Some(1)), ("0", None), ("6", None), ("5 stars", None), ("", None)]
        {
            assert_eq!(settings.rate(text), rate, "{text}");
        }
        for (text, resolved) in [("JA", Some(true)), ("n", Some(false)), ("ja, aber", None), ("", None)] {
            assert_eq!(settings.resolved(text), resolved, "{text}");
        }
    }
}
