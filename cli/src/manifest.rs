//! `connector manifest`.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use connector_channels::Channel;
use connector_liveengage::manifest::{Indications, ManifestError, manifest};
use serde_json::Value;
use url::Url;

use crate::{print, stack_outputs};

/// The name of an app without another one.
pub(crate) const NAME: &str = "SMS connector";

/// The description of an app without another one.
pub(crate) const DESCRIPTION: &str = "Connects a messaging channel to LiveEngage";

#[derive(Debug, Args)]
pub(crate) struct ManifestArguments {
    #[command(flatten)]
    webhook: WebhookArguments,
    /// The name that agents see as the source of a conversation. It must be unique in the account.
    #[arg(long, default_value = NAME)]
    name: String,
    /// The description of the app.
    #[arg(long, default_value = DESCRIPTION)]
    description: String,
    /// A channel of the lines; repeat it for each. LiveEngage then sends typing and read marks only if one of them shows these. Without this
    /// option it sends both.
    #[arg(long = "channel", value_name = "CHANNEL", value_parser = channel)]
    channels: Vec<&'static dyn Channel>,
}

/// Parses the name of a channel.
///
/// # Errors
/// The names of all channels.
pub(crate) fn channel(name: &str) -> Result<&'static dyn Channel, String> {
    let names = || connector_channels::ALL.iter().map(|channel| channel.name()).collect::<Vec<_>>().join(", ");
    connector_channels::by_name(name).ok_or_else(|| format!("the channels are {}", names()))
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

/// Parses the webhook's address.
///
/// # Errors
/// A message for the operator: it is not the webhook's address. Any other address would answer 404, and no webhook would arrive.
pub(crate) fn webhook(address: &str) -> Result<Url, String> {
    webhook_at(address, WEBHOOK_PATH, stack_outputs::WEBHOOK_OUTPUT)
}

/// Parses the address of a webhook with this path, which is in this output of the stack.
///
/// # Errors
/// As [`webhook`].
pub(crate) fn webhook_at(address: &str, path: &str, output: &str) -> Result<Url, String> {
    let url: Url = address.parse().map_err(|_| "the webhook's address is not a URL".to_owned())?;
    if !url.path().ends_with(path) {
        return Err(format!("the webhook's address must end in {path}, as the stack's output {output} does"));
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("the webhook's address must have no query, fragment, user name or password".to_owned());
    }
    Ok(url)
}

/// # Errors
/// A message for the operator: the webhook's address is missing, or LivePerson can't post to it.
fn manifest_of(arguments: &ManifestArguments) -> Result<Value, String> {
    let url = webhook(&arguments.webhook.url()?)?;
    if url.scheme() != "https" {
        return Err(ManifestError::NotHttps.to_string());
    }
    manifest(&url, &arguments.name, &arguments.description, indications(&arguments.channels))
        .map_err(|error| error.to_string())
}

/// Which of the agents' indications these channels show. Without channels: all.
pub(crate) fn indications(channels: &[&dyn Channel]) -> Indications {
    let shown = |by: fn(&dyn Channel) -> bool| channels.is_empty() || channels.iter().any(|channel| by(*channel));
    Indications {
        typing: shown(|channel| channel.shows_typing()),
        read_marks: shown(|channel| channel.shows_read_marks()),
    }
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
            let (name, description) = ("n".to_owned(), "d".to_owned());
            manifest_of(&ManifestArguments { webhook, name, description, channels: vec![] })
        };
        assert!(of("https://x.example/webhooks/liveengage").is_ok());
        assert!(
            of("http://127.0.0.1:80/webhooks/liveengage").unwrap_err().contains("https"),
            "LivePerson can't post there"
        );
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
    fn typing_and_read_marks_are_sent_if_a_channel_shows_them() {
        let events = |channels: &[&str]| {
            let url = ["--webhook-url", "https://x.example/webhooks/liveengage"];
            let channels = channels.iter().flat_map(|channel| ["--channel", *channel]);
            let command =
                Cli::try_parse_from(["connector", "manifest"].into_iter().chain(url).chain(channels)).unwrap();
            let crate::Command::Manifest(arguments) = command.command.unwrap() else { panic!("another command") };
            let manifest = manifest_of(&arguments).unwrap();
            let webhooks = manifest["capabilities"]["webhooks"].as_object().unwrap();
            webhooks.keys().filter(|key| key.contains("ChatState") || key.contains("AcceptStatus")).count()
        };
        assert_eq!(events(&["sms"]), 0);
        for all in [&[] as &[_], &["whatsapp"], &["sms", "whatsapp"]] {
            assert_eq!(events(all), 2, "{all:?}");
        }
    }

    #[test]
    fn an_unknown_channel_is_refused_with_the_names_of_all() {
        let parsed = Cli::try_parse_from([
            "connector",
            "manifest",
            "--webhook-url",
            "https://x.example/webhooks/liveengage",
            "--channel",
            "fax",
        ]);
        assert!(parsed.unwrap_err().to_string().contains("the channels are sms, whatsapp"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let webhook =
            WebhookArguments { webhook_url: None, stack_outputs: Some(PathBuf::from("no/such/outputs.json")) };
        assert!(webhook.url().unwrap_err().starts_with("no/such/outputs.json can't be read"));
    }
}
