//! `connector lab`.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{
    Arg, ArgMatches, Args, FromArgMatches,
    builder::{PossibleValuesParser, TypedValueParser},
    value_parser,
};
use connector_lab::{
    ADMINISTRATOR, Installation, Lab, LabOptions,
    channel::Channel,
    channels, headless,
    liveengage::{Generation, SignatureForm, TlsAddress, WebhookSettings},
};
use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use crate::print;

#[derive(Debug, Default, Args)]
pub(crate) struct LabArguments {
    /// Run a scripted conversation, print both sides, and exit with 0 only if both sides are as expected.
    #[arg(long)]
    headless: bool,
    /// Run without the functions, their event source mappings and the schedule, for example because `sam local` runs
    /// them. Webhooks go to this address. Prints the functions' environment in the format of sam's --env-vars.
    #[arg(long, value_name = "URL", value_parser = web_address, conflicts_with_all = ["headless", "api_port"])]
    without_functions: Option<url::Url>,
    /// The complete address that the LiveEngage simulator posts webhooks to, for example that of a proxy in front of
    /// the connector. Its path is normally /webhooks/liveengage. Default: the address of the lab's connector.
    #[arg(long, value_name = "URL", value_parser = web_address, conflicts_with = "headless")]
    webhook_url: Option<url::Url>,
    /// A file with the manifest of another connector's app install, to attach it: the LiveEngage simulator posts each event to the endpoint
    /// that the manifest names, with its headers and retries.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["headless", "webhook_url"])]
    app_manifest: Option<PathBuf>,
    /// How the LiveEngage simulator signs its webhooks.
    #[arg(long, value_name = "FORM", default_value = SignatureForm::default().name(), value_parser = signature_form())]
    webhook_signature: Option<SignatureForm>,
    /// The generation of LivePerson's pages and samples whose forms the LiveEngage simulator uses for answers and notifications.
    #[arg(long, value_name = "GENERATION", default_value = Generation::default().name(), value_parser = generation())]
    forms: Option<Generation>,
    /// A file with the secrets of the account and lines to simulate: one object, by the names of the secrets. Default:
    /// generated secrets.
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Port of the page; 0 chooses a free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Port of the API that LiveEngage and the channels post to.
    #[arg(long, default_value_t = 0)]
    api_port: u16,
    /// Port of the LiveEngage simulator.
    #[arg(long, default_value_t = 0)]
    liveengage_port: u16,
    /// Serve the LiveEngage simulator over TLS, too, for clients that put https:// or wss:// before a host. Prints the file of the certificate
    /// authority to trust, which is made at each start.
    #[arg(long, conflicts_with = "headless")]
    tls: bool,
    /// Port of the LiveEngage simulator over TLS.
    #[arg(long, default_value_t = 0, requires = "tls")]
    tls_port: u16,
    #[command(flatten)]
    channel_ports: ChannelPorts,
    /// Port of the DynamoDB stand-in.
    #[arg(long, default_value_t = 0)]
    dynamodb_port: u16,
    /// Port of the SQS stand-in.
    #[arg(long, default_value_t = 0)]
    sqs_port: u16,
    /// Port of the Secrets Manager stand-in.
    #[arg(long, default_value_t = 0)]
    secrets_port: u16,
    /// Port of Lambda's Invoke API, for `connector reconcile`.
    #[arg(long, default_value_t = 0)]
    lambda_port: u16,
    /// Log level of the functions on standard error: error, warn, info, debug.
    #[arg(long, default_value = "warn")]
    log: Option<LevelFilter>,
}

/// The ports of the channel simulators by channel name. Each channel has its own option.
#[derive(Debug, Default)]
struct ChannelPorts(BTreeMap<&'static str, u16>);

impl FromArgMatches for ChannelPorts {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut ports = Self::default();
        ports.update_from_arg_matches(matches)?;
        Ok(ports)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for profile in channels::ALL.map(Channel::profile) {
            if let Some(port) = matches.get_one(profile.port_option) {
                self.0.insert(profile.name, *port);
            }
        }
        Ok(())
    }
}

