//! With every fault injected, the functions log no phone number, text or token at the log level of a deployment.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};

/// What the consumers and agents of the drill write, and the prefix of their numbers.
const PLANTED: [&str; 6] = ["49151700", "Grüße", "one moment, please", "and then?", "Bitte lesen", "📦"];

#[test]
fn a_drill_with_every_fault_logs_no_number_no_text_and_no_token() {
    let drill = Command::new(env!("CARGO_BIN_EXE_connector"))
        .args(["drill", "--seconds", "6", "--messages", "120", "--seed", "20261121", "--log", "info"])
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&drill.stdout);
    assert!(drill.status.success(), "{report}");
    let logs = String::from_utf8_lossy(&drill.stderr);
    assert!(
        logs.lines().filter(|line| line.contains("message.delivered")).count() > 20,
        "there is something to search:\n{logs}"
    );
    for line in logs.lines() {
        for planted in PLANTED {
            assert!(!line.contains(planted), "{planted}: {line}");
        }
        // JWTs start like this. WhatsApp ids contain a number in Base64.
        assert!(!line.contains("eyJ"), "{line}");
        assert!(!line.contains("wamid"), "{line}");
        for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/' && c != '=') {
            let decoded = STANDARD.decode(word).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(!decoded.is_ok_and(|text| text.contains("49151700")), "{word}: {line}");
        }
    }
}
