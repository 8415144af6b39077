//! `connector secret show`: shows what is stored, without values.

use clap::Args;
use connector::{
    app::secret_change::{SecretOwner, differences, previous_until},
    port::{StoredSecret, StoredVersion},
};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{
    OwnerArguments,
    check::{problems, report},
    reference::{at, paths},
    target::SecretTargetArguments,
};
use crate::output::{Report, age, or_dash, seconds, table};

#[derive(Debug, Args)]
pub(crate) struct ShowSecretArguments {
    #[command(flatten)]
    owner: OwnerArguments,
    #[command(flatten)]
    target: SecretTargetArguments,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    json: bool,
}

impl ShowSecretArguments {
    /// # Errors
    /// A message for the operator.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let owner = self.owner.required()?;
        let target = self.target.target(&owner).await?;
        let stored = target.existing().await?;
        let versions = versions(&owner, &stored, now);
        let fields = fields(&stored);
        let mut shown = if self.json {
            let versions: Vec<_> = versions.iter().map(Version::json).collect();
            let fields: Vec<_> = fields.iter().map(Field::json).collect();
            Report::json(&json!({"secret": target.name, "versions": versions, "fields": fields}))
        } else {
            let versions: Vec<_> = versions.iter().map(|version| version.cells(now)).collect();
            let heading = ["STAGE", "VERSION", "WRITTEN", "AGE", "WEBHOOKS", "VALID"];
            let fields: Vec<_> = fields.iter().map(Field::cells).collect();
            let fields = table(["FIELD", "AWSCURRENT", "AWSPREVIOUS"], &fields);
            Report::done(format!("{}\n\n{}\n{fields}", target.name, table(heading, &versions)))
        };
        shown.warnings = target.warnings;
        let wrong = problems(&owner, &stored.current.value);
        if !wrong.is_empty() {
            shown.complete = false;
            shown.warnings.push("No function accepts the current version:".to_owned());
            shown.warnings.push(report(&owner.to_string(), &wrong, false).text);
        }
        Ok(shown)
    }
}

/// A version, without its content.
struct Version {
    stage: &'static str,
    id: String,
    written: Option<Timestamp>,
    /// Whether and how long webhooks signed with it are accepted.
    webhooks: WebhookAcceptance,
    valid: bool,
}

#[derive(Clone, Copy)]
enum WebhookAcceptance {
    Always,
    Until(Timestamp),
    NoMore,
}

fn versions(owner: &SecretOwner, stored: &StoredSecret, now: Timestamp) -> Vec<Version> {
    let version = |stage, version: &StoredVersion, webhooks| Version {
        stage,
        id: version.id.clone(),
        written: version.created_at,
        webhooks,
        valid: owner.check(&version.value).is_ok(),
    };
    let until = previous_until(stored, now).map_or(WebhookAcceptance::NoMore, WebhookAcceptance::Until);
    let previous = stored.previous.as_ref().map(|previous| version("AWSPREVIOUS", previous, until));
    std::iter::once(version("AWSCURRENT", &stored.current, WebhookAcceptance::Always)).chain(previous).collect()
}

impl Version {
    fn webhooks(&self) -> String {
        match self.webhooks {
            WebhookAcceptance::Always if self.valid => "believed".to_owned(),
            WebhookAcceptance::Until(until) if self.valid => format!("believed until {}", seconds(until)),
            _ => "not believed".to_owned(),
        }
    }

    fn cells(&self, now: Timestamp) -> [String; 6] {
        let written = self.written.map(seconds);
        let age = self.written.map(|written| age(now.duration_since(written)));
        let valid = if self.valid { "yes" } else { "no" };
        [
            self.stage.to_owned(),
            self.id.clone(),
            or_dash(written.as_deref()),
            or_dash(age.as_deref()),
            self.webhooks(),
            valid.to_owned(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "stage": self.stage, "version": self.id, "written_at": self.written, "webhooks": self.webhooks(),
            "valid": self.valid,
        })
    }
}

/// A field of either version.
struct Field {
    path: String,
    current: Option<String>,
    previous: Option<String>,
    differs: bool,
}

fn fields(stored: &StoredSecret) -> Vec<Field> {
    // Invalid JSON has no fields to show.
    let parse =
        |version: &StoredVersion| serde_json::from_str::<Value>(version.value.expose_secret()).unwrap_or_default();
    let current = parse(&stored.current);
    let previous = stored.previous.as_ref().map(parse);
    let differing = previous.as_ref().map(|previous| differences(previous, &current)).unwrap_or_default();
    let mut all: Vec<_> = paths(&current).into_iter().chain(previous.iter().flat_map(paths)).collect();
    all.sort();
    all.dedup();
    let is_leaf = |path: &String| {
        let in_either = |value: &Value| at(value, path).is_some_and(Value::is_object);
        !in_either(&current) && !previous.as_ref().is_some_and(in_either)
    };
    let shown = |value: &Value, path: &str| at(value, path).map(size);
    all.into_iter()
        .filter(is_leaf)
        .map(|path| Field {
            current: shown(&current, &path),
            previous: previous.as_ref().and_then(|previous| shown(previous, &path)),
            differs: differing.contains(&path),
            path,
        })
        .collect()
}

impl Field {
    fn cells(&self) -> [String; 3] {
        let previous = or_dash(self.previous.as_deref());
        let previous = if self.differs { format!("{previous}, different") } else { previous };
        [self.path.clone(), or_dash(self.current.as_deref()), previous]
    }

    fn json(&self) -> Value {
        json!({"field": self.path, "current": self.current, "previous": self.previous, "differs": self.differs})
    }
}

/// Describes that a value exists, and its size.
fn size(value: &Value) -> String {
    match value {
        Value::String(text) => match text.chars().count() {
            0 => "empty".to_owned(),
            count => format!("{count} characters"),
        },
        Value::Array(list) => format!("{} in a list", list.len()),
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => "set".to_owned(),
    }
}
