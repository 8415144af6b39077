//! Errors that fail a whole invocation, in the form that Lambda reports.

use lambda_runtime::Diagnostic;

use connector::app::reconcile::NotReconciled;
use connector_liveengage::id::AccountId;
use connector_message::id::InvalidId;

/// Why an invocation fails as a whole.
///
/// Its [`name`](Self::name) is the `errorType` that Lambda reports. It is stable across releases, because filters and alarms may use it.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// A record has no message id, so it can't be reported as failed and SQS would delete it. The whole batch is retried.
    #[error("a record of the batch has no messageId")]
    RecordWithoutId,
    /// Lambda gave the invocation no usable deadline, and none can be computed from the clock.
    #[error("the invocation has no deadline")]
    NoDeadline,
    /// Lambda gave the invocation an id that can't be the owner of a lease.
    #[error("the invocation's id can't be used: {0}")]
    InvocationId(#[from] InvalidId),
    /// Some AppJWTs could not be renewed. The scheduler retries the invocation.
    #[error("the AppJWTs of {0} account(s) can't be renewed")]
    TokensNotRenewed(usize),
    /// The event of an entry point is not that of an HTTP API. API Gateway sends no other, so somebody has invoked the function directly.
    #[error("the event is not that of an HTTP API with payload format 2.0")]
    UnknownHttpEvent,
    /// The event of `reconcile` has none of its forms.
    #[error(
        "the event must be {{\"scope\": \"suspicious\"}}, {{\"scope\": \"recent\"}} or {{\"since\": \"2026-11-30T08:00:00Z\"}}"
    )]
    UnknownReconcileEvent,
    /// These accounts could not be reconciled. The next run tries again.
    #[error("{} account(s) can't be reconciled: {}", .0.len(), reasons(.0))]
    NotReconciled(Vec<(AccountId, NotReconciled)>),
    /// An HTTP request or response can't be built. This is a bug, because their parts are valid: those of an event are checked, and a response
    /// consists of a status, a content type and a text.
    #[error("the request or the answer can't be built: {0}")]
    Answer(#[from] http::Error),
}

fn reasons(failed: &[(AccountId, NotReconciled)]) -> String {
    failed.iter().map(|(account, error)| format!("{account}: {error}")).collect::<Vec<_>>().join("; ")
}

impl FunctionError {
    /// Returns the `errorType`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RecordWithoutId => "RecordWithoutId",
            Self::NoDeadline => "NoDeadline",
            Self::InvocationId(_) => "InvocationId",
            Self::TokensNotRenewed(_) => "TokensNotRenewed",
            Self::UnknownHttpEvent => "UnknownHttpEvent",
            Self::UnknownReconcileEvent => "UnknownReconcileEvent",
            Self::NotReconciled(_) => "NotReconciled",
            Self::Answer(_) => "AnswerNotBuilt",
        }
    }
}

impl From<FunctionError> for Diagnostic {
    fn from(error: FunctionError) -> Self {
        Self { error_type: error.name().to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_gets_a_stable_error_type_and_a_message() {
        let told = Diagnostic::from(FunctionError::TokensNotRenewed(2));
        assert_eq!(told.error_type, "TokensNotRenewed");
        assert_eq!(told.error_message, "the AppJWTs of 2 account(s) can't be renewed");
        let failed = vec![(AccountId::new("72419083").unwrap(), NotReconciled::SourceRefused)];
        let told = Diagnostic::from(FunctionError::NotReconciled(failed));
        assert_eq!(told.error_type, "NotReconciled");
        assert!(
            told.error_message.starts_with("1 account(s) can't be reconciled: 72419083: LiveEngage's history refuses")
        );
        assert_eq!(Diagnostic::from(FunctionError::RecordWithoutId).error_type, "RecordWithoutId");
    }
}
