//! SMS as a channel of the lab.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{MAX_TEXT_CHARS, SmsGateway, SmsGatewayOptions, signature};
use crate::channel::{Channel, ChannelOptions, ChannelProfile, ChannelSimulator, ChannelStartError};
use crate::faults::ChannelFaults;

/// The lab's SMS line.
pub const LINE: &str = "sms-lab";
/// The lab's number, which the phones write to.
pub const NUMBER: &str = "+4930555010";

const NONCE_HEADER: &str = "x-sinch-webhook-signature-nonce";
const TIME_HEADER: &str = "x-sinch-webhook-signature-timestamp";

static PROFILE: ChannelProfile = ChannelProfile {
    name: "sms",
    title: "SMS",
    simulator: "SMS gateway simulator",
    port_option: "sms-gateway-port",
    line: LINE,
    required: &["/line_id", "/account_id", "/consumer_id_key", "/sms/from", "/sms/bearer_token", "/sms/webhook_secret"],
    address: ("send_url", "/v1/messages"),
    longest_text: MAX_TEXT_CHARS,
    signature_header: "x-sinch-webhook-signature",
    signature_key: "/sms/webhook_secret",
    signed_time_header: Some(TIME_HEADER),
    faults: ChannelFaults {
        name: "gateway",
        refusal: (StatusCode::UNPROCESSABLE_ENTITY, r#"{"error":{"code":"opted_out","message":"a drill"}}"#),
        throttling: (StatusCode::TOO_MANY_REQUESTS, "{}"),
        acceptance: Some((StatusCode::CREATED, r#"{"id":"mt-late","parts":1}"#)),
    },
};

/// The channel SMS.
#[derive(Debug, Clone, Copy)]
pub struct Sms;

#[async_trait]
impl Channel for Sms {
    fn profile(&self) -> &'static ChannelProfile {
        &PROFILE
    }

    fn new_settings(&self) -> Value {
        json!({
            "from": NUMBER, "delivery_reports": true, "bearer_token": Uuid::new_v4().to_string(),
            "webhook_secret": Uuid::new_v4().to_string(),
        })
    }

    fn sign(&self, key: &[u8], body: &[u8], header: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let time = header(TIME_HEADER)?.parse().ok()?;
        Some(signature::sign(key, body, &header(NONCE_HEADER)?, time))
    }

    async fn start(&self, options: ChannelOptions<'_>) -> Result<Arc<dyn ChannelSimulator>, ChannelStartError> {
        let gateway = SmsGateway::start(SmsGatewayOptions {
            port: options.port,
            number: options.setting("from"),
            api_token: SecretString::from(options.setting("bearer_token")),
            webhook_secret: SecretString::from(options.setting("webhook_secret")),
            retry_delay: options.retry_delay,
            delivery_reports: true,
            journal: options.journal.clone(),
        })
        .await?;
        Ok(Arc::new(gateway))
    }
}
