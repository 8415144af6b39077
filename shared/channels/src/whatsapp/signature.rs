//! Verifies the signature of a webhook, and the token of the handshake.
//!
//! Meta signs the raw body: `X-Hub-Signature-256: sha256=<hex HMAC-SHA256(app secret, body)>`. The signature has no timestamp: a captured
//! webhook can be replayed. The use case recognizes its messages by their ids for 14 days, and rejects older messages.

use secrecy::SecretString;

use crate::{
    ChannelRequest, Unreadable, VerifyError,
    proof::{hex_signature, verify_hmac_sha256, verify_secret},
};

/// The name of the header with the signature.
pub const SIGNATURE: &str = "x-hub-signature-256";
/// The prefix of the header's value.
pub const PREFIX: &str = "sha256=";
/// The longest accepted challenge, in bytes. Meta's challenges have about ten digits.
const LONGEST_CHALLENGE: usize = 256;

/// Verifies the signature of the raw body. Takes constant time in the signature.
///
/// # Errors
/// [`VerifyError`] with the reason.
pub fn verify(request: &ChannelRequest, app_secret: &SecretString) -> Result<(), VerifyError> {
    let header = request.header(SIGNATURE).ok_or(VerifyError::Unsigned)?;
    let digits = header.strip_prefix(PREFIX).ok_or(VerifyError::Unreadable)?;
    verify_hmac_sha256(app_secret, &[&request.body], &hex_signature::<32>(digits)?)
}

/// Verifies the handshake: a GET with `hub.mode=subscribe` and the token that was entered at Meta. Takes constant time in the token.
///
/// # Errors
/// [`VerifyError`] with the reason.
pub fn verify_handshake(request: &ChannelRequest, verify_token: &SecretString) -> Result<(), VerifyError> {
    let token = request.parameter("hub.verify_token").ok_or(VerifyError::Unsigned)?;
    if request.parameter("hub.mode") != Some("subscribe") {
        return Err(VerifyError::Unreadable);
    }
    verify_secret(verify_token, token)
}

/// Returns the challenge of a handshake, which is the body of the answer.
///
/// # Errors
/// [`Unreadable`] without a challenge of 1 to 256 printable ASCII characters.
pub fn challenge(request: &ChannelRequest) -> Result<&str, Unreadable> {
    request
        .parameter("hub.challenge")
        .filter(|challenge| (1..=LONGEST_CHALLENGE).contains(&challenge.len()))
        .filter(|challenge| challenge.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or_else(|| Unreadable { rule: "hub.challenge: 1 to 256 printable characters".to_owned() })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use proptest::prelude::*;

    use super::*;
    use crate::proof::hmac_sha256;

    // Computed with `openssl dgst -sha256 -hmac`.
    const BODY: &str = r#"{"object":"whatsapp_business_account","entry":[],"note":"Grüße 👋"}"#;
    const KEY: &str = "9f1c0b7fake2secret";
    const VECTOR: &str = "sha256=d1808c4b3d9c9b5f5dbb8efddb5baa10ab6b8d5e47afa09e1e4f815b692d88c8";

    fn post(body: &[u8], signatures: &[&str]) -> ChannelRequest {
        let mut headers = HeaderMap::new();
        for signature in signatures {
            headers.append(SIGNATURE, HeaderValue::from_str(signature).unwrap());
        }
        ChannelRequest { method: Method::POST, headers, query: vec![], body: body.to_vec().into() }
    }

    fn get(query: &[(&str, &str)]) -> ChannelRequest {
        let query = query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        ChannelRequest { method: Method::GET, headers: HeaderMap::new(), query, body: bytes::Bytes::new() }
    }

    fn sign(body: &[u8]) -> String {
        format!("{PREFIX}{}", hex::encode(hmac_sha256(KEY, &[body])))
    }

    fn check(body: &[u8], signatures: &[&str]) -> Result<(), VerifyError> {
        verify(&post(body, signatures), &SecretString::from(KEY))
    }

    #[test]
    fn a_signature_of_openssl_verifies() {
        assert_eq!(check(BODY.as_bytes(), &[VECTOR]), Ok(()));
        assert_eq!(check(BODY.as_bytes(), &[&VECTOR.to_uppercase().replace("SHA256", "sha256")]), Ok(()));
    }

    #[test]
    fn reasons_are_distinguished() {
        let body = BODY.as_bytes();
        assert_eq!(check(body, &[]), Err(VerifyError::Unsigned));
        assert_eq!(check(body, &[VECTOR, VECTOR]), Err(VerifyError::Unsigned));
        for unreadable in ["", "sha256=", "sha1=00", &VECTOR[7..], &VECTOR[..70], &format!("{VECTOR}0"), "sha256=zz"] {
            assert_eq!(check(body, &[unreadable]), Err(VerifyError::Unreadable), "{unreadable}");
        }
        assert_eq!(check(b"{}", &[VECTOR]), Err(VerifyError::Wrong));
        assert_eq!(verify(&post(body, &[VECTOR]), &SecretString::from("another")), Err(VerifyError::Wrong));
    }

    #[test]
    fn the_handshake_is_verified_by_its_token() {
        let token = SecretString::from("v3rify me");
        let check = |query: &[(&str, &str)]| verify_handshake(&get(query), &token);
        let mode = ("hub.mode", "subscribe");
        assert_eq!(check(&[mode, ("hub.challenge", "1158201444"), ("hub.verify_token", "v3rify me")]), Ok(()));
        assert_eq!(check(&[mode, ("hub.verify_token", "v3rify m")]), Err(VerifyError::Wrong));
        assert_eq!(check(&[mode, ("hub.verify_token", "")]), Err(VerifyError::Wrong));
        assert_eq!(check(&[mode]), Err(VerifyError::Unsigned));
        assert_eq!(
            check(&[mode, ("hub.verify_token", "v3rify me"), ("hub.verify_token", "x")]),
            Err(VerifyError::Unsigned)
        );
        assert_eq!(check(&[("hub.verify_token", "v3rify me")]), Err(VerifyError::Unreadable));
        assert_eq!(
            check(&[("hub.mode", "unsubscribe"), ("hub.verify_token", "v3rify me")]),
            Err(VerifyError::Unreadable)
        );
    }

    #[test]
    fn a_challenge_is_short_and_printable() {
        assert_eq!(challenge(&get(&[("hub.challenge", "1158201444")])), Ok("1158201444"));
        let long = "7".repeat(LONGEST_CHALLENGE + 1);
        for bad in
            [vec![], vec![("hub.challenge", "")], vec![("hub.challenge", "1\r\n2")], vec![("hub.challenge", &*long)]]
        {
            assert!(challenge(&get(&bad)).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_single_flipped_bit_verifies(body in prop::collection::vec(any::<u8>(), 1..200), bit in any::<prop::sample::Index>()) {
            let signature = sign(&body);
            prop_assert_eq!(check(&body, &[&signature]), Ok(()));
            let mut changed = body.clone();
            let bit = bit.index(body.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(check(&changed, &[&signature]), Err(VerifyError::Wrong));
            let mut digits = hex::decode(&signature[7..]).unwrap();
            digits[bit % 32] ^= 1;
            let other = format!("{PREFIX}{}", hex::encode(digits));
            prop_assert_eq!(check(&body, &[&other]), Err(VerifyError::Wrong));
        }

        #[test]
        fn no_header_makes_it_panic_or_verify(header in "(sha256=)?[ -~]{0,80}") {
            let refused = check(b"{}", &[&header]).is_err();
            prop_assert!(refused);
        }
    }
}
