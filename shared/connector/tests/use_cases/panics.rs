//! A message at which every attempt panics is tried a few times and then parked.

use std::sync::Arc;

use super::{
    ports::Moment,
    world::{ANNA, Workers, World, agent_says, attempt, from_consumer},
};
use connector::app::delivery::{Attempt, RetryLater};

/// Which of the two workers has panicked.
type GivesUp = for<'a> fn(
    &'a Workers,
    &'a str,
    &'a Attempt,
) -> std::pin::Pin<Box<dyn Future<Output = Result<(), RetryLater>> + Send + 'a>>;

#[tokio::test]
async fn what_panics_is_in_the_queue_until_it_is_parked_whole() {
    let gives_up: [(String, GivesUp); 2] = [
        (from_consumer("mo-1", ANNA, "hello"), |workers, task, attempt| {
            Box::pin(workers.to_liveengage.give_up(task, attempt))
        }),
        (agent_says("c1", 4, "hi"), |workers, task, attempt| Box::pin(workers.to_channel.give_up(task, attempt))),
    ];
    for (task, give_up) in gives_up {
        let world = World::new().await;
        for time in 0..4_u32 {
            let attempt = Attempt { received: time + 1, ..attempt(format!("p{time}"), i64::from(time) * 60) };
            assert!(give_up(&world.workers(), &task, &attempt).await.is_err(), "it is tried again: {time}");
            assert!(world.store.parked().is_empty(), "{time}");
        }
        // The table fails to park it.
        for (name, second) in [("p4", 240), ("p5", 300)] {
            let ports = world.ports(None);
            ports.fail("park", Moment::Before);
            let given_up = give_up(&world.workers_with(&ports), &task, &attempt(name, second)).await;
            assert!(given_up.is_err(), "what is not kept stays in the queue");
        }
        give_up(&world.workers(), &task, &attempt("p6", 360)).await.unwrap();
        let parked = world.store.parked();
        assert_eq!(parked.iter().map(|parked| parked.body.as_str()).collect::<Vec<_>>(), [task.as_str()]);
        // The message wasn't removed from the queue in time.
        give_up(&world.workers(), &task, &attempt("p7", 420)).await.unwrap();
        assert_eq!(world.store.parked().len(), 1);
    }
}

#[tokio::test]
async fn what_panics_is_not_given_up_by_two_at_once() {
    let world = World::new().await;
    let task = from_consumer("mo-1", ANNA, "hello");
    let ports = Arc::clone(&world.ports(None));
    ports.crash_before("release");
    let crashing = world.workers_with(&ports);
    let first = attempt("p1", 0);
    assert!(futures::FutureExt::now_or_never(crashing.to_liveengage.give_up(&task, &first)).is_none());
    assert!(world.workers().to_liveengage.give_up(&task, &attempt("p2", 1)).await.is_err());
    assert!(world.store.parked().is_empty());
}
