//! The tests that need more than one part: the road end to end, the functions with their fixtures, LiveEngage's client on real
//! sockets, the store on DynamoDB.

#[cfg(test)]
mod events;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod liveengage_edges;
mod road;
mod store;
