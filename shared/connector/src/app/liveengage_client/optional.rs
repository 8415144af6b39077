//! Calls that no message depends on: what they return makes a conversation nicer, and without it the message goes on.
//!
//! So each has a short limit. Its failures count for a breaker of its own, so that a service that is down costs no time at every message. The
//! hosts are requested as for any call: a short limit there would count for the breaker that messages depend on.

use connector_liveengage::{
    agent_profile::{self, AgentProfile},
    domain_api::Service,
    id::AgentId,
    monitoring::{self, App, EngagementAnswer, Engagements, Observation},
};

use super::{Caller, Keeper, LiveEngage};
use crate::app::{error::DeliveryError, policy::OPTIONAL_CALL};

impl LiveEngage {
    /// Returns an agent's public profile: one call without authentication. `None` if the account shows none.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(in crate::app) async fn agent_profile(
        &self,
        caller: Keeper<'_>,
        agent: &AgentId,
    ) -> Result<Option<AgentProfile>, DeliveryError> {
        let hosts = self.hosts(caller).await?;
        let call = agent_profile::request(hosts.url(Service::AgentProfiles)?, caller.account, agent);
        let reply = self.http.calls(caller.account, None, caller.now).call(call.within(OPTIONAL_CALL)).await?;
        Ok(agent_profile::answer(&reply)?)
    }

    /// Returns the engagements that fit a consumer: one call, and a second one if LivePerson is still loading the account. `None` if it is
    /// then still loading.
    ///
    /// # Errors
    /// [`DeliveryError`].
    pub(in crate::app) async fn engagements(
        &self,
        caller: Caller<'_>,
        observation: &Observation,
    ) -> Result<Option<Engagements>, DeliveryError> {
        let Caller { account, now, .. } = caller;
        let hosts = self.hosts(caller.keeper()).await?;
        let settings =
            self.accounts.get(account, now).await.map_err(|error| DeliveryError::of_account(account, error))?;
        let app = App { monitoring: hosts.url(Service::Monitoring)?, account, app: &settings.client_id };
        let mut visit = None;
        for _ in 0..2 {
            let call = monitoring::engagement_request(app, visit.as_ref(), None, observation);
            let reply = self.calls(caller).call(call.within(OPTIONAL_CALL)).await?;
            match monitoring::engagement_answer(&reply)? {
                EngagementAnswer::Ready(engagements) => return Ok(Some(engagements)),
                EngagementAnswer::Loading(visitor) => visit = Some(visitor),
            }
        }
        Ok(None)
    }
}
