//! The file storage's own calls: PUT and GET with signed URLs, without further authentication.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::backend::{Backend, now_s};
use super::endpoint::{Endpoint, ServiceAnswer, ServiceCall};
use super::fault::Service;
use super::files::StorageRefusal;
use super::messaging::ON_BEHALF;

/// The path of files.
pub(super) const PATH: &str = "/v1/AUTH_async-images/{account}/{file}";
/// The largest body that is read, in bytes. It is larger than any file that may be stored, so that a too large file can
/// be distinguished from a broken connection.
pub(super) const MAX_BODY_BYTES: usize = 16_000_000;

/// `PUT {relativePath}?temp_url_sig&temp_url_expires`. The journal shows neither content nor signature.
pub(super) const UPLOAD: Endpoint =
    Endpoint { service: Service::FileUpload, label: |_| "PUT file".to_owned(), shown: show_place, answer: upload };

/// `GET {relativePath}?temp_url_sig&temp_url_expires`
pub(super) const DOWNLOAD: Endpoint =
    Endpoint { service: Service::FileDownload, label: |_| "GET file".to_owned(), shown: show_place, answer: download };

fn upload(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    let path = relative_path(call);
    let stored = allowed(backend, call, &Method::PUT)
        .and_then(|()| backend.files().put(&path, call.header(CONTENT_TYPE), call.body.clone()).map_err(status));
    ServiceAnswer::empty(stored.map_or_else(|refused| refused, |()| StatusCode::CREATED))
}

fn download(backend: &Backend, call: &ServiceCall) -> ServiceAnswer {
    if let Err(refused) = allowed(backend, call, &Method::GET) {
        return ServiceAnswer::empty(refused);
    }
    match backend.files().stored(&relative_path(call)) {
        Some(file) => ServiceAnswer::file(file.content_type, file.bytes),
        None => ServiceAnswer::empty(status(StorageRefusal::Missing)),
    }
}

/// The storage is a separate system from the Send API. A token that is sent to it has leaked, and that must be
/// reported.
fn allowed(backend: &Backend, call: &ServiceCall, method: &Method) -> Result<(), StatusCode> {
    if call.headers.contains_key(AUTHORIZATION) || call.headers.contains_key(ON_BEHALF) {
        return Err(StatusCode::BAD_REQUEST);
    }
    backend.files().is_authorized(method, &relative_path(call), &call.query, now_s()).map_err(status)
}

fn status(refusal: StorageRefusal) -> StatusCode {
    match refusal {
        StorageRefusal::NotSigned => StatusCode::UNAUTHORIZED,
        StorageRefusal::Empty => StatusCode::BAD_REQUEST,
        StorageRefusal::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        StorageRefusal::Missing => StatusCode::NOT_FOUND,
    }
}

fn relative_path(call: &ServiceCall) -> String {
    let file = call.path.get("file").map_or("", String::as_str);
    PATH.replace("{account}", call.account_id()).replace("{file}", file)
}

fn show_place(call: &ServiceCall, _answer: Option<&Value>) -> Option<Value> {
    Some(json!({ "relativePath": relative_path(call), "sentBytes": call.body.len() }))
}
