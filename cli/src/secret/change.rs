//! `connector secret put` and `rollback`: a new version of a secret.

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
    doubts::doubts,
    source,
    target::{SecretTarget, SecretTargetArguments},
};
use crate::output::{Report, age, seconds};

#[derive(Debug, Args)]
pub(crate) struct PutArguments {
    /// The file with the secret, or `-` for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    what: What,
    /// Encrypt a new secret with this key of KMS (its ARN, id or alias), and not with the account's default one: the stack's KmsKeyArn,
    /// which a description of the stack names, too.
    #[arg(long, value_name = "KEY", help_heading = "What to do")]
    kms_key_id: Option<String>,
    /// Change `consumer_id_key`, `account_id` or `channel` of a line: everybody becomes a new consumer without a history.
    #[arg(long, help_heading = "What to do")]
    new_consumers: bool,
    /// Store the secret although a rotation is under way. What was the previous secret until now is refused from then on. What was
    /// current until now is not: it becomes the previous one, and is still believed for a day. Put the same secret once more with
    /// this to end that, too.
    #[arg(long, help_heading = "What to do")]
    drop_previous: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Args)]
struct What {
    #[command(flatten)]
    owner: OwnerArguments,
    #[command(flatten)]
    target: SecretTargetArguments,
    /// Do it.
    #[arg(long, help_heading = "What to do")]
    yes: bool,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    json: bool,
}

impl PutArguments {
    /// # Errors
    /// A sentence.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let owner = self.what.owner.required()?;
        if self.file == Path::new("-") && self.what.target.reads_standard_input() {
            return Err("the secret and the stack can't both come from standard input".to_owned());
        }
        let source = source::read(&self.file)?;
        let found = problems(&owner, &source.secret);
        let warnings: Vec<_> = source.warnings.into_iter().chain(doubts(&source.secret, &found)).collect();
        if !found.is_empty() {
            let mut refused = report(&owner.to_string(), &found, self.what.json);
            refused.warnings = warnings;
            refused.warnings.push("Nothing was stored.".to_owned());
            return Ok(refused);
        }
        let target = self.what.target.target(&owner).await?.with_key_of_new(self.kms_key_id.clone());
        let stored = target.stored().await?;
        if let (Some(key), Some(_)) = (&self.kms_key_id, &stored) {
            let name = &target.name;
            return Err(format!(
                "{name} exists, and only a new secret is given a key. Nothing was stored. `aws secretsmanager update-secret --secret-id \
                 {name} --kms-key-id {key}` changes its key; then put it without --kms-key-id."
            ));
        }
        let mut judged = judge(&owner, &source.secret, stored.as_ref(), now).map_err(|error| error.to_string())?;
        let believed = stored.as_ref().and_then(|stored| previous_until(stored, now));
        if judged.kind == Kind::Nothing && self.drop_previous && believed.is_some() {
            // Stored twice it is the previous version, too.
            judged.kind = Kind::Replace;
        }
        let change =
            Change { judged, secret: &source.secret, stored: stored.as_ref(), drops_previous: self.drop_previous };
        let mut report = change.make(&self.what, &target, |danger| self.accepts(danger), now).await?;
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
    /// A sentence.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let owner = self.what.owner.required()?;
        let target = self.what.target.target(&owner).await?;
        let name = &target.name;
        let stored = target.existing().await?;
        let previous = stored.previous.as_ref().ok_or_else(|| format!("{name} has no previous version"))?;
        let found = problems(&owner, &previous.value);
        if !found.is_empty() {
            let mut refused = report(&owner.to_string(), &found, self.what.json);
            refused.warnings.push("That is the previous version. Nothing was stored.".to_owned());
            return Ok(refused);
        }
        let judged = judge(&owner, &previous.value, Some(&stored), now).map_err(|error| error.to_string())?;
        let change = Change { judged, secret: &previous.value, stored: Some(&stored), drops_previous: false };
        // It was in use before: with it people get their names back.
        let mut report = change.make(&self.what, &target, |_| true, now).await?;
        if let Some(written) = previous.created_at {
            let age = age(now.duration_since(written));
            report.warnings.insert(0, format!("The previous version was written {} ({age} ago).", seconds(written)));
        }
        Ok(report)
    }
}

