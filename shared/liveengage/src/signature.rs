//! The signature of LiveEngage's webhooks (Connector API, Webhooks pages): `x-liveperson-signature: sha1=<HMAC of the raw body>`. The key
//! is the client secret of the app install.
//!
//! The default is SHA-1 and Base64. LivePerson can enable SHA-256 and hexadecimal. All four combinations are accepted. The signature has no
//! timestamp: a captured request can be replayed. The caller must detect replays by message ids, and by the times of old messages.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sha1::Sha1;
use sha2::Sha256;

/// The name of the header with the signature.
pub const SIGNATURE: &str = "x-liveperson-signature";
/// The name of the header with the account id.
pub const ACCOUNT_ID: &str = "x-liveperson-account-id";
/// The name of the header with the app install's client id.
pub const CLIENT_ID: &str = "x-liveperson-client-id";

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The algorithms that are accepted for an account's webhooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithms {
    /// SHA-1, LivePerson's default, or SHA-256.
    #[default]
    Any,
    /// Only SHA-256: for accounts for which LivePerson has enabled it.
    Sha256,
}

/// Why a webhook was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header is missing or repeated.
    #[error("unsigned")]
    Unsigned,
    /// The account id is not configured, or the client id is not that account's.
    #[error("unknown account or client id")]
    Unknown,
    /// The header is not `sha1=` or `sha256=` with a value of the right length, or the algorithm is not allowed.
    #[error("signature unreadable")]
    Unreadable,
    /// The signature doesn't match the body with any of the secrets.
    #[error("signature wrong")]
    Wrong,
    /// The signature is correct, and a message is so old that the request can only be a replay.
    #[error("stale")]
    Stale,
}

impl VerifyError {
    /// What is wrong, in words for a person who has sent the request.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned: a header x-liveperson-* is missing or repeated",
            Self::Unknown => "the account id or the client id in the headers is not configured",
            Self::Unreadable => {
                "x-liveperson-signature is not sha1= or sha256= with a digest, or its algorithm is not allowed"
            }
            Self::Wrong => "the signature doesn't match the body: another client secret, or the body was changed",
            Self::Stale => "too old: the signature is correct, but a message in it is more than 13 days old",
        }
    }
}

enum Signature {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

/// Verifies a signature of the raw body with each of `secrets`. Takes constant time in the signature.
///
/// # Errors
/// [`VerifyError::Unreadable`] or [`VerifyError::Wrong`].
pub fn verify<'s>(
    header: &str,
    body: &[u8],
    secrets: impl IntoIterator<Item = &'s SecretString>,
    algorithms: Algorithms,
) -> Result<(), VerifyError> {
    let signature = parse(header, algorithms)?;
    let mut is_valid = false;
    for secret in secrets {
        let key = secret.expose_secret().as_bytes();
        // No early return: the time must not reveal which secret matched.
        is_valid |= match &signature {
            Signature::Sha1(value) => matches::<Hmac<Sha1>>(key, body, value),
            Signature::Sha256(value) => matches::<Hmac<Sha256>>(key, body, value),
        };
    }
    if is_valid { Ok(()) } else { Err(VerifyError::Wrong) }
}

fn matches<M: Mac + KeyInit>(key: &[u8], body: &[u8], value: &[u8]) -> bool {
    M::new_from_slice(key).is_ok_and(|mut mac| {
        mac.update(body);
        mac.verify_slice(value).is_ok()
    })
}

fn parse(header: &str, algorithms: Algorithms) -> Result<Signature, VerifyError> {
    let (algorithm, value) = header.trim().split_once('=').ok_or(VerifyError::Unreadable)?;
    match (algorithm.to_ascii_lowercase().as_str(), algorithms) {
        ("sha1", Algorithms::Any) => decode(value).map(Signature::Sha1),
        ("sha256", Algorithms::Any | Algorithms::Sha256) => decode(value).map(Signature::Sha256),
        _ => Err(VerifyError::Unreadable),
    }
}

