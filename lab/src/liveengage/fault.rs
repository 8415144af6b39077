//! Call counts by service, and scripted answers.

use std::collections::{BTreeMap, VecDeque};

use http::StatusCode;
use serde::Serialize;

/// The services whose calls are counted and can be made to fail.
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
    /// Uploads to the file storage.
    FileUpload,
    /// Downloads from the file storage.
    FileDownload,
    /// The Consumer Messaging History API.
    History,
    /// The agents' public profiles.
    AgentProfile,
    /// The Login Service: login, refresh, logout.
    Login,
    /// The account's configuration: app installs.
    Configuration,
    /// IDP: tokens of the Messaging Window API.
    WindowIdentity,
    /// The Monitoring API: engagements and reports.
    Monitoring,
}

/// How often each service was called, regardless of the answers.
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

/// An answer in place of the service's own.
#[derive(Debug, Clone)]
pub(super) struct ScriptedAnswer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

/// The waiting scripted answers by service, first in, first out.
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
