//! Tests that need more than one part: end to end, the functions with recorded events, LiveEngage's client on real sockets, the store on
//! DynamoDB.

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod costs;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod drill;
mod end_to_end;
#[cfg(test)]
mod events;
mod features;
#[cfg(test)]
mod foreign_connector;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod guarantees;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod liveengage_apis;
#[cfg(test)]
mod liveengage_edges;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod redrive;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod samples;
mod silence;
#[cfg(test)]
mod simulation;
mod steps;
mod store;
#[cfg(test)]
mod upgrade;