/// A secret in place of what is stored.
struct Change<'a> {
    judged: SecretChange,
    secret: &'a SecretString,
    stored: Option<&'a StoredSecret>,
    /// Whether the operator wants to be rid of an older secret.
    drops_previous: bool,
}

impl Change<'_> {
    async fn make(
        &self,
        what: &What,
        target: &SecretTarget,
        accepts: impl Fn(&Danger) -> bool,
        now: Timestamp,
    ) -> Result<Report, String> {
        let change = &self.judged;
        let refused: Vec<_> = change.dangers.iter().filter(|danger| !accepts(danger)).map(sentence).collect();
        let is_made = what.yes && refused.is_empty();
        if is_made {
            let outcome = carry_out(change, &target.store, &target.name, self.secret).await;
            outcome.map_err(|error| target.not_written(&error, change.kind))?;
        }
        let complete = refused.is_empty();
        let report = if what.json {
            let kind = match change.kind {
                Kind::Create => "create",
                Kind::Replace => "replace",
                Kind::Nothing => "nothing",
            };
            Report::json(&json!({
                "secret": target.name, "dry_run": !is_made, "change": kind, "fields": change.fields, "refused": refused,
            }))
        } else {
            Report::done(self.told(target))
        };
        let mut warnings = target.warnings.clone();
        warnings.extend(refused);
        if change.kind != Kind::Nothing {
            if is_made {
                warnings.extend(self.next(now));
            } else if complete {
                warnings.push("Nothing was stored. With --yes it is.".to_owned());
            } else {
                warnings.push("Nothing was stored.".to_owned());
            }
        }
        Ok(Report { warnings, complete, ..report })
    }

    fn told(&self, target: &SecretTarget) -> String {
        let (change, name) = (&self.judged, target.place());
        let fields = change.fields.join(", ");
        match change.kind {
            Kind::Create => {
                let key = target.key.as_ref().map_or_else(String::new, |key| format!(", encrypted with {key}"));
                format!("{name}: a new secret with {fields}{key}\n")
            }
            Kind::Replace if fields.is_empty() => {
                format!("{name}: the same once more, in place of the previous version\n")
            }
            Kind::Replace => format!("{name}: a new version. Changed: {fields}\n"),
            Kind::Nothing => format!("{name}: holds this already\n"),
        }
    }

    /// What follows once it is stored.
    fn next(&self, now: Timestamp) -> Vec<String> {
        let Some(stored) = self.stored else { return vec!["Stored. A function reads it when it starts.".to_owned()] };
        let minutes = FRESH_FOR.as_mins();
        if self.judged.fields.is_empty() {
            return vec![format!(
                "Stored. The secret before is refused by every function in {minutes} minutes at the latest."
            )];
        }
        // What was current is the previous one now.
        let after = StoredSecret {
            previous: Some(stored.current.clone()),
            current: StoredVersion { created_at: Some(now), ..stored.current.clone() },
        };
        let until = previous_until(&after, now).map(seconds).unwrap_or_default();
        if self.drops_previous {
            return vec![format!(
                "Stored. Every function uses it in {minutes} minutes at the latest. What was current until now is still believed until \
                 {until}; put the same once more with --drop-previous to end that, too."
            )];
        }
        vec![format!(
            "Stored. Every function uses it in {minutes} minutes at the latest. Incoming webhooks may be signed with the secret before \
             until {until}."
        )]
    }
}

fn sentence(danger: &Danger) -> String {
    match danger {
        Danger::NewConsumers { fields } => format!(
            "{} would change. Consumers' names at LivePerson are made of it: everybody would be a new consumer without a history. With \
             --new-consumers it is done all the same.",
            fields.join(", ")
        ),
        Danger::DropsPrevious { until } => format!(
            "A rotation is under way: what is signed with the previous secret is believed until {}, and would be refused from now on. \
             Wait until then, or roll back first if the current secret is wrong. With --drop-previous it is stored all the same.",
            seconds(*until)
        ),
    }
}
