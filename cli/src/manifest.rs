//! `connector manifest`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use connector_liveengage::manifest::manifest;
use serde_json::Value;

use crate::{print, stack_outputs};

#[derive(Debug, Args)]
pub(crate) struct ManifestArguments {
    #[command(flatten)]
    webhook: WebhookArguments,
    /// The name that agents see as the source of a conversation. It must be unique in the account.
    #[arg(long, default_value = "SMS connector")]
    name: String,
    /// The description of the app.
    #[arg(long, default_value = "Connects a messaging channel to LiveEngage")]
    description: String,
}

/// Where LiveEngage posts webhooks: one of the two options.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct WebhookArguments {
    /// The stack output LiveEngageWebhookUrl.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// A file with the stack outputs, or `-` for standard input: the output of
    /// `aws cloudformation describe-stacks --stack-name NAME` or
    /// `sam list stack-outputs --stack-name NAME --output json`.
    #[arg(long, value_name = "FILE")]
    stack_outputs: Option<PathBuf>,
}

impl WebhookArguments {
    fn url(&self) -> Result<String, String> {
        if let Some(url) = &self.webhook_url {
            return Ok(url.clone());
        }
        let path = self.stack_outputs.as_deref().unwrap_or(Path::new("-"));
        let json = stack_outputs::read(path)?;
        stack_outputs::find(&json, stack_outputs::WEBHOOK_OUTPUT).map_err(|error| error.to_string())
    }
}

/// The path of LiveEngage's webhook in the template.
const WEBHOOK_PATH: &str = "/webhooks/liveengage";

/// # Errors
/// A message for the operator: the address is missing, or it is not the webhook's. Any other address would answer 404,
/// and no webhook would arrive.
fn manifest_of(arguments: &ManifestArguments) -> Result<Value, String> {
    let url: url::Url =
        arguments.webhook.url()?.parse().map_err(|_| "the webhook's address is not a URL".to_owned())?;
    if !url.path().ends_with(WEBHOOK_PATH) {
        return Err(format!(
            "the webhook's address must end in {WEBHOOK_PATH}, as the stack's output LiveEngageWebhookUrl does"
        ));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("the webhook's address must have no query, fragment, user name or password".to_owned());
    }
    manifest(&url, &arguments.name, &arguments.description).map_err(|error| error.to_string())
}

pub(crate) fn print_manifest(arguments: &ManifestArguments) -> ExitCode {
    match manifest_of(arguments) {
        Ok(manifest) => {
            print(&format!("{manifest:#}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Failed to create the manifest: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::Cli;

    #[test]
    fn the_manifest_needs_one_source_of_the_address() {
        Cli::command().debug_assert();
        let parse = |arguments: &[&str]| Cli::try_parse_from([&["connector", "manifest"], arguments].concat());
        assert!(parse(&["--webhook-url", "https://x.example/webhooks/liveengage"]).is_ok());
        assert!(parse(&["--stack-outputs", "-"]).is_ok());
        assert!(parse(&[]).is_err());
        assert!(parse(&["--webhook-url", "https://x.example", "--stack-outputs", "-"]).is_err());
    }

    #[test]
    fn the_manifest_requires_the_webhook_path() {
        let of = |url: &str| {
            let webhook = WebhookArguments { webhook_url: Some(url.to_owned()), stack_outputs: None };
            manifest_of(&ManifestArguments { webhook, name: "n".to_owned(), description: "d".to_owned() })
        };
        assert!(of("https://x.example/webhooks/liveengage").is_ok());
        for wrong in
            ["https://x.example", "https://x.example/channels/sms-main", "https://x.example/webhooks/liveengage/"]
        {
            assert!(of(wrong).unwrap_err().contains("must end in /webhooks/liveengage"), "{wrong}");
        }
        for wrong in [
            "https://x.example/webhooks/liveengage?stage=prod",
            "https://x.example/webhooks/liveengage?",
            "https://x.example/webhooks/liveengage#top",
            "https://me@x.example/webhooks/liveengage",
            "https://:word@x.example/webhooks/liveengage",
        ] {
            assert!(of(wrong).unwrap_err().contains("no query, fragment, user name or password"), "{wrong}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let webhook =
            WebhookArguments { webhook_url: None, stack_outputs: Some(PathBuf::from("no/such/outputs.json")) };
        assert!(webhook.url().unwrap_err().starts_with("no/such/outputs.json can't be read"));
    }
}
