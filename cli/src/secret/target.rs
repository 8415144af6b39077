//! Where the secrets are: Secrets Manager of an AWS account, or of a lab.

use std::path::{Path, PathBuf};

use clap::Args;
use connector::{app::secret_change::SecretOwner, aws::SecretsManager};
use serde_json::Value;

use crate::{
    stack_outputs,
    target::{load_sdk, sdk_for},
};

/// The template's default of `SecretPrefix`, and the lab's.
const PREFIX: &str = "connector";

#[derive(Debug, Args)]
#[command(next_help_heading = "Which deployment")]
pub(crate) struct SecretTargetArguments {
    /// A file with the description of the stack, or `-` for standard input: what `aws cloudformation describe-stacks --stack-name NAME`
    /// prints. Its parameters name the prefix, the accounts, the lines and the key.
    #[arg(long, value_name = "FILE")]
    stack_outputs: Option<PathBuf>,
    /// The first part of the secrets' names, instead of the stack's parameter SecretPrefix; `connector` if nothing says otherwise.
    #[arg(long, value_name = "PREFIX")]
    secret_prefix: Option<String>,
    /// The AWS region, instead of the one that the environment or the profile names.
    #[arg(long)]
    region: Option<String>,
    /// Secrets Manager of a running lab, for example http://127.0.0.1:4100.
    #[arg(long, value_name = "URL")]
    secrets_endpoint: Option<String>,
}

/// Where a secret is.
#[derive(Debug)]
pub(crate) struct SecretTarget {
    /// The service.
    pub(crate) store: SecretsManager,
    /// The secret's name.
    pub(crate) name: String,
    /// The key of KMS that a new secret is encrypted with; `None` for the account's default one.
    pub(crate) key: Option<String>,
    /// Sentences for standard error.
    pub(crate) warnings: Vec<String>,
}

impl SecretTarget {
    /// With this key for a new secret, if one is given: else it stays the stack's.
    pub(crate) fn with_key_of_new(self, key: Option<String>) -> Self {
        let key = key.or(self.key);
        Self { store: self.store.with_key_of_new(key.clone()), key, ..self }
    }
}

impl SecretTargetArguments {
    /// Whether the stack's description comes from standard input.
    pub(crate) fn reads_standard_input(&self) -> bool {
        self.stack_outputs.as_deref() == Some(Path::new("-"))
    }

    /// Reads the stack's description; AWS is not called yet.
    ///
    /// # Errors
    /// A sentence, for a file that can't be read, or a missing region.
    pub(crate) async fn target(&self, owner: &SecretOwner) -> Result<SecretTarget, String> {
        let stack = match self.stack_outputs.as_deref().map(stack_outputs::read).transpose()? {
            Some(json) => {
                Some(serde_json::from_slice(&json).map_err(|_| stack_outputs::StackOutputsError::NotJson.to_string())?)
            }
            None => None,
        };
        let described = |key| stack.as_ref().and_then(|stack| parameter(stack, key));
        let prefix =
            self.secret_prefix.clone().or_else(|| described("SecretPrefix")).unwrap_or_else(|| PREFIX.to_owned());
        let (list, id) = match owner {
            SecretOwner::Account(id) => ("LiveEngageAccounts", id.as_str()),
            SecretOwner::Line(id) => ("Lines", id.as_str()),
        };
        let is_other = described(list).is_some_and(|ids| ids.split(',').all(|known| known.trim() != id));
        let warnings = is_other.then(|| {
            format!("The stack doesn't know {owner} yet: add it to the parameter {list} and deploy, then it is used.")
        });
        let sdk = sdk_for(&load_sdk(self.region.as_ref()).await, self.secrets_endpoint.as_ref())?;
        Ok(SecretTarget {
            store: SecretsManager::new(aws_sdk_secretsmanager::Client::new(&sdk)),
            name: owner.secret_name(prefix.trim_matches('/')),
            key: described("KmsKeyArn").filter(|key| !key.is_empty()),
            warnings: warnings.into_iter().collect(),
        })
    }
}

/// A parameter of the described stack. `sam list stack-outputs` prints none.
fn parameter(stack: &Value, key: &str) -> Option<String> {
    let parameters = stack.pointer("/Stacks/0/Parameters").or_else(|| stack.get("Parameters"))?.as_array()?;
    let text = |parameter: &Value, field: &str| parameter.get(field).and_then(Value::as_str).map(str::to_owned);
    let found = parameters.iter().find(|parameter| text(parameter, "ParameterKey").as_deref() == Some(key))?;
    text(found, "ParameterValue")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_parameters_of_a_described_stack_are_read() {
        let parameters = json!([{"ParameterKey": "SecretPrefix", "ParameterValue": "prod"}]);
        for stack in [json!({"Stacks": [{"Parameters": parameters}]}), json!({"Parameters": parameters})] {
            assert_eq!(parameter(&stack, "SecretPrefix").as_deref(), Some("prod"));
            assert_eq!(parameter(&stack, "Lines"), None);
        }
        for other in [json!([{"OutputKey": "TableName"}]), json!({"Stacks": []}), json!(7)] {
            assert_eq!(parameter(&other, "SecretPrefix"), None, "{other}");
        }
        let template = include_str!("../../../template.yaml");
        for parameter in ["  SecretPrefix:\n", "  LiveEngageAccounts:\n", "  Lines:\n", "  KmsKeyArn:\n"] {
            assert!(template.contains(parameter), "{parameter}");
        }
    }
}
