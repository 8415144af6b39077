//! The address of the WebSocket, and the two ways to authenticate.

use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use crate::{client_properties::ClientProperties, id::AccountId, identity::ConsumerToken};

/// The most characters of a token in the message `InitConnection` (Messaging Window API, schema of the request).
pub const LONGEST_TOKEN: usize = 2048;

/// Why a connection can't be described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The base URL of the service is neither http(s) nor ws(s).
    #[error("the service's address is neither https nor http")]
    Scheme,
    /// The token has more than [`LONGEST_TOKEN`] characters.
    #[error("the consumer's token is longer than 2048 characters")]
    TokenTooLong,
}

/// How a consumer connects. `Debug` hides the token.
///
/// A program sends the headers `Authorization` and `Client-Properties`. A browser can't send headers, and sends
/// [`init_connection`](Self::init_connection) as its first message instead.
#[derive(Debug, Clone)]
pub struct Handshake {
    /// The address: `wss://{asyncMessagingEnt}/ws_api/account/{account}/messaging/consumer?v=3`.
    pub url: Url,
    /// The consumer's token (a JWT of IDP).
    token: ConsumerToken,
    client_properties: ClientProperties,
}

impl Handshake {
    /// Describes the connection of a consumer. `messaging` is the base URL of the service `asyncMessagingEnt`. An `http` address, which only
    /// the lab has, becomes `ws`.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub fn new(
        messaging: &Url,
        account: &AccountId,
        token: ConsumerToken,
        client_properties: ClientProperties,
    ) -> Result<Self, HandshakeError> {
        if token.expose().chars().count() > LONGEST_TOKEN {
            return Err(HandshakeError::TokenTooLong);
        }
        let mut url = messaging.clone();
        let scheme = match messaging.scheme() {
            "https" | "wss" => "wss",
            "http" | "ws" => "ws",
            _ => return Err(HandshakeError::Scheme),
        };
        url.set_scheme(scheme).map_err(|()| HandshakeError::Scheme)?;
        url.set_path(&format!("/ws_api/account/{account}/messaging/consumer"));
        url.set_query(Some("v=3"));
        Ok(Self { url, token, client_properties })
    }

    /// The value of the header `Authorization`: `jwt`, a space and the token. The tutorial sends the bare token, the newer pages this form.
    pub fn authorization(&self) -> SecretString {
        SecretString::from(format!("jwt {}", self.token.expose()))
    }

    /// The value of the header `Client-Properties`.
    pub fn client_properties(&self) -> &str {
        self.client_properties.header_value()
    }

    /// The first message of a client that can't send headers. It contains the token, and LiveEngage documents no answer to it.
    pub fn init_connection(&self) -> SecretString {
        let mut properties: Value = serde_json::from_str(self.client_properties.header_value()).unwrap_or_default();
        if let Some(properties) = properties.as_object_mut() {
            properties.insert("type".to_owned(), json!(".ams.headers.ClientProperties"));
        }
        let authentication = json!({"type": ".ams.headers.ConsumerAuthentication", "jwt": self.token.expose()});
        let message =
            json!({"kind": "req", "id": "0", "type": "InitConnection", "headers": [properties, authentication]});
        SecretString::from(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::client_properties::Feature;

    fn handshake(base: &str, token: &str) -> Result<Handshake, HandshakeError> {
        let account = AccountId::new("72419083").unwrap();
        let properties = ClientProperties::new(&[Feature::RichContent]);
        Handshake::new(&base.parse().unwrap(), &account, ConsumerToken::new(token), properties)
    }

    #[test]
    fn the_address_is_that_of_the_consumer_over_the_services_host() {
        for (base, url) in [
            ("https://va.msg.example", "wss://va.msg.example/ws_api/account/72419083/messaging/consumer?v=3"),
            ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws_api/account/72419083/messaging/consumer?v=3"),
        ] {
            assert_eq!(handshake(base, "a.b.c").unwrap().url.as_str(), url);
        }
        assert_eq!(handshake("ftp://va.msg.example", "a.b.c").unwrap_err(), HandshakeError::Scheme);
    }

    #[test]
    fn the_token_goes_into_a_header_or_the_first_message_and_never_into_debug() {
        let handshake = handshake("https://va.msg.example", "t0p.secret.x").unwrap();
        assert_eq!(handshake.authorization().expose_secret(), "jwt t0p.secret.x");
        let message: Value = serde_json::from_str(handshake.init_connection().expose_secret()).unwrap();
        assert_eq!(message["type"], "InitConnection");
        assert_eq!(message["headers"][0]["type"], ".ams.headers.ClientProperties");
        assert_eq!(message["headers"][0]["features"], json!(["RICH_CONTENT"]));
        let authentication = json!({"type": ".ams.headers.ConsumerAuthentication", "jwt": "t0p.secret.x"});
        assert_eq!(message["headers"][1], authentication);
        assert!(!format!("{handshake:?}").contains("t0p"));
    }

    #[test]
    fn a_token_beyond_the_schema_is_refused_here() {
        assert!(handshake("https://va.msg.example", &"x".repeat(LONGEST_TOKEN)).is_ok());
        let error = handshake("https://va.msg.example", &"x".repeat(LONGEST_TOKEN + 1)).unwrap_err();
        assert_eq!(error, HandshakeError::TokenTooLong);
    }
}
