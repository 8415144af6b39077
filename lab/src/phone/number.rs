//! Phone numbers.

/// Whether the text is `+` and 7 to 15 digits without a leading zero (ITU-T E.164). Fewer than 7 digits would be a
/// short code.
pub(crate) fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

#[cfg(test)]
mod tests {
    use super::is_e164;

    #[test]
    fn a_phone_number_has_a_plus_and_seven_to_fifteen_digits() {
        for number in ["+4930901", "+12025550143", "+123456789012345"] {
            assert!(is_e164(number), "{number}");
        }
        for number in
            ["", "+", "12025550143", "+493090", "+1234567890123456", "+0301234567", "+1 202 555", "ACME", "+١٢٣٤٥٦٧"]
        {
            assert!(!is_e164(number), "{number}");
        }
    }
}
