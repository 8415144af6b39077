//! Media: `POST /{version}/{phone-number-id}/media`, `GET` and `DELETE /{version}/{media-id}`, and the download.

use axum::body::Bytes;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::account::BusinessAccount;
use super::super::media::{MediaRefusal, supported_types};
use super::request::check_product;
use super::{GraphAnswer, GraphCall, GraphError, GraphHandlers, Operation};

/// The path of downloads.
pub(super) const DOWNLOAD_PATH: &str = "/whatsapp_business/attachments";

/// The form fields of an upload.
#[derive(Default)]
struct UploadForm {
    messaging_product: Option<String>,
    /// The MIME type in the form.
    kind: Option<String>,
    file: Option<UploadedPart>,
}

struct UploadedPart {
    /// The MIME type of the file's own part.
    mime_type: Option<String>,
    bytes: Bytes,
}

#[derive(Deserialize)]
pub(super) struct ReadQuery {
    phone_number_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DownloadQuery {
    hash: Option<String>,
}

pub(super) async fn upload(
    State(graph): State<GraphHandlers>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let form = match form {
        Ok(form) => UploadForm::read(form).await,
        Err(rejection) => Err(GraphError::unreadable(rejection.status(), &rejection.body_text())),
    };
    let call = GraphCall {
        operation: Operation::UploadMedia,
        what: format!("POST /{version}/{id}/media"),
        shown: form.as_ref().map_or(Value::Null, UploadForm::shown),
    };
    graph
        .perform(call, |account| {
            account.authorize(&version, &headers)?;
            account.check_phone_number_id(&id)?;
            let id = account.store(form?)?;
            Ok(GraphAnswer::json(StatusCode::OK, &json!({ "id": id })))
        })
        .await
}

pub(super) async fn read(
    State(graph): State<GraphHandlers>,
    Path((version, id)): Path<(String, String)>,
    Query(query): Query<ReadQuery>,
    headers: HeaderMap,
) -> Response {
    let what = format!("GET /{version}/{id}");
    let call = GraphCall { operation: Operation::ReadMedia, what, shown: Value::Null };
    graph
        .perform(call, |account| {
            account.authorize(&version, &headers)?;
            if let Some(phone_number_id) = &query.phone_number_id {
                account.check_phone_number_id(phone_number_id)?;
            }
            Ok(GraphAnswer::json(StatusCode::OK, &account.describe(&id)?))
        })
        .await
}

pub(super) async fn delete(
    State(graph): State<GraphHandlers>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let what = format!("DELETE /{version}/{id}");
    let call = GraphCall { operation: Operation::DeleteMedia, what, shown: Value::Null };
    graph
        .perform(call, |account| {
            account.authorize(&version, &headers)?;
            if !account.media.lock().remove(&id) {
                return Err(GraphError::unknown_object(&id));
            }
            Ok(GraphAnswer::json(StatusCode::OK, &json!({ "success": true })))
        })
        .await
}

pub(super) async fn download(
    State(graph): State<GraphHandlers>,
    Query(query): Query<DownloadQuery>,
    headers: HeaderMap,
) -> Response {
    let what = format!("GET {DOWNLOAD_PATH}");
    let call = GraphCall { operation: Operation::DownloadMedia, what, shown: Value::Null };
    graph
        .perform(call, |account| {
            account.check_token(&headers)?;
            let media = account.media.lock();
            let stored = query.hash.as_deref().and_then(|hash| media.open(hash)).ok_or_else(GraphError::link_ended)?;
            let mime_type = HeaderValue::from_str(&stored.mime_type)
                .unwrap_or(HeaderValue::from_static("application/octet-stream"));
            Ok(GraphAnswer::file(StatusCode::OK, mime_type, stored.bytes.clone()))
        })
        .await
}

impl UploadForm {
    async fn read(mut form: Multipart) -> Result<Self, GraphError> {
        let broken = |error: MultipartError| GraphError::unreadable(error.status(), &error.body_text());
        let mut upload = Self::default();
        while let Some(field) = form.next_field().await.map_err(broken)? {
            match field.name() {
                Some("messaging_product") => upload.messaging_product = Some(field.text().await.map_err(broken)?),
                Some("type") => upload.kind = Some(field.text().await.map_err(broken)?),
                Some("file") => {
                    let mime_type = field.content_type().map(str::to_owned);
                    upload.file = Some(UploadedPart { mime_type, bytes: field.bytes().await.map_err(broken)? });
                }
                other => {
                    let name = other.unwrap_or_default();
                    return Err(GraphError::invalid_parameter(format_args!("Unexpected key \"{name}\" in the form")));
                }
            }
        }
        Ok(upload)
    }

    /// The form without the file's content, for the wire log.
    fn shown(&self) -> Value {
        let file = self.file.as_ref().map(|file| json!({ "type": file.mime_type, "bytes": file.bytes.len() }));
        json!({ "messaging_product": self.messaging_product, "type": self.kind, "file": file })
    }
}

impl BusinessAccount {
    fn store(&self, upload: UploadForm) -> Result<String, GraphError> {
        check_product(upload.messaging_product.as_deref())?;
        let required = |name: &str| GraphError::invalid_parameter(format_args!("The parameter {name} is required."));
        let kind = upload.kind.ok_or_else(|| required("type"))?;
        let file = upload.file.ok_or_else(|| required("file"))?;
        // The type of the file's own part takes precedence over the form's `type`.
        let mime_type = file.mime_type.unwrap_or(kind);
        let stored = self.media.lock().add_upload(&mime_type, file.bytes);
        stored.map(|stored| stored.id).map_err(|refusal| match refusal {
            MediaRefusal::Type(_) => GraphError::invalid_parameter(format_args!(
                "Param file must be a file with one of the following types: {}. {refusal}.",
                supported_types()
            )),
            MediaRefusal::Size { .. } | MediaRefusal::Empty => GraphError::new(131_053, refusal.to_string()),
        })
    }

    fn describe(&self, id: &str) -> Result<Value, GraphError> {
        let lifetime = self.settings.lock().media_url_lifetime;
        let mut media = self.media.lock();
        let stored = media.get(id).cloned().ok_or_else(|| GraphError::unknown_object(id))?;
        let base = self.base_url.get().map_or("", String::as_str);
        Ok(json!({
            "messaging_product": "whatsapp",
            "id": stored.id,
            "url": format!("{base}{DOWNLOAD_PATH}?mid={id}&hash={}", media.link(id, lifetime)),
            "mime_type": stored.mime_type,
            "sha256": hex::encode(stored.sha256),
            "file_size": stored.bytes.len(),
        }))
    }
}