impl Args for ChannelPorts {
    fn augment_args(command: clap::Command) -> clap::Command {
        channels::ALL.map(Channel::profile).into_iter().fold(command, |command, profile| {
            let port = Arg::new(profile.port_option)
                .long(profile.port_option)
                .value_name("PORT")
                .value_parser(value_parser!(u16))
                .default_value("0")
                .help(format!("Port of the {}", profile.simulator));
            command.arg(port)
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

fn signature_form() -> impl TypedValueParser<Value = SignatureForm> {
    PossibleValuesParser::new(SignatureForm::ALL.map(SignatureForm::name)).try_map(|name| name.parse::<SignatureForm>())
}

fn generation() -> impl TypedValueParser<Value = Generation> {
    PossibleValuesParser::new(Generation::ALL.map(Generation::name)).try_map(|name| name.parse::<Generation>())
}

/// Reads the webhooks of a manifest.
fn webhooks_of(path: &Path) -> Result<WebhookSettings, String> {
    let json = std::fs::read_to_string(path).map_err(|error| format!("{} can't be read: {error}", path.display()))?;
    let manifest: Value =
        serde_json::from_str(&json).map_err(|error| format!("{} is not JSON: {error}", path.display()))?;
    let webhooks = manifest.pointer("/capabilities/webhooks").unwrap_or(&Value::Null);
    WebhookSettings::from_manifest(webhooks).map_err(|error| format!("{}: {error}", path.display()))
}

/// Parses an http or https address.
fn web_address(text: &str) -> Result<url::Url, String> {
    let url: url::Url = text.parse().map_err(|error| format!("{error}"))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err("must begin with http:// or https://".to_owned())
    }
}

/// The warning about keys of a manifest that the simulator doesn't know. `None` if it knows all.
fn unknown_keys(path: &Path, webhooks: &WebhookSettings) -> Option<String> {
    let keys = webhooks.unknown_keys.join(", ");
    (!keys.is_empty()).then(|| {
        format!(
            "{}: nothing is sent for the unknown keys of capabilities.webhooks: {keys}. Correct them",
            path.display()
        )
    })
}

impl LabArguments {
    /// The webhooks of the connector that is attached. Warns of its manifest's unknown keys on standard error.
    fn attached(&self) -> Result<Option<WebhookSettings>, String> {
        let Some(path) = &self.app_manifest else { return Ok(None) };
        let webhooks = webhooks_of(path)?;
        if let Some(warning) = unknown_keys(path, &webhooks) {
            let _ = writeln!(std::io::stderr(), "Warning: {warning}");
        }
        Ok(Some(webhooks))
    }

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
            liveengage_webhooks: self.attached()?,
            webhook_signature: self.webhook_signature.unwrap_or_default(),
            forms: self.forms.unwrap_or_default().forms(),
            page_port: self.port,
            api_port: self.api_port,
            liveengage_port: self.liveengage_port,
            liveengage_tls_port: self.tls.then_some(self.tls_port),
            channel_ports: self.channel_ports.0.clone(),
            dynamodb_port: self.dynamodb_port,
            sqs_port: self.sqs_port,
            secrets_port: self.secrets_port,
            lambda_port: self.lambda_port,
            // Documents are enabled so that PDF files can be tried in the lab.
            documents: true,
            ..LabOptions::default()
        })
    }
}

/// Logs the functions to standard error.
pub(crate) fn log(level: LevelFilter) {
    // The stand-ins log a warning for every failed condition, and the connector expects conditions to fail.
    let ours = Targets::new().with_target("connector", level).with_target("connector_lab", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(ours)).init();
}

pub(crate) async fn lab(arguments: &LabArguments) -> ExitCode {
    log(arguments.log.unwrap_or(LevelFilter::WARN));
    let lab = match start(arguments).await {
        Ok(lab) => lab,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "The lab failed to start: {error}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.headless {
        return run_headless(&lab).await;
    }
    let (account, liveengage) = (lab.account_id(), lab.liveengage().base_url());
    let authority = match lab.liveengage().tls().map(AuthorityFile::write).transpose() {
        Ok(authority) => authority,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "The certificate authority's file can't be written: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut message = format!(
        "Open {} in a browser. Ctrl-C stops everything.\nTo write as a consumer of the Messaging Window API: connector chat \
         --account {account} --domain-api {liveengage}\nTo see the app install (the password is {ADMINISTRATOR}): connector install show \
         --account {account} --user {ADMINISTRATOR} --domain-api {liveengage}\nTo change it: connector install apply --account {account} \
         --user {ADMINISTRATOR} --domain-api {liveengage} --secrets-endpoint {} --webhook-url {}/webhooks/liveengage\n",
        lab.page_url(),
        lab.aws().endpoints().secrets,
        lab.api_url(),
    );
    if let Some(authority) = &authority {
        message.push_str(&authority.instructions());
    }
    if arguments.without_functions.is_some() {
        // Standard output is a file for sam, so the message goes to standard error.
        let _ = std::io::stderr().write_all(message.as_bytes());
        let variables: Map<String, Value> =
            lab.environment().iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        print(&format!("{}\n", json!({ "Parameters": variables })));
    } else {
        print(&message);
    }
    serve(lab).await
}

