//! A failure in the middle of a message.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
};

use connector_lab::{
    Lab, LabOptions,
    aws::authorization::{Access, Authorizer, LEADING_KEYS},
    liveengage::Service,
};
use http::{HeaderMap, StatusCode};

/// More calls than attempts make until the situation is recorded, also on a busy machine.
const CALLS: usize = 40;

/// LiveEngage's SEND is out of order.
pub(super) fn fail_sends(lab: &Lab) {
    for _ in 0..CALLS {
        lab.liveengage().fail_next(Service::Send, StatusCode::SERVICE_UNAVAILABLE, "");
    }
}

/// The gateway is out of order.
pub(super) fn fail_gateway(lab: &Lab) {
    for _ in 0..CALLS {
        lab.gateway().fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
    }
}

type Failure = Box<dyn FnOnce() + Send>;

/// Stands in front of the table, and sees there that the first step of a message is noted: what fails then is the second step. It lets
/// every call through.
#[derive(Clone, Default)]
pub(super) struct AfterFirstStep {
    armed: Arc<Mutex<Option<Armed>>>,
}

struct Armed {
    failure: Failure,
    /// How often each message's record was updated.
    updates: BTreeMap<String, usize>,
}

impl fmt::Debug for AfterFirstStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AfterFirstStep")
    }
}

impl AfterFirstStep {
    /// Options for a lab with this in front of its table.
    pub(super) fn options(&self) -> LabOptions {
        LabOptions { authorizer: Some(Arc::new(self.clone())), ..LabOptions::default() }
    }

    /// Lets something fail after the first step of the next message.
    pub(super) fn fail(&self, failure: impl FnOnce() + Send + 'static) {
        *self.armed.lock().unwrap() = Some(Armed { failure: Box::new(failure), updates: BTreeMap::new() });
    }

    /// SEND fails after the first step of the next message.
    pub(super) fn fail_sends(&self, lab: &Lab) {
        let liveengage = lab.liveengage().clone();
        self.fail(move || {
            for _ in 0..CALLS {
                liveengage.fail_next(Service::Send, StatusCode::SERVICE_UNAVAILABLE, "");
            }
        });
    }

    /// The gateway fails after the first step of the next message.
    pub(super) fn fail_gateway(&self, lab: &Lab) {
        let gateway = lab.gateway().clone();
        self.fail(move || {
            for _ in 0..CALLS {
                gateway.fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
            }
        });
    }
}

impl Authorizer for AfterFirstStep {
    fn allows(&self, access: &Access) -> bool {
        let keys = access.context.get(LEADING_KEYS).into_iter().flatten();
        // Messages of people and agents. Nothing else has steps here.
        let is_message = |key: &&String| key.starts_with("MSG#in#") || key.starts_with("MSG#out#");
        let updated = keys.filter(|_| access.action == "dynamodb:UpdateItem").find(is_message);
        let mut armed = self.armed.lock().unwrap();
        if let (Some(key), Some(Armed { updates, .. })) = (updated, armed.as_mut()) {
            let count = updates.entry(key.clone()).or_default();
            *count += 1;
            // The first update takes the message on, the second one notes its first step.
            if *count == 2
                && let Some(Armed { failure, .. }) = armed.take()
            {
                failure();
            }
        }
        true
    }
}
