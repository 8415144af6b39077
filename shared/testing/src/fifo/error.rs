//! The errors of SQS, with their original texts.

/// An error of a FIFO queue, or of the lab's SQS stand-in, which holds several. The SDK shows the text as the error's
/// message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FifoError {
    /// A required parameter is absent or empty; holds its name.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(String),
    /// A parameter has an invalid value; holds the complete explanation.
    #[error("{0}")]
    InvalidParameter(String),
    /// The body has a character that SQS doesn't accept (outside XML 1.0's characters).
    #[error(
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    InvalidMessageContents,
    /// This queue never issued the receipt handle.
    #[error("The input receipt handle is invalid.")]
    ReceiptHandleInvalid,
    /// The receipt handle was issued, but its visibility timeout has ended or the message was received again.
    #[error("Value {0} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")]
    ReceiptHandleExpired(String),
    /// The visibility of a deleted message can't be changed.
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
    /// The queue attribute is unknown, or the stand-in doesn't support it; holds its name.
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    /// The queue attribute has an invalid value; holds the complete explanation.
    #[error("{0}")]
    InvalidAttributeValue(String),
    /// Less than 60 seconds have passed since the last purge.
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeInProgress(String),
    /// A batch without entries.
    #[error("There should be at least one entry in the request.")]
    EmptyBatch,
    /// A batch of more than ten entries; holds their number.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntries(usize),
    /// Two entries of a batch have the same id; holds the id.
    #[error("Id {0} repeated.")]
    EntryIdsNotDistinct(String),
    /// An entry's id is not 1 to 80 letters, digits, hyphens or underscores.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    InvalidEntryId,
    /// The entries of a batch are larger than 1 MiB together; holds the number of bytes.
    #[error("Batch requests cannot be longer than 1048576 bytes. You have sent {0} bytes.")]
    BatchTooLong(usize),
    /// An operation of AWS that the stand-in doesn't support; holds its name.
    #[error("The lab's SQS stand-in does not support {0}.")]
    UnsupportedOperation(String),
}
