//! Checks that the search finds what it must find, and that the log of every test is searched.

use std::{fs, path::Path};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use connector_lab::LabOptions;
use serde_json::json;

use super::{Kind, Watch, WatchedLab};
use crate::steps::{PHONE, opened, settled};

const NUMBER: &str = "+4915177340216";
const TEXT: &str = "Grüße, wo bleibt \"mein\" Paket?";
const NAME: &str = "Wilhelmine Planted";
const SECRET: &str = "planted-client-secret-zt9q";

/// Plants everything before any of it is logged.
fn planted() -> Watch {
    let mut watch = Watch::begin();
    watch.is_rehearsal = true;
    watch.plant(Kind::Number, NUMBER);
    watch.plant(Kind::Text, TEXT);
    watch.plant(Kind::Text, "p1nted");
    watch.plant(Kind::Name, NAME);
    watch.plant(Kind::Secret, SECRET);
    watch
}

/// Returns the findings in one line, which represents a line of the connector.
fn found(log: impl FnOnce()) -> Vec<(Kind, &'static str)> {
    let watch = planted();
    log();
    let found = watch.findings().iter().map(|finding| (finding.kind, finding.form)).collect();
    // Prevent the watch's own check, which would fail here as intended.
    std::mem::forget(watch);
    found
}

fn logged(value: &str) -> Vec<(Kind, &'static str)> {
    found(|| tracing::info!(target: "connector::planted", value, "something happened"))
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let percent: String = TEXT.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let form: String = url::form_urlencoded::byte_serialize(TEXT.as_bytes()).collect();
    let digits = NUMBER.trim_start_matches('+');
    for (value, kind) in [
        (NUMBER.to_owned(), Kind::Number),
        (format!("CONS#sms-main#{NUMBER}"), Kind::Number),
        (format!("%2B{digits}"), Kind::Number),
        (format!("wamid/{}", STANDARD.encode(format!("\u{2}\u{1}{digits}\u{15}"))), Kind::Number),
        ("the person with …0216".to_owned(), Kind::Number),
        ("person xxxx40216 can't be reached".to_owned(), Kind::Number),
        (TEXT.to_owned(), Kind::Text),
        (format!("{TEXT:?}"), Kind::Text),
        (json!({"text": TEXT}).to_string(), Kind::Text),
        (json!({"text": json!({"text": TEXT}).to_string()}).to_string(), Kind::Text),
        ("{\"text\":\"Gr\\u00fc\\u00dfe, wo bleibt \\\"mein\\\" Paket?\"}".to_owned(), Kind::Text),
        (percent.clone(), Kind::Text),
        (percent.to_lowercase(), Kind::Text),
        (form, Kind::Text),
        (STANDARD.encode(TEXT), Kind::Text),
        (STANDARD.encode(format!("x{TEXT}")), Kind::Text),
        (STANDARD.encode(format!("xy{TEXT}yx")), Kind::Text),
        (URL_SAFE_NO_PAD.encode(json!({"text": TEXT}).to_string().replace('\\', "")), Kind::Text),
        (TEXT.bytes().map(|byte| format!("{byte:02x}")).collect(), Kind::Text),
        (TEXT.chars().take(14).collect(), Kind::Text),
        ("p1nted".to_owned(), Kind::Text),
        (NAME.to_owned(), Kind::Name),
        ("Dear Wilhelmine,".to_owned(), Kind::Name),
        (format!("Basic {}", STANDARD.encode(format!("5b8e1f40:{SECRET}"))), Kind::Secret),
        (format!("?secret={SECRET}&x"), Kind::Secret),
        ("planted-client...".to_owned(), Kind::Secret),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln".to_owned(), Kind::Secret),
        ("wamid.HBgNNDkxNQ==".to_owned(), Kind::Number),
    ] {
        let found = logged(&value);
        assert!(found.iter().any(|(found, _)| *found == kind), "{value} is not found: {found:?}");
    }
}

