//! Upload to and download from LivePerson's storage: a SEND returns a temporary URL of the storage (Connector API, Send API examples).

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{FileType, RelativePath};
use crate::{
    LiveEngageError,
    error::classify,
    messaging::{self, Credentials},
};
use connector_message::http::{HttpCall, HttpReply};

const UPLOAD: &str = "LiveEngage file upload";
const DOWNLOAD: &str = "LiveEngage file download";

/// A URL of the storage that expires after about one minute. It works without a token: anybody who has it has access to the file. `Debug`
/// hides it.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
#[debug("TemporaryUrl(hidden)")]
pub struct TemporaryUrl {
    /// The file's path, for the message that refers to the file.
    pub relative_path: RelativePath,
    /// The complete URL, with `temp_url_sig` and `temp_url_expires`.
    pub url: Url,
}

/// Builds the request for the upload URL of a file of `size` bytes.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header, [`LiveEngageError::Unsendable`] for a request that is too long.
pub fn upload_url_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    size: u64,
    file_type: &FileType,
) -> Result<HttpCall, LiveEngageError> {
    let body = upload_url_body(size, file_type);
    let request = json!({"kind": "req", "id": request_id, "type": "ms.GenerateURLForUploadFile", "body": body});
    messaging::send(messaging, credentials, &request)
}

/// The body of `ms.GenerateURLForUploadFile`.
pub(crate) fn upload_url_body(size: u64, file_type: &FileType) -> Value {
    // The size is a string in the connector sample and a number in the web sample.
    json!({"fileSize": size.to_string(), "fileType": file_type.name()})
}

/// Builds the request for the download URL of a file.
///
/// # Errors
/// [`LiveEngageError::Header`] for a token that can't be sent in a header, [`LiveEngageError::Unsendable`] for a request that is too long.
pub fn download_url_request(
    messaging: &Url,
    credentials: Credentials<'_>,
    request_id: &str,
    relative_path: &RelativePath,
) -> Result<HttpCall, LiveEngageError> {
    let body = download_url_body(relative_path);
    let request = json!({"kind": "req", "id": request_id, "type": "ms.GenerateURLForDownloadFile", "body": body});
    messaging::send(messaging, credentials, &request)
}

