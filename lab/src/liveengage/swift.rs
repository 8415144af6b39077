//! The file storage's own calls: a file is put to or fetched from a signed URL, with nothing else to prove who calls.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::endpoint::{Answer, Call, Endpoint};
use super::fault::Service;
use super::files::StorageRefusal;
use super::messaging::ON_BEHALF;
use super::world::{World, now_s};

/// Where files lie.
pub(super) const PATH: &str = "/v1/AUTH_async-images/{account}/{file}";
/// The longest body that is read at all: longer than any file that may be stored, so that too long a file is told from a
/// broken connection. In bytes.
pub(super) const LONGEST_BODY: usize = 16_000_000;

/// `PUT {relativePath}?temp_url_sig&temp_url_expires`. The journal shows neither content nor signature.
pub(super) const UPLOAD: Endpoint =
    Endpoint { service: Service::FileUpload, label: |_| "PUT file".to_owned(), shown: show_place, answer: upload };

/// `GET {relativePath}?temp_url_sig&temp_url_expires`
pub(super) const DOWNLOAD: Endpoint =
    Endpoint { service: Service::FileDownload, label: |_| "GET file".to_owned(), shown: show_place, answer: download };

fn upload(world: &World, call: &Call) -> Answer {
    let path = relative_path(call);
    let stored = allowed(world, call, &Method::PUT)
        .and_then(|()| world.files().put(&path, call.header(CONTENT_TYPE), call.body.clone()).map_err(status));
    Answer::empty(stored.map_or_else(|refused| refused, |()| StatusCode::CREATED))
}

fn download(world: &World, call: &Call) -> Answer {
    if let Err(refused) = allowed(world, call, &Method::GET) {
        return Answer::empty(refused);
    }
    match world.files().stored(&relative_path(call)) {
        Some(file) => Answer::file(file.content_type, file.bytes),
        None => Answer::empty(status(StorageRefusal::Missing)),
    }
}

/// The storage is another system than the Send API: a token that is sent to it has leaked, which is to be noticed.
fn allowed(world: &World, call: &Call, method: &Method) -> Result<(), StatusCode> {
    if call.headers.contains_key(AUTHORIZATION) || call.headers.contains_key(ON_BEHALF) {
        return Err(StatusCode::BAD_REQUEST);
    }
    world.files().may(method, &relative_path(call), &call.query, now_s()).map_err(status)
}

fn status(refusal: StorageRefusal) -> StatusCode {
    match refusal {
        StorageRefusal::NotSigned => StatusCode::UNAUTHORIZED,
        StorageRefusal::Empty => StatusCode::BAD_REQUEST,
        StorageRefusal::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        StorageRefusal::Missing => StatusCode::NOT_FOUND,
    }
}

fn relative_path(call: &Call) -> String {
    let file = call.path.get("file").map_or("", String::as_str);
    PATH.replace("{account}", call.account_id()).replace("{file}", file)
}

fn show_place(call: &Call, _answer: Option<&Value>) -> Option<Value> {
    Some(json!({ "relativePath": relative_path(call), "sentBytes": call.body.len() }))
}
