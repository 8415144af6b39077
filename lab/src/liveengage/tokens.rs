//! The tokens of Sentinel and IDP: JWTs signed with RS256.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::start_error::StartError;

/// The consumer that a token identifies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConsumerIdentity {
    /// The connector's id for the consumer. `None` for a consumer of the Messaging Window API.
    pub(super) external_id: Option<String>,
    /// LivePerson's id for the consumer: 64 hexadecimal digits for a connector's consumer.
    pub(super) id: String,
}

/// A consumer of the Messaging Window API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WindowConsumer {
    /// The claim `sub`.
    pub(super) id: String,
    /// Whether it is an anonymous identity, which can be extended.
    pub(super) anonymous: bool,
    /// When the token expires, in seconds since the epoch.
    pub(super) expires_s: i64,
    /// Whether it has expired, or was made to.
    pub(super) expired: bool,
}

/// Issues and checks the tokens of a simulator.
#[derive(Debug)]
pub(super) struct Tokens {
    key: Arc<RsaKeyPair>,
    /// Part of the key id of AppJWTs. Incrementing it invalidates every earlier AppJWT.
    generation: AtomicU64,
    /// Part of the key id of the tokens of the Messaging Window API's consumers, in the same way.
    window_generation: AtomicU64,
    lifetime_s: i64,
}

impl Tokens {
    /// Generates the process's RSA key on the first call. As at LivePerson, one key signs for all accounts.
    pub(super) fn new(lifetime: Duration) -> Result<Self, StartError> {
        static KEY: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
        let key = match KEY.get() {
            Some(key) => Arc::clone(key),
            None => {
                let made = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| StartError::Key)?;
                Arc::clone(KEY.get_or_init(|| Arc::new(made)))
            }
        };
        let lifetime_s = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Ok(Self { key, generation: AtomicU64::new(1), window_generation: AtomicU64::new(1), lifetime_s })
    }

    /// Invalidates every AppJWT issued so far.
    pub(super) fn expire_app_tokens(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// An AppJWT, or `None` if signing failed.
    pub(super) fn app_token(&self, account_id: &str, client_id: &str, now_s: i64) -> Option<String> {
        self.sign(&json!({
            "aud": account_id,
            "azp": client_id,
            "scope": "msg.consumer",
            "iss": "Sentinel",
            "exp": now_s.saturating_add(self.lifetime_s),
            "iat": now_s,
        }))
    }

    /// Whether this is a valid AppJWT of the account and its app install.
    pub(super) fn app_token_is_valid(&self, token: &str, account_id: &str, client_id: &str, now_s: i64) -> bool {
        let Some((header, claims)) = self.open(token) else { return false };
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        header.get("kid").and_then(Value::as_str) == Some(self.key_id().as_str())
            && text("iss") == Some("Sentinel")
            && text("aud") == Some(account_id)
            && text("azp") == Some(client_id)
            && claims.get("exp").and_then(Value::as_i64).is_some_and(|expiry| now_s < expiry)
    }

    /// A ConsumerJWS, or `None` if signing failed. It never expires.
    pub(super) fn consumer_token(&self, account_id: &str, external_id: &str) -> Option<String> {
        self.sign(&json!({
            "account_id": account_id,
            "ext_consumer_id": external_id,
            "lp_consumer_id": consumer_id(account_id, external_id),
        }))
    }

    /// The consumer of the ConsumerJWS, if it is one of this account.
    pub(super) fn consumer(&self, token: &str, account_id: &str) -> Option<ConsumerIdentity> {
        let (_, claims) = self.open(token)?;
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        if text("account_id")? != account_id {
            return None;
        }
        Some(ConsumerIdentity {
            external_id: Some(text("ext_consumer_id")?.to_owned()),
            id: text("lp_consumer_id")?.to_owned(),
        })
    }

    /// Invalidates every token of the Messaging Window API's consumers issued so far.
    pub(super) fn expire_window_tokens(&self) {
        self.window_generation.fetch_add(1, Ordering::SeqCst);
    }

    /// A token of the Messaging Window API with these claims, or `None` if signing failed.
    pub(super) fn window_token(&self, claims: &Value) -> Option<String> {
        self.sign_with(&self.window_key_id(), claims)
    }

    /// The claims of a token of the Messaging Window API, if it is one of this account. It may have expired.
    pub(super) fn window_claims(&self, token: &str, account_id: &str) -> Option<Value> {
        Some(self.window_parts(token, account_id)?.1)
    }

    fn window_parts(&self, token: &str, account_id: &str) -> Option<(Value, Value)> {
        let (header, claims) = self.open(token)?;
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let is_its = text("iss")? == "https://idp.liveperson.net" && text("aud")? == format!("acc:{account_id}");
        is_its.then_some((header, claims))
    }

    /// The consumer of a token of the Messaging Window API, if it is one of this account and has not expired.
    pub(super) fn window_consumer(&self, token: &str, account_id: &str, now_s: i64) -> Option<String> {
        self.window_identity(token, account_id, now_s).filter(|consumer| !consumer.expired).map(|consumer| consumer.id)
    }

    /// The consumer of a token of the Messaging Window API, if it is one of this account.
    pub(super) fn window_identity(&self, token: &str, account_id: &str, now_s: i64) -> Option<WindowConsumer> {
        let (header, claims) = self.window_parts(token, account_id)?;
        let expires_s = claims.get("exp").and_then(Value::as_i64)?;
        let was_expired = header.get("kid").and_then(Value::as_str) != Some(self.window_key_id().as_str());
        Some(WindowConsumer {
            id: claims.get("sub").and_then(Value::as_str)?.to_owned(),
            // Only anonymous identities have a beginning.
            anonymous: claims.get("since").is_some(),
            expires_s,
            expired: now_s >= expires_s || was_expired,
        })
    }

    fn window_key_id(&self) -> String {
        format!("idp-lab-{}", self.window_generation.load(Ordering::SeqCst))
    }

    fn key_id(&self) -> String {
        format!("appjwt-lab-{}", self.generation.load(Ordering::SeqCst))
    }

    fn sign(&self, claims: &Value) -> Option<String> {
        self.sign_with(&self.key_id(), claims)
    }

    fn sign_with(&self, key_id: &str, claims: &Value) -> Option<String> {
        let header = json!({ "kid": key_id, "typ": "JWT", "alg": "RS256" });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The header and claims of a token that this simulator signed.
    fn open(&self, token: &str) -> Option<(Value, Value)> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        Some((decode(header)?, decode(claims)?))
    }
}

