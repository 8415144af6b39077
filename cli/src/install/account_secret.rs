//! The account's secret in Secrets Manager, which holds the app install's `client_id` and `client_secret`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use connector::{
    app::secret_change::{Danger, Kind, SecretChange, SecretOwner, carry_out, judge},
    port::StoredSecret,
};
use connector_liveengage::{
    app_install::Installation,
    id::{AccountId, AppInstallId},
};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::plan::Plan;
use crate::{output::seconds, secret::target::SecretTarget};

/// The account's secret, as it was before the command.
pub(super) struct AccountSecret {
    target: SecretTarget,
    account: AccountId,
    stored: Option<StoredSecret>,
    /// The fields of the current version, or those of a new secret without id and secret.
    fields: Map<String, Value>,
}

/// The id and the secret of an app install.
pub(super) struct AppKey {
    client_id: AppInstallId,
    client_secret: SecretString,
}

impl AppKey {
    /// The key that a record shows. `None` if it shows none.
    pub(super) fn of(install: &Installation) -> Option<Self> {
        Some(Self { client_id: install.client_id()?, client_secret: install.client_secret()? })
    }
}

/// What is to be done with the account's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretStep {
    /// It has the app install's id and secret.
    Nothing,
    /// The id and the secret are stored.
    Store,
    /// It has the id and another secret. That may be a rotation which isn't finished, so only `--store-secret` replaces it.
    Differs,
    /// It has no or another id, and the record shows no secret.
    Unknown,
}

impl SecretStep {
    pub(super) const fn is_change(self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Store | Self::Differs | Self::Unknown => true,
        }
    }

    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Store => "store",
            Self::Differs => "differs",
            Self::Unknown => "unknown",
        }
    }
}

/// A secret that can be stored.
struct Prepared {
    change: SecretChange,
    secret: SecretString,
}

impl AccountSecret {
    /// Reads the secret. `domain_api` goes into a new one, if it isn't the public one.
    ///
    /// # Errors
    /// A message for the operator: the secret can't be read, or it isn't a JSON object.
    pub(super) async fn read(
        target: SecretTarget,
        account: &AccountId,
        domain_api: Option<&Url>,
    ) -> Result<Self, String> {
        let stored = target.stored().await?;
        let fields = match &stored {
            Some(stored) => serde_json::from_str(stored.current.value.expose_secret()).map_err(|_| {
                let name = &target.name;
                format!(
                    "{name} is not a JSON object: `connector secret check` says what it must have. Nothing was changed"
                )
            })?,
            None => {
                let mut fields = Map::from_iter([("account_id".to_owned(), json!(account.as_str()))]);
                fields.extend(domain_api.map(|url| ("domain_api".to_owned(), json!(url.as_str()))));
                fields
            }
        };
        Ok(Self { target, account: account.clone(), stored, fields })
    }

    /// The secret's name.
    pub(super) fn name(&self) -> &str {
        &self.target.name
    }

