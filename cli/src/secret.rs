//! `connector secret`: what the secret of an account or line must hold, and changing it without a refused webhook.
//!
//! A secret comes from a file or from standard input, never from an argument: those are in the process list and in the shell's
//! history. Nothing prints a value.

use clap::{Args, Subcommand};
use connector::{
    app::secret_change::SecretOwner,
    domain::id::{AccountId, InvalidId, LineId},
};
use jiff::Timestamp;

use crate::output::Report;

mod change;
mod check;
mod doubts;
mod reference;
mod show;
mod source;
mod target;
mod template;

use change::{PutArguments, RollbackArguments};
use check::CheckArguments;
use show::ShowArguments;
use template::TemplateArguments;

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Print a skeleton to fill in: the required fields, with fresh keys where the choice is yours.
    Template(TemplateArguments),
    /// Check a secret on this machine as a function would, and name every field that is wrong.
    Check(CheckArguments),
    /// Check a secret and store it: the version before stays valid for incoming webhooks for a day. Without --yes it only tells what
    /// it would change.
    Put(PutArguments),
    /// Store the previous version again as the current one; both stay valid for a day. Without --yes it only tells what it would
    /// change.
    Rollback(RollbackArguments),
    /// Show what is stored: which fields are set, and since when. Never a value.
    Show(ShowArguments),
}

impl SecretCommand {
    /// Carries it out.
    ///
    /// # Errors
    /// A sentence: an argument or a file that can't be used, or what AWS says.
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

/// Whose secret: one of the two.
#[derive(Debug, Args)]
#[command(next_help_heading = "Whose secret")]
#[group(multiple = false)]
pub(crate) struct OwnerArguments {
    /// A LiveEngage account's.
    #[arg(long, value_name = "ID", value_parser = account)]
    account: Option<AccountId>,
    /// A line's.
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
    /// Whose it is, if that is said.
    fn named(&self) -> Option<SecretOwner> {
        let account = self.account.clone().map(SecretOwner::Account);
        account.or_else(|| self.line.clone().map(SecretOwner::Line))
    }

    /// Whose it is.
    ///
    /// # Errors
    /// A sentence, if that is not said.
    fn required(&self) -> Result<SecretOwner, String> {
        self.named().ok_or_else(|| "say whose secret it is: --account ID or --line ID".to_owned())
    }
}

#[cfg(test)]
mod tests;