/// LivePerson's id of a consumer. It is derived from the external id, so that it stays the same after a restart.
pub(super) fn consumer_id(account_id: &str, external_id: &str) -> String {
    hex::encode(Sha256::digest(format!("{account_id}\n{external_id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(Duration::from_secs(3600)).unwrap()
    }

    #[test]
    fn an_app_token_is_valid_for_its_account_install_and_hour_only() {
        let tokens = tokens();
        let token = tokens.app_token("74120", "install-1", 1_000).unwrap();
        assert!(tokens.app_token_is_valid(&token, "74120", "install-1", 4_599));
        assert!(!tokens.app_token_is_valid(&token, "74120", "install-1", 4_600), "the hour is over");
        assert!(!tokens.app_token_is_valid(&token, "74121", "install-1", 1_000), "another account");
        assert!(!tokens.app_token_is_valid(&token, "74120", "install-2", 1_000), "another install");
    }

    #[test]
    fn a_window_token_names_its_consumer_until_it_expires() {
        let tokens = tokens();
        let claims = json!({ "sub": "c-1", "aud": "acc:74120", "iss": "https://idp.liveperson.net", "exp": 1_600 });
        let token = tokens.window_token(&claims).unwrap();
        let consumer = |account, now| tokens.window_consumer(&token, account, now);
        assert_eq!(consumer("74120", 1_599).as_deref(), Some("c-1"));
        assert_eq!([consumer("74120", 1_600), consumer("74121", 1_000)], [None, None]);
        assert!(tokens.window_claims(&token, "74120").is_some(), "an expired token can still be extended");
        let app = tokens.app_token("74120", "install-1", 1_000).unwrap();
        assert_eq!(tokens.window_consumer(&app, "74120", 1_000), None);
    }

    #[test]
    fn a_changed_claim_breaks_the_signature() {
        let tokens = tokens();
        let token = tokens.consumer_token("74120", "consumer-a").unwrap();
        let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let forged =
            URL_SAFE_NO_PAD.encode(r#"{"account_id":"74120","ext_consumer_id":"consumer-b","lp_consumer_id":"00"}"#);
        assert!(tokens.consumer(&token, "74120").is_some());
        assert_eq!(tokens.consumer(&format!("{header}.{forged}.{signature}"), "74120"), None);
        assert_eq!(tokens.consumer("not a token", "74120"), None);
    }

    #[test]
    fn a_window_token_is_of_its_account_and_expires() {
        let tokens = tokens();
        let claims = json!({"sub": "visitor-1", "aud": "acc:74120", "iss": "https://idp.liveperson.net", "exp": 1_600});
        let token = tokens.window_token(&claims).unwrap();
        let consumer = tokens.window_identity(&token, "74120", 1_599).unwrap();
        assert_eq!((consumer.id.as_str(), consumer.anonymous, consumer.expired), ("visitor-1", false, false));
        assert!(tokens.window_identity(&token, "74120", 1_600).unwrap().expired);
        assert_eq!(tokens.window_identity(&token, "74121", 1_000), None, "another account");
        assert_eq!(tokens.consumer(&token, "74120"), None, "not a ConsumerJWS");
        tokens.expire_window_tokens();
        assert!(tokens.window_identity(&token, "74120", 1_000).unwrap().expired);
        assert_eq!(tokens.window_claims(&token, "74120"), Some(claims), "its identity can still be extended");
    }

    #[test]
    fn expiring_leaves_consumer_tokens_alone_and_changes_the_next_app_token() {
        let tokens = tokens();
        let app = tokens.app_token("74120", "install-1", 1_000).unwrap();
        let consumer = tokens.consumer_token("74120", "consumer-a").unwrap();
        tokens.expire_app_tokens();
        assert!(!tokens.app_token_is_valid(&app, "74120", "install-1", 1_000));
        assert!(tokens.consumer(&consumer, "74120").is_some());
        let next = tokens.app_token("74120", "install-1", 1_000).unwrap();
        assert_ne!(app, next);
        assert!(tokens.app_token_is_valid(&next, "74120", "install-1", 1_000));
    }
}
