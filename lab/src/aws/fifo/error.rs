//! What SQS refuses, and the words it refuses it with.

/// A request that a FIFO queue refuses. The text is what the SDK shows as the error's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FifoError {
    /// A required parameter is absent or empty; holds its name.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(String),
    /// A parameter has a value that SQS does not accept; holds the whole explanation.
    #[error("{0}")]
    InvalidParameter(String),
    /// The body has a character outside of what SQS carries (XML 1.0's characters).
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    InvalidMessageContents,
    /// The receipt handle was never given out by this queue.
    #[error("The input receipt handle is invalid.")]
    ReceiptHandleInvalid,
    /// The receipt handle was given out, but its visibility timeout has run out or the message was received again.
    #[error("Value {0} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")]
    ReceiptHandleExpired(String),
    /// The visibility of a message that is no longer there cannot be changed.
    #[error(
        "Value {0} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change."
    )]
    NotAvailable(String),
    /// No queue has this name or URL.
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    /// A queue of this name exists with another value of the named attribute.
    #[error("A queue already exists with the same name and a different value for attribute {0}")]
    QueueExists(&'static str),
    /// The queue attribute is unknown, or this stand-in does not offer it; holds its name.
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    /// The queue attribute has a value that is not accepted; holds the whole explanation.
    #[error("{0}")]
    InvalidAttributeValue(String),
    /// A purge came less than 60 seconds after the last one.
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeInProgress(String),
    /// A batch without entries.
    #[error("There should be at least one entry in the request.")]
    EmptyBatch,
    /// A batch of more than ten entries; holds how many.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntries(usize),
    /// Two entries of a batch have the same id; holds it.
    #[error("Id {0} repeated.")]
    EntryIdsNotDistinct(String),
    /// An entry's id is not 1 to 80 letters, digits, hyphens or underscores.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    InvalidEntryId,
    /// The entries of a batch hold more than 1 MiB together; holds the bytes sent.
    #[error("Batch requests cannot be longer than 1048576 bytes. You have sent {0} bytes.")]
    BatchTooLong(usize),
    /// An operation that AWS has and this stand-in has not; holds its name.
    #[error("The lab's SQS stand-in does not support {0}.")]
    UnsupportedOperation(String),
}
