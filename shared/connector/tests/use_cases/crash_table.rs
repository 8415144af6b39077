//! Generates `docs/explanation/crashes.md`: what happens to a message whose worker is stopped at any point between two outside calls.

use std::fmt::Write as _;

use futures::FutureExt;
use serde_json::{Value, json};

use super::{
    crashes::LEASE_OVER,
    ports::{
        Crash,
        Moment::{After, Before},
    },
    world::{ANNA, World, agent_says, at, attempt, change, event, from_channel, from_consumer},
};

/// Which worker gets the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worker {
    ToLiveEngage,
    ToChannel,
}

struct Scenario {
    title: &'static str,
    worker: Worker,
    settings: Value,
    /// Whether a conversation is open already.
    talking: bool,
    /// An agent's message that was delivered before.
    before: Option<String>,
    task: String,
    /// The texts that the other side must get, each once.
    parts: Vec<String>,
}

/// Returns how often the part arrived that arrived most often. Fails if a part is missing.
fn times(world: &World, scenario: &Scenario) -> usize {
    let other = world.other();
    let got: Vec<String> = match scenario.worker {
        Worker::ToLiveEngage => {
            let events = other.requests.iter().map(|request| &request["body"]["event"]);
            events
                .filter_map(|event| {
                    if event["status"] == "ACTION" {
                        return Some("[click]".to_owned());
                    }
                    Some(event["message"]["caption"].as_str().or(event["message"].as_str())?.to_owned())
                })
                .collect()
        }
        Worker::ToChannel => other.sms_texts().into_iter().map(str::to_owned).collect(),
    };
    let mut distinct = got.clone();
    distinct.dedup();
    assert_eq!(distinct, scenario.parts, "{}: {got:?}", scenario.title);
    let count = |part: &String| got.iter().filter(|one| *one == part).count();
    scenario.parts.iter().map(count).max().unwrap_or(0)
}

/// Delivers the reports of all messages that the gateway has accepted, as it posts them within seconds.
async fn receive_reports(world: &World) {
    let sent: Vec<_> = (1..).zip(world.other().sms.iter().map(|(_, reference)| reference.clone())).collect();
    for (number, reference) in sent {
        let id = format!("mt-{number}");
        let report = json!({
            "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-rep", "accepted_at": at(1),
            "status": {"status": "delivered"}, "messages": [id], "references": [[id, reference]],
        });
        let _ = world.workers().to_liveengage.work(&report.to_string(), &attempt(&id, 2)).await;
    }
}

