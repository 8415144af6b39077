//! `connector install`: shows, compares and changes the app install of an account, as an administrator of it.

use std::io::{BufRead, IsTerminal as _, Write};

use clap::{Args, Subcommand};
use connector::app::secret_change::SecretOwner;
use connector_channels::Channel;
use connector_liveengage::{id::AccountId, manifest::ManifestError};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use self::{
    access::AccessArguments,
    account_secret::{AccountSecret, SecretStep},
    changes::Change,
    configuration::Configuration,
    plan::{Plan, Selector, Wanted},
};
use crate::{
    manifest,
    output::Report,
    secret::target::SecretTargetArguments,
    stack_outputs::{self, WEBHOOK_OUTPUT},
};

mod access;
mod account_secret;
mod apply;
mod changes;
mod configuration;
mod plan;
mod show;
#[cfg(feature = "lab")]
#[cfg(test)]
mod tests;

/// The exit code of `connector install diff` if there is a difference.
pub(crate) const DIFFERENCE: u8 = 3;

#[derive(Debug, Subcommand)]
pub(crate) enum InstallCommand {
    /// Print the app installs of an account: their ids, names and webhooks. Never prints a secret.
    Show(ShowArguments),
    /// Print, field by field, what `apply` would change. Exits with 3 if there is a difference.
    Diff(ChangeArguments),
    /// Register the app, or change its record to the manifest, and store its id and secret in the account's secret.
    /// Without --yes it prints the difference and asks.
    Apply(ApplyArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    access: AccessArguments,
    /// Only this app install, by its `id` or `client_id`.
    #[arg(long, value_name = "ID")]
    install: Option<String>,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArguments {
    #[command(flatten)]
    access: AccessArguments,
    /// The app install, by its `id` or `client_id`. Default: the one of the account's secret, or else the one with the
    /// name. `apply` changes one that it found by its name alone only if no webhook of it goes elsewhere.
    #[arg(long, value_name = "ID")]
    install: Option<String>,
    /// The webhook's address, instead of the stack output LiveEngageWebhookUrl.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// The name that agents see as the source of a conversation. Default: the installed name, or else `SMS connector`.
    #[arg(long)]
    name: Option<String>,
    /// The description of the app. Default: the installed description, or else that of `connector manifest`.
    #[arg(long)]
    description: Option<String>,
    /// A channel of the lines; repeat it for each. LiveEngage then sends typing and read marks only if one of them
    /// shows these. Without this option it sends both.
    #[arg(long = "channel", value_name = "CHANNEL", value_parser = manifest::channel)]
    channels: Vec<&'static dyn Channel>,
    #[command(flatten)]
    target: SecretTargetArguments,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    #[command(flatten)]
    change: ChangeArguments,
    /// Make the change without asking.
    #[arg(long, help_heading = "What to do")]
    yes: bool,
    /// Replace the stored `client_secret` by the one of the record, although both belong to the same `client_id`.
    #[arg(long, help_heading = "What to do")]
    store_secret: bool,
}

/// What a command found.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// For the operator.
    pub(crate) report: Report,
    /// Whether `diff` found a difference.
    pub(crate) differs: bool,
}

impl From<Report> for Outcome {
    fn from(report: Report) -> Self {
        Self { report, differs: false }
    }
}

impl InstallCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// A message for the operator.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Outcome, String> {
        match self {
            Self::Show(arguments) => arguments.run(now).await.map(Outcome::from),
            Self::Diff(arguments) => arguments.diff(now).await,
            Self::Apply(arguments) => arguments.run(now).await.map(Outcome::from),
        }
    }
}

impl ShowArguments {
    async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let configuration = Configuration::open(&self.access, now).await?;
        let installs = configuration.list().await;
        configuration.close().await;
        let installs = installs.map_err(|error| error.explained(&self.access))?;
        let shown: Vec<_> =
            installs.iter().filter(|one| self.install.as_deref().is_none_or(|id| plan::is_named(one, id))).collect();
        if let (Some(id), []) = (&self.install, shown.as_slice()) {
            return Err(plan::no_such_install(id, &installs));
        }
        let report = show::report(self.access.account(), &shown, self.json);
        Ok(Report { warnings: configuration.warnings().to_vec(), ..report })
    }
}

impl ChangeArguments {
    fn account(&self) -> &AccountId {
        self.access.account()
    }

