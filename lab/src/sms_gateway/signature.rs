//! The webhook signature, as the Sinch Conversation API documents it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// base64(HMAC-SHA256(secret, body + "." + nonce + "." + timestamp)).
#[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
pub(super) fn sign(secret: &[u8], body: &[u8], nonce: &str, timestamp: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(body);
    mac.update(format!(".{nonce}.{timestamp}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::sign;

    #[test]
    fn the_signature_is_the_one_that_openssl_computes() {
        // printf '%s' '{"id":"mo-1"}.n-0001.1767225600' | openssl dgst -sha256 -hmac 'parrot-42' -binary | base64
        assert_eq!(
            sign(b"parrot-42", br#"{"id":"mo-1"}"#, "n-0001", 1_767_225_600),
            "jq/r0GJoBnh0POVNcN9qE9bIgWl4Y/gYCrlWLpIKzn0="
        );
    }
}
