//! The selection of messages for a command.

use clap::Args;
use connector::{
    app::redrive::Selection,
    domain::{
        delivery::{ConsumerRef, ConversationOwner},
        id::LineId,
    },
    port::Consumers as _,
};
use connector_aws::DynamoDbStore;
use connector_liveengage::id::{AccountId, ConversationId};
use connector_message::id::InvalidId;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::{
    stack_outputs::IdList,
    target::{Target, TargetArguments},
};

/// The error when no option selects messages.
pub(crate) const SELECTION_REQUIRED: &str = "select messages: give ids, --line, --conversation, --since or --until";

/// The arguments of every command for parked messages or dead letters.
#[derive(Debug, Args)]
pub(crate) struct MessageArguments {
    #[command(flatten)]
    pub(crate) selection: SelectionArguments,
    #[command(flatten)]
    pub(crate) target: TargetArguments,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    pub(crate) json: bool,
}

/// The messages that match all given options.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Which messages")]
pub(crate) struct SelectionArguments {
    /// Messages with the ids that `list` shows.
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// Messages of this line; `-` for messages of an unknown line. An agent's message is found only if its line was
    /// known when it was given up.
    #[arg(long, value_parser = line)]
    pub(crate) line: Option<LineId>,
    /// Messages of this LiveEngage conversation.
    #[arg(long, value_name = "ID", value_parser = conversation)]
    conversation: Option<ConversationId>,
    /// With --conversation: the LiveEngage account of the conversation. This also finds the consumer's messages, most
    /// of which don't name a conversation.
    #[arg(long, value_name = "ID", value_parser = account, requires = "conversation")]
    account: Option<AccountId>,
    /// Messages that were given up at this time or later: an RFC 3339 time, or an age such as 30m, 2h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Messages that were given up before this time.
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

/// The options of a command that makes changes.
#[derive(Debug, Args)]
pub(crate) struct ConfirmArguments {
    /// Make the change. Without this option nothing is changed.
    #[arg(long, help_heading = "What to do")]
    pub(crate) yes: bool,
    /// Select all messages, if no other option selects any.
    #[arg(long, help_heading = "What to do")]
    pub(crate) all: bool,
}

impl ConfirmArguments {
    /// # Errors
    /// A message for the operator if no option selects messages.
    pub(crate) fn check(&self, selection: &SelectionArguments) -> Result<(), String> {
        if selection.is_empty() && !self.all {
            return Err(format!("{SELECTION_REQUIRED}, or --all"));
        }
        Ok(())
    }
}

impl SelectionArguments {
    /// Whether no option is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
            && self.line.is_none()
            && self.conversation.is_none()
            && self.since.is_none()
            && self.until.is_none()
    }

    /// The selection, with ages converted to times before `now`.
    ///
    /// # Errors
    /// A message for the operator: an invalid time, or a table that can't be read.
    pub(crate) async fn selection(&self, target: &Target<'_>, now: Timestamp) -> Result<Selection, String> {
        let time = |text: &Option<String>| text.as_deref().map(|text| time(text, now)).transpose();
        Ok(Selection {
            ids: self.ids.clone(),
            line: self.line.clone(),
            conversation: self.conversation.clone(),
            consumer: self.consumer(target).await?,
            since: time(&self.since)?,
            until: time(&self.until)?,
        })
    }

    /// A warning for each selected id that the stack doesn't list. The id may be mistyped, or the stack may have been
    /// changed.
    pub(crate) fn unlisted(&self, target: &Target<'_>) -> Vec<String> {
        // `-` means no line.
        let line = self.line.as_ref().filter(|line| line.as_str() != "-");
        let line = line.and_then(|line| target.unlisted(IdList::Lines, line.as_str()));
        let account = self.account.as_ref().and_then(|account| target.unlisted(IdList::Accounts, account.as_str()));
        line.into_iter().chain(account).collect()
    }

    async fn consumer(&self, target: &Target<'_>) -> Result<Option<ConsumerRef>, String> {
        let (Some(account), Some(conversation)) = (&self.account, &self.conversation) else { return Ok(None) };
        let store = DynamoDbStore::new(target.dynamodb()?, target.table()?);
        let owner = store.conversation_owner(account, conversation).await;
        match owner.map_err(|error| target.dynamodb_failure(&error, "dynamodb:GetItem"))? {
            Some(ConversationOwner::Ours(person) | ConversationOwner::OurSurvey(person, _)) => Ok(Some(person)),
            Some(ConversationOwner::Foreign | ConversationOwner::PresumedForeign) | None => {
                let nobody = format!(
                    "the table has no consumer of this connector for conversation {conversation} of account {account}"
                );
                Err(match target.unlisted(IdList::Accounts, account.as_str()) {
                    Some(unlisted) => format!("{nobody}. {unlisted}"),
                    None => nobody,
                })
            }
        }
    }
}

/// Parses an RFC 3339 time, or an age before `now`.
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
        format!("{text:?} is not a time: give a time such as 2026-03-04T05:06:07Z, or an age such as 30m, 2h or 3d")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_relative() {
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
