//! The functions are replaced while everybody writes, as deployments and their roll-backs do it.

use std::time::Duration;

use tokio::time::Instant;

use super::dice::Dice;
use super::fault_plan::FaultPlan;
use crate::functions::Function;
use crate::lab::Lab;

/// How often all of them are replaced.
const DEPLOYMENTS: u32 = 4;

/// Replaces all functions [`DEPLOYMENTS`] times: for a while the entry points are newer than the workers, and for another while the
/// workers than the entry points.
///
/// # Errors
/// A function doesn't start.
pub(super) async fn deploy(
    lab: &Lab,
    fault_plan: &FaultPlan,
    seed: u64,
    begun: Instant,
    time: Duration,
) -> Result<(), String> {
    // With a pause at the end of each, in which all are of one age.
    let pause = time / (DEPLOYMENTS * 6);
    for deployment in 0..DEPLOYMENTS {
        for (number, function) in (0..).zip(order(deployment, Dice::new(seed))) {
            tokio::time::sleep_until(begun + pause * (deployment * 6 + number)).await;
            lab.replace(function).await.map_err(|error| format!("{} doesn't start: {error}", function.name()))?;
            fault_plan.replaced(function);
        }
    }
    Ok(())
}

/// The entry points first, the workers first, and then any order: nobody says in which one CloudFormation goes.
fn order(deployment: u32, dice: Dice) -> [Function; 5] {
    let mut order = Function::ALL;
    match deployment {
        0 => {}
        1 => order.reverse(),
        _ => order.sort_by_key(|function| dice.below(u64::MAX, ("deployed", deployment, function))),
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_are_first_once_and_workers_once_and_none_is_left_out() {
        let orders = [0, 1, 2, 3].map(|deployment| order(deployment, Dice::new(7)));
        assert_eq!(orders[0][..2], [Function::Webhook, Function::Inbound]);
        assert_eq!(orders[1][3..], [Function::Inbound, Function::Webhook]);
        for order in orders {
            assert!(Function::ALL.iter().all(|function| order.contains(function)), "{order:?}");
        }
    }
}
