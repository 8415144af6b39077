//! The webhook signature: an HMAC of the raw body, keyed with the client secret.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::Sha256;

/// The forms of LivePerson's webhook signature. The account team changes it; the default is SHA-1 in Base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureForm {
    /// `sha1=` and Base64.
    #[default]
    Sha1Base64,
    /// `sha1=` and lower-case hexadecimal digits.
    Sha1Hex,
    /// `sha256=` and Base64.
    Sha256Base64,
    /// `sha256=` and lower-case hexadecimal digits.
    Sha256Hex,
}

/// The form has another name than those of [`SignatureForm::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature must be one of sha1-base64, sha1-hex, sha256-base64, sha256-hex")]
pub struct UnknownSignatureForm;

impl FromStr for SignatureForm {
    type Err = UnknownSignatureForm;

    fn from_str(name: &str) -> Result<Self, UnknownSignatureForm> {
        Self::ALL.into_iter().find(|form| form.name() == name).ok_or(UnknownSignatureForm)
    }
}

impl SignatureForm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sha1Base64, Self::Sha1Hex, Self::Sha256Base64, Self::Sha256Hex];

    /// The name in the lab's options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1Base64 => "sha1-base64",
            Self::Sha1Hex => "sha1-hex",
            Self::Sha256Base64 => "sha256-base64",
            Self::Sha256Hex => "sha256-hex",
        }
    }

    /// The value of `x-liveperson-signature` for this body, or `None` if HMAC refuses the key's length (it never does).
    pub(crate) fn sign(self, secret: &SecretString, body: &[u8]) -> Option<String> {
        let key = secret.expose_secret().as_bytes();
        Some(match self {
            Self::Sha1Base64 => format!("sha1={}", STANDARD.encode(hmac_sha1(key, body)?)),
            Self::Sha1Hex => format!("sha1={}", hex::encode(hmac_sha1(key, body)?)),
            Self::Sha256Base64 => format!("sha256={}", STANDARD.encode(hmac_sha256(key, body)?)),
            Self::Sha256Hex => format!("sha256={}", hex::encode(hmac_sha256(key, body)?)),
        })
    }
}

fn hmac_sha1(key: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    Some(Hmac::<Sha1>::new_from_slice(key).ok()?.chain_update(body).finalize().into_bytes().to_vec())
}

fn hmac_sha256(key: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    Some(Hmac::<Sha256>::new_from_slice(key).ok()?.chain_update(body).finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 (HMAC-SHA-1) and RFC 4231 (HMAC-SHA-256), test case 2: independent values, so that a wrong hash is
    /// detected.
    #[test]
    fn all_forms_agree_with_the_published_hmac_vectors() {
        let secret = SecretString::from("Jefe");
        let body = b"what do ya want for nothing?";
        let sign = |form: SignatureForm| form.sign(&secret, body).unwrap();
        assert_eq!(sign(SignatureForm::Sha1Hex), "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            sign(SignatureForm::Sha256Hex),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(sign(SignatureForm::Sha1Base64), "sha1=7/zfauXrL6LSdBbV8YTfnCWafHk=");
        assert_eq!(sign(SignatureForm::Sha256Base64), "sha256=W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    }
}
