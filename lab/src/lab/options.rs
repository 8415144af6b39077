//! The options of the lab.

use std::{collections::BTreeMap, num::NonZeroU16, sync::Arc};

use serde_json::Value;
use url::Url;

use crate::{
    aws::authorization::Authorizer,
    faults::FaultPlan,
    installation::Installation,
    liveengage::{Forms, SignatureForm, SurveyOptions, WebhookSettings},
};

/// The options of the lab. Every port is on 127.0.0.1; 0 chooses a free port.
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    /// The port of the page.
    pub page_port: u16,
    /// The port of the API that LiveEngage and the gateway post to.
    pub api_port: u16,
    /// The port of the LiveEngage simulator.
    pub liveengage_port: u16,
    /// The webhooks of another connector's manifest; `None` for all events to one address.
    pub liveengage_webhooks: Option<WebhookSettings>,
    /// How LiveEngage signs its webhooks.
    pub webhook_signature: SignatureForm,
    /// The port of the LiveEngage simulator over TLS, beside plain HTTP; `None` for plain HTTP only.
    pub liveengage_tls_port: Option<u16>,
    /// The ports of the channels' simulators, by channel name. A missing channel gets a free port.
    pub channel_ports: BTreeMap<&'static str, u16>,
    /// The port of DynamoDB.
    pub dynamodb_port: u16,
    /// The port of SQS.
    pub sqs_port: u16,
    /// The port of Secrets Manager.
    pub secrets_port: u16,
    /// The port of Lambda's Invoke API; 0 for a free port.
    pub lambda_port: u16,
    /// Whether LiveEngage's webhooks are attempted before its answers are sent.
    pub webhooks_before_response: bool,
    /// The account's survey after a conversation.
    pub survey: Option<SurveyOptions>,
    /// Whether the account and its lines accept documents in addition to pictures.
    pub documents: bool,
    /// The controller's message at the start of a conversation, for clients that declare support for it.
    pub auto_messages: Option<String>,
    /// The documented payload forms that LiveEngage uses.
    pub forms: Forms,
    /// The factor by which the workers' timeout and the delays between attempts are shorter than in the template, for a
    /// drill; `None` for the template's.
    pub time_scale: Option<NonZeroU16>,
    /// The faults of the functions and their calls. They start when the plan is started.
    pub fault_plan: Option<FaultPlan>,
    /// Decides what each function may do on AWS, by its name in the template; `None` allows everything.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// Additional fields for the secrets of all lines, an object. They replace the lab's own.
    pub line_settings: Value,
    /// The account and the lines; `None` for the lab's own with new secrets.
    pub installation: Option<Installation>,
    /// The address of functions that run outside the lab; `None` for the lab's own. With an address, the lab has no
    /// workers and no schedule, and webhooks wait until there is an answer.
    pub functions_elsewhere: Option<Url>,
    /// The address that LiveEngage posts webhooks to, for example a tunnel or a proxy in front of the functions; `None`
    /// for the functions themselves.
    pub liveengage_webhook: Option<Url>,
}
