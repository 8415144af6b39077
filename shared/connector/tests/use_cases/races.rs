//! Several workers at once. The queue serializes one consumer's messages, but an expired visibility timeout can deliver one to two workers.

use std::sync::Arc;

use futures::future::{join, join_all};
use jiff::SignedDuration;

use super::{
    ports::Ports,
    world::{ANNA, CONVERSATION, SEND, SENTINEL, Workers, World, account, attempt, from_consumer, owner},
};
use connector::app::{
    delivery::{Attempt, RetryLater},
    liveengage_client::{Keeper, LiveEngage},
};
use connector_testing::{MemoryStore, ScriptedHttp};

fn dawdling(world: &World, seed: u64) -> Arc<Ports> {
    Arc::new(Ports::slow(Arc::<MemoryStore>::clone(&world.store), Arc::<ScriptedHttp>::clone(&world.http), seed))
}

async fn insist(workers: &Workers, name: &str, task: &str) {
    let mut second = 0;
    for received in 1..40 {
        let attempt = Attempt { received, ..attempt(format!("{name}-{received}"), second) };
        let Err(RetryLater { after }) = workers.to_liveengage.work(task, &attempt).await else { return };
        second += after.as_secs();
        // Let the others continue in the meantime.
        for _ in 0..after.as_secs() * 50 {
            tokio::task::yield_now().await;
        }
    }
    panic!("not delivered in 40 attempts");
}

#[tokio::test]
async fn two_first_messages_at_once_open_one_conversation_and_both_arrive_once() {
    for seed in 0..300 {
        let world = World::new().await;
        // Two processes, which share only the table.
        let (one, other) =
            (world.workers_with(&dawdling(&world, seed)), world.workers_with(&dawdling(&world, seed ^ 0xABCD)));
        let (first, second) = (from_consumer("mo-1", ANNA, "one"), from_consumer("mo-2", ANNA, "two"));
        join(insist(&one, "a", &first), insist(&other, "b", &second)).await;
        assert_eq!(world.count(CONVERSATION), 1, "seed {seed}");
        let mut texts = world.other().texts.clone();
        texts.sort();
        assert_eq!(texts, [("c1".to_owned(), "one".to_owned()), ("c1".to_owned(), "two".to_owned())], "seed {seed}");
    }
}

#[tokio::test]
async fn one_message_in_two_workers_arrives_once() {
    for seed in 0..300 {
        let world = World::new().await;
        let (one, other) =
            (world.workers_with(&dawdling(&world, seed)), world.workers_with(&dawdling(&world, seed ^ 0xABCD)));
        let task = from_consumer("mo-1", ANNA, "one");
        join(insist(&one, "a", &task), insist(&other, "b", &task)).await;
        assert_eq!((world.count(CONVERSATION), world.count(SEND)), (1, 1), "seed {seed}");
    }
}

#[tokio::test]
async fn a_hundred_workers_without_a_token_ask_sentinel_once() {
    for seed in 0..20 {
        let world = World::new().await;
        let workers = (0..100).map(|number| {
            let ports = dawdling(&world, seed * 1000 + number);
            // Each has its own process, so none has the token in memory.
            let client = LiveEngage::new(Arc::clone(&world.accounts), Arc::<Ports>::clone(&ports), ports);
            async move {
                for second in 0..20 {
                    let (account, owner) = (account(), owner(format!("w{number}")));
                    let caller = Keeper { account: &account, owner: &owner, now: super::world::at(second) };
                    if client.keep_token_fresh(caller, SignedDuration::ZERO).await.is_ok() {
                        return;
                    }
                    for _ in 0..50 {
                        tokio::task::yield_now().await;
                    }
                }
                panic!("no token in 20 s");
            }
        });
        join_all(workers).await;
        assert_eq!(world.count(SENTINEL), 1, "seed {seed}");
    }
}
