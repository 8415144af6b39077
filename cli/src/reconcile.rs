//! `connector reconcile`: invokes the function that finds in LiveEngage's history what webhooks have lost.

use std::path::PathBuf;

use aws_config::retry::RetryConfig;
use aws_sdk_lambda::{Client, config::StalledStreamProtectionConfig, primitives::Blob};
use clap::Args;
use connector::app::{reconcile::WINDOW, replay::OLDEST};
use connector_aws::error_code;
use connector_message::code::Code;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde_json::{Value, json};

use crate::{
    aws_failure::{AwsError, Service},
    lab_names,
    output::{Report, seconds, table},
    stack_outputs,
    target::{load_sdk, sdk_for},
};

/// The stack output with the function's name.
const FUNCTION_OUTPUT: &str = "ReconcileFunctionName";

#[derive(Debug, Args)]
pub(crate) struct ReconcileArguments {
    /// Compare the conversations that are open or were closed since this time, and what was published in them since
    /// then: a time such as 2026-11-30T08:00:00Z, or how long ago, such as 6h or 2d. Default: the last day.
    #[arg(long, value_name = "TIME_OR_DURATION", value_parser = Since::parse)]
    since: Option<Since>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// A file with the stack outputs, or `-` for standard input: the output of
    /// `aws cloudformation describe-stacks --stack-name NAME` or
    /// `sam list stack-outputs --stack-name NAME --output json`. It names the function.
    #[arg(long, value_name = "FILE", help_heading = "Which deployment")]
    stack_outputs: Option<PathBuf>,
    /// The function, instead of the stack output ReconcileFunctionName.
    #[arg(long, value_name = "NAME", help_heading = "Which deployment")]
    function: Option<String>,
    /// The AWS region. Default: the region of the environment or the profile.
    #[arg(long, help_heading = "Which deployment")]
    region: Option<String>,
    /// The Lambda address of a running lab, for example http://127.0.0.1:4200. The lab's function needs no other option.
    #[arg(long, value_name = "URL", help_heading = "Which deployment")]
    lambda_endpoint: Option<String>,
}

/// Since when conversations are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    At(Timestamp),
    Ago(SignedDuration),
}

impl Since {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let span = text.parse::<Span>().ok();
        let ago = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
        match ago {
            Some(ago) if ago > SignedDuration::ZERO => Ok(Self::Ago(ago)),
            _ => Err("must be a time such as 2026-11-30T08:00:00Z, or how long ago, such as 90m, 6h or 2d".to_owned()),
        }
    }

    /// # Errors
    /// A message for the operator for a time in the future, or beyond the calendar.
    fn at(self, now: Timestamp) -> Result<Timestamp, String> {
        let at = match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).map_err(|_| "--since is too long ago".to_owned())?,
        };
        if at > now { Err(format!("--since {} is in the future", seconds(at))) } else { Ok(at) }
    }
}

/// Why the function was not invoked.
#[derive(Debug)]
struct InvokeError {
    code: Code,
}

impl std::fmt::Display for InvokeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the function can't be invoked: {}", self.code)
    }
}

impl AwsError for InvokeError {
    fn code(&self) -> Option<&str> {
        Some(self.code.as_str())
    }
}

/// The answer of an invocation.
struct Invoked {
    /// Whether the payload describes an error of the function.
    failed: bool,
    payload: Value,
}

