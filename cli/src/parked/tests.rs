//! Runs the commands as an operator types them, against a lab.

use clap::Parser as _;
use connector::port::Clock as _;
use connector_aws::SystemClock;
use connector_lab::{
    Lab, LabOptions,
    aws::{TO_LIVEENGAGE, TO_LIVEENGAGE_DEAD_LETTERS},
    sms_gateway::Direction,
};
use connector_testing::fifo::NewMessage;
use http::{HeaderMap, StatusCode};

use super::*;
use crate::{Cli, Command};

const PHONE: &str = "+4915155044";

fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["connector"], arguments].concat())
}

async fn run(lab: &Lab, arguments: &[&str]) -> Result<Report, String> {
    let endpoints = lab.aws().endpoints();
    let lab = ["--dynamodb-endpoint", &endpoints.dynamodb, "--sqs-endpoint", &endpoints.sqs];
    let now = SystemClock.now();
    match parse(&[arguments, &lab].concat()).unwrap().command {
        Some(Command::Parked(command)) => command.run(now).await,
        Some(Command::DeadLetters(command)) => command.run(now).await,
        other => panic!("{other:?}"),
    }
}

/// Starts a lab with a conversation. Returns the conversation's id.
async fn lab_with_conversation() -> (Lab, String) {
    let lab = Lab::start(LabOptions::default()).await.unwrap();
    lab.gateway().consumer_sends(PHONE, "hello").unwrap();
    let mut changes = lab.liveengage().subscribe();
    while lab.liveengage().conversations().first().is_none_or(|first| first.transcript.is_empty()) {
        let _ = changes.recv().await;
    }
    lab.settled().await;
    let conversation = lab.liveengage().conversations()[0].id.clone();
    (lab, conversation)
}

async fn received(lab: &Lab) -> Vec<String> {
    let all = lab.gateway().wait_for(PHONE, |_| true).await;
    all.into_iter()
        .filter(|message| message.direction == Direction::ToPhone)
        .map(|message| message.text().to_owned())
        .collect()
}

#[test]
fn a_change_requires_a_selection() {
    let check = |arguments: &[&str]| match parse(arguments).unwrap().command {
        Some(Command::Parked(ParkedCommand::Redrive(redrive))) => redrive.confirm.check(&redrive.messages.selection),
        other => panic!("{other:?}"),
    };
    assert!(check(&["parked", "redrive", "--yes"]).is_err());
    for enough in [&["--all"][..], &["3f2a"], &["--line", "sms-main"], &["--line", "-"], &["--since", "2h"]] {
        assert_eq!(check(&[&["parked", "redrive"], enough].concat()), Ok(()), "{enough:?}");
    }
    assert!(parse(&["parked", "list", "--line", "a/b"]).is_err());
    assert!(parse(&["parked", "list", "--account", "7"]).is_err(), "an account needs a conversation");
}

