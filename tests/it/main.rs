//! The tests that need more than one part: the road end to end, the functions with their fixtures, the store on DynamoDB.

mod road;
mod store;