#[test]
fn it_is_found_in_the_message_in_a_span_and_on_another_thread() {
    let in_message = found(|| tracing::warn!(target: "connector::planted", "not delivered: {TEXT}"));
    assert_eq!(in_message, [(Kind::Text, "as it is")]);
    let in_span = found(|| {
        let _span = tracing::info_span!(target: "connector::planted", "work", user = NUMBER).entered();
        tracing::trace!(target: "connector::planted", "something happened");
    });
    assert_eq!(in_span, [(Kind::Number, "as it is")]);
    let elsewhere = found(|| {
        std::thread::spawn(|| tracing::debug!(target: "connector::planted", value = SECRET, "something"))
            .join()
            .unwrap();
    });
    assert_eq!(elsewhere, [(Kind::Secret, "as it is")]);
    let of_a_library = found(|| tracing::info!(target: "hyper_util::client", uri = NUMBER, "connecting"));
    assert_eq!(of_a_library, [(Kind::Number, "as it is")]);
}

#[test]
fn what_is_no_finding_is_not_found() {
    for value in [
        "delivered",
        "conversation 3d6f0216-52c1-4a97-0216-90c7a2f81d55",
        "5b8e1f40216a",
        "Paket",
        "something was p1nted",
        "accepted_at 2026-06-15T09:30:00Z",
        "HTTP 400, code 131047",
        "eyJ",
    ] {
        assert_eq!(logged(value), [], "{value}");
    }
    let count = found(|| tracing::info!(target: "connector::planted", waited_ms = 40216, "delivered"));
    assert_eq!(count, [], "a number of milliseconds is no phone number");
    let of_a_simulator = found(|| tracing::info!(target: "connector_lab::sms_gateway", NUMBER, "not of a deployment"));
    assert_eq!(of_a_simulator, []);
}

#[test]
#[should_panic(expected = "Number (as it is) logged by connector::planted (tests/it/silence/tests.rs:")]
fn a_test_whose_log_holds_something_planted_fails_and_says_where() {
    let _watch = planted();
    tracing::info!(target: "connector::planted", user = NUMBER, "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_plants_what_is_said_in_it_and_its_functions_are_heard() {
    let lab = WatchedLab::start(LabOptions::default()).await;
    lab.whatsapp().set_profile_name("+4915155009", "Wilhelmine Planted").unwrap();
    lab.whatsapp().consumer_sends("+4915155009", "where is my tent?").unwrap();
    settled(&lab).await;
    let conversation = opened(&lab, PHONE).await;
    lab.liveengage().say(&conversation, "it is at the counter").unwrap();
    settled(&lab).await;
    let heard: Vec<String> = lab.watch.lines().iter().map(|line| line.text.to_string()).collect();
    for event in ["channel_request.accepted", "webhook.accepted", "conversation.opened", "message.delivered"] {
        assert!(heard.iter().any(|line| line.contains(event)), "{event} is not heard: {heard:?}");
    }
    super::plant_what_was_said(&lab, &lab.watch);
    let planted = lab.watch.planted.lock().unwrap().clone();
    let is_planted = |kind, value: &str| planted.iter().any(|canary| canary.kind == kind && canary.value == value);
    for (kind, value) in [
        (Kind::Number, PHONE),
        (Kind::Number, "+4915155009"),
        (Kind::Text, "where is my tent?"),
        (Kind::Text, "it is at the counter"),
        (Kind::Name, "Wilhelmine Planted"),
    ] {
        assert!(is_planted(kind, value), "{value} is not planted: {planted:?}");
    }
    let secrets = planted.iter().filter(|canary| canary.kind == Kind::Secret).count();
    assert!(secrets >= 8, "{planted:?}");
}

/// Checks that everything that starts a lab, a drill or functions also starts a watch.
#[test]
fn whatever_runs_functions_is_watched() {
    fn sources(folder: &Path, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("it"), &mut all);
    for (path, source) in all.iter().filter(|(path, _)| !path.contains("silence")) {
        for start in source.split(" Lab::start(").skip(1) {
            let is_refused = start.split(';').next().is_some_and(|statement| statement.contains("unwrap_err()"));
            assert!(is_refused, "{path} starts a lab that is not watched: WatchedLab::start");
        }
        let runs = [
            "drill::run",
            "DeliverToLiveEngage::new",
            "DeliverToChannel::new",
            "AcceptWebhook::new",
            " Functions::start(",
        ];
        for name in runs.into_iter().filter(|name| source.contains(name)) {
            let begins = ["Watch::begin()", "events::watch()"];
            assert!(begins.into_iter().any(|begin| source.contains(begin)), "{path} uses {name} and watches no log");
        }
    }
}