#[tokio::test]
async fn a_deployment_is_required() {
    let Some(Command::Parked(command)) = parse(&["parked", "list", "--region", "eu-central-1"]).unwrap().command else {
        panic!("another command");
    };
    let error = command.run(SystemClock.now()).await.unwrap_err();
    assert_eq!(error, "give --stack-outputs, or --table for the stack's output TableName");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_message_is_listed_without_its_text_and_redriven_with_yes() {
    let (lab, conversation) = lab_with_conversation().await;
    lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), r#"{"error":{"code":"blocked_words"}}"#);
    lab.liveengage().say(&conversation, "the parcel is at the door").unwrap();
    lab.settled().await;

    let list = run(&lab, &["parked", "list"]).await.unwrap();
    assert!(list.complete && list.text.contains(&conversation) && list.text.contains("sms-lab"), "{}", list.text);
    assert!(list.text.contains("blocked_words") && list.text.ends_with("1 parked\n"), "{}", list.text);
    let rows: Value = serde_json::from_str(&run(&lab, &["parked", "list", "--json"]).await.unwrap().text).unwrap();
    let id = rows["messages"][0]["id"].as_str().unwrap();
    let shown = run(&lab, &["parked", "show", id]).await.unwrap();
    for text in [&list.text, &rows.to_string(), &shown.text] {
        assert!(!text.contains("parcel") && !text.contains("5155044"), "{text}");
    }
    let text = run(&lab, &["parked", "show", id, "--show-text"]).await.unwrap().text;
    assert!(text.contains("the parcel is at the door"), "{text}");

    let of_conversation = ["parked", "redrive", "--conversation", &conversation, "--account", connector_lab::ACCOUNT];
    let dry = run(&lab, &of_conversation).await.unwrap();
    assert!(dry.text.contains(id) && dry.warnings[0].starts_with("Nothing was sent"), "{dry:?}");
    lab.settled().await;
    assert!(!received(&lab).await.contains(&"the parcel is at the door".to_owned()));

    assert!(dry.warnings.iter().any(|said| said.contains("a permanent reason") && said.ends_with(id)), "{dry:?}");
    lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), r#"{"error":{"code":"blocked_words"}}"#);
    let again = run(&lab, &[&of_conversation[..], &["--yes", "--wait=1h"]].concat()).await.unwrap();
    assert!(
        !again.complete && again.text.contains("parked again") && again.text.contains("blocked_words"),
        "{again:?}"
    );
    assert!(again.text.contains(id), "{again:?}");

    let waiting = run(&lab, &["parked", "redrive", id, "--wait"]).await.unwrap();
    assert!(waiting.warnings.contains(&"--wait does nothing without --yes.".to_owned()), "{waiting:?}");
    let mistyped = run(&lab, &["parked", "redrive", id, "--yes", "--wait", "30m"]).await.unwrap_err();
    assert_eq!(mistyped, "30m is not an id: write --wait=30m, with an equals sign");
    let sent = run(&lab, &["parked", "redrive", id, "--yes", "--wait=1h"]).await.unwrap();
    assert!(sent.complete && sent.text.contains("delivered"), "{sent:?}");
    lab.settled().await;
    assert_eq!(received(&lab).await, ["the parcel is at the door"]);
    assert_eq!(run(&lab, &["parked", "list", "--line", "sms-lab"]).await.unwrap().text, "0 parked\n");
    let nothing = run(&lab, &["parked", "redrive", "--all"]).await.unwrap();
    assert_eq!(nothing.warnings, ["No messages match: nothing was sent."]);
    let gone = run(&lab, &["parked", "redrive", id, "--yes"]).await.unwrap();
    assert!(!gone.complete && gone.warnings[0].contains(id), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_line_or_account_is_reported() {
    let lab = Lab::start(LabOptions::default()).await.unwrap();
    let endpoints = lab.aws().endpoints();
    let queue = |name: &str| format!("{}/000000000000/{name}", endpoints.sqs);
    let parameter = |name: &str, value: &str| json!({"ParameterKey": name, "ParameterValue": value});
    let output = |name: &str, value: &str| json!({"OutputKey": name, "OutputValue": value});
    let stack = json!({"Stacks": [{
        "Parameters": [parameter("Lines", "sms-main,whatsapp-main"), parameter("LiveEngageAccounts", "72419083")],
        "Outputs": [
            output("TableName", "connector-lab"),
            output("ToLiveEngageQueueUrl", &queue(TO_LIVEENGAGE)),
            output("ToLiveEngageDeadLetterQueueUrl", &queue(TO_LIVEENGAGE_DEAD_LETTERS)),
        ],
    }]});
    let file = std::env::temp_dir().join(format!("connector-parked-{}.json", std::process::id()));
    std::fs::write(&file, stack.to_string()).unwrap();
    let described = ["--stack-outputs", file.to_str().unwrap()];

    let unknown = "The stack has no line sms-man (Lines: sms-main, whatsapp-main).";
    for (arguments, line, warnings) in [
        (&["parked", "list"][..], "sms-man", &[unknown][..]),
        (&["dead-letters", "list", "--queue", "to-liveengage"], "sms-man", &[unknown]),
        (&["dead-letters", "redrive", "--queue", "to-liveengage", "--yes"], "sms-man", &[unknown]),
        (&["parked", "list"], "whatsapp-main", &[]),
        (&["parked", "list"], "-", &[]),
    ] {
        let report = run(&lab, &[arguments, &["--line", line], &described].concat()).await.unwrap();
        assert!(report.complete && report.warnings == warnings, "{arguments:?} {line}: {report:?}");
    }
    let unknown = run(&lab, &["parked", "list", "--line", "sms-man"]).await.unwrap();
    assert!(unknown.warnings.is_empty(), "nothing tells which lines there are: {unknown:?}");
    let of_conversation = ["parked", "list", "--conversation", "c-1", "--account", "72419038"];
    let error = run(&lab, &[&of_conversation[..], &described].concat()).await.unwrap_err();
    assert!(
        error.ends_with("of account 72419038. The stack has no account 72419038 (LiveEngageAccounts: 72419083)."),
        "{error}"
    );
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_message_is_deleted_with_yes_only() {
    let (lab, conversation) = lab_with_conversation().await;
    lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), "{}");
    lab.liveengage().say(&conversation, "never mind").unwrap();
    lab.settled().await;
    run(&lab, &["parked", "delete", "--since", "1h"]).await.unwrap();
    assert!(run(&lab, &["parked", "list"]).await.unwrap().text.ends_with("1 parked\n"));
    assert!(run(&lab, &["parked", "delete", "--since", "1h", "--yes"]).await.unwrap().complete);
    assert_eq!(run(&lab, &["parked", "list"]).await.unwrap().text, "0 parked\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_counted_and_moved_back_with_yes() {
    let (lab, _) = lab_with_conversation().await;
    let now = SystemClock.now();
    let body = json!({
        "task": "channel_event_v1", "line": "sms-lab", "correlation": "r-9", "accepted_at": now,
        "event": {"id": "mo-900", "part": 0, "user": PHONE, "at": now, "content": {"kind": "text", "text": "found again"}},
    });
    let letters = lab.aws().queue(TO_LIVEENGAGE_DEAD_LETTERS).unwrap();
    letters.send(NewMessage::new("g", "d", body.to_string())).unwrap();

    for _ in 0..2 {
        let list = run(&lab, &["dead-letters", "list"]).await.unwrap();
        assert!(list.text.contains("to-liveengage  sms-lab  text  1"), "{}", list.text);
        assert!(!list.text.contains("found") && !list.text.contains("5155044"), "{}", list.text);
    }
    let other = run(&lab, &["dead-letters", "redrive", "--line", "other", "--yes"]).await.unwrap();
    assert_eq!((other.complete, other.text.as_str()), (true, "None.\n"));
    let dry = run(&lab, &["dead-letters", "redrive", "--all", "--queue", "to-liveengage"]).await.unwrap();
    assert!(dry.warnings[0].starts_with("Nothing was moved"), "{dry:?}");
    assert_eq!((letters.counts().total(), lab.aws().queue(TO_LIVEENGAGE).unwrap().counts().total()), (1, 0));
    let none = run(&lab, &["dead-letters", "redrive", "--all", "--queue", "to-channel"]).await.unwrap();
    assert_eq!(none.warnings, ["No messages match: nothing was moved."]);
    let moved = run(&lab, &["dead-letters", "redrive", "--all", "--fresh", "--yes"]).await.unwrap();
    assert!(moved.complete, "{moved:?}");
    lab.settled().await;
    let conversation = &lab.liveengage().conversations()[0];
    assert_eq!(conversation.transcript.iter().filter(|line| line.text == "found again").count(), 1);
    assert_eq!(letters.counts().total(), 0);
}
