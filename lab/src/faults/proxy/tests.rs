use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::post;
use serde_json::json;

use super::super::kind::FaultSet;
use super::super::plan::FaultPlan;
use super::super::service::tests::GATEWAY;
use super::super::tag::Tag;
use super::*;
use crate::loopback::LoopbackServer;

/// A gateway that accepts and counts everything, behind a fault plan.
struct ProxyFixture {
    fault_plan: FaultPlan,
    address: String,
    taken: Arc<AtomicUsize>,
    _gateway: LoopbackServer,
}

impl ProxyFixture {
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
        let address = fault_plan.start_proxy(GATEWAY, &gateway.url()).await.unwrap();
        Self { fault_plan, address, taken, _gateway: gateway }
    }

    /// Posts this number of different messages. Returns how many were answered with each status; 0 means no answer.
    async fn post(&self, count: u16) -> std::collections::BTreeMap<u16, usize> {
        let client = connector_aws::outgoing_http::client().unwrap();
        let mut answers = std::collections::BTreeMap::new();
        for number in 0..count {
            let piece = piece(number);
            let sent = client.post(format!("{}/v1/messages", self.address)).body(piece.mark()).send().await;
            let status = sent.map_or(0, |answer| answer.status().as_u16());
            *answers.entry(status).or_default() += 1;
        }
        answers
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn count(&self, wanted: impl Fn(&Observation) -> bool) -> usize {
        self.fault_plan.observations_from(0).iter().filter(|one| wanted(one)).count()
    }
}

fn piece(number: u16) -> Piece {
    Piece { tag: Tag { conversation: 0, destination: Destination::ToPhone, number }, part: 0 }
}

#[tokio::test]
async fn an_inactive_plan_passes_calls_and_records_them() {
    let fixture = ProxyFixture::with("all").await;
    assert_eq!(fixture.post(5).await, [(201, 5)].into());
    assert_eq!(fixture.taken(), 5);
    assert_eq!(fixture.count(|one| matches!(one, Observation::Accepted(_))), 5);
    assert_eq!(fixture.fault_plan.observations_from(0).first(), Some(&Observation::Accepted(piece(0))));
}

#[tokio::test]
async fn a_call_answered_by_the_proxy_or_cut_early_is_not_carried_out() {
    let fixture = ProxyFixture::with("throttle,error,drop").await;
    fixture.fault_plan.begin();
    let answers = fixture.post(300).await;
    for status in [0, 429, 503] {
        assert!(answers.get(&status).is_some_and(|count| *count > 0), "{answers:?}");
    }
    assert_eq!(answers.get(&201), Some(&fixture.taken()));
    assert_eq!(fixture.count(|one| matches!(one, Observation::AnswerLost(_))), 0);
}

#[tokio::test]
async fn a_call_cut_late_is_carried_out_and_its_answer_is_lost() {
    let fixture = ProxyFixture::with("lost-answer").await;
    fixture.fault_plan.begin();
    let answers = fixture.post(300).await;
    let lost = answers.get(&0).copied().unwrap_or_default();
    assert!(lost > 0, "{answers:?}");
    assert_eq!(fixture.taken(), 300);
    assert_eq!(fixture.count(|one| matches!(one, Observation::AnswerLost(_))), lost);
    fixture.fault_plan.end();
    assert_eq!(fixture.post(50).await, [(201, 50)].into());
}

#[tokio::test]
async fn a_carried_out_call_answered_5xx_counts_as_a_lost_answer() {
    let fixture = ProxyFixture::with("carried-out").await;
    fixture.fault_plan.begin();
    let answers = fixture.post(600).await;
    let failed: usize = answers.iter().filter(|(status, _)| **status != 201).map(|(_, count)| count).sum();
    assert!(failed > 0 && !answers.contains_key(&0), "{answers:?}");
    assert_eq!(fixture.taken(), 600);
    assert_eq!(fixture.count(|one| matches!(one, Observation::AnswerLost(_))), failed);
}

#[tokio::test]
async fn the_same_seed_injects_the_same_faults() {
    let mut injected = Vec::new();
    for _ in 0..2 {
        let fixture = ProxyFixture::with("throttle,error,drop,lost-answer,refuse").await;
        fixture.fault_plan.begin();
        fixture.post(200).await;
        injected.push(fixture.fault_plan.injected());
    }
    assert_eq!(injected[0], injected[1]);
    assert!(injected[0].len() >= 4, "{injected:?}");
}

#[test]
fn saved_steps_are_recognized_and_other_writes_are_not() {
    let update = |pk: &str, expression: &str| json!({"Key": {"pk": {"S": pk}}, "UpdateExpression": expression});
    let steps = "SET steps = list_append(if_not_exists(steps, :none), :step)";
    let read =
        |target: &str, body: Value| saved_message(&format!("DynamoDB_20120810.{target}"), body.to_string().as_bytes());
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
