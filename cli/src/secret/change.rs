//! `connector secret put` and `rollback`: store a new version of a secret.

use std::path::{Path, PathBuf};

use clap::Args;
use connector::{
    app::{
        registry::FRESH_FOR,
        secret_change::{Danger, Kind, SecretChange, carry_out, judge, previous_until},
    },
    port::{StoredSecret, StoredVersion},
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;

use super::{
    OwnerArguments,
    check::{problems, report},
    source,
    target::{SecretTarget, SecretTargetArguments},
    warnings::field_warnings,
};
use crate::output::{Report, age, seconds};

#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    /// The file with the secret, or `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    arguments: ChangeArguments,
    /// Encrypt a new secret with this KMS key (its ARN, id or alias). Default: the stack parameter KmsKeyArn if
    /// --stack-outputs is given, or else the account's default key.
    #[arg(long, value_name = "KEY", help_heading = "What to do")]
    kms_key_id: Option<String>,
    /// Change `consumer_id_key`, `account_id` or `channel` of a line. Every consumer then becomes a new one without a
    /// history.
    #[arg(long, help_heading = "What to do")]
    new_consumers: bool,
    /// Store the secret although a rotation is in progress. The previous secret is refused from then on. The current
    /// secret becomes the previous one, which is accepted for another day. To end that too, put the same secret again
    /// with this option.
    #[arg(long, help_heading = "What to do")]
    drop_previous: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    arguments: ChangeArguments,
}

#[derive(Debug, Args)]
struct ChangeArguments {
    #[command(flatten)]
    owner: OwnerArguments,
    #[command(flatten)]
    target: SecretTargetArguments,
    /// Make the change. Without this option nothing is changed.
    #[arg(long, help_heading = "What to do")]
    yes: bool,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    json: bool,
}

impl PutArguments {
    /// # Errors
    /// A message for the operator.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let owner = self.arguments.owner.required()?;
        if self.file == Path::new("-") && self.arguments.target.reads_standard_input() {
            return Err("the secret and the stack can't both come from standard input".to_owned());
        }
        let source = source::read(&self.file)?;
        let found = problems(&owner, &source.secret);
        let warnings: Vec<_> = source.warnings.into_iter().chain(field_warnings(&source.secret, &found)).collect();
        if !found.is_empty() {
            let mut refused = report(&owner.to_string(), &found, self.arguments.json);
            refused.warnings = warnings;
            refused.warnings.push("Nothing was stored.".to_owned());
            return Ok(refused);
        }
        let target = self.arguments.target.target(&owner).await?.with_key_of_new(self.kms_key_id.clone());
        let stored = target.stored().await?;
        if let (Some(key), Some(_)) = (&self.kms_key_id, &stored) {
            let name = &target.name;
            return Err(format!(
                "{name} exists, and --kms-key-id is for new secrets only. Nothing was stored. To change its key, run `aws \
                 secretsmanager update-secret --secret-id {name} --kms-key-id {key}`. Then put the secret without --kms-key-id."
            ));
        }
        let mut change = judge(&owner, &source.secret, stored.as_ref(), now).map_err(|error| error.to_string())?;
        let accepted_until = stored.as_ref().and_then(|stored| previous_until(stored, now));
        if change.kind == Kind::Nothing && self.drop_previous && accepted_until.is_some() {
            // Storing the same value again makes it the previous version too.
            change.kind = Kind::Replace;
        }
        let change = SecretUpdate {
            change,
            secret: &source.secret,
            stored: stored.as_ref(),
            drops_previous: self.drop_previous,
        };
        let mut report = change.make(&self.arguments, &target, |danger| self.accepts(danger), now).await?;
        report.warnings.splice(0..0, warnings);
        Ok(report)
    }

    const fn accepts(&self, danger: &Danger) -> bool {
        match danger {
            Danger::NewConsumers { .. } => self.new_consumers,
            Danger::DropsPrevious { .. } => self.drop_previous,
        }
    }
}

impl RollbackArguments {
    /// # Errors
    /// A message for the operator.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let owner = self.arguments.owner.required()?;
        let target = self.arguments.target.target(&owner).await?;
        let name = &target.name;
        let stored = target.existing().await?;
        let previous = stored.previous.as_ref().ok_or_else(|| format!("{name} has no previous version"))?;
        let found = problems(&owner, &previous.value);
        if !found.is_empty() {
            let mut refused = report(&owner.to_string(), &found, self.arguments.json);
            refused.warnings.push("The previous version is invalid. Nothing was stored.".to_owned());
            return Ok(refused);
        }
        let change = judge(&owner, &previous.value, Some(&stored), now).map_err(|error| error.to_string())?;
        let change = SecretUpdate { change, secret: &previous.value, stored: Some(&stored), drops_previous: false };
        // The previous version was in use before, so it restores the consumers' names at LivePerson.
        let mut report = change.make(&self.arguments, &target, |_| true, now).await?;
        if let Some(written) = previous.created_at {
            let age = age(now.duration_since(written));
            report.warnings.insert(0, format!("The previous version was written {} ({age} ago).", seconds(written)));
        }
        Ok(report)
    }
}