impl ReconcileArguments {
    /// Invokes the function, and waits for its answer.
    ///
    /// # Errors
    /// A message for the operator.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        let since = self.since.map(|since| since.at(now)).transpose()?;
        let event = match since {
            Some(since) => json!({ "since": since.to_string() }),
            None => json!({ "scope": "recent" }),
        };
        let invoked = self.invoke(&event).await?;
        let mut report = self.report(&invoked, since.unwrap_or(now - WINDOW))?;
        if since.is_some_and(|since| since < now - OLDEST) {
            let days = OLDEST.as_hours() / 24;
            report.warnings.push(format!(
                "The run looked back {days} days only: a message is recognized as delivered for not much longer, so older ones could arrive twice."
            ));
        }
        Ok(report)
    }

    fn function(&self) -> Result<String, String> {
        match (&self.function, &self.stack_outputs, &self.lambda_endpoint) {
            (Some(name), ..) => Ok(name.clone()),
            (None, Some(file), _) => {
                stack_outputs::find(&stack_outputs::read(file)?, FUNCTION_OUTPUT).map_err(|error| match error {
                    stack_outputs::StackOutputsError::Missing(_, keys) if !keys.is_empty() => format!(
                        "the stack has no output {FUNCTION_OUTPUT}: check that it is the connector's stack, and update it if its version is \
                         older than this program. Until then, give the function's name with --function"
                    ),
                    other => other.to_string(),
                })
            }
            (None, None, Some(_)) => Ok(lab_names::RECONCILE.to_owned()),
            (None, None, None) => {
                Err(format!("give --stack-outputs, or --function for the stack's output {FUNCTION_OUTPUT}"))
            }
        }
    }

    async fn invoke(&self, event: &Value) -> Result<Invoked, String> {
        let function = self.function()?;
        let sdk = sdk_for(&load_sdk(self.region.as_ref()).await?, self.lambda_endpoint.as_ref())?;
        // A repeated call would start another run beside the first. Until a run ends, its answer has no bytes: that is no stalled stream.
        let sdk = sdk
            .into_builder()
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        let payload = Blob::new(event.to_string());
        let answer = Client::new(&sdk).invoke().function_name(&function).payload(payload).send().await;
        let answer = answer.map_err(|error| {
            let error = InvokeError { code: error_code(&error) };
            explained(&error, &Service::new("Lambda", &sdk), &function)
        })?;
        let payload = answer.payload().map(|payload| serde_json::from_slice(payload.as_ref()).unwrap_or_default());
        Ok(Invoked { failed: answer.function_error().is_some(), payload: payload.unwrap_or_default() })
    }

    fn report(&self, invoked: &Invoked, since: Timestamp) -> Result<Report, String> {
        if invoked.failed {
            return Err(failure(&invoked.payload));
        }
        let accounts = invoked.payload.get("accounts").and_then(Value::as_array).ok_or(
            "the function's answer has no accounts: its version is older than that of this program. The run itself has ended without an \
             error; the function's log has its result (account.reconciled)",
        )?;
        let count = |account: &Value, field: &str| account.get(field).and_then(Value::as_u64).unwrap_or_default();
        let total = |field: &str| accounts.iter().map(|account| count(account, field)).sum::<u64>();
        let report = if self.json {
            Report::json(&invoked.payload)
        } else {
            let row = |account: &Value| {
                let id = account.get("account").and_then(Value::as_str).unwrap_or("-").to_owned();
                let [compared, missing, closed, failed, left] =
                    ["compared", "missing", "closed", "failed", "left"].map(|field| count(account, field).to_string());
                [id, compared, missing, closed, failed, left]
            };
            let heading = ["ACCOUNT", "COMPARED", "RECOVERED", "ENDS RECOVERED", "FAILED", "LEFT"];
            let rows: Vec<_> = accounts.iter().map(row).collect();
            Report::done(format!("Compared since {}:\n{}", seconds(since), table(heading, &rows)))
        };
        let mut warnings = Vec::new();
        if total("missing") + total("closed") > 0 {
            warnings.push(
                "What was recovered is in the queue, and is being delivered. Find out why webhooks were lost: check the endpoint and the \
                 retention time of the app install (`connector install diff`)."
                    .to_owned(),
            );
        }
        let (failed, left) = (total("failed"), total("left"));
        if failed > 0 {
            warnings.push(format!(
                "{failed} consumer(s) could not be compared. The function's log says why (conversation.not_compared). Run the command again."
            ));
        }
        if left > 0 {
            warnings.push(format!("{left} consumer(s) are left, because the time was over. Run the command again."));
        }
        Ok(Report { warnings, complete: failed + left == 0, ..report })
    }
}

/// The message for an invocation that AWS refused.
fn explained(error: &InvokeError, service: &Service, function: &str) -> String {
    match error.code.as_str() {
        "TooManyRequestsException" => format!(
            "{error}. Lambda throttles: the AWS account's concurrent executions are used up. Nothing was run. Try again in a minute."
        ),
        "ResourceNotFoundException" => format!(
            "{error}. The function {function} doesn't exist {}: check the name and the region. With Reconciliation=off it exists, too.",
            service.location()
        ),
        _ => service.failure(error, "lambda:InvokeFunction"),
    }
}

