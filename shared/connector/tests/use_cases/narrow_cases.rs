//! Cases that a review found between two rules: each was wrong once.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;

use super::{
    entry_points::{correlation, signed},
    out_of_time::Slow,
    world::{ANNA, BEN, Fault, World, account, agent_says, at, attempt, from_channel, line, line_secret},
};
use connector::app::{
    delivery::{Attempt, RetryLater},
    inbound::AcceptChannelRequest,
    registry::Registry,
};
use connector_liveengage::id::AccountId;
use connector_testing::{ManualClock, MemoryQueue, MemorySecrets, MemoryStore};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot much of a picture";

fn picture(id: &str, user: &str, number: u32) -> String {
    let reference = format!("https://gateway.example/media/{number}");
    from_channel(id, user, 0, &json!({"kind": "media", "media": "picture", "reference": reference}))
}

#[tokio::test]
async fn equal_unreadable_messages_of_different_days_are_all_parked() {
    let world = World::new().await;
    let body = r#"{"type": "inbound", "msisdn": "49171", "content": "please call me"}"#;
    for (day, name) in [(0, "r-a"), (1, "r-b")] {
        let now = at(day * 86_400);
        let queue = Arc::new(MemoryQueue::default());
        let accept = AcceptChannelRequest::new(Arc::clone(&world.lines), Arc::<MemoryQueue>::clone(&queue));
        accept.accept(line().as_str(), &signed("webhook-s3cret", body, now), &correlation(name), now).await;
        for message in queue.sent() {
            world.workers().to_liveengage.work(&message.body, &attempt(name, day * 86_400)).await.unwrap();
        }
    }
    assert_eq!(world.store.parked().len(), 2);
}

#[tokio::test]
async fn one_consumers_unreachable_file_holds_nobody_else_back() {
    let world = World::talking(ANNA).await;
    world.other().files.insert("/media/2".to_owned(), PNG.to_vec());
    let workers = world.workers();
    let mut second = 1;
    for received in 1..=5 {
        world.fault("SMS gateway media", Fault::NotSent);
        let attempt = Attempt { received, deadline: at(second + 60), ..attempt(format!("a{received}"), second) };
        let RetryLater { after } = workers.to_liveengage.work(&picture("mo-1", ANNA, 1), &attempt).await.unwrap_err();
        second += after.as_secs().max(1);
    }
    let attempt = Attempt { deadline: at(second + 60), ..attempt("b", 62) };
    assert_eq!(workers.to_liveengage.work(&picture("mo-2", BEN, 2), &attempt).await, Ok(()));
}

#[tokio::test]
async fn a_file_whose_download_was_begun_in_time_is_used() {
    let world = World::talking(ANNA).await;
    world.other().files.insert("/media/1".to_owned(), PNG.to_vec());
    // 45 s are left, and a file takes 44 s at the most.
    let clock = Arc::new(ManualClock::at(at(115)));
    let http = Arc::new(Slow {
        http: Arc::clone(&world.http),
        clock: Arc::clone(&clock),
        call: SignedDuration::ZERO,
        download: SignedDuration::from_secs(2),
    });
    let workers = world.workers_at(Arc::<MemoryStore>::clone(&world.store), http, clock);
    let attempt = Attempt { deadline: at(160), ..attempt("a", 115) };
    assert_eq!(workers.to_liveengage.work(&picture("mo-1", ANNA, 1), &attempt).await, Ok(()));
}

#[tokio::test]
async fn a_report_of_the_account_of_before_leaves_the_consumers_record_alone() {
    let mut world = World::talking_with(ANNA, &json!({"sms": {"delivery_reports": true}})).await;
    world.workers().to_channel.work(&agent_says("c1", 4, "hi"), &attempt("out", 1)).await.unwrap();
    let other = AccountId::new("72419084").unwrap();
    let secret = json!({"account_id": "72419084", "client_id": "5b8e1f40", "client_secret": "client-s3cret"});
    world.secrets.put("connector/account/72419084", &secret);
    let mut secret = line_secret("webhook-s3cret");
    secret["account_id"] = json!("72419084");
    secret["sms"]["delivery_reports"] = json!(true);
    world.secrets.put("connector/line/sms-main", &secret);
    let secrets = || Arc::<MemorySecrets>::clone(&world.secrets);
    let accounts = Registry::new(secrets(), "connector", &[account(), other]);
    let lines = Registry::new(secrets(), "connector", &[line()]);
    (world.accounts, world.lines) = (Arc::new(accounts), Arc::new(lines));
    let report = json!({
        "task": "reports_v1", "line": "sms-main", "user": ANNA, "correlation": "r-report", "accepted_at": at(10),
        "status": {"status": "delivered"}, "messages": ["mt-1"],
    });
    world.workers().to_liveengage.work(&report.to_string(), &attempt("r", 10)).await.unwrap();
    let record = world.consumer(ANNA).await;
    assert_eq!(record.account, account());
    assert!(record.open_conversation().is_some());
}