/// The body of `ms.GenerateURLForDownloadFile`.
pub(crate) fn download_url_body(relative_path: &RelativePath) -> Value {
    json!({"relativePath": relative_path.as_str()})
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlBody {
    relative_path: RelativePath,
    query_params: QueryParams,
}

#[derive(Deserialize)]
struct QueryParams {
    temp_url_sig: String,
    temp_url_expires: Value,
}

/// Reads the reply to either request. The URL is always at `swift`, the account's storage.
///
/// # Errors
/// [`LiveEngageError::Unreadable`] for a reply without a path and signature, otherwise as for any SEND.
pub fn temporary_url_answer(reply: &HttpReply, swift: &Url) -> Result<TemporaryUrl, LiveEngageError> {
    temporary_url(messaging::SEND, messaging::send_body(reply)?, swift)
}

/// Reads the body of the answer to either request.
pub(crate) fn temporary_url(call: &'static str, body: Value, swift: &Url) -> Result<TemporaryUrl, LiveEngageError> {
    let unreadable = |what| LiveEngageError::Unreadable { call, what };
    let body: UrlBody = serde_json::from_value(body)
        .map_err(|_| unreadable("no relativePath with temp_url_sig and temp_url_expires"))?;
    let expires = match body.query_params.temp_url_expires {
        Value::String(seconds) => seconds,
        Value::Number(seconds) => seconds.to_string(),
        _ => return Err(unreadable("temp_url_expires is not a time")),
    };
    let mut url = swift.clone();
    // The path starts with a slash already: the documentation's template would repeat it.
    url.set_path(body.relative_path.as_str());
    url.query_pairs_mut()
        .clear()
        .append_pair("temp_url_sig", &body.query_params.temp_url_sig)
        .append_pair("temp_url_expires", &expires);
    Ok(TemporaryUrl { relative_path: body.relative_path, url })
}

/// Builds the call that uploads a file. It has no token, and no body: the caller streams it.
pub fn upload_call(to: &TemporaryUrl) -> HttpCall {
    HttpCall::new(UPLOAD, Method::PUT, to.url.clone())
}

/// Reads the storage's reply to an upload: 201 or another 2xx.
///
/// # Errors
/// [`LiveEngageError::UrlExpired`] for 401, [`LiveEngageError::Unreadable`] for a proxy's page, otherwise as for any call.
pub fn uploaded(reply: &HttpReply) -> Result<(), LiveEngageError> {
    read_storage_status(UPLOAD, reply)?;
    if reply.is_page() {
        return Err(LiveEngageError::Unreadable { call: UPLOAD, what: "a page instead of the storage's answer" });
    }
    Ok(())
}

/// Builds the call that downloads a file. It has no token.
pub fn download_call(from: &TemporaryUrl) -> HttpCall {
    HttpCall::new(DOWNLOAD, Method::GET, from.url.clone())
}

/// Reads the status of a download. The body is the file.
///
/// # Errors
/// [`LiveEngageError::UrlExpired`] for 401, [`LiveEngageError::FileGone`] for 404 and 410, otherwise as for any call.
pub fn downloaded(reply: &HttpReply) -> Result<(), LiveEngageError> {
    match reply.status {
        // About the file. A 404 of an API's host would mean that the host may have moved.
        status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => {
            Err(LiveEngageError::FileGone { call: DOWNLOAD, status: status.as_u16() })
        }
        _ => read_storage_status(DOWNLOAD, reply),
    }
}

fn read_storage_status(call: &'static str, reply: &HttpReply) -> Result<(), LiveEngageError> {
    match reply.status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED => Err(LiveEngageError::UrlExpired { call }),
        _ => Err(classify(call, reply, None)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        client_properties::{ClientProperties, Feature},
        id::AccountId,
        identity::ConsumerToken,
        sentinel::AppJwt,
    };
    use connector_message::Disposition;

    const PATH: &str = "/v1/AUTH_async-images/72419083/9c41_uuid_0d7e_03-02-2026_10-11-12-013.PNG";

    fn reply(status: u16, body: &Value) -> HttpReply {
        HttpReply { status: StatusCode::from_u16(status).unwrap(), retry_after: None, body: body.to_string().into() }
    }

    fn swift() -> Url {
        "https://va.objectstorage.liveperson.net".parse().unwrap()
    }

    fn answered_url(expires: &Value) -> TemporaryUrl {
        let body = json!({"code": "OK", "reqId": "9", "body": {"relativePath": PATH,
            "queryParams": {"temp_url_sig": "0a1b2c", "temp_url_expires": expires}}});
        temporary_url_answer(&reply(200, &body), &swift()).unwrap()
    }

    #[test]
    fn the_requests_are_the_documented_ones() {
        let account = AccountId::new("72419083").unwrap();
        let app_jwt = AppJwt::new("app.jwt.x", Timestamp::UNIX_EPOCH);
        let consumer = ConsumerToken::new("consumer.jws.y");
        let client_properties = ClientProperties::new(&[Feature::FileSharing]);
        let credentials = Credentials {
            account: &account,
            app_jwt: &app_jwt,
            consumer: &consumer,
            client_properties: &client_properties,
        };
        let host = "https://va.msg.liveperson.net".parse().unwrap();
        let body = |call: &HttpCall| serde_json::from_slice::<Value>(&call.body).unwrap();
        let upload = upload_url_request(&host, credentials, "u1", 20_511, &FileType::Png).unwrap();
        assert_eq!(
            upload.url.as_str(),
            "https://va.msg.liveperson.net/api/account/72419083/messaging/consumer/conversation/send?v=3"
        );
        assert!(upload.headers.contains_key("client-properties"));
        assert_eq!(
            body(&upload),
            json!({"kind": "req", "id": "u1", "type": "ms.GenerateURLForUploadFile",
                "body": {"fileSize": "20511", "fileType": "PNG"}})
        );
        let path = RelativePath::new(PATH).unwrap();
        let download = download_url_request(&host, credentials, "d1", &path).unwrap();
        assert_eq!(
            body(&download),
            json!({"kind": "req", "id": "d1", "type": "ms.GenerateURLForDownloadFile", "body": {"relativePath": PATH}})
        );
    }

    #[test]
    fn the_url_is_at_the_accounts_storage_with_one_slash() {
        for expires in [json!("1790000000"), json!(1_790_000_000)] {
            let url = answered_url(&expires);
            assert_eq!(
                url.url.as_str(),
                format!(
                    "https://va.objectstorage.liveperson.net{PATH}?temp_url_sig=0a1b2c&temp_url_expires=1790000000"
                )
            );
            assert_eq!(url.relative_path.as_str(), PATH);
        }
        let websocket = json!({"kind": "resp", "reqId": "9", "code": 200, "type": "ms.BaseGenerateURLResponse",
            "body": {"relativePath": PATH, "queryParams": {"temp_url_sig": "0a", "temp_url_expires": "1"}}});
        assert!(temporary_url_answer(&reply(200, &websocket), &swift()).is_ok());
    }

    #[test]
    fn an_answer_without_a_usable_path_or_signature_is_unreadable() {
        for body in [
            json!({}),
            json!({"relativePath": "//evil.example/x", "queryParams": {"temp_url_sig": "a", "temp_url_expires": "1"}}),
            json!({"relativePath": PATH, "queryParams": {"temp_url_expires": "1"}}),
            json!({"relativePath": PATH, "queryParams": {"temp_url_sig": "a", "temp_url_expires": null}}),
        ] {
            let answer = temporary_url_answer(&reply(200, &json!({"code": "OK", "body": body})), &swift());
            assert!(matches!(answer, Err(LiveEngageError::Unreadable { .. })), "{body}");
        }
        let refused = json!({"code": "BAD_REQUEST", "body": {"msg": "Bad Request"}});
        assert!(matches!(
            temporary_url_answer(&reply(400, &refused), &swift()),
            Err(LiveEngageError::Refused { status: 400, .. })
        ));
    }

    #[test]
    fn no_token_is_sent_to_the_storage() {
        let url = answered_url(&json!("1790000000"));
        for (call, method) in [(upload_call(&url), Method::PUT), (download_call(&url), Method::GET)] {
            assert_eq!((call.method, call.url), (method, url.url.clone()));
            assert!(call.headers.is_empty() && call.body.is_empty());
        }
        assert_eq!(format!("{url:?}"), "TemporaryUrl(hidden)");
    }

    #[test]
    fn an_expired_url_is_retried() {
        assert_eq!(uploaded(&reply(201, &json!(""))), Ok(()));
        assert_eq!(downloaded(&reply(200, &json!(""))), Ok(()));
        let page = HttpReply { body: "<html>Back soon</html>".into(), ..reply(200, &json!("")) };
        assert!(matches!(uploaded(&page), Err(LiveEngageError::Unreadable { .. })));
        assert_eq!(downloaded(&page), Ok(()), "it may be the file");
        for (answer, call) in
            [(uploaded(&reply(401, &json!(""))), UPLOAD), (downloaded(&reply(401, &json!(""))), DOWNLOAD)]
        {
            assert_eq!(answer, Err(LiveEngageError::UrlExpired { call }));
        }
        assert_eq!(LiveEngageError::UrlExpired { call: UPLOAD }.disposition(), Disposition::RETRY);
        for status in [404, 410] {
            let gone = LiveEngageError::FileGone { call: DOWNLOAD, status };
            assert_eq!(downloaded(&reply(status, &json!(""))), Err(gone.clone()));
            assert_eq!(gone.disposition(), Disposition::Park);
        }
        assert!(matches!(uploaded(&reply(404, &json!(""))), Err(LiveEngageError::Unavailable { .. })));
        assert!(matches!(uploaded(&reply(413, &json!(""))), Err(LiveEngageError::Refused { status: 413, .. })));
        assert!(matches!(uploaded(&reply(503, &json!(""))), Err(LiveEngageError::Unavailable { .. })));
    }
}
