//! The location of the secrets: Secrets Manager of an AWS account or of a lab.

use std::path::{Path, PathBuf};

use clap::Args;
use connector::{
    app::secret_change::{Kind, SecretOwner},
    port::{SecretStore as _, SecretsError, StoredSecret},
};
use connector_aws::SecretsManager;
use serde_json::Value;

use crate::{
    aws_failure::Service,
    stack_outputs::{self, IdList, parameter},
    target::{load_sdk, sdk_for},
};

/// The default of the template's `SecretPrefix`. The lab uses it too.
const PREFIX: &str = "connector";

#[derive(Debug, Args)]
#[command(next_help_heading = "Which deployment")]
pub(crate) struct SecretTargetArguments {
    /// A file with the description of the stack, or `-` for standard input: the output of
    /// `aws cloudformation describe-stacks --stack-name NAME`. Its parameters give the prefix, the accounts, the lines
    /// and the key.
    #[arg(long, value_name = "FILE")]
    stack_outputs: Option<PathBuf>,
    /// The first part of the secrets' names. Default: the stack parameter SecretPrefix, or else `connector`.
    #[arg(long, value_name = "PREFIX")]
    secret_prefix: Option<String>,
    /// The AWS region. Default: the region of the environment or the profile.
    #[arg(long)]
    region: Option<String>,
    /// The Secrets Manager address of a running lab, for example http://127.0.0.1:4100.
    #[arg(long, value_name = "URL")]
    secrets_endpoint: Option<String>,
}

/// The location of a secret.
#[derive(Debug)]
pub(crate) struct SecretTarget {
    /// The service.
    pub(crate) store: SecretsManager,
    service: Service,
    /// The secret's name.
    pub(crate) name: String,
    /// The KMS key for a new secret; `None` for the account's default key.
    pub(crate) key: Option<String>,
    /// Warnings for standard error.
    pub(crate) warnings: Vec<String>,
}

impl SecretTarget {
    /// Sets the key for a new secret, if one is given. Otherwise it stays the stack's.
    pub(crate) fn with_key_of_new(self, key: Option<String>) -> Self {
        let key = key.or(self.key);
        Self { store: self.store.with_key_of_new(key.clone()), key, ..self }
    }

    /// The secret's name and its location: the same name in another region is another secret.
    pub(crate) fn location(&self) -> String {
        format!("{} {}", self.name, self.service.location())
    }

    /// The stored secret, if there is one.
    ///
    /// # Errors
    /// A message for the operator.
    pub(crate) async fn stored(&self) -> Result<Option<StoredSecret>, String> {
        let rights = "secretsmanager:GetSecretValue, and kms:Decrypt if your own key encrypts it";
        self.store.stored(&self.name).await.map_err(|error| self.service.failure(&error, rights))
    }

    /// The stored secret.
    ///
    /// # Errors
    /// A message for the operator, also if nothing is stored.
    pub(crate) async fn existing(&self) -> Result<StoredSecret, String> {
        self.stored().await?.ok_or_else(|| self.store.missing(&self.name).to_string())
    }

    /// The message for a change that failed.
    pub(crate) fn not_written(&self, error: &SecretsError, change: Kind) -> String {
        let rights = match change {
            Kind::Create => {
                "secretsmanager:CreateSecret, and kms:GenerateDataKey and kms:Decrypt if you use your own key"
            }
            Kind::Replace | Kind::Nothing => {
                "secretsmanager:PutSecretValue, and kms:GenerateDataKey and kms:Decrypt if your own key encrypts it"
            }
        };
        self.service.failure(error, rights)
    }
}

impl SecretTargetArguments {
    /// Whether the stack's description comes from standard input.
    pub(crate) fn reads_standard_input(&self) -> bool {
        self.stack_outputs.as_deref() == Some(Path::new("-"))
    }

    /// Reads the description of the stack. `None` if it isn't given.
    ///
    /// # Errors
    /// A message for the operator: the file can't be read, or it isn't JSON.
    pub(crate) fn stack(&self) -> Result<Option<Value>, String> {
        let json = self.stack_outputs.as_deref().map(stack_outputs::read).transpose()?;
        let read = |json: Vec<u8>| serde_json::from_slice(&json);
        json.map(read).transpose().map_err(|_| stack_outputs::StackOutputsError::NotJson.to_string())
    }

    /// Reads the description of the stack. Makes no AWS call.
    ///
    /// # Errors
    /// A message for the operator: a file can't be read, or no region is set.
    pub(crate) async fn target(&self, owner: &SecretOwner) -> Result<SecretTarget, String> {
        self.target_in(self.stack()?.as_ref(), owner).await
    }

    /// Locates the owner's secret in a deployment with this description. Makes no AWS call.
    ///
    /// # Errors
    /// A message for the operator: no region is set.
    pub(crate) async fn target_in(&self, stack: Option<&Value>, owner: &SecretOwner) -> Result<SecretTarget, String> {
        let described = |key| stack.and_then(|stack| parameter(stack, key));
        let prefix =
            self.secret_prefix.clone().or_else(|| described("SecretPrefix")).unwrap_or_else(|| PREFIX.to_owned());
        let (list, id) = match owner {
            SecretOwner::Account(id) => (IdList::Accounts, id.as_str()),
            SecretOwner::Line(id) => (IdList::Lines, id.as_str()),
        };
        let warnings = stack.and_then(|stack| list.without(stack, id)).map(|_| {
            let list = list.parameter();
            format!("The stack doesn't list {owner} yet: add it to the parameter {list} and deploy.")
        });
        let sdk = sdk_for(&load_sdk(self.region.as_ref()).await?, self.secrets_endpoint.as_ref())?;
        Ok(SecretTarget {
            service: Service::new("Secrets Manager", &sdk),
            store: SecretsManager::new(aws_sdk_secretsmanager::Client::new(&sdk)),
            name: owner.secret_name(prefix.trim_matches('/')),
            key: described("KmsKeyArn").filter(|key| !key.is_empty()),
            warnings: warnings.into_iter().collect(),
        })
    }
}