/// A new version in place of the stored one.
struct SecretUpdate<'a> {
    change: SecretChange,
    secret: &'a SecretString,
    stored: Option<&'a StoredSecret>,
    /// Whether the operator wants the previous secret to be refused.
    drops_previous: bool,
}

impl SecretUpdate<'_> {
    async fn make(
        &self,
        arguments: &ChangeArguments,
        target: &SecretTarget,
        accepts: impl Fn(&Danger) -> bool,
        now: Timestamp,
    ) -> Result<Report, String> {
        let change = &self.change;
        let refused: Vec<_> = change.dangers.iter().filter(|danger| !accepts(danger)).map(sentence).collect();
        let is_made = arguments.yes && refused.is_empty();
        if is_made {
            let outcome = carry_out(change, &target.store, &target.name, self.secret).await;
            outcome.map_err(|error| target.not_written(&error, change.kind))?;
        }
        let complete = refused.is_empty();
        let report = if arguments.json {
            let kind = match change.kind {
                Kind::Create => "create",
                Kind::Replace => "replace",
                Kind::Nothing => "nothing",
            };
            Report::json(&json!({
                "secret": target.name, "dry_run": !is_made, "change": kind, "fields": change.fields, "refused": refused,
            }))
        } else {
            Report::done(self.summary(target))
        };
        let mut warnings = target.warnings.clone();
        warnings.extend(refused);
        if change.kind != Kind::Nothing {
            if is_made {
                warnings.extend(self.next(now));
            } else if complete {
                warnings.push("Nothing was stored. Add --yes to store it.".to_owned());
            } else {
                warnings.push("Nothing was stored.".to_owned());
            }
        }
        Ok(Report { warnings, complete, ..report })
    }

    fn summary(&self, target: &SecretTarget) -> String {
        let (change, name) = (&self.change, target.location());
        let fields = change.fields.join(", ");
        match change.kind {
            Kind::Create => {
                let key = target.key.as_ref().map_or_else(String::new, |key| format!(", encrypted with {key}"));
                format!("{name}: a new secret with {fields}{key}\n")
            }
            Kind::Replace if fields.is_empty() => {
                format!("{name}: the same value again, so that it replaces the previous version too\n")
            }
            Kind::Replace => format!("{name}: a new version. Changed: {fields}\n"),
            Kind::Nothing => format!("{name}: already has this value\n"),
        }
    }

    /// The consequences of a stored version.
    fn next(&self, now: Timestamp) -> Vec<String> {
        let Some(stored) = self.stored else { return vec!["Stored. A function reads it when it starts.".to_owned()] };
        let minutes = FRESH_FOR.as_mins();
        if self.change.fields.is_empty() {
            return vec![format!("Stored. Every function refuses the previous secret within {minutes} minutes.")];
        }
        // The version that was current is now the previous one.
        let after = StoredSecret {
            previous: Some(stored.current.clone()),
            current: StoredVersion { created_at: Some(now), ..stored.current.clone() },
        };
        let until = previous_until(&after, now).map(seconds).unwrap_or_default();
        if self.drops_previous {
            return vec![format!(
                "Stored. Every function uses it within {minutes} minutes. The secret that was current until now is still accepted \
                 until {until}. To end that, put the same secret again with --drop-previous."
            )];
        }
        vec![format!(
            "Stored. Every function uses it within {minutes} minutes. Webhooks signed with the previous secret are accepted until \
             {until}."
        )]
    }
}

fn sentence(danger: &Danger) -> String {
    match danger {
        Danger::NewConsumers { fields } => format!(
            "{} would change. LivePerson's names of the consumers are derived from it: every consumer would become a new one \
             without a history. Add --new-consumers to store it anyway.",
            fields.join(", ")
        ),
        Danger::DropsPrevious { until } => format!(
            "A rotation is in progress: webhooks signed with the previous secret are accepted until {}, and would be refused \
             from now on. Wait until then, or roll back first if the current secret is wrong. Add --drop-previous to store it \
             anyway.",
            seconds(*until)
        ),
    }
}
