//! `connector secret`: checks the secret of an account or line, and changes it without refusing webhooks.
//!
//! A secret comes from a file or from standard input, never from an argument, because arguments appear in the process
//! list and the shell history. No command prints a value.

use clap::{Args, Subcommand};
use connector::{app::secret_change::SecretOwner, domain::id::LineId};
use connector_liveengage::id::AccountId;
use connector_message::id::InvalidId;
use jiff::Timestamp;

use crate::output::Report;

mod change;
mod check;
mod reference;
mod show;
pub(crate) mod source;
pub(crate) mod target;
mod template;
mod warnings;

use change::{PutArguments, RollbackArguments};
use check::CheckArguments;
use show::ShowSecretArguments;
use template::TemplateArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Print a template to fill in: the required fields, with new keys where you can choose them.
    Template(TemplateArguments),
    /// Check a secret on this machine as a function does, and name every field that is wrong.
    Check(CheckArguments),
    /// Check a secret and store it. The previous version stays valid for webhooks for a day. Without --yes it only
    /// prints what it would change.
    Put(PutArguments),
    /// Store the previous version as the current one again. Both stay valid for a day. Without --yes it only prints
    /// what it would change.
    Rollback(RollbackArguments),
    /// Show which fields are stored, and since when. Never prints a value.
    Show(ShowSecretArguments),
}

impl SecretCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// A message for the operator: an invalid argument or file, or an AWS error.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        match self {
            Self::Template(template) => template.run(),
            Self::Check(check) => check.run(),
            Self::Put(put) => put.run(now).await,
            Self::Rollback(rollback) => rollback.run(now).await,
            Self::Show(show) => show.run(now).await,
        }
    }
}

/// The owner of the secret: one of the two options.
#[derive(Debug, Args)]
#[command(next_help_heading = "Whose secret")]
#[group(multiple = false)]
pub(crate) struct OwnerArguments {
    /// The secret of this LiveEngage account.
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<AccountId>,
    /// The secret of this line.
    #[arg(long, value_name = "ID", value_parser = line)]
    line: Option<LineId>,
}

fn account(text: &str) -> Result<AccountId, InvalidId> {
    AccountId::new(text)
}

fn line(text: &str) -> Result<LineId, InvalidId> {
    LineId::new(text)
}

impl OwnerArguments {
    /// The owner, if it is given.
    fn named(&self) -> Option<SecretOwner> {
        let account = self.account.clone().map(SecretOwner::Account);
        account.or_else(|| self.line.clone().map(SecretOwner::Line))
    }

    /// The owner.
    ///
    /// # Errors
    /// A message for the operator if it is not given.
    fn required(&self) -> Result<SecretOwner, String> {
        self.named().ok_or_else(|| "give the owner of the secret: --account ID or --line ID".to_owned())
    }
}

#[cfg(feature = "lab")]
#[cfg(test)]
mod tests;
