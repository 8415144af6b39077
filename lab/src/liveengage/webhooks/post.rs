//! One call of a webhook endpoint.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use url::Url;

use super::App;

/// Signs and sends a body. Only 200 and 201 are success. Redirects are not followed. The error is the text for the
/// journal.
pub(super) async fn post(
    client: &reqwest::Client,
    app: &App,
    endpoint: &Url,
    headers: &[(String, String)],
    body: Bytes,
) -> Result<StatusCode, String> {
    let sender = &app.sender;
    let signing = app.signing();
    let signature = signing.form.sign(&signing.client_secret, &body).ok_or("cannot be signed")?;
    let mut request = client
        .post(endpoint.clone())
        .header(http::header::CONTENT_TYPE, "application/json")
        .header("x-liveperson-account-id", &sender.account_id)
        .header("x-liveperson-client-id", &sender.client_id)
        .header("x-liveperson-signature", signature);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.body(body).send().await {
        Ok(response) if matches!(response.status(), StatusCode::OK | StatusCode::CREATED) => Ok(response.status()),
        Ok(response) => Err(response.status().as_str().to_owned()),
        Err(error) if error.is_timeout() => Err("timeout".to_owned()),
        Err(error) if error.is_connect() => Err("no connection".to_owned()),
        Err(error) => Err(error.without_url().to_string()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator is not the connector: its webhook timeouts are LivePerson's"
)]
pub(in crate::liveengage) fn webhook_client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(timeout)
        .read_timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}
