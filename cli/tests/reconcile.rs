//! `connector reconcile`, run as an operator runs it, against the lab.

#![expect(clippy::unwrap_used, reason = "a step that the tests share may fail as loudly as a test")]

use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

use connector_lab::{
    Lab, LabOptions,
    liveengage::{Service, WebhookEvent, WebhookSettings},
    phone::{Direction, PhoneMessage},
};
use http::StatusCode;
use serde_json::Value;

const PHONE: &str = "+4915155078";
const PATIENCE: Duration = Duration::from_secs(60);

async fn reconcile(lab: &Lab, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connector"));
    command.args(["reconcile", "--lambda-endpoint", &lab.lambda_url().unwrap()]).args(arguments).stdin(Stdio::null());
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let [out, errors] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (status.code().unwrap(), out, errors)
}

/// Webhooks to this address, each tried once.
fn webhooks(endpoint: &str) -> WebhookSettings {
    let endpoints = WebhookEvent::ALL.map(|event| (event, endpoint.parse().unwrap())).into();
    WebhookSettings { endpoints, retention: None, ..WebhookSettings::default() }
}

/// A lab with an open conversation.
async fn lab() -> (Lab, String) {
    let lab = Lab::start(LabOptions::default()).await.unwrap();
    let mut changes = lab.liveengage().subscribe();
    lab.gateway().consumer_sends(PHONE, "where is my parcel?").unwrap();
    let arrived = async {
        while lab.liveengage().conversations().iter().all(|one| one.transcript.is_empty()) {
            let _ = changes.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.unwrap();
    tokio::time::timeout(PATIENCE, lab.settled()).await.unwrap();
    let id = lab.liveengage().conversations().remove(0).id;
    (lab, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_webhooks_have_lost_is_delivered_and_counted() {
    let (lab, id) = lab().await;
    lab.liveengage().set_webhooks(lab.account_id(), webhooks("http://127.0.0.1:9/nobody"));
    lab.liveengage().say(&id, "It is in Cologne").unwrap();
    lab.liveengage().say(&id, "Tomorrow it is with you").unwrap();
    tokio::time::timeout(PATIENCE, lab.settled()).await.unwrap();

    let (code, out, errors) = reconcile(&lab, &["--since", "1h", "--json"]).await;
    assert_eq!(code, 0, "{errors}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    let account = &answer["accounts"][0];
    assert_eq!((&account["compared"], &account["missing"], &account["failed"]), (&1.into(), &2.into(), &0.into()));
    assert!(errors.contains("What was recovered is in the queue"), "{errors}");
    let came =
        |messages: &[PhoneMessage]| messages.iter().filter(|one| one.direction == Direction::ToPhone).count() == 2;
    let messages = tokio::time::timeout(PATIENCE, lab.gateway().wait_for(PHONE, came)).await.unwrap();
    assert_eq!(messages.last().unwrap().text(), "Tomorrow it is with you");

    tokio::time::timeout(PATIENCE, lab.settled()).await.unwrap();
    let (code, out, errors) = reconcile(&lab, &[]).await;
    assert_eq!((code, errors.as_str()), (0, ""), "{out}");
    let row = out.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(row, [lab.account_id(), "1", "0", "0", "0", "0"], "nothing is missing any more: {out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_and_a_function_that_does_not_exist_are_clear_errors() {
    let (lab, _) = lab().await;
    for _ in 0..3 {
        lab.liveengage().fail_next(Service::History, StatusCode::UNAUTHORIZED, "");
    }
    let (code, out, errors) = reconcile(&lab, &[]).await;
    assert_eq!((code, out.as_str()), (1, ""), "{errors}");
    assert!(errors.contains("the run failed (NotReconciled): 1 account(s) can't be reconciled: "), "{errors}");
    assert!(errors.contains("LiveEngage's history refuses the consumers' tokens"), "{errors}");

    let (code, _, errors) = reconcile(&lab, &["--function", "another"]).await;
    assert_eq!(code, 1);
    assert!(
        errors.contains("ResourceNotFoundException. The function another doesn't exist at http://127.0.0.1:"),
        "{errors}"
    );
    let (code, _, errors) = reconcile(&lab, &["--since", "2999-01-01T00:00:00Z"]).await;
    assert_eq!((code, errors.contains("is in the future")), (1, true), "{errors}");
}
