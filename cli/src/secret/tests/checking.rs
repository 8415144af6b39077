//! Tests of `check` and `template`, which make no AWS calls.

use super::*;

#[tokio::test]
async fn check_accepts_what_a_function_accepts() {
    let report = check(&account(VALID_KEY)).await;
    assert!(report.complete && report.warnings.is_empty(), "{report:?}");
    assert_eq!(report.text, "account 72419083: valid.\n");
    assert_eq!(check(&line(VALID_KEY)).await.text, "line sms-main: valid.\n");
    // The owner given by an option must match the ids in the secret.
    let file = SecretFile::new(&account("canary").to_string());
    let other = run(&["check", file.path(), "--account", "8"]).await.unwrap();
    assert!(!other.complete && other.text.contains("account_id"), "{other:?}");
}

#[tokio::test]
async fn every_wrong_field_is_named_with_what_belongs_there_and_no_value_is_shown() {
    let mut secret = line("canary");
    secret["routing"] = json!({"skil_id": "canary", "ttr": "canary"});
    secret["surveys"] = json!("canary");
    secret["close_words"] = json!(["#end", " "]);
    secret["satisfaction"] = json!({"question": "canary", "no": ["yes"]});
    secret["skill"] = json!("canary");
    secret["sms"]["send_url"] = json!("http://canary.example");
    secret["sms"]["media_hosts"] = json!(["canary.example", "https://canary.example"]);
    secret["sms"].as_object_mut().unwrap().remove("bearer_token");
    let report = check(&secret).await;
    assert!(!report.complete && !all(&report).contains("canary"), "{}", report.text);
    let file = SecretFile::new(&secret.to_string());
    let rows: Value = serde_json::from_str(&run(&["check", file.path(), "--json"]).await.unwrap().text).unwrap();
    let mut fields: Vec<_> =
        rows["problems"].as_array().unwrap().iter().map(|row| row["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "close_words",
            "routing.skil_id",
            "routing.ttr",
            "satisfaction.no",
            "skill",
            "sms.bearer_token",
            "sms.media_hosts[1]",
            "sms.send_url",
            "surveys",
        ],
        "{}",
        report.text
    );
    for (field, wrong, expected) in [
        ("surveys", "has the wrong type or form", "true or false"),
        ("sms.bearer_token", "is missing", "a string: the token of the gateway's API"),
        (
            "sms.send_url",
            "must be an https URL (http only for loopback)",
            "a string: https://gateway.example/v1/messages",
        ),
        ("routing.skil_id", "is unknown", "nothing, or one of: campaign, language, skill_id"),
    ] {
        let row = json!({"field": field, "wrong": wrong, "expected": expected});
        assert!(rows["problems"].as_array().unwrap().contains(&row), "{row} in {rows:#}");
    }
}

#[tokio::test]
async fn an_unknown_channel_is_a_single_problem() {
    let mut secret = line("canary");
    secret["channel"] = json!("smss");
    let report = check(&secret).await;
    assert!(report.text.contains("1 field is wrong") && report.text.contains("must be one of: sms"), "{}", report.text);
    secret.as_object_mut().unwrap().remove("sms");
    let report = check(&secret).await;
    assert!(report.text.contains("2 fields are wrong"), "{}", report.text);
}

#[tokio::test]
async fn invalid_json_is_reported_with_its_position() {
    for (text, said) in [
        ("{\"account_id\": \"canary\"", "is not JSON (line 1, column 23)"),
        ("", "is not JSON (line 1, column 0)"),
        ("[\"canary\"]", "is not a JSON object"),
    ] {
        let file = SecretFile::new(text);
        let report = run(&["check", file.path(), "--line", "sms-main"]).await.unwrap();
        assert!(!report.complete && report.text.contains(said), "{}", report.text);
        assert!(!all(&report).contains("canary"));
    }
    for text in ["{\"line_id\": \"canary\",}", "[]"] {
        let file = SecretFile::new(text);
        let report = run(&["check", file.path()]).await.unwrap();
        assert!(report.text.starts_with(&format!("{}: 1 field is wrong", file.path())), "{}", report.text);
    }
    let file = SecretFile::new("{}");
    let report = run(&["check", file.path()]).await.unwrap();
    assert!(report.text.starts_with("an account: 3 fields are wrong"), "{}", report.text);
    let report = check(&json!({"sms": {}})).await;
    assert!(report.text.starts_with("a line: "), "{}", report.text);
    // A Windows editor saves a byte order mark and CRLF.
    let file = SecretFile::new(&format!("\u{feff}{}\r\n", account("canary")));
    assert!(run(&["check", file.path()]).await.unwrap().complete);
}

