//! Builds the connector's request from the values of a documented one.

use connector_liveengage::{
    files::{self, FileType, HostedFile, RelativePath},
    id::{AccountId, ConversationId, DialogId, ExtConsumerId, Sequence, VisitorId, VisitorSessionId},
    identity::ConsumerToken,
    idp,
    messaging::{
        self, AcceptStatus, Campaign, ChatState, ClientProperties, Close, Credentials, CustomerSatisfaction, DialogRef,
        Event, Feature, Interaction, Publication, Routing, SatisfactionRate, SatisfactionStatus, TimeToRespond,
    },
    sentinel::AppJwt,
};
use connector_message::{MessageText, http::HttpCall};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use super::profiles::profile;

/// The values that every call needs.
struct Caller {
    account: AccountId,
    app_jwt: AppJwt,
    consumer: ConsumerToken,
    client_properties: ClientProperties,
}

impl Caller {
    fn new(account: &str) -> Self {
        Self {
            account: AccountId::new(account).unwrap(),
            app_jwt: AppJwt::new("app.jwt.x", Timestamp::UNIX_EPOCH),
            consumer: ConsumerToken::new("consumer.jws.y"),
            client_properties: ClientProperties::new(&Feature::ALL),
        }
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            account: &self.account,
            app_jwt: &self.app_jwt,
            consumer: &self.consumer,
            client_properties: &self.client_properties,
        }
    }
}

const ACCOUNT: &str = "le72419083";
const REQUEST: &str = "5a0c7c1e-9f0b-4c52-8a7e-3f1f5c0a9b11";

fn host() -> Url {
    "https://va.host.liveperson.net".parse().unwrap()
}

fn json(call: &HttpCall) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

/// Returns a string, or the digits of a number.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Returns the path and the body of the connector's request.
pub(super) fn rebuild(documented: &Value) -> Result<(String, Value), String> {
    let call = call(documented)?;
    let path = call.url.path().to_owned();
    let mut body = json(&call);
    // A request over a websocket has no profile before the conversation.
    if documented.is_object() && body.is_array() {
        body = body[1].take();
    }
    Ok((path, body))
}

fn call(documented: &Value) -> Result<HttpCall, String> {
    if let Some(consumer) = documented.get("ext_consumer_id").and_then(Value::as_str) {
        let caller = Caller::new(ACCOUNT);
        let consumer = ExtConsumerId::new(consumer).map_err(|error| error.to_string())?;
        return idp::request(&host(), &caller.account, &caller.app_jwt, &consumer).map_err(|error| error.to_string());
    }
    let sent = |call: Result<HttpCall, connector_liveengage::LiveEngageError>| call.map_err(|error| error.to_string());
    if let Some([profile_request, conversation, ..]) = documented.as_array().map(Vec::as_slice) {
        return open(&profile_request["body"], &conversation["body"]);
    }
    let caller = Caller::new(ACCOUNT);
    let credentials = caller.credentials();
    let body = &documented["body"];
    let kind = documented["type"].as_str().unwrap_or_default();
    match kind.trim_start_matches('.').trim_start_matches("ams.") {
        "ms.PublishEvent" => publish(&caller, documented),
        "cm.UpdateConversationField" => update(&caller, body),
        "cm.ConsumerRequestConversation" => open(&Value::Null, body),
        "userprofile.SetUserProfile" => sent(messaging::profile_request(&host(), credentials, REQUEST, &profile(body))),
        "ms.GenerateURLForUploadFile" => {
            let size = text(&body["fileSize"]).and_then(|size| size.parse().ok()).ok_or("no fileSize")?;
            let file_type = FileType::from_name(body["fileType"].as_str().ok_or("no fileType")?);
            sent(files::upload_url_request(&host(), credentials, REQUEST, size, &file_type))
        }
        "ms.GenerateURLForDownloadFile" => {
            let path = body["relativePath"].as_str().ok_or("no relativePath")?;
            let path = RelativePath::new(path).map_err(|error| error.to_string())?;
            sent(files::download_url_request(&host(), credentials, REQUEST, &path))
        }
        kind => Err(format!("the connector has no request of type `{kind}`")),
    }
}

fn open(profile_body: &Value, body: &Value) -> Result<HttpCall, String> {
    let caller = Caller::new(body["brandId"].as_str().unwrap_or(ACCOUNT));
    let campaign = body.get("campaignInfo").and_then(|info| {
        Some(Campaign { campaign_id: text(&info["campaignId"])?, engagement_id: text(&info["engagementId"])? })
    });
    let routing = Routing {
        skill_id: text(&body["skillId"]),
        campaign,
        ttr: match body["ttrDefName"].as_str() {
            Some("NORMAL") => Some(TimeToRespond::Normal),
            Some("URGENT") => Some(TimeToRespond::Urgent),
            Some("PRIORITIZED") => Some(TimeToRespond::Prioritized),
            _ => None,
        },
        language: body.pointer("/conversationContext/lang").and_then(text),
        interaction: body.get("conversationContext").and_then(interaction),
    };
    messaging::open_request(&host(), caller.credentials(), REQUEST, &routing, &profile(profile_body))
        .map_err(|error| error.to_string())
}

