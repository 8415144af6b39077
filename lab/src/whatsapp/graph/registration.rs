//! The webhook's address: `POST /{version}/{phone-number-id}` with `webhook_configuration` (Meta, "Webhook overrides"), and
//! `POST /{version}/{whatsapp-business-account-id}/subscribed_apps`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::{GraphAnswer, GraphCall, GraphError, GraphHandlers, Operation};

/// The longest callback address, in characters.
const MAX_CALLBACK: usize = 200;

/// The alternative address of the number's webhooks.
struct WebhookOverride {
    url: Url,
    verify_token: SecretString,
}

impl WebhookOverride {
    fn read(body: &[u8]) -> Result<Self, GraphError> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|_| GraphError::unreadable(StatusCode::BAD_REQUEST, "The body is not JSON"))?;
        let field = |name: &'static str| {
            let text = body.pointer(&format!("/webhook_configuration/{name}")).and_then(Value::as_str);
            text.ok_or_else(|| GraphError::missing(name))
        };
        let (address, token) = (field("override_callback_uri")?, field("verify_token")?);
        let url = address.parse().ok().filter(|_| address.chars().count() <= MAX_CALLBACK);
        let url = url
            .ok_or_else(|| GraphError::invalid_value("override_callback_uri is not a URL of at most 200 characters"))?;
        Ok(Self { url, verify_token: SecretString::from(token) })
    }
}

/// Sends the number's webhooks to another address, after the handshake with it.
pub(super) async fn override_webhook(
    State(graph): State<GraphHandlers>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let what = format!("POST /{version}/{id}");
    let call = GraphCall { operation: Operation::Register, what, shown: Value::Null };
    let wanted = graph
        .account
        .authorize(&version, &headers)
        .and_then(|()| graph.account.check_phone_number_id(&id))
        .and_then(|()| WebhookOverride::read(&body));
    let registered = match wanted {
        Ok(WebhookOverride { url, verify_token }) => {
            let subscribed = graph.account.subscribe(url, &verify_token).await;
            subscribed.map_err(|error| GraphError::callback_not_verified(&error))
        }
        Err(error) => Err(error),
    };
    graph.perform(call, |_| registered.map(|()| success())).await
}

/// Subscribes the token's app to the account's webhooks. The simulator has one app, which is subscribed already.
pub(super) async fn subscribe_app(
    State(graph): State<GraphHandlers>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let what = format!("POST /{version}/{id}/subscribed_apps");
    let call = GraphCall { operation: Operation::Register, what, shown: Value::Null };
    graph
        .perform(call, |account| {
            account.authorize(&version, &headers)?;
            if id != account.options.waba_id {
                return Err(GraphError::unknown_object(&id));
            }
            Ok(success())
        })
        .await
}

fn success() -> GraphAnswer {
    GraphAnswer::json(StatusCode::OK, &json!({ "success": true }))
}
