//! The record of an app install.

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::Revision;
use crate::{
    LiveEngageError,
    id::{AppInstallId, InstallationId},
    tolerant,
};

/// The record of an app install: its manifest, its id and its secret. Keeps every field as it came. `Debug` shows only the ids.
#[derive(derive_more::Debug, Clone, PartialEq)]
#[debug("Installation({:?}, {:?}, {revision:?})", self.id(), self.client_id())]
pub struct Installation {
    record: Map<String, Value>,
    /// The revision that the record was read at. `None` if the reply didn't name it.
    pub revision: Option<Revision>,
}

impl Installation {
    pub(super) fn read(record: &Value, revision: Option<Revision>) -> Option<Self> {
        Some(Self { record: record.as_object()?.clone(), revision })
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.record.get(field).and_then(Value::as_str)
    }

    /// The id of the record (`id`).
    pub fn id(&self) -> Option<InstallationId> {
        InstallationId::new(self.text("id")?).ok()
    }

    /// The id of the app (`client_id`), with which a connector gets its AppJWT.
    pub fn client_id(&self) -> Option<AppInstallId> {
        AppInstallId::new(self.text("client_id")?).ok()
    }

    /// The secret of the app (`client_secret`), which is also the key of the webhooks' signature.
    pub fn client_secret(&self) -> Option<SecretString> {
        self.text("client_secret").filter(|secret| !secret.is_empty()).map(SecretString::from)
    }

    /// The name of the app (`client_name`), unique in the account.
    pub fn name(&self) -> Option<&str> {
        self.text("client_name")
    }

    /// When the secret expires (`client_secret_expires_at`, in seconds). `None` for never, which is 0 on the wire.
    pub fn secret_expires_at(&self) -> Option<Timestamp> {
        self.second("client_secret_expires_at").filter(|at| *at != Timestamp::UNIX_EPOCH)
    }

    /// When the app was registered (`client_id_issued_at`, in seconds).
    pub fn issued_at(&self) -> Option<Timestamp> {
        self.second("client_id_issued_at")
    }

    fn second(&self, field: &str) -> Option<Timestamp> {
        self.record.get(field).and_then(tolerant::number).and_then(|second| Timestamp::from_second(second).ok())
    }

    /// Whether the app is enabled. A record that doesn't say so is.
    pub fn is_enabled(&self) -> bool {
        self.record.get("enabled").and_then(Value::as_bool).unwrap_or(true)
    }

    /// Whether the app was removed.
    pub fn is_deleted(&self) -> bool {
        self.record.get("deleted").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The whole record, as it came and was changed. Holds the secret.
    pub const fn record(&self) -> &Map<String, Value> {
        &self.record
    }

    /// Puts the manifest into the record. What only the record has stays: its other fields, a capability such as `broadcast`, and fields
    /// inside an object that both have, such as the `headers` of a webhook. A list of the same elements in another order stays, too.
    ///
    /// Two things that the manifest leaves out are removed, because LiveEngage would act on them: a webhook, and `max_retries` of one.
    ///
    /// # Errors
    /// [`LiveEngageError::Unsendable`] if the manifest is not an object.
    pub fn set_manifest(&mut self, manifest: &Value) -> Result<(), LiveEngageError> {
        let what = "the manifest is not an object";
        let fields = manifest.as_object().ok_or(LiveEngageError::Unsendable { call: super::UPDATE, what })?;
        merge(&mut self.record, fields);
        let webhooks = self.record.get_mut("capabilities").and_then(|capabilities| capabilities.get_mut("webhooks"));
        let wanted = manifest.pointer("/capabilities/webhooks").and_then(Value::as_object);
        if let (Some(Value::Object(webhooks)), Some(wanted)) = (webhooks, wanted) {
            remove_left_out(webhooks, wanted);
        }
        Ok(())
    }

    pub(super) fn record_json(&self) -> String {
        Value::Object(self.record.clone()).to_string()
    }
}

fn merge(record: &mut Map<String, Value>, manifest: &Map<String, Value>) {
    for (field, value) in manifest {
        match (record.get_mut(field), value) {
            (Some(Value::Object(kept)), Value::Object(new)) => merge(kept, new),
            (Some(Value::Array(kept)), Value::Array(new)) if has_same_elements(kept, new) => {}
            _ => {
                record.insert(field.clone(), value.clone());
            }
        }
    }
}

fn has_same_elements(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len()
        && one.iter().all(|value| other.contains(value))
        && other.iter().all(|value| one.contains(value))
}

/// Removes the webhooks, and their limits of retries, that are not wanted. A setting without an endpoint is not a webhook.
fn remove_left_out(webhooks: &mut Map<String, Value>, wanted: &Map<String, Value>) {
    webhooks.retain(|event, settings| match (wanted.get(event), settings) {
        (Some(wanted), Value::Object(settings)) => {
            if wanted.get("max_retries").is_none() {
                settings.remove("max_retries");
            }
            true
        }
        (Some(_), _) => true,
        (None, settings) => settings.get("endpoint").is_none(),
    });
}
