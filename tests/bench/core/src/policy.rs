//! The decision of the delivery policy after a failure.

use std::convert::Infallible;

use connector::{
    app::{
        error::{DeliveryError, Leased},
        policy::{Decision, History, Importance, MOST_RECEIVES, decide},
    },
    port::StoreError,
};
use connector_channels::SendFailure;
use connector_message::code::Code;
use jiff::SignedDuration;

use crate::{Benchmark, Prepared, work};

pub(crate) const ALL: &[Benchmark] = &[Benchmark { name: "decide_1000_times", prepare: every_receive }];

/// The decisions after each receive of a message that fails every time, for each of five failures.
fn every_receive() -> Prepared {
    let after = SignedDuration::from_secs(30);
    let errors = [
        DeliveryError::Channel(SendFailure::Later { status: 503, after: Some(after) }),
        DeliveryError::Channel(SendFailure::Refused { status: 400, code: Code::internal("invalid_number") }),
        DeliveryError::Store(StoreError::Unavailable { code: Code::internal("ThrottlingException") }),
        DeliveryError::Busy { what: Leased::Message, after },
        DeliveryError::HeldBack { what: "LiveEngage", after },
    ];
    work(errors, |errors| {
        let decisions =
            errors.iter().flat_map(|error| (1..=MOST_RECEIVES).map(move |received| decision(error, received)));
        Ok::<Vec<Decision>, Infallible>(decisions.collect())
    })
}

fn decision(error: &DeliveryError, received: u32) -> Decision {
    let history = History {
        age: SignedDuration::from_mins(5) * i32::try_from(received).unwrap_or(i32::MAX),
        attempts: received,
        received,
        importance: Importance::Required,
        sender_is_known: true,
    };
    decide(error, &history, u64::from(received))
}
