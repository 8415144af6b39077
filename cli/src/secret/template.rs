//! `connector secret template`: prints a secret to fill in.

use clap::Args;
use connector::{app::secret_change::SecretOwner, domain::id::LineId};
use connector_channels as channel;
use connector_liveengage::id::AccountId;
use secrecy::SecretString;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::reference::{USER_CHOSEN, at, paths, reference, remove, set};
use crate::output::Report;

#[derive(Debug, Args)]
pub(crate) struct TemplateArguments {
    /// `account`, or the channel of a line.
    #[arg(value_name = "KIND", value_parser = kinds())]
    kind: String,
}

fn kinds() -> clap::builder::PossibleValuesParser {
    std::iter::once("account").chain(channel::ALL.iter().map(|channel| channel.name())).collect::<Vec<_>>().into()
}

impl TemplateArguments {
    /// # Errors
    /// None in practice: the ids are fixed and valid.
    pub(crate) fn run(&self) -> Result<Report, String> {
        let owner = if self.kind == "account" {
            SecretOwner::Account(AccountId::new("72419083").map_err(|error| error.to_string())?)
        } else {
            SecretOwner::Line(LineId::new(format!("{}-main", self.kind)).map_err(|error| error.to_string())?)
        };
        let reference_secret = reference(&owner, &self.kind);
        let mut skeleton = Value::Object(Map::new());
        let mut warnings = vec!["Fill in these fields, then store the secret with `connector secret put`:".to_owned()];
        for path in paths(&reference_secret).into_iter().filter(|path| is_required(&owner, &reference_secret, path)) {
            let Some(example) = at(&reference_secret, &path) else { continue };
            let value = match example.as_str() {
                None => Value::Object(Map::new()),
                Some(channel) if path == "channel" => Value::from(channel),
                Some(hint) if hint.starts_with(USER_CHOSEN) => Value::from(key()),
                Some(hint) => {
                    warnings.push(format!("  {path}: {hint}"));
                    // An empty value is refused until it is filled in.
                    Value::from("")
                }
            };
            set(&mut skeleton, &path, value);
        }
        Ok(Report { warnings, ..Report::json(&skeleton) })
    }
}

/// Whether a function requires a field.
fn is_required(owner: &SecretOwner, reference_secret: &Value, path: &str) -> bool {
    let mut without = reference_secret.clone();
    remove(&mut without, path);
    let optional_parent =
        path.rsplit_once('.').is_some_and(|(parent, _)| !is_required(owner, reference_secret, parent));
    !optional_parent && owner.check(&SecretString::from(without.to_string())).is_err()
}

/// 244 random bits in 64 hexadecimal digits.
fn key() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
