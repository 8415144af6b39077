//! The digest for every name that consists of several parts.

use sha2::{Digest, Sha256};

/// Returns a SHA-256 over parts, in 64 hex digits.
///
/// It serves as a queue's group or deduplication id (at most 128 characters, no personal data in clear), or as the name of a message. The
/// length of each part is hashed, too, so that different parts never give the same input.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_digest_do_not_run_into_each_other() {
        assert_ne!(digest([b"ab".as_slice(), b"c"]), digest([b"a".as_slice(), b"bc"]));
        assert_eq!(digest([b"ab".as_slice()]).len(), 64);
    }
}
