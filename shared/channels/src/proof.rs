//! Checks of what proves where a request comes from. All take constant time in the proof.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::VerifyError;

/// Verifies the HMAC-SHA256 of `parts`, one after the other, with `key`.
///
/// # Errors
/// [`VerifyError::Wrong`] for any other signature.
pub(crate) fn verify_hmac_sha256(key: &SecretString, parts: &[&[u8]], signature: &[u8]) -> Result<(), VerifyError> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()).map_err(|_| VerifyError::Unreadable)?;
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(signature).map_err(|_| VerifyError::Wrong)
}

/// Verifies a secret that the request itself contains.
///
/// # Errors
/// [`VerifyError::Wrong`] for any other text.
pub(crate) fn verify_secret(expected: &SecretString, actual: &str) -> Result<(), VerifyError> {
    // Compares digests, which have one length: comparing the texts would reveal the length.
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    let equal = digest(actual).as_slice().ct_eq(digest(expected.expose_secret()).as_slice());
    if bool::from(equal) { Ok(()) } else { Err(VerifyError::Wrong) }
}

/// Reads a signature in hexadecimal digits.
///
/// # Errors
/// [`VerifyError::Unreadable`] for anything but `N` bytes.
pub(crate) fn hex_signature<const N: usize>(digits: &str) -> Result<[u8; N], VerifyError> {
    let mut signature = [0; N];
    hex::decode_to_slice(digits, &mut signature).map_err(|_| VerifyError::Unreadable)?;
    Ok(signature)
}

/// Returns the HMAC-SHA256 of `parts` with `key`.
#[cfg(test)]
pub(crate) fn hmac_sha256(key: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