    /// The address that LiveEngage shall post webhooks to.
    fn webhook(&self, stack: Option<&Value>) -> Result<Url, String> {
        let address = match (&self.webhook_url, stack) {
            (Some(address), _) => address.clone(),
            (None, Some(stack)) => stack_outputs::find_in(stack, WEBHOOK_OUTPUT).map_err(|error| error.to_string())?,
            (None, None) => {
                return Err(format!("give --stack-outputs, or --webhook-url for the stack's output {WEBHOOK_OUTPUT}"));
            }
        };
        let url = manifest::webhook(&address)?;
        // A simulator on this machine posts to this machine.
        if url.scheme() == "https" || self.access.is_on_this_machine() {
            Ok(url)
        } else {
            Err(ManifestError::NotHttps.to_string())
        }
    }

    /// Reads everything that doesn't need a login: what is wanted, and the account's secret. So a lack of rights in AWS shows before anything
    /// is changed at LiveEngage.
    async fn prepare(&self) -> Result<Prepared, String> {
        if self.access.reads_standard_input() && self.target.reads_standard_input() {
            return Err("the password and the stack can't both come from standard input".to_owned());
        }
        let stack = self.target.stack()?;
        let wanted = Wanted {
            webhook: self.webhook(stack.as_ref())?,
            name: self.name.clone(),
            description: self.description.clone(),
            indications: manifest::indications(&self.channels),
        };
        let owner = SecretOwner::Account(self.account().clone());
        let target = self.target.target_in(stack.as_ref(), &owner).await?;
        let secret = AccountSecret::read(target, self.account(), self.access.own_domain_api()).await?;
        Ok(Prepared { wanted, secret })
    }

    /// Compares the app install that is meant with what is wanted. Also returns why it may be that of another deployment.
    async fn plan(&self, configuration: &Configuration, prepared: &Prepared) -> Result<(Plan, Option<String>), String> {
        let installs = configuration.list().await.map_err(|error| error.explained(&self.access))?;
        let selector = Selector {
            id: self.install.as_deref(),
            client_id: prepared.secret.client_id(),
            name: self.name.as_deref().unwrap_or(manifest::NAME),
        };
        let selected = plan::select(&installs, &selector)?;
        let Some((one, found)) = selected else { return Ok((Plan::create(&prepared.wanted)?, None)) };
        let id = one.id().ok_or("the record of the app install has no id")?;
        // The list has one revision for all records. A change needs that of the record itself.
        let current = configuration.read(&id).await.map_err(|error| error.explained(&self.access))?;
        plan::check_name(&installs, &current, self.name.as_deref())?;
        let doubt = plan::doubt(&current, found, &prepared.wanted.webhook);
        Ok((Plan::update(current, &prepared.wanted)?, doubt))
    }

    async fn diff(&self, now: Timestamp) -> Result<Outcome, String> {
        let prepared = self.prepare().await?;
        let configuration = Configuration::open(&self.access, now).await?;
        let plan = self.plan(&configuration, &prepared).await;
        configuration.close().await;
        let (plan, doubt) = plan?;
        let step = prepared.secret.step(&plan, false);
        let differs = plan.is_change() || step.is_change();
        let text =
            if self.json { json_of(&plan, &step, &prepared, false) } else { text_of(self, &plan, &step, &prepared) };
        let mut warnings = [configuration.warnings(), prepared.secret.warnings()].concat();
        warnings.extend(doubt.map(|doubt| format!("apply would refuse this change: {doubt}.")));
        let report = Report { warnings, ..Report::done(text) };
        Ok(Outcome { report, differs })
    }
}

/// What is known before the login.
struct Prepared {
    wanted: Wanted,
    secret: AccountSecret,
}

/// The plan as text: the app install with its changes, and the account's secret.
fn text_of(arguments: &ChangeArguments, plan: &Plan, step: &SecretStep, prepared: &Prepared) -> String {
    let head = plan.heading(arguments.account());
    let changes = changes::text(plan.changes());
    let secret = prepared.secret.sentence(step);
    format!("{head}\n{changes}{secret}\n")
}

fn json_of(plan: &Plan, step: &SecretStep, prepared: &Prepared, is_made: bool) -> String {
    let changes: Vec<_> = plan.changes().iter().map(Change::to_json).collect();
    let value = json!({
        "dry_run": !is_made,
        "app_install": plan.kind(),
        "changes": changes,
        "account_secret": { "name": prepared.secret.name(), "change": step.kind() },
    });
    format!("{value:#}\n")
}

/// Asks on the terminal for a yes to what `about` says. `None`: nobody can be asked.
fn ask(about: &str) -> Option<bool> {
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return None;
    }
    ask_by(std::io::stderr(), std::io::stdin().lock(), about)
}

fn ask_by(mut out: impl Write, mut typed: impl BufRead, about: &str) -> Option<bool> {
    let _ = write!(out, "{about}Make this change? [y/N] ").and_then(|()| out.flush());
    let mut answer = String::new();
    typed.read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
