//! The signature of inbound requests, as in Sinch's documentation of Conversation API webhooks:
//! `base64(HMAC-SHA256(secret, body + "." + nonce + "." + timestamp))`, with the timestamp in Unix seconds.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use crate::{ChannelRequest, VerifyError, proof::verify_hmac_sha256};

/// The name of the header with the signature.
pub const SIGNATURE: &str = "x-sinch-webhook-signature";
/// The name of the header with the nonce.
pub const NONCE: &str = "x-sinch-webhook-signature-nonce";
/// The name of the header with the timestamp: Unix time in seconds.
pub const TIMESTAMP: &str = "x-sinch-webhook-signature-timestamp";
/// The name of the header with the algorithm. Optional. Its value must be [`HMAC_SHA256`].
pub const ALGORITHM: &str = "x-sinch-webhook-signature-algorithm";
/// The only accepted algorithm.
pub const HMAC_SHA256: &str = "HmacSHA256";

/// The maximum difference of the signed time to the current time, in both directions.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// Verifies the signature of the raw body. Takes constant time in the signature.
///
/// A captured request can be replayed for five minutes. It has the same message id and is deduplicated.
///
/// # Errors
/// [`VerifyError`] with the reason.
pub fn verify(request: &ChannelRequest, secret: &SecretString, now: Timestamp) -> Result<(), VerifyError> {
    let (Some(signature), Some(nonce), Some(timestamp)) =
        (request.header(SIGNATURE), request.header(NONCE), request.header(TIMESTAMP))
    else {
        return Err(VerifyError::Unsigned);
    };
    if request.headers.contains_key(ALGORITHM) && request.header(ALGORITHM) != Some(HMAC_SHA256) {
        return Err(VerifyError::Unreadable);
    }
    let signed_at = timestamp
        .parse::<i64>()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or(VerifyError::Unreadable)?;
    let signature = STANDARD.decode(signature).map_err(|_| VerifyError::Unreadable)?;
    // The signature is checked first, so that a wrong signature reveals nothing about the clock.
    let parts: [&[u8]; 5] = [&request.body, b".", nonce.as_bytes(), b".", timestamp.as_bytes()];
    verify_hmac_sha256(secret, &parts, &signature)?;
    if now.duration_since(signed_at).abs() > WINDOW { Err(VerifyError::Stale) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;

    use super::*;
    use crate::proof::hmac_sha256;

    fn request(body: &[u8], signature: &str, nonce: &str, timestamp: &str) -> ChannelRequest {
        let mut headers = HeaderMap::new();
        for (name, value) in [(SIGNATURE, signature), (NONCE, nonce), (TIMESTAMP, timestamp)] {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name, value);
            }
        }
        ChannelRequest { method: Method::POST, headers, query: vec![], body: body.to_vec().into() }
    }

    fn sign(secret: &str, body: &[u8], nonce: &str, timestamp: &str) -> String {
        STANDARD.encode(hmac_sha256(secret, &[body, b".", nonce.as_bytes(), b".", timestamp.as_bytes()]))
    }

    // From Sinch's .NET SDK (WebhooksTests).
    const VECTOR_BODY: &str = r#"{"app_id":"","accepted_time":"2021-10-18T17:49:13.813615Z","project_id":"e2df3a34-a71b-4448-9db5-a8d2baad28e4","contact_create_notification":{"contact":{"id":"01FJA8B466Y0R2GNXD78MD9SM1","channel_identities":[{"channel":"SMS","identity":"48123456789","app_id":""}],"display_name":"New Test Contact","email":"new.contact@email.com","external_id":"","metadata":"","language":"EN_US"}},"message_metadata":""}"#;

    #[test]
    fn the_published_vector_verifies() {
        let request = request(
            VECTOR_BODY.as_bytes(),
            "6bpJoRmFoXVjfJIVglMoJzYXxnoxRujzR4k2GOXewOE=",
            "01FJA8B4A7BM43YGWSG9GBV067",
            "1634579353",
        );
        let now = Timestamp::from_second(1_634_579_353).unwrap();
        assert_eq!(verify(&request, &SecretString::from("foo_secret1234"), now), Ok(()));
        assert_eq!(verify(&request, &SecretString::from("foo_secret1235"), now), Err(VerifyError::Wrong));
    }

    #[test]
    fn five_minutes_either_way_and_no_second_more() {
        let signed = request(b"{}", &sign("k", b"{}", "n", "1000000"), "n", "1000000");
        let verify_at = |second| verify(&signed, &SecretString::from("k"), Timestamp::from_second(second).unwrap());
        assert_eq!(verify_at(1_000_300), Ok(()));
        assert_eq!(verify_at(999_700), Ok(()));
        assert_eq!(verify_at(1_000_301), Err(VerifyError::Stale));
        assert_eq!(verify_at(999_699), Err(VerifyError::Stale));
    }

    #[test]
    fn a_missing_or_repeated_header_is_unsigned() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        for name in [SIGNATURE, NONCE, TIMESTAMP] {
            let mut missing = request(b"{}", &sign("k", b"{}", "n", "1000000"), "n", "1000000");
            let mut repeated = missing.clone();
            repeated.headers.append(name, HeaderValue::from_static("x"));
            missing.headers.remove(name);
            assert_eq!(verify(&missing, &SecretString::from("k"), now), Err(VerifyError::Unsigned));
            assert_eq!(verify(&repeated, &SecretString::from("k"), now), Err(VerifyError::Unsigned));
        }
    }

    #[test]
    fn another_algorithm_is_rejected() {
        let mut request = request(b"{}", &sign("k", b"{}", "n", "1000000"), "n", "1000000");
        request.headers.insert(ALGORITHM, HeaderValue::from_static("none"));
        let now = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(verify(&request, &SecretString::from("k"), now), Err(VerifyError::Unreadable));
    }

    proptest! {
        #[test]
        fn no_single_changed_bit_of_the_body_verifies(body in prop::collection::vec(any::<u8>(), 1..200), bit in any::<prop::sample::Index>()) {
            let now = Timestamp::from_second(1_000_000).unwrap();
            let secret = SecretString::from("k");
            let signature = sign("k", &body, "n", "1000000");
            prop_assert_eq!(verify(&request(&body, &signature, "n", "1000000"), &secret, now), Ok(()));
            let mut changed = body.clone();
            let bit = bit.index(body.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(verify(&request(&changed, &signature, "n", "1000000"), &secret, now), Err(VerifyError::Wrong));
        }

        #[test]
        fn no_header_makes_it_panic_or_verify(signature in ".{0,60}", nonce in ".{0,20}", timestamp in ".{0,20}") {
            let now = Timestamp::from_second(1_000_000).unwrap();
            let refused = verify(&request(b"{}", &signature, &nonce, &timestamp), &SecretString::from("k"), now).is_err();
            prop_assert!(refused);
        }
    }
}
