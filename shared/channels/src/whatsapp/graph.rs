//! Calls to the Graph API, in one version and for one phone number.

use http::{HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use connector_message::http::HttpCall;

/// Meta's media servers reply with an error page to calls without a `User-Agent`.
const USER_AGENT: HeaderValue = HeaderValue::from_static("liveengage-connector");

/// The Graph API of one line. `Debug` shows only the host and the id of the number.
#[derive(derive_more::Debug)]
#[debug("Graph({} {phone_number_id})", base.host_str().unwrap_or("no host"))]
pub(super) struct Graph {
    base: Url,
    version: String,
    phone_number_id: String,
    authorization: HeaderValue,
}

impl Graph {
    /// Creates an API at `base` with the value of the `Authorization` header.
    pub(super) fn new(base: Url, version: String, phone_number_id: String, authorization: HeaderValue) -> Self {
        Self { base, version, phone_number_id, authorization }
    }

    /// Meta's id of the brand's number.
    pub(super) fn phone_number_id(&self) -> &str {
        &self.phone_number_id
    }

    /// Whether a URL has the API's scheme, host and port.
    pub(super) fn is_origin_of(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Never fails: an http or https URL always has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&self.version).extend(segments);
        }
        url
    }

    /// The URL for messages and indications.
    pub(super) fn messages_url(&self) -> Url {
        self.url(&[&self.phone_number_id, "messages"])
    }

    /// Builds a call that posts JSON to [`Graph::messages_url`].
    pub(super) fn post_message(&self, name: &'static str, body: &Value) -> HttpCall {
        let call = HttpCall::new(name, Method::POST, self.messages_url());
        self.authorized(call.body("application/json", body.to_string()))
    }

    /// Builds a call that subscribes the token's app to the webhooks of a WhatsApp Business account.
    pub(super) fn subscribe(&self, business_account_id: &str) -> HttpCall {
        let url = self.url(&[business_account_id, "subscribed_apps"]);
        self.authorized(HttpCall::new("WhatsApp subscription", Method::POST, url))
    }

    /// Builds a call that sends the webhooks of the number to a URL.
    pub(super) fn set_webhook(&self, webhook: &Url, verify_token: &SecretString) -> HttpCall {
        let configuration =
            json!({"override_callback_uri": webhook.as_str(), "verify_token": verify_token.expose_secret()});
        let call = HttpCall::new("WhatsApp webhook", Method::POST, self.url(&[&self.phone_number_id]));
        self.authorized(call.body("application/json", json!({"webhook_configuration": configuration}).to_string()))
    }

    /// Builds a call that uploads a file. The caller sets the body and its type.
    pub(super) fn upload(&self) -> HttpCall {
        let url = self.url(&[&self.phone_number_id, "media"]);
        self.authorized(HttpCall::new("WhatsApp upload", Method::POST, url))
    }

    /// Builds a call that asks for the URL of a file.
    pub(super) fn ask_media(&self, id: &str) -> HttpCall {
        self.authorized(HttpCall::new("WhatsApp media address", Method::GET, self.url(&[id])))
    }

    /// Builds a call that fetches a file. The caller must have checked that the token may be sent to `url`.
    pub(super) fn fetch_media(&self, url: Url) -> HttpCall {
        self.authorized(HttpCall::new("WhatsApp media", Method::GET, url))
    }

    fn authorized(&self, mut call: HttpCall) -> HttpCall {
        call.headers.insert(header::AUTHORIZATION, self.authorization.clone());
        call.header(header::USER_AGENT, USER_AGENT)
    }
}
