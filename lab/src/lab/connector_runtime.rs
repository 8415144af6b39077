//! The connector's side of the lab: the AWS stand-ins, and the functions that use them.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use connector_aws::lambda::config;
use serde_json::Value;

use super::{FaultProxies, LabError, LabOptions};
use crate::{
    aws::{AwsStandInOptions, AwsStandIns, Endpoints, TO_CHANNEL, TO_LIVEENGAGE, authorization::Guard},
    faults::Hop,
    functions::{Functions, FunctionsOptions, WORKER_TIMEOUT},
    installation::{Installation, InstalledLine, PREFIX},
    journal::Journal,
};

/// The visibility timeout of the queues in the template: six times the workers' timeout, as AWS recommends.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(360);
/// The table's name.
const TABLE: &str = "connector-lab";

pub(super) struct ConnectorRuntime {
    pub(super) aws: AwsStandIns,
    pub(super) guard: Option<Guard>,
    /// The lab's own functions, unless they run elsewhere.
    pub(super) functions: Option<Functions>,
    /// The address that senders post to, without a trailing slash.
    pub(super) api_url: String,
    pub(super) environment: Vec<(&'static str, String)>,
}

impl ConnectorRuntime {
    pub(super) async fn start(
        options: &LabOptions,
        installation: &Installation,
        secrets: &[(String, Value)],
        fault_proxies: &FaultProxies,
        journal: &Journal,
    ) -> Result<Self, LabError> {
        let aws = start_aws(options).await?;
        for (name, secret) in secrets {
            aws.put_secret(name, &secret.to_string()).await?;
        }
        let endpoints = Endpoints {
            dynamodb: fault_proxies.of(Hop::Table, &aws.endpoints().dynamodb).await?,
            sqs: fault_proxies.of(Hop::Queue, &aws.endpoints().sqs).await?,
            secrets: aws.endpoints().secrets.clone(),
        };
        let environment = environment(installation, &aws, &endpoints);
        let guard = match &options.authorizer {
            None => None,
            Some(authorizer) => {
                Some(Guard::in_front_of(&endpoints, Arc::clone(authorizer)).await.map_err(LabError::Front)?)
            }
        };
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let (functions, api_url) = match &options.functions_elsewhere {
            Some(elsewhere) => (None, elsewhere.as_str().trim_end_matches('/').to_owned()),
            None => {
                let options = FunctionsOptions {
                    api_port: options.api_port,
                    lambda_port: options.lambda_port,
                    time_scale: options.time_scale.unwrap_or(NonZeroU16::MIN),
                    aws: guard.as_ref().map_or(endpoints, |guard| guard.endpoints().clone()),
                    fault_plan: options.fault_plan.clone(),
                };
                let functions = Functions::start(&aws, &variable, &options, journal).await?;
                let api_url = functions.api_url();
                (Some(functions), api_url)
            }
        };
        let api_url = fault_proxies.of(Hop::Api, &api_url).await?;
        Ok(Self { aws, guard, functions, api_url, environment })
    }
}

async fn start_aws(options: &LabOptions) -> Result<AwsStandIns, LabError> {
    // In a drill it is hardly longer than a function runs, so that the messages of a killed function return soon.
    let visibility_timeout = match options.time_scale {
        None => VISIBILITY_TIMEOUT,
        Some(time_scale) => WORKER_TIMEOUT / u32::from(time_scale.get()) + Duration::from_secs(1),
    };
    let aws = AwsStandIns::start(AwsStandInOptions {
        table_name: TABLE.to_owned(),
        dynamodb_port: options.dynamodb_port,
        sqs_port: options.sqs_port,
        secrets_port: options.secrets_port,
        visibility_timeout,
        shorten_waits_by: options.time_scale.unwrap_or(NonZeroU16::MIN),
        ..AwsStandInOptions::default()
    });
    Ok(aws.await?)
}

/// The variables that the functions need.
fn environment(installation: &Installation, aws: &AwsStandIns, endpoints: &Endpoints) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = installation.lines().iter().map(InstalledLine::id).collect();
    vec![
        (config::ACCOUNTS, installation.account_id().to_owned()),
        (config::LINES, lines.join(",")),
        (config::SECRET_PREFIX, PREFIX.to_owned()),
        (config::TABLE, TABLE.to_owned()),
        (config::TO_LIVEENGAGE_QUEUE_URL, aws.queue_url(TO_LIVEENGAGE)),
        (config::TO_CHANNEL_QUEUE_URL, aws.queue_url(TO_CHANNEL)),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoints.dynamodb.clone()),
        ("AWS_ENDPOINT_URL_SQS", endpoints.sqs.clone()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoints.secrets.clone()),
    ]
}
