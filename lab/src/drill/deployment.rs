//! Replaces the functions during the drill, as deployments and rollbacks do.

use std::time::Duration;

use tokio::time::Instant;

use crate::faults::FaultPlan;
use crate::faults::SeededRandom;
use crate::function::Function;
use crate::lab::Lab;

/// How often all functions are replaced.
const DEPLOYMENTS: u32 = 4;

/// The turns of a deployment: one for each function, and a pause.
const TURNS: u32 = 1 + Function::ALL.len() as u32;

/// Replaces all functions [`DEPLOYMENTS`] times. In one deployment the entry points are newer than the workers for a
/// while, and in another the workers are newer.
///
/// # Errors
/// A function failed to start.
pub(super) async fn deploy(
    lab: &Lab,
    fault_plan: &FaultPlan,
    seed: u64,
    started: Instant,
    time: Duration,
) -> Result<(), String> {
    // Each deployment ends with a pause in which all functions have the same version.
    let pause = time / (DEPLOYMENTS * TURNS);
    for deployment in 0..DEPLOYMENTS {
        for (number, function) in (0..).zip(order(deployment, SeededRandom::new(seed))) {
            let turn = started + pause * (deployment * TURNS + number);
            tokio::time::sleep_until(turn).await;
            fault_plan.wait_for_invocation(function, turn + pause).await;
            lab.replace(function).await.map_err(|error| format!("{} failed to start: {error}", function.name()))?;
            fault_plan.replaced(function);
        }
    }
    Ok(())
}

/// Entry points first, then workers first, then any order: CloudFormation guarantees no order.
fn order(deployment: u32, random: SeededRandom) -> [Function; 6] {
    let mut order = Function::ALL;
    match deployment {
        0 => {}
        1 => order.reverse(),
        _ => order.sort_by_key(|function| random.below(u64::MAX, ("deployed", deployment, function))),
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_go_first_once_and_workers_once_and_every_function_is_replaced() {
        let orders = [0, 1, 2, 3].map(|deployment| order(deployment, SeededRandom::new(7)));
        assert_eq!(orders[0][..2], [Function::Webhook, Function::Inbound]);
        assert_eq!(orders[1][4..], [Function::Inbound, Function::Webhook]);
        for order in orders {
            assert!(Function::ALL.iter().all(|function| order.contains(function)), "{order:?}");
        }
    }
}
