//! The operator's binary. Without arguments it starts the lab.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use connector::{
    liveengage::manifest::manifest,
    port::{Clock as _, SystemClock},
};
use connector_lab::{Installation, Lab, LabOptions, headless};
use serde_json::{Map, Value, json};
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

mod aws_failure;
mod dead_letters;
mod drill;
mod events;
mod output;
mod parked;
mod secret;
mod selection;
mod stack_outputs;
mod target;

/// LiveEngage connector: the lab on this machine.
#[derive(Debug, Parser)]
#[command(name = "connector", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: simulators, AWS stand-ins, the five functions, and a page to try them. The default.
    Lab(LabArguments),
    /// Run the functions while everything around them goes wrong, and count what is lost, doubled or out of order: exits 1 if
    /// anything is.
    Drill(drill::DrillArguments),
    /// Make recorded events fresh.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Print the manifest of the app install, for LivePerson: where the webhooks go and what the connector may do.
    Manifest(ManifestArguments),
    /// List, show, send again or delete the messages that the connector has given up and kept in its table.
    #[command(subcommand)]
    Parked(parked::ParkedCommand),
    /// List, show or send again the messages that its queues have given up.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLettersCommand),
    /// Check, store and show the secret of an account or a line.
    #[command(subcommand)]
    Secret(secret::SecretCommand),
}

#[derive(Debug, Args)]
struct ManifestArguments {
    #[command(flatten)]
    webhook: WebhookArguments,
    /// What agents see as the source of a conversation; unique in the account.
    #[arg(long, default_value = "SMS connector")]
    name: String,
    /// What the app is for.
    #[arg(long, default_value = "Connects a messaging channel to LiveEngage")]
    description: String,
}

/// Where LiveEngage's webhooks go: one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct WebhookArguments {
    /// The stack's output LiveEngageWebhookUrl.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// A file with the stack's outputs, or `-` for standard input: what `aws cloudformation describe-stacks --stack-name NAME` or
    /// `sam list stack-outputs --stack-name NAME --output json` prints.
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

#[derive(Debug, Default, Args)]
struct LabArguments {
    /// Play a scripted conversation, print both sides, and exit: 0 only if both show what they should.
    #[arg(long)]
    headless: bool,
    /// Leave the functions, their event source mappings and the schedule to somebody else, for example to `sam local`: webhooks go to
    /// this address. Prints the functions' environment in the form of sam's --env-vars.
    #[arg(long, value_name = "URL", value_parser = web_address, conflicts_with_all = ["headless", "api_port"])]
    without_functions: Option<url::Url>,
    /// Where the lab's LiveEngage posts its webhooks: the whole address, for example that of a proxy in front of the connector. Its path is
    /// normally /webhooks/liveengage. Without it, the connector's own.
    #[arg(long, value_name = "URL", value_parser = web_address, conflicts_with = "headless")]
    webhook_url: Option<url::Url>,
    /// A file with the secrets of an account and lines to play, an object by their names; without it, they are made up.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Port of the page; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of the API that LiveEngage and the gateway post to.
    #[arg(long, default_value_t = 0)]
    api_port: u16,
    /// Port of the LiveEngage simulator.
    #[arg(long, default_value_t = 0)]
    liveengage_port: u16,
    /// Port of the SMS gateway simulator.
    #[arg(long, default_value_t = 0)]
    sms_gateway_port: u16,
    /// Port of the WhatsApp simulator.
    #[arg(long, default_value_t = 0)]
    whatsapp_port: u16,
    /// Port of DynamoDB.
    #[arg(long, default_value_t = 0)]
    dynamodb_port: u16,
    /// Port of SQS.
    #[arg(long, default_value_t = 0)]
    sqs_port: u16,
    /// Port of Secrets Manager.
    #[arg(long, default_value_t = 0)]
    secrets_port: u16,
    /// What the functions log to standard error: error, warn, info, debug.
    #[arg(long, default_value = "warn")]
    log: Option<LevelFilter>,
}

