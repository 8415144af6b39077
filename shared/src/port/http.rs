//! Outgoing HTTP.

use async_trait::async_trait;

use crate::domain::http::{HttpCall, HttpFailure, HttpReply};

/// Makes calls. Implementations connect within 2 s, give up after 8 s in all, follow no redirect and read at most 1 MiB.
#[async_trait]
pub trait Http: Send + Sync {
    /// Makes one call, once.
    async fn call(&self, call: HttpCall) -> Result<HttpReply, HttpFailure>;
}
