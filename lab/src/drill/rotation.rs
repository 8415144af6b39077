//! Rotates LiveEngage's client secret during the drill: the new secret is stored first, and LiveEngage switches to it
//! later.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use crate::installation::ACCOUNT;
use crate::lab::Lab;

/// A function reads the secret at its start, and again at most once a minute when a signature is unknown.
const REREAD_INTERVAL: Duration = Duration::from_secs(61);

/// Stores a new client secret after a third of the time. From the half on, LiveEngage signs with it, and Sentinel
/// accepts no other. A drill that ends before a function would read the secret again has no rotation.
///
/// # Errors
/// The failed operation on the AWS stand-in.
pub(super) async fn rotate(lab: &Lab, started: Instant, time: Duration) -> Result<(), String> {
    let switch = (time / 2).max(REREAD_INTERVAL);
    if switch >= time {
        return Ok(());
    }
    tokio::time::sleep_until(started + time / 3).await;
    let client = aws_sdk_secretsmanager::Client::new(lab.aws().sdk_config());
    let name = format!("connector/account/{ACCOUNT}");
    let failed = |what: &str| format!("the secret can't be {what}");
    let stored = client.get_secret_value().secret_id(&name).send().await.map_err(|_| failed("read"))?;
    let mut secret: Value =
        serde_json::from_str(stored.secret_string().unwrap_or_default()).map_err(|_| failed("read"))?;
    let field = secret.get_mut("client_secret").ok_or_else(|| failed("read"))?;
    let old = SecretString::from(field.as_str().unwrap_or_default());
    let new = uuid::Uuid::new_v4().simple().to_string();
    *field = new.clone().into();
    let new = SecretString::from(new);
    lab.liveengage().set_client_secrets_at_sentinel(ACCOUNT, vec![old, new.clone()]);
    lab.aws().rotate_secret(&name, &secret.to_string()).await.map_err(|_| failed("stored"))?;
    tokio::time::sleep_until(started + switch).await;
    lab.liveengage().set_client_secret(ACCOUNT, new.clone());
    lab.liveengage().set_client_secrets_at_sentinel(ACCOUNT, vec![new]);
    Ok(())
}
