//! Why a simulator failed to start.

/// Why a simulator failed to start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is in use or not allowed.
    #[error("the LiveEngage simulator cannot listen on 127.0.0.1:{port}: {cause}")]
    Listen {
        /// The requested port.
        port: u16,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// The RSA key for the tokens could not be generated.
    #[error("the LiveEngage simulator could not generate an RSA key for its tokens")]
    Key,
    /// The client for the webhooks could not be created.
    #[error("the LiveEngage simulator could not create its webhook client: {0}")]
    WebhookClient(reqwest::Error),
    /// The certificate for TLS could not be made. Holds the reason.
    #[error("the LiveEngage simulator can't serve TLS: {0}")]
    Tls(String),
    /// An account id was given twice.
    #[error("account {0} was given twice to the LiveEngage simulator")]
    AccountTwice(String),
}
