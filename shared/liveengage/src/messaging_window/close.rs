//! Why LiveEngage closed a connection.

/// Why a connection ended, by the code of the WebSocket's close frame (Messaging Window API tutorial; LivePerson's `node-agent-sdk` for
/// 1011).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// 4401: the token is missing, invalid or expired.
    TokenExpired,
    /// 4407: the identity of a consumer who has not logged in has expired.
    IdentityExpired,
    /// 1011: an error of the server, which LivePerson's own client treats as a rejected token.
    ServerError,
    /// Any other code.
    Other(u16),
    /// No close frame: the network failed.
    Lost,
}

/// What to do after a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reaction {
    /// Get a new token for the same consumer, and connect again.
    RenewToken,
    /// Ask IDP to extend the identity, and connect again with the token that it returns.
    ExtendIdentity,
    /// Connect again with the same token, after a pause that grows from one attempt to the next.
    Reconnect,
}

impl CloseReason {
    /// Reads the code of a close frame. `None` and the reserved 1005 and 1006 mean that there was no frame.
    pub const fn from_code(code: Option<u16>) -> Self {
        match code {
            Some(4401) => Self::TokenExpired,
            Some(4407) => Self::IdentityExpired,
            Some(1011) => Self::ServerError,
            None | Some(1005 | 1006) => Self::Lost,
            Some(code) => Self::Other(code),
        }
    }

    /// What to do.
    pub const fn reaction(self) -> Reaction {
        match self {
            Self::TokenExpired | Self::ServerError => Reaction::RenewToken,
            Self::IdentityExpired => Reaction::ExtendIdentity,
            Self::Other(_) | Self::Lost => Reaction::Reconnect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_code_has_its_reaction() {
        for (code, reason, reaction) in [
            (Some(4401), CloseReason::TokenExpired, Reaction::RenewToken),
            (Some(4407), CloseReason::IdentityExpired, Reaction::ExtendIdentity),
            (Some(1011), CloseReason::ServerError, Reaction::RenewToken),
            (Some(1000), CloseReason::Other(1000), Reaction::Reconnect),
            (Some(4402), CloseReason::Other(4402), Reaction::Reconnect),
            (Some(1006), CloseReason::Lost, Reaction::Reconnect),
            (None, CloseReason::Lost, Reaction::Reconnect),
        ] {
            assert_eq!(CloseReason::from_code(code), reason, "{code:?}");
            assert_eq!(reason.reaction(), reaction, "{code:?}");
        }
    }
}
