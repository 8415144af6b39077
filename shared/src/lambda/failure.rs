//! Why an invocation fails as a whole, in the form that Lambda reports.

use lambda_runtime::Diagnostic;

use crate::domain::id::InvalidId;

/// Why an invocation fails as a whole.
///
/// Its [`name`](Self::name) is the `errorType` that Lambda reports. Filters and alarms may go by it: it stays the same from release to
/// release.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// SQS would delete a message that can't be reported as failed: the whole batch comes again.
    #[error("a record of the batch has no messageId")]
    RecordWithoutId,
    /// Lambda gave an invocation no usable deadline, and the clock gives none either.
    #[error("the invocation has no deadline")]
    NoDeadline,
    /// Lambda gave an invocation an id that can't own a lease.
    #[error("the invocation's id can't be used: {0}")]
    InvocationId(#[from] InvalidId),
    /// The scheduler tries again.
    #[error("the AppJWTs of {0} account(s) can't be renewed")]
    TokensNotRenewed(usize),
    /// A bug: every answer is made of a status, a content type and a text.
    #[error("the answer can't be built: {0}")]
    Answer(#[from] http::Error),
}

impl FunctionError {
    /// The `errorType`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RecordWithoutId => "RecordWithoutId",
            Self::NoDeadline => "NoDeadline",
            Self::InvocationId(_) => "InvocationId",
            Self::TokensNotRenewed(_) => "TokensNotRenewed",
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
    fn lambda_is_told_a_stable_name_and_what_happened() {
        let told = Diagnostic::from(FunctionError::TokensNotRenewed(2));
        assert_eq!(told.error_type, "TokensNotRenewed");
        assert_eq!(told.error_message, "the AppJWTs of 2 account(s) can't be renewed");
        assert_eq!(Diagnostic::from(FunctionError::RecordWithoutId).error_type, "RecordWithoutId");
    }
}
