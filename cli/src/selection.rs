//! Which messages an operator's command is for.

use clap::Args;
use connector::{
    app::redrive::Selection,
    aws::DynamoDbStore,
    domain::{
        delivery::{ConsumerRef, ConversationOwner},
        id::{AccountId, ConversationId, InvalidId, LineId},
    },
    port::Consumers as _,
};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::{stack_outputs::IdList, target::Target};

/// What is said when nothing says which messages are meant.
pub(crate) const WHICH: &str = "say which messages: by ids, --line, --conversation, --since or --until";

/// Messages that fit everything that is given.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which messages")]
pub(crate) struct SelectionArguments {
    /// Messages by the ids that `list` shows.
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Those of a line; `-` for those of no known line. An agent's message is found by its line only where the line was known.
    #[arg(long, value_parser = line)]
    pub(crate) line: Option<LineId>,
    /// Those of a LiveEngage conversation.
    #[arg(long, value_name = "ID", value_parser = conversation)]
    conversation: Option<ConversationId>,
    /// With --conversation: the LiveEngage account that it is in. Then the table is asked whose conversation it is, and that
    /// person's own messages are found too: most of them don't name a conversation.
    #[arg(long, value_name = "ID", value_parser = account, requires = "conversation")]
    account: Option<AccountId>,
    /// Given up at this time or later: RFC 3339, or how long ago, such as 30m, 2h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Given up before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

fn line(text: &str) -> Result<LineId, InvalidId> {
    LineId::new(text)
}

fn conversation(text: &str) -> Result<ConversationId, InvalidId> {
    ConversationId::new(text)
}

fn account(text: &str) -> Result<AccountId, InvalidId> {
    AccountId::new(text)
}

/// What a command that changes something asks for.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    /// Do it.
    #[arg(long, help_heading = "What to do")]
    pub(crate) yes: bool,
    /// All messages, if nothing says which.
    #[arg(long, help_heading = "What to do")]
    pub(crate) all: bool,
}

impl Consent {
    /// # Errors
    /// A sentence, if nothing says which messages are meant.
    pub(crate) fn check(&self, selection: &SelectionArguments) -> Result<(), String> {
        if selection.is_empty() && !self.all {
            return Err(format!("{WHICH}; or --all"));
        }
        Ok(())
    }
}

impl SelectionArguments {
    /// Whether nothing is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
            && self.line.is_none()
            && self.conversation.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }

    /// What is given, with times before `now`.
    ///
    /// # Errors
    /// A sentence: for a time that can't be read, or when the table can't be asked.
    pub(crate) async fn selection(&self, target: &Target<'_>, now: Timestamp) -> Result<Selection, String> {
        let time = |text: &Option<String>| text.as_deref().map(|text| time(text, now)).transpose();
        Ok(Selection {
            ids: self.ids.clone(),
            line: self.line.clone(),
            conversation: self.conversation.clone(),
            person: self.person(target).await?,
            since: time(&self.since)?,
            until: time(&self.until)?,
        })
    }

    /// A sentence for each id that the stack doesn't have, where its description is given: it is mistyped, or was taken out of the
    /// stack since.
    pub(crate) fn unlisted(&self, target: &Target<'_>) -> Vec<String> {
        // `-` stands for no line.
        let line = self.line.as_ref().filter(|line| line.as_str() != "-");
        let line = line.and_then(|line| target.unlisted(IdList::Lines, line.as_str()));
        let account = self.account.as_ref().and_then(|account| target.unlisted(IdList::Accounts, account.as_str()));
        line.into_iter().chain(account).collect()
    }

    async fn person(&self, target: &Target<'_>) -> Result<Option<ConsumerRef>, String> {
        let (Some(account), Some(conversation)) = (&self.account, &self.conversation) else { return Ok(None) };
        let store = DynamoDbStore::new(target.dynamodb()?, target.table()?);
        let owner = store.conversation_owner(account, conversation).await;
        match owner.map_err(|error| target.dynamodb_failure(&error, "dynamodb:GetItem"))? {
            Some(ConversationOwner::Ours(person) | ConversationOwner::OurSurvey(person, _)) => Ok(Some(person)),
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) | None => {
                let nobody =
                    format!("the table knows nobody of this connector in the conversation {conversation} of {account}");
                Err(match target.unlisted(IdList::Accounts, account.as_str()) {
                    Some(unlisted) => format!("{nobody}. {unlisted}"),
                    None => nobody,
                })
            }
        }
    }
}

/// A moment: RFC 3339, or how long before `now`.
fn time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = || -> Option<Timestamp> {
        let span: Span = text.parse().ok()?;
        let ago = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
        (ago >= SignedDuration::ZERO).then(|| now.checked_sub(ago).ok()).flatten()
    };
    ago().ok_or_else(|| {
        format!("{text:?} is no time: give one such as 2026-03-04T05:06:07Z, or how long ago such as 30m, 2h or 3d")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_or_how_long_ago() {
        let now: Timestamp = "2026-03-04T12:00:00Z".parse().unwrap();
        for (text, wanted) in [
            ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
            ("2026-03-01T10:00:00+02:00", "2026-03-01T08:00:00Z"),
            ("2h", "2026-03-04T10:00:00Z"),
            ("1h30m", "2026-03-04T10:30:00Z"),
            ("3d", "2026-03-01T12:00:00Z"),
        ] {
            assert_eq!(time(text, now), Ok(wanted.parse().unwrap()), "{text}");
        }
        for wrong in ["", "2", "yesterday", "-2h", "2h ago", "2026-03-04", "99999999999h"] {
            assert!(time(wrong, now).is_err(), "{wrong}");
        }
    }
}