/// Returns the call at which the worker was stopped, and how often the message has arrived in the end. `None` if it makes fewer calls.
async fn run_with_crash(scenario: &Scenario, crash: Crash, proof: bool) -> Option<(&'static str, usize)> {
    let world = if scenario.talking {
        World::talking_with(ANNA, &scenario.settings).await
    } else {
        World::with(&scenario.settings).await
    };
    if let Some(before) = &scenario.before {
        world.workers().to_channel.work(before, &attempt("before", 0)).await.unwrap();
    }
    world.other().files.insert("/media/1".to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
    let ports = world.ports(Some(crash));
    let (workers, stopped) = (world.workers_with(&ports), attempt("stopped", 0));
    let ended = match scenario.worker {
        Worker::ToLiveEngage => workers.to_liveengage.work(&scenario.task, &stopped).now_or_never(),
        Worker::ToChannel => workers.to_channel.work(&scenario.task, &stopped).now_or_never(),
    };
    if ended.is_some() {
        return None;
    }
    if proof {
        world.receive_echoes(30).await;
        receive_reports(&world).await;
    }
    match scenario.worker {
        Worker::ToLiveEngage => drop(world.workers().insist(&world, &scenario.task, LEASE_OVER).await),
        Worker::ToChannel => {
            world.workers().to_channel.work(&scenario.task, &attempt("next", LEASE_OVER)).await.unwrap()
        }
    }
    assert!(world.store.parked().is_empty(), "{}: {crash:?}", scenario.title);
    let call = ports.crashed_at().unwrap();
    Some((call, times(&world, scenario)))
}

fn agents_card() -> String {
    let menu = json!({"type": "RichContentEvent", "content": {"type": "vertical", "elements": [
        {"type": "text", "text": "More?"},
        {"type": "button", "title": "Yes", "click": {"actions": [{"type": "publishText", "text": "yes"}]}},
    ]}});
    change("ms.MessagingEventNotification", 0, &event("c1", 4, "ASSIGNED_AGENT", "ALL", &menu))
}

fn scenarios() -> Vec<Scenario> {
    let text = |title, talking, task: String, parts: &[&str]| Scenario {
        title,
        worker: Worker::ToLiveEngage,
        settings: json!({}),
        talking,
        before: None,
        task,
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
    };
    let (long, rest) = ("a".repeat(3200), "b".repeat(20));
    let picture =
        json!({"kind": "media", "media": "picture", "reference": "https://gateway.example/media/1", "caption": "look"});
    let refused =
        json!({"kind": "media", "media": "picture", "reference": "https://gateway.example/media/2", "caption": "look"});
    let answer = |title, parts: &[&str]| Scenario {
        worker: Worker::ToChannel,
        settings: json!({"sms": {"delivery_reports": true}}),
        ..text(title, true, agent_says("c1", 4, &parts.concat()), parts)
    };
    vec![
        text("A consumer's first text", false, from_consumer("mo-1", ANNA, "one"), &["one"]),
        text("A further text", true, from_consumer("mo-2", ANNA, "two"), &["two"]),
        text("A text in two pieces", true, from_consumer("mo-2", ANNA, &format!("{long}{rest}")), &[&long, &rest]),
        text("A picture", true, from_channel("mo-2", ANNA, 0, &picture), &["look"]),
        text(
            "A picture that the channel does not provide",
            true,
            from_channel("mo-2", ANNA, 0, &refused),
            &["[picture: the channel doesn't hand it out]", "look"],
        ),
        Scenario {
            settings: json!({"close_words": ["#end"], "surveys": false}),
            ..text("A closing word", true, from_consumer("mo-2", ANNA, "#end"), &["#end"])
        },
        Scenario {
            before: Some(agents_card()),
            ..text("A choice from a card", true, from_consumer("mo-2", ANNA, "1"), &["[click]", "yes"])
        },
        answer("An agent's text", &["hi"]),
        answer("An agent's text in two messages", &[&"a".repeat(1520), &"b".repeat(20)]),
        Scenario {
            task: agents_card(),
            parts: vec!["More?\n1. Yes\n\nReply with a number.".to_owned()],
            ..answer("An agent's card with choices", &[""])
        },
    ]
}

fn outcome((with_proof, without): (usize, usize)) -> &'static str {
    match (with_proof, without) {
        (1, 1) => "once",
        (1, 2) => "once; twice without proof",
        (2, 2) => "twice",
        _ => "more than twice",
    }
}

async fn document() -> String {
    let mut document = INTRODUCTION.to_owned();
    for scenario in scenarios() {
        let _ = write!(
            document,
            "\n## {}\n\n| | Outside call | Crash before it | Crash after it |\n| --- | --- | --- | --- |\n",
            scenario.title
        );
        for call in 0.. {
            let mut cells = vec![];
            for moment in [Before, After] {
                let crash = Crash { call, moment };
                let Some((name, with_proof)) = run_with_crash(&scenario, crash, true).await else { break };
                let (_, without) = run_with_crash(&scenario, crash, false).await.unwrap();
                cells.push((name, outcome((with_proof, without))));
            }
            let [(name, before), (_, after)] = cells.as_slice() else { break };
            let _ = writeln!(document, "| {} | {name} | {before} | {after} |", call + 1);
        }
    }
    document
}

const INTRODUCTION: &str = "\
# What a crash does to a message

This page says what happens to a message whose worker is stopped. A test stops the workers' code at every point: before each outside call,
when the call has not happened, and after it, when the other side has carried it out and the worker has not seen the answer. Then the
message becomes visible in the queue again, and another worker continues.

*Proof* is LiveEngage's echo of the consumer's own message, or the channel's report with the connector's reference. It usually comes within
a second, and a message whose worker was stopped comes again after minutes. Without proof, the line's `on_uncertain` decides. The table
shows the default, `repeat_once`. No message is ever lost or parked: the test would fail.

This page is generated. `CONNECTOR_WRITE_DOCS=1 cargo test -p connector crash_table` writes it again.
";

#[tokio::test]
async fn the_table_of_crashes_matches_the_workers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/explanation/crashes.md");
    let document = document().await;
    if std::env::var_os("CONNECTOR_WRITE_DOCS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap_or_default(),
        document,
        "docs/explanation/crashes.md is not up to date"
    );
    assert!(!document.contains("more than"));
    // With proof nothing comes twice, wherever the worker is stopped.
    assert!(!document.contains("| twice"));
}