/// Decodes hexadecimal if the length fits, and Base64 otherwise. The two have different lengths.
fn decode<const N: usize>(value: &str) -> Result<[u8; N], VerifyError> {
    let mut bytes = [0; N];
    if value.len() == N * 2 && hex::decode_to_slice(value, &mut bytes).is_ok() {
        return Ok(bytes);
    }
    BASE64.decode(value).ok().and_then(|decoded| decoded.try_into().ok()).ok_or(VerifyError::Unreadable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // From LivePerson's demo connector (test/notifications.test.js).
    const PUBLISHED_KEY: &str = "rl9hacst6kqilbofup64n11ga3";
    const PUBLISHED_BODY: &str = r#"{"kind":"notification","body":{"changes":[{"originatorId":"2969e404f3be1c8cdda63f0b72d205ab5afb3fe3e3d7d72ab58245f564fdfd91","originatorMetadata":{"id":"2969e404f3be1c8cdda63f0b72d205ab5afb3fe3e3d7d72ab58245f564fdfd91","role":"CONSUMER"},"event":{"type":"ChatStateEvent","chatState":"PAUSE"},"conversationId":"b8b83fe9-75f0-46f2-baaa-2930f7192cfb","dialogId":"b8b83fe9-75f0-46f2-baaa-2930f7192cfb"}]},"type":"ms.MessagingEventNotification"}"#;
    const PUBLISHED_SIGNATURE: &str = "sha1=e/TfS0wv1HbvEsMqcBMmFLcMslI=";

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    fn sign<M: Mac + KeyInit>(key: &str, body: &[u8]) -> Vec<u8> {
        let mut mac = M::new_from_slice(key.as_bytes()).unwrap();
        mac.update(body);
        mac.finalize().into_bytes().to_vec()
    }

    fn all_forms(key: &str, body: &[u8]) -> [String; 4] {
        let (sha1, sha256) = (sign::<Hmac<Sha1>>(key, body), sign::<Hmac<Sha256>>(key, body));
        [
            format!("sha1={}", BASE64.encode(&sha1)),
            format!("sha1={}", hex::encode(&sha1)),
            format!("sha256={}", BASE64.encode(&sha256)),
            format!("sha256={}", hex::encode_upper(&sha256)),
        ]
    }

    #[test]
    fn the_published_vector_verifies() {
        let verify =
            |body: &str| verify(PUBLISHED_SIGNATURE, body.as_bytes(), &[secret(PUBLISHED_KEY)], Algorithms::Any);
        assert_eq!(verify(PUBLISHED_BODY), Ok(()));
        assert_eq!(verify(&PUBLISHED_BODY.replace("PAUSE", "ACTIVE")), Err(VerifyError::Wrong));
    }

    #[test]
    fn an_emoji_is_signed_as_its_bytes() {
        let body = r#"{"message":"😀"}"#.as_bytes();
        let key = [secret("s3cr3t")];
        assert_eq!(verify("sha1=6XKOVQwG4juFh+k/yc7MgAXn1II=", body, &key, Algorithms::Any), Ok(()));
        // The signature if an encoder replaced the emoji by question marks.
        assert_eq!(verify("sha1=W+jPQPiW3W56xQUd9tIRKzwMovk=", body, &key, Algorithms::Any), Err(VerifyError::Wrong));
    }

    #[test]
    fn no_single_changed_digit_of_a_signature_verifies() {
        for form in [1, 3].map(|hexadecimal| all_forms("k", b"{}")[hexadecimal].clone()) {
            let begin = form.find('=').unwrap() + 1;
            for at in begin..form.len() {
                let digit = if form.as_bytes()[at] == b'0' { "1" } else { "0" };
                let mut changed = form.clone();
                changed.replace_range(at..=at, digit);
                assert_eq!(
                    verify(&changed, b"{}", &[secret("k")], Algorithms::Any),
                    Err(VerifyError::Wrong),
                    "{changed}"
                );
            }
        }
    }

    #[test]
    fn every_secret_is_tried() {
        let live = [secret("new"), secret("old")];
        for key in ["new", "old"] {
            for form in all_forms(key, b"{}") {
                assert_eq!(verify(&form, b"{}", &live, Algorithms::Any), Ok(()), "{form}");
            }
        }
        assert_eq!(verify(&all_forms("older", b"{}")[0], b"{}", &live, Algorithms::Any), Err(VerifyError::Wrong));
        assert_eq!(verify(&all_forms("new", b"{}")[0], b"{}", &[], Algorithms::Any), Err(VerifyError::Wrong));
    }

    #[test]
    fn sha1_can_be_disabled() {
        let forms = all_forms("k", b"{}");
        let key = [secret("k")];
        assert_eq!(verify(&forms[0], b"{}", &key, Algorithms::Sha256), Err(VerifyError::Unreadable));
        assert_eq!(verify(&forms[2], b"{}", &key, Algorithms::Sha256), Ok(()));
    }

    #[test]
    fn a_signature_of_another_length_is_unreadable() {
        let sha256 = all_forms("k", b"{}")[2].clone();
        for header in ["", "sha1", "sha1=", "md5=AAAA", &sha256.replace("sha256", "sha1"), "sha1=e/TfS0wv1HbvEsMqcBMm"]
        {
            assert_eq!(
                verify(header, b"{}", &[secret("k")], Algorithms::Any),
                Err(VerifyError::Unreadable),
                "{header}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_single_changed_bit_verifies(body in prop::collection::vec(any::<u8>(), 1..200), form in 0usize..4, bit in any::<prop::sample::Index>()) {
            let header = &all_forms("k", &body)[form];
            let key = [secret("k")];
            prop_assert_eq!(verify(header, &body, &key, Algorithms::Any), Ok(()));
            let mut changed = body.clone();
            let bit = bit.index(body.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(verify(header, &changed, &key, Algorithms::Any), Err(VerifyError::Wrong));
        }

        #[test]
        fn no_header_makes_it_panic_or_verify(header in "(sha1=|sha256=)?.{0,80}") {
            let refused = verify(&header, b"{}", &[secret("k")], Algorithms::Any).is_err();
            prop_assert!(refused);
        }
    }
}