#[tokio::test]
async fn the_expected_form_of_ids_and_strings_is_reported() {
    let expected = async |secret: &Value, field: &str| {
        let file = SecretFile::new(&secret.to_string());
        let text = run(&["check", file.path(), "--json"]).await.unwrap().text;
        let rows: Value = serde_json::from_str(&text).unwrap();
        let row = rows["problems"].as_array().unwrap().iter().find(|row| row["field"] == field).unwrap();
        row["expected"].as_str().unwrap().to_owned()
    };
    let with = |mut secret: Value, field: &str, value: Value| {
        secret[field] = value;
        secret
    };
    let name = "1 to 64 letters, digits, - and _; no spaces";
    for wrong in ["72419083 ", "", "7 2"] {
        let secret = with(account(VALID_KEY), "account_id", json!(wrong));
        assert_eq!(expected(&secret, "account_id").await, format!("a string: 72419083; {name}"));
    }
    let secret = with(line(VALID_KEY), "line_id", json!("sms.main"));
    assert_eq!(expected(&secret, "line_id").await, format!("a string: sms-main; {name}"));
    let secret = with(line(VALID_KEY), "account_id", json!(72419083));
    assert_eq!(expected(&secret, "account_id").await, "a string: 72419083; must be in quotes");
    let mut secret = line(VALID_KEY);
    secret["sms"]["from"] = json!(493055501);
    assert_eq!(expected(&secret, "sms.from").await, "a string: +493055501; must be in quotes");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_readable_by_other_users_gives_a_warning() {
    let file = SecretFile::new(&account("canary").to_string());
    for (mode, warned) in [(0o600, false), (0o644, true), (0o640, true), (0o400, false)] {
        file.set_mode(mode);
        let report = run(&["check", file.path()]).await.unwrap();
        assert!(report.complete);
        assert_eq!(
            report.warnings.iter().any(|warning| warning.contains("can be read by other users")),
            warned,
            "{mode:o}"
        );
    }
}

#[tokio::test]
async fn a_template_has_new_keys_and_is_refused_until_filled_in() {
    for (kind, to_fill_in) in [
        ("account", vec!["account_id", "client_id", "client_secret"]),
        ("sms", vec!["account_id", "line_id", "sms.bearer_token", "sms.from", "sms.send_url"]),
        (
            "whatsapp",
            vec!["account_id", "line_id", "whatsapp.access_token", "whatsapp.app_secret", "whatsapp.phone_number_id"],
        ),
    ] {
        let report = run(&["template", kind]).await.unwrap();
        let template: Value = serde_json::from_str(&report.text).unwrap();
        let named: Vec<_> = report.warnings.iter().skip(1).filter_map(|line| line.trim().split(':').next()).collect();
        assert_eq!(named, to_fill_in, "{kind}");
        let file = SecretFile::new(&report.text);
        let unnamed = run(&["check", file.path(), "--json"]).await.unwrap();
        assert_eq!(unnamed.text.matches("\"field\"").count(), to_fill_in.len(), "{}", unnamed.text);
        let owner = if kind == "account" { ["--account", "72419083"] } else { ["--line", "my-line"] };
        let arguments = [&["check", file.path(), "--json"], &owner[..]].concat();
        let rows: Value = serde_json::from_str(&run(&arguments).await.unwrap().text).unwrap();
        let wrong = rows["problems"].as_array().unwrap();
        assert_eq!(wrong.len(), to_fill_in.len(), "{kind}: {rows:#}");
        if kind == "sms" {
            let key = template["consumer_id_key"].as_str().unwrap();
            assert!(key.len() == 64 && key.bytes().all(|digit| digit.is_ascii_hexdigit()));
            assert_ne!(template["sms"]["webhook_secret"], template["consumer_id_key"]);
            let again: Value = serde_json::from_str(&run(&["template", kind]).await.unwrap().text).unwrap();
            assert_ne!(again["consumer_id_key"], template["consumer_id_key"]);
        }
    }
}