/// The file with the certificate of the TLS authority. It is removed when the lab stops.
struct AuthorityFile {
    host: String,
    file: NamedTempFile,
}

impl AuthorityFile {
    /// Writes the file into the folder for temporary files.
    fn write(tls: &TlsAddress) -> std::io::Result<Self> {
        let mut file = tempfile::Builder::new().prefix("connector-lab-").suffix(".pem").tempfile()?;
        file.write_all(tls.authority_pem.as_bytes())?;
        Ok(Self { host: tls.host.clone(), file })
    }

    /// How a client reaches the simulator, and how it trusts the certificate.
    fn instructions(&self) -> String {
        let (host, path) = (&self.host, self.file.path().display());
        format!(
            "LiveEngage over TLS: https://{host}. Its Domain API answers with that host, as LivePerson's does. To trust its certificate:\n\
             \x20 Node.js: NODE_EXTRA_CA_CERTS={path}\n\
             \x20 OpenSSL, Python, Go: SSL_CERT_FILE={path}\n\
             \x20 curl: --cacert {path}\n"
        )
    }
}

async fn start(arguments: &LabArguments) -> Result<Lab, String> {
    Lab::start(arguments.options()?).await.map_err(|error| error.to_string())
}

async fn run_headless(lab: &Lab) -> ExitCode {
    let report = headless::run(lab).await;
    print(&report.transcript);
    for problem in &report.problems {
        let _ = writeln!(std::io::stderr(), "Problem: {problem}");
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
            let _ = writeln!(std::io::stderr(), "Failed to wait for Ctrl-C: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::Cli;

    #[test]
    fn unknown_keys_of_the_manifest_are_named_with_the_file() {
        let file = |webhooks: &Value| {
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(json!({"capabilities": {"webhooks": webhooks}}).to_string().as_bytes()).unwrap();
            file
        };
        let warning = |file: &NamedTempFile| unknown_keys(file.path(), &webhooks_of(file.path()).unwrap());
        let misspelled = file(&json!({"ms.MessagingEventNotification.AccpetStatusEvent": {}, "retry": null}));
        let text = warning(&misspelled).unwrap();
        assert!(text.starts_with(&misspelled.path().display().to_string()), "{text}");
        assert!(
            text.contains("unknown keys of capabilities.webhooks: ms.MessagingEventNotification.AccpetStatusEvent.")
        );
        assert_eq!(warning(&file(&json!({"retry": {"retention_time": 60}}))), None);
    }

    #[test]
    fn options_that_exclude_or_need_each_other_are_checked() {
        let parse = |arguments: &[&str]| Cli::try_parse_from([&["connector", "lab"], arguments].concat());
        let without_functions = ["--without-functions", "http://127.0.0.1:3000"];
        assert!(parse(&without_functions).is_ok());
        assert!(parse(&["--without-functions", "nowhere"]).is_err());
        assert!(parse(&[&without_functions[..], &["--headless"]].concat()).is_err());
        assert!(parse(&[&without_functions[..], &["--api-port", "3000"]].concat()).is_err());
        assert!(parse(&["--tls", "--tls-port", "8443"]).is_ok());
        assert!(parse(&["--tls-port", "8443"]).is_err(), "the port alone would be without effect");
        assert!(parse(&["--webhook-signature", "sha256-hex", "--forms", "oldest"]).is_ok());
        for wrong in [["--webhook-signature", "md5"], ["--forms", "old"]] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
        let manifest = ["--app-manifest", "app.json"];
        assert!(parse(&manifest).is_ok());
        assert!(parse(&[&manifest[..], &["--webhook-url", "http://127.0.0.1:1/"]].concat()).is_err());
        let behind_a_proxy = ["--webhook-url", "http://127.0.0.1:8080/webhooks/liveengage"];
        assert!(parse(&[&without_functions[..], &behind_a_proxy].concat()).is_ok());
        for wrong in ["ftp://127.0.0.1/webhooks/liveengage", "127.0.0.1:8080/webhooks/liveengage", "localhost:8080"] {
            for option in ["--webhook-url", "--without-functions"] {
                assert!(parse(&[option, wrong]).is_err(), "{option} {wrong}");
            }
        }
    }
}
