//! WhatsApp as a channel of the lab.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{MAX_TEXT_CHARS, WhatsApp, WhatsAppOptions, signature};
use crate::channel::{Channel, ChannelOptions, ChannelProfile, ChannelSimulator, ChannelStartError};
use crate::faults::ChannelFaults;

/// The lab's WhatsApp line.
pub const LINE: &str = "whatsapp-lab";
/// The lab's number on WhatsApp, without a plus.
const NUMBER: &str = "4930555011";
/// Meta's id of that number.
const PHONE_NUMBER_ID: &str = "118240097715334";
/// Meta's id of the lab's account.
const WABA_ID: &str = "204871165530912";

static PROFILE: ChannelProfile = ChannelProfile {
    name: "whatsapp",
    title: "WhatsApp",
    simulator: "WhatsApp simulator",
    port_option: "whatsapp-port",
    line: LINE,
    required: &[
        "/line_id",
        "/account_id",
        "/consumer_id_key",
        "/whatsapp/phone_number_id",
        "/whatsapp/access_token",
        "/whatsapp/app_secret",
        "/whatsapp/verify_token",
    ],
    address: ("api_base", ""),
    longest_text: MAX_TEXT_CHARS,
    signature_header: "x-hub-signature-256",
    signature_key: "/whatsapp/app_secret",
    signed_time_header: None,
    faults: ChannelFaults {
        name: "WhatsApp",
        refusal: (StatusCode::BAD_REQUEST, r#"{"error":{"code":131026,"message":"a drill"}}"#),
        throttling: (StatusCode::TOO_MANY_REQUESTS, r#"{"error":{"code":130429,"message":"a drill"}}"#),
        acceptance: None,
    },
};

/// The channel WhatsApp.
#[derive(Debug, Clone, Copy)]
pub struct WhatsAppChannel;

#[async_trait]
impl Channel for WhatsAppChannel {
    fn profile(&self) -> &'static ChannelProfile {
        &PROFILE
    }

    fn new_settings(&self) -> Value {
        let secret = || Uuid::new_v4().to_string();
        json!({
            "phone_number_id": PHONE_NUMBER_ID, "access_token": secret(), "app_secret": secret(), "verify_token": secret(),
        })
    }

    fn sign(&self, key: &[u8], body: &[u8], _header: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        Some(signature::sign(key, body))
    }

    async fn start(&self, options: ChannelOptions<'_>) -> Result<Arc<dyn ChannelSimulator>, ChannelStartError> {
        let whatsapp = WhatsApp::start(WhatsAppOptions {
            port: options.port,
            phone_number_id: options.setting("phone_number_id"),
            display_phone_number: NUMBER.to_owned(),
            waba_id: WABA_ID.to_owned(),
            access_token: SecretString::from(options.setting("access_token")),
            app_secret: SecretString::from(options.setting("app_secret")),
            verify_token: SecretString::from(options.setting("verify_token")),
            retry_delay: options.retry_delay,
            journal: options.journal.clone(),
        })
        .await?;
        // On the page, texts that overtake each other would be confusing.
        whatsapp.set_retries_in_line(true);
        Ok(Arc::new(whatsapp))
    }
}
