//! `connector channel`: connects the lines to their channels.

use clap::{Args, Subcommand};
use connector::{
    app::{secret_change::SecretOwner, settings::LineSettings},
    domain::id::LineId,
    port::Http,
};
use connector_aws::outgoing_http::{self, ReqwestHttp};
use connector_channels::{Line, Registration};
use connector_message::{
    http::{HttpCall, HttpFailure, HttpReply},
    id::InvalidId,
    settings::is_https_or_loopback,
};
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::{
    manifest::webhook_at,
    output::{Report, table},
    secret::target::SecretTargetArguments,
    stack_outputs,
};

/// The stack output with the address of the channels' webhooks.
const WEBHOOK_OUTPUT: &str = "ChannelWebhookUrl";

#[derive(Debug, Subcommand)]
pub(crate) enum ChannelCommand {
    /// Tell the channel of a line where to post what consumers write, as far as the channel has calls for it. Otherwise
    /// print what to do at the vendor. Without --yes it only prints the calls.
    Register(RegisterArguments),
}

impl ChannelCommand {
    /// # Errors
    /// A message for the operator.
    pub(crate) async fn run(&self) -> Result<Report, String> {
        match self {
            Self::Register(register) => register.run().await,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RegisterArguments {
    /// The line.
    #[arg(value_name = "LINE", value_parser = |text: &str| -> Result<LineId, InvalidId> { LineId::new(text) })]
    line: LineId,
    /// The address of the line's webhook, instead of the one in the stack output ChannelWebhookUrl.
    #[arg(long, value_name = "URL", help_heading = "What to do")]
    webhook_url: Option<String>,
    /// Make the calls.
    #[arg(long, help_heading = "What to do")]
    yes: bool,
    #[command(flatten)]
    target: SecretTargetArguments,
}

impl RegisterArguments {
    async fn run(&self) -> Result<Report, String> {
        let stack = self.target.stack()?;
        let webhook = self.webhook(stack.as_ref())?;
        let target = self.target.target_in(stack.as_ref(), &SecretOwner::Line(self.line.clone())).await?;
        let secret = target.existing().await?.current.value;
        let line = read(&self.line, &secret)?;
        let report = match line.registration(&webhook) {
            Registration::Manual { steps } => manual(&steps),
            Registration::Calls(calls) if !self.yes => planned(&calls),
            Registration::Calls(calls) => {
                let http = ReqwestHttp::new(outgoing_http::client().map_err(|error| error.to_string())?);
                make(&http, &*line, calls).await?
            }
        };
        Ok(Report { warnings: [target.warnings, report.warnings].concat(), ..report })
    }

    /// # Errors
    /// A message for the operator: there is no address, or the channel can't post to it.
    fn webhook(&self, stack: Option<&Value>) -> Result<Url, String> {
        let address = match (&self.webhook_url, stack) {
            (Some(url), _) => url.clone(),
            (None, Some(stack)) => stack_outputs::find_in(stack, WEBHOOK_OUTPUT)
                .map_err(|error| error.to_string())?
                .replace("{line}", self.line.as_str()),
            (None, None) => return Err("name the webhook's address: --webhook-url or --stack-outputs".to_owned()),
        };
        let url = webhook_at(&address, &format!("/channels/{}", self.line), WEBHOOK_OUTPUT)?;
        if !is_https_or_loopback(&url) {
            return Err("the webhook's address must be https: channels post to no other".to_owned());
        }
        Ok(url)
    }
}

fn read(line: &LineId, secret: &SecretString) -> Result<Box<dyn Line>, String> {
    let settings = LineSettings::read(line, secret).map_err(|error| {
        format!("the secret of line {line} is wrong: {error}. Correct it with `connector secret put`")
    })?;
    Ok(settings.line)
}

fn manual(steps: &[String]) -> Report {
    let steps: Vec<_> = (1..).zip(steps).map(|(number, step)| format!("{number}. {step}\n")).collect();
    Report::done(format!("This channel has no call for it. At the vendor:\n{}", steps.concat()))
}

/// A URL can contain a token, so only its host is shown.
fn planned(calls: &[HttpCall]) -> Report {
    let cells = |call: &HttpCall| {
        [call.name.to_owned(), call.method.to_string(), call.url.host_str().unwrap_or_default().to_owned()]
    };
    let rows: Vec<_> = calls.iter().map(cells).collect();
    let warnings = vec!["Nothing was changed. Add --yes to make these calls.".to_owned()];
    Report { warnings, ..Report::done(table(["CALL", "METHOD", "HOST"], &rows)) }
}

/// Makes the calls in order, and stops at the first that fails.
///
/// # Errors
/// A message for the operator. Every call can be repeated.
async fn make(http: &dyn Http, line: &dyn Line, calls: Vec<HttpCall>) -> Result<Report, String> {
    let mut done = Vec::new();
    for call in calls {
        let name = call.name;
        done.push(outcome(name, line, http.call(call).await)?);
    }
    Ok(Report::done(done.concat()))
}

fn outcome(name: &str, line: &dyn Line, reply: Result<HttpReply, HttpFailure>) -> Result<String, String> {
    let reply = reply.map_err(|failure| match failure {
        HttpFailure::NotSent => format!("{name}: the channel can't be reached. Nothing was changed by this call"),
        HttpFailure::Unanswered => format!("{name}: no answer. Run the command again: it changes nothing twice"),
    })?;
    line.registered(&reply).map_err(|failure| format!("{name}: {failure}"))?;
    Ok(format!("{name}: done.\n"))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::json;

    use super::*;

    fn secret() -> SecretString {
        let whatsapp = json!({
            "phone_number_id": "118240097715334", "business_account_id": "204871165530912", "access_token": "canary-token",
            "app_secret": "canary-app-secret", "verify_token": "canary-verify",
        });
        let secret = json!({
            "line_id": "whatsapp-main", "account_id": "7", "channel": "whatsapp", "consumer_id_key": "5c".repeat(32),
            "whatsapp": whatsapp,
        });
        SecretString::from(secret.to_string())
    }

    fn calls() -> (Box<dyn Line>, Vec<HttpCall>) {
        let line = read(&LineId::new("whatsapp-main").unwrap(), &secret()).unwrap();
        let webhook = "https://x.example/channels/whatsapp-main".parse().unwrap();
        let Registration::Calls(calls) = line.registration(&webhook) else { panic!("calls") };
        (line, calls)
    }

    #[test]
    fn an_outcome_says_what_to_do_and_shows_no_secret() {
        let (line, _) = calls();
        let reply = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            outcome(
                "WhatsApp webhook",
                &*line,
                Ok(HttpReply { status, retry_after: None, body: body.to_owned().into() }),
            )
        };
        assert_eq!(reply(200, r#"{"success":true}"#), Ok("WhatsApp webhook: done.\n".to_owned()));
        for (status, body, said) in [
            (401, r#"{"error":{"code":190,"message":"canary"}}"#, "check the line's secret"),
            (503, "canary", "asks for a later attempt"),
            (400, r#"{"error":{"code":2200,"message":"canary"}}"#, "code 2200"),
        ] {
            let error = reply(status, body).unwrap_err();
            assert!(error.contains(said) && !error.contains("canary"), "{error}");
        }
        assert!(outcome("x", &*line, Err(HttpFailure::Unanswered)).unwrap_err().contains("Run the command again"));
    }

    #[test]
    fn a_plan_shows_neither_paths_nor_secrets() {
        let shown = planned(&calls().1).text;
        assert!(shown.contains("graph.facebook.com") && !shown.contains("118240097715334"), "{shown}");
    }

    #[test]
    fn the_address_must_be_that_of_the_line() {
        let stack = json!([{"OutputKey": WEBHOOK_OUTPUT, "OutputValue": "https://x.example/channels/{line}"}]);
        let arguments = |url: Option<&str>| {
            let mut words = vec!["connector", "sms-main"];
            words.extend(url.iter().flat_map(|url| ["--webhook-url", url]));
            #[derive(clap::Parser)]
            struct Only {
                #[command(flatten)]
                arguments: RegisterArguments,
            }
            <Only as clap::Parser>::parse_from(words).arguments
        };
        assert_eq!(arguments(None).webhook(Some(&stack)).unwrap().as_str(), "https://x.example/channels/sms-main");
        assert!(arguments(None).webhook(None).is_err());
        let own = "https://y.example/prod/channels/sms-main";
        assert_eq!(arguments(Some(own)).webhook(None).unwrap().as_str(), own);
        for wrong in [
            "https://y.example/channels/other",
            "http://y.example/channels/sms-main",
            "https://y.example/channels/sms-main?key=1",
            "https://user@y.example/channels/sms-main",
        ] {
            assert!(arguments(Some(wrong)).webhook(None).is_err(), "{wrong}");
        }
    }
}
