//! AppJWTs.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Stored;
use connector::port::StoreError;
use connector_liveengage::sentinel::{AppJwt, AppJwtParts};

#[derive(Serialize, Deserialize)]
pub(crate) struct AppJwtV1 {
    token: String,
    expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_behind: Option<SignedDuration>,
    #[serde(default)]
    rejected_in_a_row: u32,
}

impl Stored for AppJwt {
    type Wire = AppJwtV1;
    const WHAT: &'static str = "an AppJWT";

    fn to_wire(&self) -> Result<AppJwtV1, StoreError> {
        let AppJwtParts { token, expires_at, received_at, clock_behind, rejected_in_a_row } = self.to_parts();
        Ok(AppJwtV1 { token, expires_at, received_at, clock_behind, rejected_in_a_row })
    }

    fn from_wire(wire: AppJwtV1) -> Result<Self, StoreError> {
        let AppJwtV1 { token, expires_at, received_at, clock_behind, rejected_in_a_row } = wire;
        Ok(AppJwtParts { token, expires_at, received_at, clock_behind, rejected_in_a_row }.into())
    }
}
