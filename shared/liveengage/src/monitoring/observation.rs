//! What a call tells the Monitoring API about a consumer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use serde_with::skip_serializing_none;
use url::Url;

/// A consumer's identity in the brand's systems. `Debug` hides the subject.
#[derive(derive_more::Debug, Clone, PartialEq, Eq)]
pub struct VisitorIdentity {
    /// Who issued it (`iss`). `LivePerson` for an id of the connector.
    pub issuer: String,
    /// The consumer's id (`sub`), for a connector its `ext_consumer_id`. LivePerson asks for ids that nobody can guess or count up.
    #[debug("hidden")]
    pub subject: String,
    /// Whether the consumer is authenticated (`acr`).
    pub assurance: Assurance,
}

impl VisitorIdentity {
    /// An authenticated consumer, with LivePerson as the issuer.
    pub fn authenticated(subject: impl Into<String>) -> Self {
        Self { issuer: "LivePerson".to_owned(), subject: subject.into(), assurance: Assurance::Authenticated }
    }

    fn json(&self) -> Value {
        let acr = match self.assurance {
            Assurance::Authenticated => "loa1",
            Assurance::Unauthenticated => "0",
        };
        json!({"iss": self.issuer, "acr": acr, "sub": self.subject})
    }
}

/// Whether a consumer is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assurance {
    /// `loa1`.
    Authenticated,
    /// `0`.
    Unauthenticated,
}

/// Where a consumer came in. `Debug` hides it: it can be a phone number.
#[derive(derive_more::Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum EntryPoint {
    /// A section of a site or app: `sec://Sport`.
    #[debug("Section(hidden)")]
    Section(String),
    /// A phone number: `tel://4930000000`.
    #[debug("Phone(hidden)")]
    Phone(String),
    /// A page, by its URL.
    #[debug("Page(hidden)")]
    Page(Url),
    /// A language: `lang://English`.
    #[debug("Language(hidden)")]
    Language(String),
}

/// A text that is no entry point. Doesn't hold the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an entry point: `sec://SECTION`, `tel://NUMBER`, `lang://LANGUAGE`, or an http(s) URL")]
pub struct InvalidEntryPoint;

impl TryFrom<String> for EntryPoint {
    type Error = InvalidEntryPoint;

    /// Reads the form on the wire.
    fn try_from(text: String) -> Result<Self, InvalidEntryPoint> {
        let (scheme, rest) =
            text.split_once("://").filter(|(_, rest)| !rest.trim().is_empty()).ok_or(InvalidEntryPoint)?;
        match scheme {
            "sec" => Ok(Self::Section(rest.to_owned())),
            "tel" => Ok(Self::Phone(rest.to_owned())),
            "lang" => Ok(Self::Language(rest.to_owned())),
            "http" | "https" => text.parse().map(Self::Page).map_err(|_| InvalidEntryPoint),
            _ => Err(InvalidEntryPoint),
        }
    }
}

impl EntryPoint {
    fn text(&self) -> String {
        match self {
            Self::Section(name) => format!("sec://{name}"),
            Self::Phone(number) => format!("tel://{number}"),
            Self::Page(url) => url.to_string(),
            Self::Language(name) => format!("lang://{name}"),
        }
    }
}

/// The consumer's device. `Debug` hides the IP address.
#[skip_serializing_none]
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientProperties {
    /// The operating system, for example `MAC_OSX`.
    pub os_name: Option<String>,
    /// Its version.
    pub os_version: Option<String>,
    /// The version of the app.
    pub app_version: Option<String>,
    /// The kind of device, for example `MOBILE`.
    pub device_family: Option<String>,
    /// The IP address.
    #[debug("hidden")]
    pub ip_address: Option<String>,
}

/// How an engagement was shown, and how the consumer reacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impression {
    /// What happened.
    pub kind: ImpressionKind,
    /// The campaign's id.
    pub campaign_id: i64,
    /// The engagement's id.
    pub engagement_id: i64,
    /// The engagement's revision.
    pub revision: i64,
    /// The context of the engagement. Documented for [`ImpressionKind::Display`] and [`ImpressionKind::Accept`].
    pub context_id: Option<String>,
}

/// The kinds of impressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImpressionKind {
    /// The engagement was shown: `impDisplay`.
    Display,
    /// The consumer accepted it: `impAccept`.
    Accept,
    /// The consumer opened it: `impExpanded`.
    Expanded,
    /// The consumer closed it: `impClose`.
    Close,
    /// It was shown for too long: `impTimeout`.
    Timeout,
}

impl ImpressionKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Display => "impDisplay",
            Self::Accept => "impAccept",
            Self::Expanded => "impExpanded",
            Self::Close => "impClose",
            Self::Timeout => "impTimeout",
        }
    }
}

impl Impression {
    fn json(&self) -> Value {
        let mut impression = json!({
            "type": self.kind.name(), "campaign": self.campaign_id, "engId": self.engagement_id, "revision": self.revision,
        });
        if let (Some(id), Some(impression)) = (&self.context_id, impression.as_object_mut()) {
            impression.insert("eContext".to_owned(), json!([{"type": "engagementContext", "id": id}]));
        }
        impression
    }
}

/// What is known of a consumer at the time of a call. `Debug` hides the attributes.
#[derive(derive_more::Debug, Clone, Default, PartialEq)]
pub struct Observation {
    /// The identities. The older field `consumerId` is not sent.
    pub identities: Vec<VisitorIdentity>,
    /// Where the consumer came in.
    pub entry_points: Vec<EntryPoint>,
    /// Engagement attributes (SDEs), each an object with a `type`, such as `personal` or `purchase`.
    #[debug("{} hidden", attributes.len())]
    pub attributes: Vec<Value>,
    /// Impressions. They are sent with the attributes, and are for reports.
    pub impressions: Vec<Impression>,
    /// The page of the engagement that a report is about.
    pub page_id: Option<String>,
}

impl Observation {
    pub(super) fn engagement_body(&self, client: Option<&ClientProperties>) -> Value {
        let mut body = self.body();
        if let Some(client) = client {
            body.insert("clientProperties".to_owned(), json!(client));
        }
        Value::Object(body)
    }

    pub(super) fn report_body(&self) -> Value {
        let mut body = self.body();
        if let Some(page_id) = &self.page_id {
            body.insert("pageId".to_owned(), json!(page_id));
        }
        Value::Object(body)
    }

    /// Leaves out empty lists.
    fn body(&self) -> Map<String, Value> {
        let attributes = self.attributes.iter().cloned().chain(self.impressions.iter().map(Impression::json));
        let lists: [(&str, Vec<Value>); 3] = [
            ("identities", self.identities.iter().map(VisitorIdentity::json).collect()),
            ("entryPoints", self.entry_points.iter().map(|point| point.text().into()).collect()),
            ("engagementAttributes", attributes.collect()),
        ];
        let filled = lists.into_iter().filter(|(_, list)| !list.is_empty());
        filled.map(|(name, list)| (name.to_owned(), Value::Array(list))).collect()
    }
}
