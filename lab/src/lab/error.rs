//! Why the lab failed to start.

use crate::{
    aws::AwsStandInError,
    channel::{ChannelStartError, SubscribeError},
    functions::FunctionsError,
    liveengage,
};

/// Why the lab failed to start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A stand-in failed.
    #[error(transparent)]
    Aws(#[from] AwsStandInError),
    /// The LiveEngage simulator failed.
    #[error(transparent)]
    LiveEngage(#[from] liveengage::StartError),
    /// A channel's simulator failed.
    #[error(transparent)]
    Channel(#[from] ChannelStartError),
    /// The handshake between a channel's simulator and the inbound function failed.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// The functions failed.
    #[error(transparent)]
    Functions(#[from] FunctionsError),
    /// The page failed.
    #[error("the page can't listen on 127.0.0.1:{port}: {cause}")]
    Page {
        /// The port.
        port: u16,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// A proxy in front of a service failed.
    #[error("a proxy in front of a service can't listen on 127.0.0.1: {0}")]
    Front(std::io::Error),
    /// An address is invalid.
    #[error(transparent)]
    Url(#[from] url::ParseError),
}
