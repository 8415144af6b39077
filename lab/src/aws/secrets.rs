//! Secrets Manager: rustack's service on a loopback port, filled with the real SDK.

use std::sync::Arc;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use rustack_secretsmanager_core::config::SecretsManagerConfig;
use rustack_secretsmanager_core::handler::RustackSecretsManagerHandler;
use rustack_secretsmanager_core::provider::RustackSecretsManager;
use rustack_secretsmanager_http::{SecretsManagerHttpConfig, SecretsManagerHttpService};
use tokio::net::TcpListener;

use super::{ACCOUNT, AwsStandInError, REGION, listener};

/// Answers Secrets Manager requests until the task is aborted.
pub(super) async fn serve(listener: TcpListener) {
    let config = SecretsManagerConfig {
        skip_signature_validation: true,
        default_region: REGION.to_owned(),
        default_account_id: ACCOUNT.to_owned(),
    };
    let handler = RustackSecretsManagerHandler::new(Arc::new(RustackSecretsManager::new(config)));
    let http = SecretsManagerHttpConfig {
        skip_signature_validation: true,
        region: REGION.to_owned(),
        credential_provider: None,
    };
    listener::serve(listener, SecretsManagerHttpService::new(Arc::new(handler), http)).await;
}

/// Creates a secret whose value is a JSON text.
pub(super) async fn put(client: &Client, name: &str, json: &str) -> Result<(), AwsStandInError> {
    check_json(name, json)?;
    client.create_secret().name(name).secret_string(json).send().await.map_err(|error| refused(name, &error))?;
    Ok(())
}

/// Stores a new version of a secret. It becomes AWSCURRENT, and the previous version becomes AWSPREVIOUS.
pub(super) async fn rotate(client: &Client, name: &str, json: &str) -> Result<(), AwsStandInError> {
    check_json(name, json)?;
    client
        .put_secret_value()
        .secret_id(name)
        .secret_string(json)
        .send()
        .await
        .map_err(|error| refused(name, &error))?;
    Ok(())
}

fn check_json(name: &str, json: &str) -> Result<(), AwsStandInError> {
    // The error gives the position but not the text, because the text is a secret.
    serde_json::from_str::<serde::de::IgnoredAny>(json).map(drop).map_err(|error| AwsStandInError::Secret {
        name: name.to_owned(),
        reason: format!("its value is not JSON (line {}, column {})", error.line(), error.column()),
    })
}

fn refused(name: &str, error: &(impl std::error::Error + Send + Sync + 'static)) -> AwsStandInError {
    AwsStandInError::Secret { name: name.to_owned(), reason: DisplayErrorContext(error).to_string() }
}
