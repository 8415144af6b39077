//! The simulators on both sides of the connector: LiveEngage and the channels.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use url::Url;

use super::{FaultProxies, LabError, LabOptions};
use crate::{
    channel::{Channel, ChannelOptions, ChannelSimulator},
    faults::Hop,
    installation::{Installation, InstalledLine},
    journal::Journal,
    liveengage::{AccountOptions, LiveEngageOptions, LiveEngageSimulator, UserOptions, UserProof},
};

/// The name and the password of the account's user, who can log in as an agent.
const AGENT: &str = "lab-agent";
/// The name and the password of the account's administrator, who can also change the app install.
pub const ADMINISTRATOR: &str = "lab-administrator";
/// The channels' delay before they retry a webhook.
const WEBHOOK_RETRY: Duration = Duration::from_secs(5);
/// The delay between two attempts to reach functions that run elsewhere.
const SUBSCRIBE_INTERVAL: Duration = Duration::from_secs(1);

/// A channel with its running simulator.
#[derive(Debug, Clone)]
pub struct RunningChannel {
    /// The channel.
    pub channel: &'static dyn Channel,
    /// The id of the line on it.
    pub line: String,
    /// Its simulator.
    pub simulator: Arc<dyn ChannelSimulator>,
}

/// The simulators.
pub(super) struct Simulators {
    pub(super) liveengage: LiveEngageSimulator,
    pub(super) channels: Vec<RunningChannel>,
}

impl Simulators {
    pub(super) async fn start(
        options: &LabOptions,
        installation: &Installation,
        journal: &Journal,
    ) -> Result<Self, LabError> {
        let liveengage = start_liveengage(options, installation, journal).await?;
        let mut channels = Vec::new();
        for line in installation.lines() {
            channels.push(start_channel(options, line, journal).await?);
        }
        Ok(Self { liveengage, channels })
    }

    /// The secrets of the account and the lines by name, with the addresses that the connector must call.
    pub(super) async fn secrets(
        &self,
        options: &LabOptions,
        installation: &Installation,
        fault_proxies: &FaultProxies,
    ) -> Result<Vec<(String, Value)>, LabError> {
        let mut more = json!({"documents": options.documents, "auto_messages": options.auto_messages.is_some()});
        if let (Some(more), Some(settings)) = (more.as_object_mut(), options.line_settings.as_object()) {
            more.extend(settings.clone());
        }
        let liveengage = fault_proxies.of(Hop::LiveEngage, self.liveengage.base_url()).await?;
        let mut secrets = vec![installation.account_secret(&liveengage)];
        for (line, running) in installation.lines().iter().zip(&self.channels) {
            let hop = Hop::Channel(&line.channel.profile().faults);
            secrets.push(line.secret(&fault_proxies.of(hop, &running.simulator.url()).await?, &more));
        }
        Ok(secrets)
    }

    /// Subscribes the channels' webhooks to the connector. If it is not available yet, the handshake is retried.
    pub(super) async fn subscribe(&self, api_url: &str, connector_runs: bool) -> Result<JoinSet<()>, LabError> {
        let mut waiting = JoinSet::new();
        for RunningChannel { line, simulator, .. } in &self.channels {
            let callback: Url = format!("{api_url}/channels/{line}").parse()?;
            if connector_runs {
                simulator.subscribe_webhook(callback).await?;
            } else {
                waiting.spawn(subscribe_with_retries(Arc::clone(simulator), callback));
            }
        }
        Ok(waiting)
    }
}

async fn start_liveengage(
    options: &LabOptions,
    installation: &Installation,
    journal: &Journal,
) -> Result<LiveEngageSimulator, LabError> {
    let account = AccountOptions {
        survey: options.survey.clone(),
        file_sharing: options.documents,
        auto_messages: options.auto_messages.clone(),
        legacy_csat: true,
        signature: options.webhook_signature,
        users: vec![user(AGENT, false), user(ADMINISTRATOR, true)],
        ..AccountOptions::new(
            installation.account_id(),
            &installation.account("/client_id"),
            &installation.account("/client_secret"),
        )
    };
    let liveengage = LiveEngageSimulator::start(LiveEngageOptions {
        accounts: vec![account],
        forms: options.forms,
        port: options.liveengage_port,
        tls_port: options.liveengage_tls_port,
        journal: journal.clone(),
        webhooks_before_response: options.webhooks_before_response,
        ..LiveEngageOptions::default()
    });
    Ok(liveengage.await?)
}

/// A user whose password is the name.
fn user(name: &str, administrator: bool) -> UserOptions {
    UserOptions { name: name.to_owned(), proof: UserProof::Password(SecretString::from(name)), administrator }
}

async fn start_channel(
    options: &LabOptions,
    line: &InstalledLine,
    journal: &Journal,
) -> Result<RunningChannel, LabError> {
    let time_scale = options.time_scale.unwrap_or(NonZeroU16::MIN);
    let simulator = line.channel.start(ChannelOptions {
        port: options.channel_ports.get(line.channel.profile().name).copied().unwrap_or_default(),
        settings: line.settings(),
        retry_delay: WEBHOOK_RETRY / u32::from(time_scale.get()),
        journal: journal.clone(),
    });
    Ok(RunningChannel { channel: line.channel, line: line.id().to_owned(), simulator: simulator.await? })
}

/// Retries until the functions answer.
async fn subscribe_with_retries(simulator: Arc<dyn ChannelSimulator>, callback: Url) {
    let mut tries = tokio::time::interval(SUBSCRIBE_INTERVAL);
    loop {
        tries.tick().await;
        if simulator.subscribe_webhook(callback.clone()).await.is_ok() {
            return;
        }
    }
}
