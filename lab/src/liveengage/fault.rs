//! Call counts per service, and scripted answers instead of real ones.

use std::collections::{BTreeMap, VecDeque};

use http::StatusCode;
use serde::Serialize;

/// The services, as far as calls are counted and can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The Domain API.
    Domain,
    /// Sentinel: AppJWTs.
    Sentinel,
    /// IDP: ConsumerJWSs.
    Idp,
    /// The Send API's CONVERSATION call.
    Conversation,
    /// The Send API's SEND call.
    Send,
    /// The file storage, when a file is put there.
    FileUpload,
    /// The file storage, when a file is fetched.
    FileDownload,
}

/// How often each service was called, whatever it answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallCounts(BTreeMap<Service, u64>);

impl CallCounts {
    /// The calls to one service so far.
    pub fn of(&self, service: Service) -> u64 {
        self.0.get(&service).copied().unwrap_or(0)
    }

    pub(super) fn add(&mut self, service: Service) {
        *self.0.entry(service).or_default() += 1;
    }
}

/// An answer that is given instead of the service's own.
#[derive(Debug, Clone)]
pub(super) struct ScriptedAnswer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

/// The scripted answers that wait, per service, first in first out.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<Service, VecDeque<ScriptedAnswer>>);

impl Faults {
    pub(super) fn add(&mut self, service: Service, answer: ScriptedAnswer) {
        self.0.entry(service).or_default().push_back(answer);
    }

    pub(super) fn take(&mut self, service: Service) -> Option<ScriptedAnswer> {
        self.0.get_mut(&service)?.pop_front()
    }
}