    /// Warnings about the deployment.
    pub(super) fn warnings(&self) -> &[String] {
        &self.target.warnings
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The stored `client_id`.
    pub(super) fn client_id(&self) -> Option<AppInstallId> {
        AppInstallId::new(self.text("client_id")?).ok()
    }

    /// What is to be done, for this plan at LiveEngage.
    pub(super) fn step(&self, plan: &Plan, store_secret: bool) -> SecretStep {
        let installed = match plan {
            Plan::Create { .. } => return SecretStep::Store,
            Plan::Update { wanted, .. } => wanted,
        };
        let is_same_app = self.client_id().is_some() && self.client_id() == installed.client_id();
        match AppKey::of(installed) {
            None if is_same_app => SecretStep::Nothing,
            None => SecretStep::Unknown,
            Some(key) if is_same_app => match self.text("client_secret") {
                Some(stored) if stored == key.client_secret.expose_secret() => SecretStep::Nothing,
                Some(_) if !store_secret => SecretStep::Differs,
                _ => SecretStep::Store,
            },
            Some(_) => SecretStep::Store,
        }
    }

    /// What is to be done, for the operator.
    pub(super) fn sentence(&self, step: &SecretStep) -> String {
        let secret = format!("The account's secret {}", self.target.location());
        match (step, &self.stored, self.client_id()) {
            (SecretStep::Nothing, ..) => format!("{secret} has its id and secret."),
            (SecretStep::Store, None, _) => {
                format!("{secret} doesn't exist. It would be created with client_id and client_secret.")
            }
            (SecretStep::Store, Some(_), Some(id)) => {
                format!("{secret} has the client_id {id}. A new version would have those of the app install.")
            }
            (SecretStep::Store, Some(_), None) => {
                format!("{secret} has no client_id. A new version would have it, and the client_secret.")
            }
            (SecretStep::Differs, ..) => {
                format!("{secret} has another client_secret for this client_id. --store-secret would replace it.")
            }
            (SecretStep::Unknown, ..) => format!(
                "{secret} doesn't have the id of this app install, and LiveEngage doesn't show its client_secret. Ask LivePerson for it, and \
                 store it with `connector secret put --account {}`.",
                self.account
            ),
        }
    }

    fn with(&self, client_id: &str, client_secret: &str) -> SecretString {
        let mut fields = self.fields.clone();
        fields.insert("client_id".to_owned(), client_id.into());
        fields.insert("client_secret".to_owned(), client_secret.into());
        SecretString::from(Value::Object(fields).to_string())
    }

    fn judged(&self, secret: SecretString, now: Timestamp) -> Result<Prepared, String> {
        let owner = SecretOwner::Account(self.account.clone());
        let change = judge(&owner, &secret, self.stored.as_ref(), now)
            .map_err(|wrong| format!("{}: {wrong}. Correct it with `connector secret put`", self.target.name))?;
        if let Some(Danger::DropsPrevious { until }) = change.dangers.first() {
            return Err(format!(
                "a rotation of {} is in progress: webhooks signed with the previous secret are accepted until {}, and would be refused from \
                 now on. Wait until then",
                self.target.name,
                seconds(*until)
            ));
        }
        Ok(Prepared { change, secret })
    }

    /// Checks that an id and a secret can be put into the account's secret, before they exist.
    ///
    /// # Errors
    /// A message for the operator.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), String> {
        self.judged(self.with("not-issued-yet", "not-issued-yet"), now).map(drop)
    }

    /// Stores the key.
    ///
    /// # Errors
    /// A message for the operator.
    pub(super) async fn store(&self, key: &AppKey, now: Timestamp) -> Result<String, String> {
        let Prepared { change, secret } =
            self.judged(self.with(key.client_id.as_str(), key.client_secret.expose_secret()), now)?;
        let stored = carry_out(&change, &self.target.store, &self.target.name, &secret).await;
        stored.map_err(|error| self.target.not_written(&error, change.kind))?;
        let place = self.target.location();
        Ok(match change.kind {
            Kind::Create => format!("Created the secret {place}, with client_id and client_secret."),
            Kind::Replace => format!("Stored a new version of {place}. Changed: {}.", change.fields.join(", ")),
            Kind::Nothing => format!("The secret {place} has this client_id and client_secret already."),
        })
    }

    /// Writes the account's secret with this key to a new file in `folder` that only its owner can read, for `connector secret put`. The
    /// file's name has the `client_id`: the file of an earlier app install doesn't stand in the way.
    ///
    /// # Errors
    /// The error of the operating system, also if the file exists.
    pub(super) fn keep(&self, key: &AppKey, folder: &Path) -> std::io::Result<PathBuf> {
        // The name is printed as part of a command, and LiveEngage chooses the id.
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
        let id = key.client_id.as_str().replace(|character| !is_plain(character), "_");
        let path = folder.join(format!("connector-account-{}-{id}.json", self.account));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let secret = self.with(key.client_id.as_str(), key.client_secret.expose_secret());
        let mut file = options.open(&path)?;
        file.write_all(secret.expose_secret().as_bytes())?;
        file.sync_all()?;
        Ok(path)
    }
}
