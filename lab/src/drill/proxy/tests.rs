use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use serde_json::json;

use super::super::fault::FaultSet;
use super::super::fault_plan::FaultPlan;
use super::super::tag::Tag;
use super::*;
use crate::loopback::LoopbackServer;

/// A gateway that takes everything and counts it, behind a storm.
struct Scene {
    fault_plan: FaultPlan,
    front: String,
    taken: Arc<AtomicUsize>,
    _gateway: LoopbackServer,
}

impl Scene {
    async fn with(faults: &str) -> Self {
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let router = Router::new().route(
            "/v1/messages",
            post(async move || {
                counted.fetch_add(1, Ordering::Relaxed);
                (StatusCode::CREATED, r#"{"id":"mt-1","parts":1}"#)
            }),
        );
        let gateway = LoopbackServer::start(0, |_| router).await.unwrap();
        let fault_plan = FaultPlan::new(7, faults.parse::<FaultSet>().unwrap(), None);
        let front = fault_plan.in_front_of(Hop::Gateway, &gateway.url()).await.unwrap();
        Self { fault_plan, front, taken, _gateway: gateway }
    }

    /// Posts so many different messages: how many were answered with which status, 0 for none.
    async fn post(&self, count: u16) -> std::collections::BTreeMap<u16, usize> {
        let client = connector::outgoing_http::client().unwrap();
        let mut answers = std::collections::BTreeMap::new();
        for number in 0..count {
            let piece = piece(number);
            let sent = client.post(format!("{}/v1/messages", self.front)).body(piece.mark()).send().await;
            let status = sent.map_or(0, |answer| answer.status().as_u16());
            *answers.entry(status).or_default() += 1;
        }
        answers
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn count(&self, wanted: impl Fn(&Observation) -> bool) -> usize {
        self.fault_plan.observations().iter().filter(|one| wanted(one)).count()
    }
}

fn piece(number: u16) -> Piece {
    Piece { tag: Tag { conversation: 0, destination: Destination::ToPhone, number }, part: 0 }
}

#[tokio::test]
async fn in_fair_weather_calls_pass_and_are_seen() {
    let scene = Scene::with("all").await;
    assert_eq!(scene.post(5).await, [(201, 5)].into());
    assert_eq!(scene.taken(), 5);
    assert_eq!(scene.count(|one| matches!(one, Observation::Accepted(_))), 5);
    assert_eq!(scene.fault_plan.observations().first(), Some(&Observation::Accepted(piece(0))));
}

#[tokio::test]
async fn what_is_answered_by_the_storm_or_cut_before_is_not_carried_out() {
    let scene = Scene::with("throttle,error,drop").await;
    scene.fault_plan.begin();
    let answers = scene.post(300).await;
    for status in [0, 429, 503] {
        assert!(answers.get(&status).is_some_and(|count| *count > 0), "{answers:?}");
    }
    assert_eq!(answers.get(&201), Some(&scene.taken()));
    assert_eq!(scene.count(|one| matches!(one, Observation::AnswerLost(_))), 0);
}

#[tokio::test]
async fn what_is_cut_after_is_carried_out_and_its_answer_is_lost() {
    let scene = Scene::with("lost-answer").await;
    scene.fault_plan.begin();
    let answers = scene.post(300).await;
    let lost = answers.get(&0).copied().unwrap_or_default();
    assert!(lost > 0, "{answers:?}");
    assert_eq!(scene.taken(), 300);
    assert_eq!(scene.count(|one| matches!(one, Observation::AnswerLost(_))), lost);
    scene.fault_plan.end();
    assert_eq!(scene.post(50).await, [(201, 50)].into());
}

#[tokio::test]
async fn what_is_carried_out_and_answered_5xx_is_seen_as_a_lost_answer() {
    let scene = Scene::with("carried-out").await;
    scene.fault_plan.begin();
    let answers = scene.post(600).await;
    let failed: usize = answers.iter().filter(|(status, _)| **status != 201).map(|(_, count)| count).sum();
    assert!(failed > 0 && !answers.contains_key(&0), "{answers:?}");
    assert_eq!(scene.taken(), 600);
    assert_eq!(scene.count(|one| matches!(one, Observation::AnswerLost(_))), failed);
}

#[tokio::test]
async fn the_same_seed_brings_the_same_faults() {
    let mut injected = Vec::new();
    for _ in 0..2 {
        let scene = Scene::with("throttle,error,drop,lost-answer,refuse").await;
        scene.fault_plan.begin();
        scene.post(200).await;
        injected.push(scene.fault_plan.injected());
    }
    assert_eq!(injected[0], injected[1]);
    assert!(injected[0].len() >= 4, "{injected:?}");
}

#[test]
fn the_notes_of_messages_are_recognised_and_other_writes_are_not() {
    let update = |pk: &str, expression: &str| json!({"Key": {"pk": {"S": pk}}, "UpdateExpression": expression});
    let steps = "SET steps = list_append(if_not_exists(steps, :none), :step)";
    let read = |target: &str, body: Value| noted(&format!("DynamoDB_20120810.{target}"), body.to_string().as_bytes());
    let inbound = "MSG#in#sms-lab#mo-1";
    assert_eq!(read("UpdateItem", update(inbound, "SET #status = :done REMOVE lease_until")).as_deref(), Some("mo-1"));
    let transaction = json!({"TransactItems": [{"Put": {}}, {"Update": update("MSG#out#47110815#d-1#12", steps)}]});
    assert_eq!(read("TransactWriteItems", transaction).as_deref(), Some("d-1#12"));
    for (target, body) in [
        ("UpdateItem", update(inbound, "SET lease_until = :past")),
        ("UpdateItem", update("MSG#digest#ab", steps)),
        ("GetItem", update(inbound, steps)),
    ] {
        assert_eq!(read(target, body.clone()), None, "{target} {body}");
    }
}