/// An address that something can be posted to.
fn web_address(text: &str) -> Result<url::Url, String> {
    let url: url::Url = text.parse().map_err(|error| format!("{error}"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err("must begin with http:// or https://".to_owned())
    }
}

impl LabArguments {
    fn options(&self) -> Result<LabOptions, String> {
        let installation = match &self.secrets {
            None => None,
            Some(path) => {
                let json = std::fs::read_to_string(path)
                    .map_err(|error| format!("{} can't be read: {error}", path.display()))?;
                Some(Installation::read(&json).map_err(|error| error.to_string())?)
            }
        };
        Ok(LabOptions {
            installation,
            functions_elsewhere: self.without_functions.clone(),
            liveengage_webhook: self.webhook_url.clone(),
            page_port: self.port,
            api_port: self.api_port,
            liveengage_port: self.liveengage_port,
            sms_gateway_port: self.sms_gateway_port,
            whatsapp_port: self.whatsapp_port,
            dynamodb_port: self.dynamodb_port,
            sqs_port: self.sqs_port,
            secrets_port: self.secrets_port,
            // Whoever tries the lab wants to see a PDF arrive.
            documents: true,
            ..LabOptions::default()
        })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command.unwrap_or(Command::Lab(LabArguments::default())) {
        Command::Lab(arguments) => lab(&arguments).await,
        Command::Drill(arguments) => {
            log(arguments.log);
            drill::drill(&arguments).await
        }
        Command::Events(command) => finish(command.run(SystemClock.now())),
        Command::Manifest(arguments) => print_manifest(&arguments),
        Command::Parked(command) => finish(command.run(SystemClock.now()).await),
        Command::DeadLetters(command) => finish(command.run(SystemClock.now()).await),
        Command::Secret(command) => finish(command.run(SystemClock.now()).await),
    }
}

/// Prints what an operator's command has to say. It fails, too, when something is left to do.
fn finish(result: Result<output::Report, String>) -> ExitCode {
    match result {
        Ok(report) => {
            print(&report.text);
            for warning in &report.warnings {
                let _ = writeln!(std::io::stderr(), "{warning}");
            }
            if report.complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "It didn't work: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the template has LiveEngage's webhook.
const WEBHOOK_PATH: &str = "/webhooks/liveengage";

/// # Errors
/// A sentence: there is no address, or it is not that of the webhook. LiveEngage would post to one that answers 404, and nothing would come.
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

fn print_manifest(arguments: &ManifestArguments) -> ExitCode {
    match manifest_of(arguments) {
        Ok(manifest) => {
            print(&format!("{manifest:#}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "There is no manifest: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The functions' log on standard error.
fn log(level: LevelFilter) {
    // The stand-ins warn of every condition that fails, and conditions are meant to fail.
    let ours = Targets::new().with_target("connector", level).with_target("connector_lab", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

async fn lab(arguments: &LabArguments) -> ExitCode {
    log(arguments.log.unwrap_or(LevelFilter::WARN));
    let lab = match start(arguments).await {
        Ok(lab) => lab,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "The lab doesn't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.headless {
        return play(&lab).await;
    }
    let invitation = format!("Open {} in a browser. Ctrl-C stops everything.\n", lab.page_url());
    if arguments.without_functions.is_some() {
        // Standard output is a file for sam.
        let _ = std::io::stderr().write_all(invitation.as_bytes());
        let variables: Map<String, Value> =
            lab.environment().iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        print(&format!("{}\n", json!({ "Parameters": variables })));
    } else {
        print(&invitation);
    }
    serve(lab).await
}

async fn start(arguments: &LabArguments) -> Result<Lab, String> {
    Lab::start(arguments.options()?).await.map_err(|error| error.to_string())
}

/// Standard output may be a pipe that is closed: that is no reason to panic.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

async fn play(lab: &Lab) -> ExitCode {
    let report = headless::run(lab).await;
    print(&report.transcript);
    for problem in &report.problems {
        let _ = writeln!(std::io::stderr(), "Wrong: {problem}");
    }
    if report.problems.is_empty() {
        print("Both sides match.\n");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the lab until Ctrl-C.
async fn serve(lab: Lab) -> ExitCode {
    let stopped = tokio::signal::ctrl_c().await;
    drop(lab);
    match stopped {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Ctrl-C can't be waited for: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

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
    fn there_is_no_manifest_for_another_address_than_the_webhooks() {
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
    fn a_lab_without_functions_has_no_api_of_its_own() {
        let parse = |arguments: &[&str]| Cli::try_parse_from([&["connector", "lab"], arguments].concat());
        let elsewhere = ["--without-functions", "http://127.0.0.1:3000"];
        assert!(parse(&elsewhere).is_ok());
        assert!(parse(&["--without-functions", "nowhere"]).is_err());
        assert!(parse(&[&elsewhere[..], &["--headless"]].concat()).is_err());
        assert!(parse(&[&elsewhere[..], &["--api-port", "3000"]].concat()).is_err());
        let behind_a_proxy = ["--webhook-url", "http://127.0.0.1:8080/webhooks/liveengage"];
        assert!(parse(&[&elsewhere[..], &behind_a_proxy].concat()).is_ok());
        for wrong in ["ftp://127.0.0.1/webhooks/liveengage", "127.0.0.1:8080/webhooks/liveengage", "localhost:8080"] {
            for option in ["--webhook-url", "--without-functions"] {
                assert!(parse(&[option, wrong]).is_err(), "{option} {wrong}");
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let webhook =
            WebhookArguments { webhook_url: None, stack_outputs: Some(PathBuf::from("no/such/outputs.json")) };
        assert!(webhook.url().unwrap_err().starts_with("no/such/outputs.json can't be read"));
    }
}
