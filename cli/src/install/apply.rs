//! `connector install apply`.

use std::path::Path;

use connector_liveengage::app_install::Installation;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    ApplyArguments, Prepared,
    account_secret::{AppKey, SecretStep},
    ask,
    changes::changes,
    configuration::{CallError, Configuration},
    json_of,
    plan::{Plan, described},
    text_of,
};
use crate::output::Report;

/// What was done, for the operator.
pub(super) struct Applied {
    done: Vec<String>,
    warnings: Vec<String>,
    pub(super) complete: bool,
}

impl ApplyArguments {
    /// # Errors
    /// A message for the operator.
    pub(super) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let prepared = self.change.prepare().await?;
        let configuration = Configuration::open(&self.change.access, now).await?;
        let result = self.run_in(&configuration, &prepared, now).await;
        configuration.close().await;
        result
    }

    async fn run_in(
        &self,
        configuration: &Configuration,
        prepared: &Prepared,
        now: Timestamp,
    ) -> Result<Report, String> {
        let (plan, doubt) = self.change.plan(configuration, prepared).await?;
        if let Some(doubt) = doubt {
            return Err(format!("{doubt}. Nothing was changed"));
        }
        let step = prepared.secret.step(&plan, self.store_secret);
        if step == SecretStep::Store {
            prepared.secret.check(now).map_err(|error| format!("{error}. Nothing was changed"))?;
        }
        let text = text_of(&self.change, &plan, &step, prepared);
        let json = self.change.json.then(|| json_of(&plan, &step, prepared, true));
        let mut warnings = [configuration.warnings(), prepared.secret.warnings()].concat();
        let unmade = |warnings, text| Ok(Report { warnings, ..Report::done(text) });
        if !plan.is_change() && step != SecretStep::Store {
            return unmade(warnings, json.unwrap_or(text));
        }
        let mut text = text;
        if !self.yes {
            // The question comes after what is asked about. With --json, standard output is for a program.
            let about = if self.change.json {
                &text
            } else {
                crate::print(&text);
                ""
            };
            match ask(about) {
                Some(true) => text.clear(),
                Some(false) => return unmade(vec!["Nothing was changed.".to_owned()], String::new()),
                None => {
                    warnings.push("Nothing was changed. Add --yes to make the change.".to_owned());
                    let json = self.change.json.then(|| json_of(&plan, &step, prepared, false));
                    return unmade(warnings, json.unwrap_or_default());
                }
            }
        }
        let applied = self.make(configuration, (&plan, step), prepared, now).await?;
        warnings.extend(applied.warnings);
        let done = format!("{text}{}\n", applied.done.join("\n"));
        if let Some(json) = json {
            warnings.extend(applied.done);
            return Ok(Report { text: json, warnings, complete: applied.complete });
        }
        Ok(Report { text: done, warnings, complete: applied.complete })
    }

    pub(super) async fn make(
        &self,
        configuration: &Configuration,
        (plan, step): (&Plan, SecretStep),
        prepared: &Prepared,
        now: Timestamp,
    ) -> Result<Applied, String> {
        let mut applied = Applied { done: vec![], warnings: vec![], complete: true };
        let is_new = matches!(plan, Plan::Create { .. });
        let installed = match plan {
            Plan::Create { manifest, .. } => {
                let created = self.create(configuration, manifest).await?;
                applied.done.push(format!("Registered the app install {}.", described(&created)));
                applied.warnings.extend(not_kept(&created, manifest));
                created
            }
            Plan::Update { wanted, changes } if changes.is_empty() => (**wanted).clone(),
            Plan::Update { wanted, changes } => {
                let updated = self.update(configuration, wanted, prepared).await?;
                let fields = changes.len();
                applied.done.push(format!("Changed {fields} field(s) of the app install {}.", described(&updated)));
                applied.warnings.extend(not_kept(&updated, &Value::Object(wanted.record().clone())));
                applied.warnings.push("LiveEngage applies a changed configuration within two minutes.".to_owned());
                updated
            }
        };
        if step == SecretStep::Store {
            match AppKey::of(&installed) {
                Some(key) => match prepared.secret.store(&key, now).await {
                    Ok(stored) => applied.done.push(stored),
                    Err(error) => {
                        applied.complete = false;
                        applied.warnings.push(self.not_stored(&error, is_new.then_some(&key), prepared));
                    }
                },
                None => {
                    applied.complete = false;
                    applied.warnings.push(
                        "LiveEngage's answer has no client_id or client_secret, so nothing was stored. Run this command again: it reads them \
                         from the record. If LiveEngage doesn't show them, ask LivePerson."
                            .to_owned(),
                    );
                }
            }
        }
        Ok(applied)
    }

    /// Registers the app. If the call's outcome is uncertain, looks whether it was registered.
    async fn create(&self, configuration: &Configuration, manifest: &Value) -> Result<Installation, String> {
        let access = &self.change.access;
        let error = match configuration.create(manifest).await {
            Ok(created) => return Ok(created),
            Err(error) if error.is_uncertain() => error,
            Err(error) => return Err(error.explained(access)),
        };
        let name = manifest.get("client_name").and_then(Value::as_str);
        let found = configuration.list().await.map_err(|unread| {
            format!(
                "{}. The app may be registered or not: LiveEngage's list of app installs couldn't be read ({}). Run `connector install show` \
                 when LiveEngage answers again, and then this command: it finds a registered app by its name",
                error.explained(access),
                unread.explained(access)
            )
        })?;
        let found = found.into_iter().find(|one| !one.is_deleted() && one.name() == name);
        found.ok_or_else(|| {
            format!("{}. LiveEngage's list has no such app install. Run the command again", error.explained(access))
        })
    }

    /// Replaces the record. If somebody else has changed it, says so with the present difference, and changes nothing.
    async fn update(
        &self,
        configuration: &Configuration,
        wanted: &Installation,
        prepared: &Prepared,
    ) -> Result<Installation, String> {
        let error: CallError = match configuration.update(wanted).await {
            Ok(updated) => return Ok(updated),
            Err(error) => error,
        };
        if !error.is_conflict() {
            return Err(error.explained(&self.change.access));
        }
        let (again, _) = self.change.plan(configuration, prepared).await?;
        let step = prepared.secret.step(&again, self.store_secret);
        Err(format!(
            "somebody else changed the app install in the meantime, and nothing was changed by this command. It was read again:\n\n{}\nRun the \
             command again to make this change.",
            text_of(&self.change, &again, &step, prepared)
        ))
    }

    /// Keeps the key of a new app install in a file, because it may be shown only once.
    fn not_stored(&self, error: &str, key: Option<&AppKey>, prepared: &Prepared) -> String {
        let again = "Remove the cause, and run this command again: it reads the client_secret from LiveEngage's record";
        let Some(key) = key else { return format!("The client_secret was not stored: {error}. {again}.") };
        match prepared.secret.keep(key, Path::new(".")) {
            Ok(path) => {
                let (file, account) = (path.display(), self.change.account());
                format!(
                    "The app install exists, and its client_secret was not stored: {error}. It is in the file {file}, which only you can read. \
                     Store it with `connector secret put --account {account} {file} --yes`, and delete the file."
                )
            }
            Err(not_written) => format!(
                "The app install exists, and its client_secret was not stored: {error}. No file could be written here either: {not_written}. \
                 {again}."
            ),
        }
    }
}

/// A warning if LiveEngage's answer differs from what was sent.
fn not_kept(answer: &Installation, sent: &Value) -> Option<String> {
    let mut wanted = answer.clone();
    wanted.set_manifest(sent).ok()?;
    let fields: Vec<_> = changes(answer.record(), wanted.record()).into_iter().map(|change| change.field).collect();
    (!fields.is_empty()).then(|| format!("LiveEngage did not take these fields: {}.", fields.join(", ")))
}
