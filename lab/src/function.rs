//! The functions of the template.

/// One of the six functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `webhook`.
    Webhook,
    /// `inbound`.
    Inbound,
    /// `to-liveengage`.
    ToLiveEngage,
    /// `to-channel`.
    ToChannel,
    /// `token-refresh`.
    TokenRefresh,
    /// `reconcile`.
    Reconcile,
}

impl Function {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Webhook, Self::Inbound, Self::ToLiveEngage, Self::ToChannel, Self::TokenRefresh, Self::Reconcile];

    /// Its name in the template.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Inbound => "inbound",
            Self::ToLiveEngage => "to-liveengage",
            Self::ToChannel => "to-channel",
            Self::TokenRefresh => "token-refresh",
            Self::Reconcile => "reconcile",
        }
    }
}
