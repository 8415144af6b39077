//! Where calls go: the Graph API, in one version, for one phone number.

use std::fmt;

use http::{HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

use crate::domain::http::HttpCall;

/// Meta's media servers answer calls without a `User-Agent` with an error page.
const USER_AGENT: HeaderValue = HeaderValue::from_static("liveengage-connector");

/// The API of one line. `Debug` shows the host and the number's id.
pub(super) struct Graph {
    base: Url,
    version: String,
    phone_number_id: String,
    authorization: HeaderValue,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({} {})", self.base.host_str().unwrap_or("no host"), self.phone_number_id)
    }
}

impl Graph {
    /// An API at `base`, called with `authorization`.
    pub(super) fn new(base: Url, version: String, phone_number_id: String, authorization: HeaderValue) -> Self {
        Self { base, version, phone_number_id, authorization }
    }

    /// Meta's id of the brand's number.
    pub(super) fn phone_number_id(&self) -> &str {
        &self.phone_number_id
    }

    /// Whether an address is at the API itself: the same scheme, host and port.
    pub(super) fn is_origin_of(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }

    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // An http or https URL always has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&self.version).extend(segments);
        }
        url
    }

    /// Where messages and indications are posted.
    pub(super) fn messages_url(&self) -> Url {
        self.url(&[&self.phone_number_id, "messages"])
    }

    /// A call that posts JSON to the messages' address.
    pub(super) fn post_message(&self, name: &'static str, body: &Value) -> HttpCall {
        let call = HttpCall::new(name, Method::POST, self.messages_url());
        self.authorized(call.body("application/json", body.to_string()))
    }

    /// A call that uploads a file: its body and the body's type are the caller's.
    pub(super) fn upload(&self) -> HttpCall {
        let url = self.url(&[&self.phone_number_id, "media"]);
        self.authorized(HttpCall::new("WhatsApp upload", Method::POST, url))
    }

    /// A call that asks where a file is.
    pub(super) fn ask_media(&self, id: &str) -> HttpCall {
        self.authorized(HttpCall::new("WhatsApp media address", Method::GET, self.url(&[id])))
    }

    /// A call that fetches a file from an address that the caller has checked.
    pub(super) fn fetch_media(&self, url: Url) -> HttpCall {
        self.authorized(HttpCall::new("WhatsApp media", Method::GET, url))
    }

    fn authorized(&self, mut call: HttpCall) -> HttpCall {
        call.headers.insert(header::AUTHORIZATION, self.authorization.clone());
        call.header(header::USER_AGENT, USER_AGENT)
    }
}
