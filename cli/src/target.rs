//! The deployment that a command targets: a stack or a lab.

use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use clap::Args;
use connector::app::redrive::QueueKind;

use crate::{
    aws_failure::{AwsError, Service},
    lab_names,
    stack_outputs::{self, IdList},
};

#[derive(Debug, Args)]
#[command(next_help_heading = "Which deployment")]
pub(crate) struct TargetArguments {
    /// A file with the stack outputs, or `-` for standard input: the output of
    /// `aws cloudformation describe-stacks --stack-name NAME` or
    /// `sam list stack-outputs --stack-name NAME --output json`. It names the table and the queues.
    #[arg(long, value_name = "FILE")]
    stack_outputs: Option<PathBuf>,
    /// The table, instead of the stack output TableName.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// The queue, instead of the stack output ToLiveEngageQueueUrl.
    #[arg(long, value_name = "URL")]
    to_liveengage_queue_url: Option<String>,
    /// The queue, instead of the stack output ToChannelQueueUrl.
    #[arg(long, value_name = "URL")]
    to_channel_queue_url: Option<String>,
    /// The queue, instead of the stack output ToLiveEngageDeadLetterQueueUrl.
    #[arg(long, value_name = "URL")]
    to_liveengage_dead_letter_queue_url: Option<String>,
    /// The queue, instead of the stack output ToChannelDeadLetterQueueUrl.
    #[arg(long, value_name = "URL")]
    to_channel_dead_letter_queue_url: Option<String>,
    /// The AWS region. Default: the region of the environment or the profile.
    #[arg(long)]
    region: Option<String>,
    /// The DynamoDB address of a running lab, for example http://127.0.0.1:8000. The lab's table and queues need no
    /// other option.
    #[arg(long, value_name = "URL")]
    dynamodb_endpoint: Option<String>,
    /// The SQS address of a running lab.
    #[arg(long, value_name = "URL")]
    sqs_endpoint: Option<String>,
}

/// A deployment.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    arguments: &'a TargetArguments,
    outputs: Option<Vec<u8>>,
    sdk: SdkConfig,
}

impl TargetArguments {
    /// Reads the stack outputs and sets up credentials. Makes no AWS call.
    ///
    /// # Errors
    /// A message for the operator if a file can't be read, or if the machine has no root certificates.
    pub(crate) async fn target(&self) -> Result<Target<'_>, String> {
        let outputs = self.stack_outputs.as_deref().map(stack_outputs::read).transpose()?;
        Ok(Target { arguments: self, outputs, sdk: load_sdk(self.region.as_ref()).await? })
    }
}

/// Region and credentials as the AWS CLI finds them.
///
/// # Errors
/// A message for the operator if the machine has no root certificates.
pub(crate) async fn load_sdk(region: Option<&String>) -> Result<SdkConfig, String> {
    let http_client = connector_aws::sdk_http_client().map_err(|error| error.to_string())?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client);
    if let Some(region) = region {
        loader = loader.region(Region::new(region.clone()));
    }
    Ok(loader.load().await)
}

/// The configuration for a service. A lab ignores signatures, but the SDK needs credentials to make one.
///
/// # Errors
/// A message for the operator if no region is set.
pub(crate) fn sdk_for(sdk: &SdkConfig, endpoint: Option<&String>) -> Result<SdkConfig, String> {
    match endpoint {
        Some(endpoint) => {
            let credentials = Credentials::new("AKIALABLABLABLABLAB0", "not-a-secret", None, None, "lab");
            let mut config = SdkConfig::builder();
            config.set_http_client(sdk.http_client());
            Ok(config
                .behavior_version(BehaviorVersion::v2026_01_12())
                .region(Region::from_static(lab_names::REGION))
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .endpoint_url(endpoint)
                .build())
        }
        None if sdk.region().is_none() => {
            Err("no AWS region is set: give --region, or set AWS_REGION or AWS_PROFILE".to_owned())
        }
        None => Ok(sdk.clone()),
    }
}

