//! Messages of ten people at the same time in one process, as in a batch.

use std::sync::Arc;

use futures::future::join_all;
use serde_json::json;

use super::{
    ports::Ports,
    world::{CONVERSATION, DOMAIN_API, Fault, SEND, SENTINEL, Workers, World, attempt, from_consumer},
};
use connector::app::delivery::RetryLater;
use connector_testing::{MemoryStore, ScriptedHttp};

/// Workers that have nothing in memory, and whose calls overlap.
fn cold(world: &World, seed: u64) -> Workers {
    let store = Arc::<MemoryStore>::clone(&world.store);
    world.workers_with(&Arc::new(Ports::slow(store, Arc::<ScriptedHttp>::clone(&world.http), seed)))
}

/// Makes an attempt at the text of each of ten consumers.
async fn ten(workers: &Workers, second: i64) -> Vec<Result<(), RetryLater>> {
    let texts = (0..10).map(|number| from_consumer(&format!("mo-{number}"), &format!("+4915110000{number}"), "hello"));
    let attempts = texts.enumerate().map(|(number, text)| async move {
        workers.to_liveengage.work(&text, &attempt(format!("{number}-{second}"), second)).await
    });
    join_all(attempts).await
}

#[tokio::test]
async fn ten_people_at_once_need_one_list_of_hosts_and_one_token() {
    for seed in 0..20 {
        let world = World::new().await;
        assert_eq!(ten(&cold(&world, seed), 0).await, vec![Ok(()); 10], "seed {seed}");
        let counts = [DOMAIN_API, SENTINEL, CONVERSATION, SEND].map(|call| world.count(call));
        assert_eq!(counts, [1, 1, 10, 10], "seed {seed}");
        assert_eq!(world.other().texts.len(), 10);
    }
}

/// Each call takes up to eight seconds. One after the other they would use up the function's time.
#[tokio::test]
async fn what_one_attempt_could_not_get_is_not_requested_by_those_that_have_waited_for_it() {
    for call in [DOMAIN_API, SENTINEL] {
        for seed in 0..20 {
            let world = World::new().await;
            world.fault(call, Fault::Answer(503, json!({})));
            let workers = cold(&world, seed);
            let ended = ten(&workers, 0).await;
            // Attempts that come after it request it again, and get it.
            let failed = ended.iter().filter(|ended| ended.is_err()).count();
            assert!(failed > 0 && world.count(call) <= 2, "{call}, seed {seed}: {ended:?}");
            let again = ten(&workers, 60).await;
            assert_eq!((again, world.other().texts.len()), (vec![Ok(()); 10], 10), "{call}, seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once_for_all() {
    for seed in 0..20 {
        let world = World::new().await;
        let workers = cold(&world, seed);
        assert_eq!(ten(&workers, 0).await, vec![Ok(()); 10]);
        let refused = json!({"code": 401, "body": {"title": "Invalid AppJWT", "errorCode": 40102}});
        for _ in 0..3 {
            world.fault(SEND, Fault::Answer(401, refused.clone()));
        }
        let texts = (0..10).map(|number| {
            let text = from_consumer(&format!("mo-more-{number}"), &format!("+4915110000{number}"), "more");
            let workers = &workers;
            async move { workers.to_liveengage.work(&text, &attempt(format!("more-{number}"), 60)).await }
        });
        let ended = join_all(texts).await;
        assert_eq!(ended, vec![Ok(()); 10], "seed {seed}");
        assert_eq!(world.count(SENTINEL), 2, "seed {seed}");
    }
}