/// The samples with empty ids have none.
fn interaction(context: &Value) -> Option<Interaction> {
    let id = |name: &str| context.get(name).and_then(text).filter(|id| !id.is_empty());
    Some(Interaction {
        visitor: VisitorId::new(id("visitorId")?).ok()?,
        session: id("sessionId").and_then(|id| VisitorSessionId::new(id).ok()),
        context_id: id("interactionContextId"),
    })
}

fn publish(caller: &Caller, documented: &Value) -> Result<HttpCall, String> {
    let body = &documented["body"];
    let dialog = DialogId::new(body["dialogId"].as_str().ok_or("no dialogId")?).map_err(|error| error.to_string())?;
    let conversation = body["conversationId"].as_str().unwrap_or(dialog.as_str());
    let conversation = ConversationId::new(conversation).map_err(|error| error.to_string())?;
    let event = &body["event"];
    let word = |key: &str| event[key].as_str().unwrap_or_default();
    let file;
    let sequences: Vec<Sequence>;
    let event = match (word("type"), word("contentType")) {
        ("ContentEvent", "text/plain") => Event::Text(word("message")),
        ("ContentEvent", "hosted/file") => {
            file = hosted_file(&event["message"])?;
            Event::File(&file)
        }
        ("AcceptStatusEvent", _) => {
            let list = event["sequenceList"].as_array().ok_or("no sequenceList")?;
            sequences = list.iter().filter_map(Value::as_u64).map(Sequence).collect();
            Event::Status(AcceptStatus::from_name(word("status")).ok_or("an unknown status")?, &sequences)
        }
        ("ChatStateEvent", _) => {
            Event::ChatState(ChatState::from_name(word("chatState")).ok_or("an unknown chat state")?)
        }
        (kind, content) => return Err(format!("a consumer doesn't publish {kind} {content}")),
    };
    let place = DialogRef { conversation: conversation.clone(), dialog: dialog.clone() };
    messaging::publish_request(
        &host(),
        caller.credentials(),
        REQUEST,
        &place,
        Publication { event, metadata: documented.get("metadata") },
    )
    .map_err(|error| error.to_string())
}

fn hosted_file(message: &Value) -> Result<HostedFile, String> {
    let path = message["relativePath"].as_str().ok_or("no relativePath")?;
    Ok(HostedFile {
        relative_path: RelativePath::new(path).map_err(|error| error.to_string())?,
        file_type: FileType::from_name(message["fileType"].as_str().ok_or("no fileType")?),
        caption: message["caption"].as_str().map(MessageText::new),
    })
}

fn update(caller: &Caller, body: &Value) -> Result<HttpCall, String> {
    let conversation = body["conversationId"].as_str().ok_or("no conversationId")?;
    let conversation = ConversationId::new(conversation).map_err(|error| error.to_string())?;
    let field = match &body["conversationField"] {
        Value::Array(fields) => fields.first().ok_or("no field")?,
        field => field,
    };
    let credentials = caller.credentials();
    let call = match field["field"].as_str().unwrap_or_default() {
        "ConversationStateField" | "Stage" => {
            messaging::close_request(&host(), credentials, REQUEST, &conversation, Close::Conversation)
        }
        "DialogChange" => {
            let dialog = field.pointer("/dialog/dialogId").and_then(Value::as_str).ok_or("no dialogId")?;
            let dialog = DialogId::new(dialog).map_err(|error| error.to_string())?;
            messaging::close_request(&host(), credentials, REQUEST, &conversation, Close::MainDialog(&dialog))
        }
        "CSATRate" => {
            let rate = field["csatRate"].as_u64().and_then(|rate| u8::try_from(rate).ok());
            let satisfaction = CustomerSatisfaction {
                rate: rate.and_then(SatisfactionRate::new),
                resolved: field["csatResolutionConfirmation"].as_bool(),
                status: match field["status"].as_str() {
                    Some("FILLED") => SatisfactionStatus::Filled,
                    Some("PARTIALLY_FILLED") => SatisfactionStatus::PartiallyFilled,
                    Some("SKIPPED") => SatisfactionStatus::Skipped,
                    _ => return Err("an unknown status of satisfaction".to_owned()),
                },
            };
            messaging::satisfaction_request(&host(), credentials, REQUEST, &conversation, &satisfaction)
        }
        field => return Err(format!("the connector doesn't change the field `{field}`")),
    };
    call.map_err(|error| error.to_string())
}

/// Returns the connector's request with this metadata beside its body.
pub(super) fn with_metadata(metadata: &Value) -> Value {
    let caller = Caller::new(ACCOUNT);
    let conversation = ConversationId::new("c1").unwrap();
    let dialog = DialogId::main_of(&conversation);
    let place = DialogRef { conversation: conversation.clone(), dialog: dialog.clone() };
    let event = Event::Text("chosen");
    json(
        &messaging::publish_request(
            &host(),
            caller.credentials(),
            REQUEST,
            &place,
            Publication { event, metadata: Some(metadata) },
        )
        .unwrap(),
    )
}
