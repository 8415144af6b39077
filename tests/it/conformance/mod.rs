//! Compares what the connector sends and understands with payloads: every request, response, notification, manifest and card.
//!
//! The payloads are JSON files in one folder, with an `INDEX.json` of the form `{"examples": [{"file", "kind", "http"}]}`. `kind` says what
//! the file is (see [`check`]). `http` has the status, method and path of the payload. The connector's own samples are in `fixtures`, and
//! are always checked.
//!
//! To check a folder with the payloads that LivePerson documents, in the same form, name it in the environment variable
//! `CONNECTOR_CONFORMANCE`. Every file in it must be in the table of its kind, with the allowed differences, or in [`NOT_APPLICABLE`] with
//! the reason.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

mod difference;
mod either_form;
mod manifests;
mod neighbors;
mod not_applicable;
mod notifications;
mod others;
mod profiles;
mod rebuild;
mod requests;
mod responses;
mod structured;
mod websocket;

use not_applicable::NOT_APPLICABLE;

const INDEX: &str = "INDEX.json";

/// One payload.
struct Sample {
    file: String,
    kind: String,
    /// For example `400 POST /api/account/{accountId}/...`.
    http: Option<String>,
    json: Value,
}

/// Placeholders of the documentation, each with a possible value.
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("{accountid}", "le72419083"),
    ("${accountId}", "le72419083"),
    ("{accountId}", "le72419083"),
    ("{{relativePath}}", "/v1/files/placeholder.PNG"),
    ("{relativePath}", "/v1/files/placeholder.PNG"),
    ("__relative_path__", "/v1/files/placeholder.PNG"),
    ("<relative path got from the generateUrlForUploadFile>", "/v1/files/placeholder.PNG"),
];

fn filled(text: String) -> String {
    PLACEHOLDERS.iter().fold(text, |text, (placeholder, value)| text.replace(placeholder, value))
}

impl Sample {
    fn read(folder: &Path, entry: &Value) -> Result<Self, String> {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let file = text("file").ok_or("an entry of the index names no file")?;
        let raw = fs::read_to_string(folder.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        let json = serde_json::from_str(&filled(raw)).map_err(|error| format!("{file}: {error}"))?;
        Ok(Self { kind: text("kind").unwrap_or_default(), http: text("http").map(filled), json, file })
    }
}

/// The result of checking one payload.
enum Verdict {
    Checked,
    NotApplicable,
}

fn check(sample: &Sample) -> Result<Verdict, String> {
    if NOT_APPLICABLE.iter().any(|(file, _)| *file == sample.file) {
        return Ok(Verdict::NotApplicable);
    }
    if websocket::knows(sample) {
        return websocket::check(sample)
            .map(|()| Verdict::Checked)
            .map_err(|error| format!("{}: {error}", sample.file));
    }
    if let Some(checked) = neighbors::check(sample) {
        return checked.map(|()| Verdict::Checked).map_err(|error| format!("{}: {error}", sample.file));
    }
    match sample.kind.as_str() {
        "notification" => notifications::check(sample),
        "response" => responses::check(sample),
        "token-claims" => responses::check_claims(sample),
        "request" => requests::check(sample),
        "sde" => requests::check_attribute(sample),
        "manifest" => manifests::check(sample),
        "structured-content" => structured::check(sample),
        "other" => others::check(sample),
        kind => Err(format!("nobody knows the kind `{kind}`")),
    }
    .map(|()| Verdict::Checked)
    .map_err(|error| format!("{}: {error}", sample.file))
}

/// A file that is in no table of its kind.
fn unknown() -> String {
    "is in no table, and not in NOT_APPLICABLE either".to_owned()
}

/// Checks every file of a folder. Returns the failures, and the numbers of checked and of not applicable files.
fn check_folder(folder: &Path) -> (Vec<String>, usize, usize, BTreeSet<String>) {
    let index: Value = serde_json::from_str(&fs::read_to_string(folder.join(INDEX)).unwrap()).unwrap();
    let (mut failures, mut checked, mut not_applicable) = (Vec::new(), 0, 0);
    let mut listed = BTreeSet::new();
    for entry in index["examples"].as_array().unwrap() {
        listed.insert(entry["file"].as_str().unwrap().to_owned());
        match Sample::read(folder, entry).and_then(|sample| check(&sample)) {
            Ok(Verdict::Checked) => checked += 1,
            Ok(Verdict::NotApplicable) => not_applicable += 1,
            Err(error) => failures.push(error),
        }
    }
    for file in fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".json") && name != INDEX && !listed.contains(&name) {
            failures.push(format!("{name}: is not in the index"));
        }
    }
    (failures, checked, not_applicable, listed)
}

fn own_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/it/conformance/fixtures"))
}

#[test]
fn the_connectors_own_samples_conform() {
    let (failures, checked, not_applicable, _) = check_folder(own_folder());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(not_applicable, 0, "a sample of our own is there to be checked");
    println!("{checked} of our own payloads are checked");
}

#[test]
fn documented_payloads_conform() {
    #[expect(clippy::disallowed_methods, reason = "a folder outside the repository that only this test reads")]
    let folder = std::env::var("CONNECTOR_CONFORMANCE");
    let Ok(folder) = folder else {
        println!("CONNECTOR_CONFORMANCE is not set: documented payloads are not checked");
        return;
    };
    let (failures, checked, not_applicable, listed) = check_folder(Path::new(&folder));
    println!("{checked} documented payloads are checked, {not_applicable} are not applicable");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let (.., own) = check_folder(own_folder());
    let rows = [
        NOT_APPLICABLE.iter().map(|(file, _)| *file).collect(),
        requests::files(),
        responses::files(),
        manifests::files(),
        neighbors::files(),
        notifications::files(),
        websocket::files(),
    ];
    for file in rows.iter().flatten() {
        assert!(listed.contains(*file) || own.contains(*file), "{file} is in a table, but there is no such payload");
    }
}

#[test]
fn a_file_that_no_table_knows_fails() {
    for kind in ["notification", "response", "token-claims", "request", "sde", "manifest", "other", "hologram"] {
        let json = serde_json::json!({"type": "cqm.ExConversationChangeNotification", "body": {"changes": [{"result": {
            "convId": "c1", "conversationDetails": {"state": "OPEN"}}}]}});
        let sample = Sample { file: "never-seen.json".to_owned(), kind: kind.to_owned(), http: None, json };
        assert!(check(&sample).is_err(), "{kind}");
    }
}
