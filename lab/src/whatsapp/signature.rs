//! The webhook signature: `X-Hub-Signature-256`, as Meta documents it for Graph webhooks.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header's value: `sha256=` and hex(HMAC-SHA256(app secret, body)) in lower case.
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(super) fn sign(app_secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret).expect("a key of any length");
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn the_signature_is_the_one_that_openssl_computes() {
        // printf '%s' '{"object":"whatsapp_business_account"}' | openssl dgst -sha256 -hmac 'heron-17'
        assert_eq!(
            sign(b"heron-17", br#"{"object":"whatsapp_business_account"}"#),
            "sha256=624d16c81b855bc1a5b84df90e0f0f136389a876c144e0c531a976163c8ecccf"
        );
    }
}
