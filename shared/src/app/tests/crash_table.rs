//! `docs/crashes.md`: every point between two outside calls of both workers, and what becomes of a message whose worker dies there.

use std::fmt::Write as _;

use futures::FutureExt;
use serde_json::{Value, json};

use super::{
    crashes::LEASE_OVER,
    ports::{
        Death,
        Moment::{After, Before},
    },
    world::{ANNA, World, agent_says, at, attempt, change, event, from_channel, from_person},
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
    /// What an agent has said in it before.
    before: Option<String>,
    task: String,
    /// What the other side is to get, each once.
    parts: Vec<String>,
}

/// How often the part that arrived most often is there. A part that is missing is a loss.
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

/// The reports of all that the gateway has taken, as it posts them within seconds.
async fn hear_reports(world: &World) {
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

/// How often the message has arrived in the end, and the call at which its worker died; `None` when it has fewer calls.
async fn die(scenario: &Scenario, death: Death, proof: bool) -> Option<(&'static str, usize)> {
    let world = if scenario.talking {
        World::talking_with(ANNA, &scenario.settings).await
    } else {
        World::with(&scenario.settings).await
    };
    if let Some(before) = &scenario.before {
        world.workers().to_channel.work(before, &attempt("before", 0)).await.unwrap();
    }
    world.other().files.insert("/media/1".to_owned(), b"\x89PNG\r\n\x1A\nx".to_vec());
    let ports = world.ports(Some(death));
    let (workers, victim) = (world.mortal(&ports), attempt("victim", 0));
    let ended = match scenario.worker {
        Worker::ToLiveEngage => workers.to_liveengage.work(&scenario.task, &victim).now_or_never(),
        Worker::ToChannel => workers.to_channel.work(&scenario.task, &victim).now_or_never(),
    };
    if ended.is_some() {
        return None;
    }
    if proof {
        world.hear_echoes(30).await;
        hear_reports(&world).await;
    }
    match scenario.worker {
        Worker::ToLiveEngage => drop(world.workers().insist(&world, &scenario.task, LEASE_OVER).await),
        Worker::ToChannel => {
            world.workers().to_channel.work(&scenario.task, &attempt("next", LEASE_OVER)).await.unwrap()
        }
    }
    assert!(world.store.parked().is_empty(), "{}: {death:?}", scenario.title);
    let call = *ports.calls().last().unwrap();
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
        text("A person's first text", false, from_person("mo-1", ANNA, "one"), &["one"]),
        text("A further text", true, from_person("mo-2", ANNA, "two"), &["two"]),
        text("A text in two pieces", true, from_person("mo-2", ANNA, &format!("{long}{rest}")), &[&long, &rest]),
        text("A picture", true, from_channel("mo-2", ANNA, 0, &picture), &["look"]),
        text(
            "A picture that can't be had",
            true,
            from_channel("mo-2", ANNA, 0, &refused),
            &["[picture: the channel doesn't hand it out]", "look"],
        ),
        Scenario {
            settings: json!({"close_words": ["#end"], "surveys": false}),
            ..text("A closing word", true, from_person("mo-2", ANNA, "#end"), &["#end"])
        },
        Scenario {
            before: Some(agents_card()),
            ..text("A choice from a card", true, from_person("mo-2", ANNA, "1"), &["[click]", "yes"])
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
            "\n## {}\n\n| | Outside call | Dies before it | Dies after it |\n| --- | --- | --- | --- |\n",
            scenario.title
        );
        for call in 0.. {
            let mut cells = vec![];
            for moment in [Before, After] {
                let death = Death { call, moment };
                let Some((name, with_proof)) = die(&scenario, death, true).await else { break };
                let (_, without) = die(&scenario, death, false).await.unwrap();
                cells.push((name, outcome((with_proof, without))));
            }
            let [(name, before), (_, after)] = cells.as_slice() else { break };
            let _ = writeln!(document, "| {} | {name} | {before} | {after} |", call + 1);
        }
    }
    document
}

const INTRODUCTION: &str = "\
# What becomes of a message whose worker dies

The workers' code is run with every death that there is: before each outside call, when nothing of it has happened, and after it, when
the other side has carried it out and nobody has seen its answer. Then the message's time in the queue is over, and another worker goes
on. \"Proof\" is LiveEngage's echo of the person's own message, or the channel's report with our reference: it mostly comes within a
second, and a message whose worker died comes again after minutes. Without it, the line decides (`on_uncertain`); the table shows the
default, `repeat_once`. Nothing is ever lost or parked: `shared/src/app/tests/crash_table.rs` would fail.

Written by that test; `CONNECTOR_WRITE_DOCS=1 cargo test -p connector crash_table` writes it anew.
";

#[tokio::test]
async fn the_table_of_crashes_is_what_the_workers_do() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/crashes.md");
    let document = document().await;
    if std::env::var_os("CONNECTOR_WRITE_DOCS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), document, "docs/crashes.md is not up to date");
    assert!(!document.contains("more than"));
    // With proof nothing comes twice, wherever the worker dies.
    assert!(!document.contains("| twice"));
}
