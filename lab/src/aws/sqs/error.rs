//! Errors in SQS's wire format: a JSON type, and the code of the older query protocol, which SDKs show and match.

use bytes::Bytes;
use connector_testing::fifo::FifoError;
use http::{HeaderValue, Response, StatusCode};
use rustack_sqs_http::body::SqsResponseBody;
use rustack_sqs_http::response::CONTENT_TYPE;

/// The type in the JSON body and the code in the header.
struct Code {
    json: &'static str,
    query: &'static str,
}

fn code(error: &FifoError) -> Code {
    let (json, query) = match error {
        FifoError::MissingParameter(_) => {
            ("com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter")
        }
        FifoError::InvalidParameter(_) | FifoError::ReceiptHandleExpired(_) | FifoError::NotAvailable(_) => {
            ("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue")
        }
        FifoError::InvalidMessageContents => ("com.amazonaws.sqs#InvalidMessageContents", "InvalidMessageContents"),
        FifoError::ReceiptHandleInvalid => ("com.amazonaws.sqs#ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        FifoError::QueueDoesNotExist => {
            ("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
        }
        FifoError::QueueExists(_) => ("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists"),
        FifoError::InvalidAttributeName(_) => ("com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName"),
        FifoError::InvalidAttributeValue(_) => ("com.amazonaws.sqs#InvalidAttributeValue", "InvalidAttributeValue"),
        FifoError::PurgeInProgress(_) => {
            ("com.amazonaws.sqs#PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress")
        }
        FifoError::EmptyBatch => ("com.amazonaws.sqs#EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
        FifoError::TooManyEntries(_) => {
            ("com.amazonaws.sqs#TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
        }
        FifoError::EntryIdsNotDistinct(_) => {
            ("com.amazonaws.sqs#BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
        }
        FifoError::InvalidEntryId => {
            ("com.amazonaws.sqs#InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId")
        }
        FifoError::BatchTooLong(_) => {
            ("com.amazonaws.sqs#BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong")
        }
        FifoError::UnsupportedOperation(_) => {
            ("com.amazonaws.sqs#UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation")
        }
    };
    Code { json, query }
}

/// The code of a failed entry of a batch. Unlike for a single request, AWS calls an expired handle invalid here.
pub(super) fn entry_code(error: &FifoError) -> &'static str {
    match error {
        FifoError::ReceiptHandleExpired(_) => "ReceiptHandleIsInvalid",
        other => code(other).query,
    }
}

/// The error response. Every error here is the sender's fault.
pub(super) fn refusal(error: &FifoError) -> Response<SqsResponseBody> {
    let code = code(error);
    let body = serde_json::json!({ "__type": code.json, "message": error.to_string() }).to_string();
    let mut response = Response::new(SqsResponseBody::from_bytes(Bytes::from(body)));
    *response.status_mut() = match error {
        FifoError::PurgeInProgress(_) => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    if let Ok(value) = HeaderValue::from_str(&format!("{};Sender", code.query)) {
        headers.insert("x-amzn-query-error", value);
    }
    response
}