impl Target<'_> {
    pub(crate) fn dynamodb(&self) -> Result<aws_sdk_dynamodb::Client, String> {
        Ok(aws_sdk_dynamodb::Client::new(&sdk_for(&self.sdk, self.arguments.dynamodb_endpoint.as_ref())?))
    }

    pub(crate) fn sqs(&self) -> Result<aws_sdk_sqs::Client, String> {
        Ok(aws_sdk_sqs::Client::new(&sdk_for(&self.sdk, self.arguments.sqs_endpoint.as_ref())?))
    }

    /// The message for a failed call to DynamoDB that needs these rights.
    pub(crate) fn dynamodb_failure(&self, error: &impl AwsError, rights: &str) -> String {
        self.failure("DynamoDB", self.arguments.dynamodb_endpoint.as_ref(), error, rights)
    }

    /// The message for a failed call to SQS that needs these rights.
    pub(crate) fn sqs_failure(&self, error: &impl AwsError, rights: &str) -> String {
        self.failure("SQS", self.arguments.sqs_endpoint.as_ref(), error, rights)
    }

    fn failure(&self, service: &'static str, endpoint: Option<&String>, error: &impl AwsError, rights: &str) -> String {
        match sdk_for(&self.sdk, endpoint) {
            Ok(sdk) => Service::new(service, &sdk).failure(error, rights),
            // Without a region, no call was made.
            Err(_) => error.to_string(),
        }
    }

    /// A warning if an id is not in this list of the stack's parameters; `None` if it is, or if the parameters are
    /// unknown.
    pub(crate) fn unlisted(&self, list: IdList, id: &str) -> Option<String> {
        let stack = serde_json::from_slice(self.outputs.as_ref()?).ok()?;
        let known = list.without(&stack, id)?;
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Some(format!("The stack has no {} {id} ({}: {known}).", list.kind(), list.parameter()))
    }

    pub(crate) fn table(&self) -> Result<String, String> {
        let lab = self.arguments.dynamodb_endpoint.as_ref().map(|_| lab_names::TABLE.to_owned());
        self.name(self.arguments.table.as_ref(), lab, "--table", "TableName")
    }

    pub(crate) fn queue_url(&self, queue: QueueKind) -> Result<String, String> {
        let (given, name, option, output) = match queue {
            QueueKind::ToLiveEngage => (
                &self.arguments.to_liveengage_queue_url,
                lab_names::TO_LIVEENGAGE,
                "--to-liveengage-queue-url",
                "ToLiveEngageQueueUrl",
            ),
            QueueKind::ToChannel => (
                &self.arguments.to_channel_queue_url,
                lab_names::TO_CHANNEL,
                "--to-channel-queue-url",
                "ToChannelQueueUrl",
            ),
        };
        self.name(given.as_ref(), self.lab_queue(name), option, output)
    }

    pub(crate) fn dead_letter_queue_url(&self, queue: QueueKind) -> Result<String, String> {
        let (given, name, option, output) = match queue {
            QueueKind::ToLiveEngage => (
                &self.arguments.to_liveengage_dead_letter_queue_url,
                lab_names::TO_LIVEENGAGE_DEAD_LETTERS,
                "--to-liveengage-dead-letter-queue-url",
                "ToLiveEngageDeadLetterQueueUrl",
            ),
            QueueKind::ToChannel => (
                &self.arguments.to_channel_dead_letter_queue_url,
                lab_names::TO_CHANNEL_DEAD_LETTERS,
                "--to-channel-dead-letter-queue-url",
                "ToChannelDeadLetterQueueUrl",
            ),
        };
        self.name(given.as_ref(), self.lab_queue(name), option, output)
    }

    fn lab_queue(&self, name: &str) -> Option<String> {
        let endpoint = self.arguments.sqs_endpoint.as_ref()?;
        Some(format!("{}/{}/{name}", endpoint.trim_end_matches('/'), lab_names::ACCOUNT))
    }

    fn name(
        &self,
        given: Option<&String>,
        lab: Option<String>,
        option: &str,
        output: &'static str,
    ) -> Result<String, String> {
        match (given, &self.outputs, lab) {
            (Some(name), _, _) => Ok(name.clone()),
            (None, Some(json), _) => stack_outputs::find(json, output).map_err(|error| error.to_string()),
            (None, None, Some(name)) => Ok(name),
            (None, None, None) => Err(format!("give --stack-outputs, or {option} for the stack's output {output}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct TestCommand {
        #[command(flatten)]
        target: TargetArguments,
    }

    fn arguments(arguments: &[&str]) -> TargetArguments {
        TestCommand::try_parse_from([&["x"], arguments].concat()).unwrap().target
    }

    fn names(target: &Target<'_>) -> Vec<Result<String, String>> {
        let queues = [QueueKind::ToLiveEngage, QueueKind::ToChannel];
        let mut names = vec![target.table()];
        names.extend(queues.map(|queue| target.queue_url(queue)));
        names.extend(queues.map(|queue| target.dead_letter_queue_url(queue)));
        names
    }

    #[test]
    fn the_stack_outputs_name_the_table_and_the_queues() {
        let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
        let outputs = template.split("\nOutputs:\n").nth(1).unwrap();
        let keys = outputs.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
        let outputs: Vec<_> = keys.map(|key| json!({"OutputKey": key, "OutputValue": format!("the {key}")})).collect();
        let json = json!({"Stacks": [{"Outputs": outputs}]}).to_string().into_bytes();
        let arguments = arguments(&["--to-channel-queue-url", "https://sqs.example/given"]);
        let target = Target { arguments: &arguments, outputs: Some(json), sdk: SdkConfig::builder().build() };
        let wanted = [
            "the TableName",
            "the ToLiveEngageQueueUrl",
            "https://sqs.example/given",
            "the ToLiveEngageDeadLetterQueueUrl",
            "the ToChannelDeadLetterQueueUrl",
        ];
        assert_eq!(names(&target), wanted.map(|name| Ok(name.to_owned())));
    }

    #[test]
    fn a_missing_name_asks_for_its_option() {
        let arguments = arguments(&[]);
        let target = Target { arguments: &arguments, outputs: None, sdk: SdkConfig::builder().build() };
        for name in names(&target) {
            assert!(name.unwrap_err().starts_with("give --stack-outputs, or --t"));
        }
        assert!(target.sqs().unwrap_err().contains("region"));
    }
}