/// The message for a run that failed.
fn failure(payload: &Value) -> String {
    let text = |field: &str| payload.get(field).and_then(Value::as_str).unwrap_or_default();
    let (kind, why) = (text("errorType"), text("errorMessage"));
    let again = "What it had recovered before is in the queue. Run the command again: nothing is delivered twice";
    if kind == "Sandbox.Timedout" || why.contains("Task timed out") {
        return format!("the run took too long, and Lambda stopped it. {again}");
    }
    if kind == "UnknownReconcileEvent" {
        return format!(
            "the function doesn't know the event of this command ({why}): update the stack or this program"
        );
    }
    format!("the run failed ({kind}): {why}. {again}. The function's log has the details")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    fn parse(arguments: &[&str]) -> Result<ReconcileArguments, clap::Error> {
        match Cli::try_parse_from([&["connector", "reconcile"], arguments].concat())?.command {
            Some(Command::Reconcile(arguments)) => Ok(arguments),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn since_is_a_time_or_a_duration() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let since = |text: &str| parse(&["--since", text]).unwrap().since.unwrap().at(now).map(|at| at.to_string());
        for (text, at) in [
            ("2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z"),
            ("2026-11-30T10:00:00+02:00", "2026-11-30T08:00:00Z"),
            ("90m", "2026-11-30T10:30:00Z"),
            ("6h", "2026-11-30T06:00:00Z"),
            ("2d", "2026-11-28T12:00:00Z"),
            ("PT1H", "2026-11-30T11:00:00Z"),
        ] {
            assert_eq!(since(text).as_deref(), Ok(at), "{text}");
        }
        assert_eq!(since("2026-12-01T00:00:00Z"), Err("--since 2026-12-01T00:00:00Z is in the future".to_owned()));
        assert_eq!(since("7000000d").unwrap_err(), "--since is too long ago");
        for wrong in ["yesterday", "0h", "-6h", "6", "2026-11-30"] {
            assert!(
                parse(&[&format!("--since={wrong}")]).unwrap_err().to_string().contains("such as 90m, 6h or 2d"),
                "{wrong}"
            );
        }
    }

    fn report(failed: bool, payload: Value, json: bool) -> Result<Report, String> {
        let arguments = parse(if json { &["--json"] } else { &[] }).unwrap();
        arguments.report(&Invoked { failed, payload }, "2026-11-30T08:00:00Z".parse().unwrap())
    }

    #[test]
    fn the_report_counts_what_was_recovered_and_what_is_left() {
        let account = |failed: u64, left: u64| json!({"account": "72419083", "compared": 12, "missing": 3, "closed": 1, "failed": failed, "left": left});
        let good = report(false, json!({"accounts": [account(0, 0)]}), false).unwrap();
        assert_eq!(
            good.text,
            "Compared since 2026-11-30T08:00:00Z:\nACCOUNT   COMPARED  RECOVERED  ENDS RECOVERED  FAILED  LEFT\n72419083  12        3          \
             1               0       0\n"
        );
        assert!(good.complete && good.warnings.len() == 1 && good.warnings[0].contains("is in the queue"), "{good:?}");
        let partial = report(false, json!({"accounts": [account(2, 5)]}), false).unwrap();
        assert!(!partial.complete && partial.warnings.len() == 3, "{partial:?}");
        assert!(partial.warnings[1].starts_with("2 consumer(s)") && partial.warnings[2].starts_with("5 consumer(s)"));
        let printed = report(false, json!({"accounts": [account(0, 0)]}), true).unwrap().text;
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), json!({"accounts": [account(0, 0)]}));
        assert!(report(false, Value::Null, false).unwrap_err().contains("older than that of this program"));
    }

    #[test]
    fn a_failed_run_says_why() {
        let failed =
            |kind: &str, why: &str| report(true, json!({"errorType": kind, "errorMessage": why}), false).unwrap_err();
        assert!(failed("NotReconciled", "1 account(s) can't be reconciled: 7: x").starts_with(
            "the run failed (NotReconciled): 1 account(s) can't be reconciled: 7: x. What it had recovered"
        ));
        assert!(
            failed("", "2026-11-30T08:10:00Z a-b Task timed out after 600.00 seconds")
                .starts_with("the run took too long")
        );
        assert!(failed("UnknownReconcileEvent", "the event must be").contains("update the stack or this program"));
    }

    #[test]
    fn a_refusal_of_aws_says_what_to_do() {
        let sdk = aws_config::SdkConfig::builder().region(aws_config::Region::from_static("eu-west-1")).build();
        let message = |code: &str| {
            explained(&InvokeError { code: Code::of(code) }, &Service::new("Lambda", &sdk), "stack-reconcile")
        };
        assert!(message("TooManyRequestsException").contains("Try again in a minute"));
        assert!(message("ResourceNotFoundException").contains("stack-reconcile doesn't exist in eu-west-1"));
        assert!(message("AccessDeniedException").contains("lambda:InvokeFunction"));
    }

    #[test]
    fn the_function_is_named_by_the_stack_an_option_or_the_lab() {
        assert_eq!(parse(&["--function", "f"]).unwrap().function().as_deref(), Ok("f"));
        assert_eq!(parse(&["--lambda-endpoint", "http://127.0.0.1:1"]).unwrap().function().as_deref(), Ok("reconcile"));
        assert!(parse(&[]).unwrap().function().unwrap_err().contains("--stack-outputs, or --function"));
        let template = include_str!("../../template.yaml");
        assert!(template.contains(&format!("\n  {FUNCTION_OUTPUT}:\n")), "the stack has this output");
        let file = std::env::temp_dir().join(format!("connector-reconcile-{}.json", std::process::id()));
        let named = |outputs: Value| {
            std::fs::write(&file, outputs.to_string()).unwrap();
            parse(&["--stack-outputs", file.to_str().unwrap()]).unwrap().function()
        };
        let output = |key: &str| json!([{"OutputKey": key, "OutputValue": "stack-reconcile-1"}]);
        assert_eq!(named(output(FUNCTION_OUTPUT)).as_deref(), Ok("stack-reconcile-1"));
        assert!(named(output("TableName")).unwrap_err().contains("--function"));
        std::fs::remove_file(&file).unwrap();
    }
}
