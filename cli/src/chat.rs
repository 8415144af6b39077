//! `connector chat`: a consumer in the terminal.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, Write as _},
    process::ExitCode,
    sync::Arc,
};

use clap::Args;
use connector::port::{Clock as _, Http};
use connector_aws::{
    SystemClock,
    outgoing_http::{self, ReqwestHttp},
};
use connector_channels::plain_text::{self, Wording};
use connector_liveengage::{
    client_properties::{ClientProperties, Feature},
    domain_api::{self, Directory, Service},
    event::AcceptStatus,
    id::AccountId,
    messaging::{DialogRef, Routing, text_pieces},
    notification::{AgentPresence, ConversationChange, DialogEvent, EventKind, Structured},
    structured_content,
};
use connector_message::settings::is_https_or_loopback;
use connector_messaging_window::{Client, ClientOptions, Command, Event, Policy, Report, Ticket};
use serde_json::Value;
use tokio::sync::mpsc;
use url::Url;

use self::tokens::IdpTokens;

#[cfg(test)]
#[cfg(feature = "lab")]
mod tests;
mod tokens;

#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    /// The LiveEngage account.
    #[arg(long, value_parser = account)]
    account: AccountId,
    /// The Domain API, where the account's hosts are looked up. For a running lab: the address of its LiveEngage
    /// simulator.
    #[arg(long, value_name = "URL", default_value = domain_api::PUBLIC, value_parser = domain_api_address)]
    domain_api: Url,
    /// The id of the skill that the conversation goes to. Default: the account's default skill.
    #[arg(long)]
    skill: Option<String>,
}

/// Parses an account's id.
///
/// # Errors
/// What an id must be.
pub(crate) fn account(text: &str) -> Result<AccountId, String> {
    AccountId::new(text).map_err(|error| error.to_string())
}

/// Parses the address of a Domain API.
///
/// # Errors
/// What an address must be.
pub(crate) fn domain_api_address(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    if is_https_or_loopback(&url) {
        Ok(url)
    } else {
        Err("must begin with https://, or with http:// and this machine's own address".to_owned())
    }
}

/// What the person at the terminal does.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Input {
    Line(String),
    /// The end of standard input.
    End,
}

pub(crate) async fn chat(arguments: ChatArguments) -> ExitCode {
    let (lines, input) = mpsc::unbounded_channel();
    // Not tokio's standard input, for which the process would wait at its end.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.send(Input::Line(line)).is_err() {
                return;
            }
        }
        let _ = lines.send(Input::End);
    });
    let show = |line: &str| crate::print(&format!("{line}\n"));
    match run(arguments, Policy::default(), input, show).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Looks up the account's hosts, connects, and passes lines in both directions until the input ends or the person types `/close` or `/quit`.
async fn run(
    arguments: ChatArguments,
    policy: Policy,
    mut input: mpsc::UnboundedReceiver<Input>,
    show: impl Fn(&str),
) -> Result<(), String> {
    let client = outgoing_http::client().map_err(|error| error.to_string())?;
    let http: Arc<dyn Http> = Arc::new(ReqwestHttp::new(client));
    let hosts = look_up(http.as_ref(), &arguments).await?;
    let host = |service| hosts.url(service).cloned().map_err(|error| error.to_string());
    let tokens = IdpTokens::new(http, host(Service::Idp)?, arguments.account.clone());
    let options = ClientOptions {
        messaging: host(Service::Messaging)?,
        account: arguments.account,
        routing: Routing { skill_id: arguments.skill, ..Routing::default() },
        client_properties: ClientProperties::new(&[Feature::RichContent, Feature::QuickReplies, Feature::MultiDialog]),
        policy,
        clock: || SystemClock.now(),
    };
    show("Type a text and press Enter. /close ends the conversation, /quit only this program.");
    let mut chat =
        Chat { client: Client::start(options, Box::new(tokens)), last: 0, open: BTreeSet::new(), leaving: None };
    loop {
        tokio::select! {
            line = input.recv(), if chat.leaving.is_none() => chat.input(line.unwrap_or(Input::End)),
            report = chat.client.next() => match report {
                Some(report) => chat.report(report, &show)?,
                None => return Err("the client has stopped".to_owned()),
            },
        }
        if chat.may_leave() {
            return Ok(());
        }
    }
}

async fn look_up(http: &dyn Http, arguments: &ChatArguments) -> Result<Directory, String> {
    let call = domain_api::request(&arguments.domain_api, &arguments.account);
    let reply = http.call(call).await.map_err(|error| format!("{}: {error}", domain_api::CALL))?;
    domain_api::answer(&reply).map_err(|error| error.to_string())
}

/// Why the program ends, once all texts are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    /// The conversation stays open.
    Quit,
    /// The conversation is being closed.
    Closing,
    Closed,
}

struct Chat {
    client: Client,
    last: u64,
    /// The texts that LiveEngage has not accepted yet.
    open: BTreeSet<Ticket>,
    leaving: Option<Leaving>,
}

impl Chat {
    fn input(&mut self, input: Input) {
        match input {
            Input::End => self.leaving = Some(Leaving::Quit),
            Input::Line(line) => match line.trim() {
                "" => {}
                "/quit" => self.leaving = Some(Leaving::Quit),
                "/close" => {
                    self.leaving = Some(Leaving::Closing);
                    self.client.command(Command::Close);
                }
                _ => {
                    for piece in text_pieces(line.trim_end()) {
                        self.last += 1;
                        let ticket = Ticket(self.last);
                        self.open.insert(ticket);
                        self.client.command(Command::Say(ticket, piece.to_owned()));
                    }
                }
            },
        }
    }

    fn may_leave(&self) -> bool {
        match self.leaving {
            None | Some(Leaving::Closing) => false,
            Some(Leaving::Quit) => self.open.is_empty(),
            Some(Leaving::Closed) => true,
        }
    }

    fn report(&mut self, report: Report, show: &impl Fn(&str)) -> Result<(), String> {
        match report {
            Report::Connected => show("(connected)"),
            Report::Disconnected(reason, next) => show(&format!("(disconnected: {reason:?}{})", again(next))),
            Report::ConnectFailed(error, next) => show(&format!("(no connection: {error}{})", again(next))),
            Report::NoToken(failure @ connector_messaging_window::TokenFailure::Permanent(_), _) => {
                return Err(failure.to_string());
            }
            Report::NoToken(failure, next) => show(&format!("(no token: {failure}{})", again(next))),
            Report::NewConsumer => show("(IDP gave a new identity: the earlier conversation is out of reach)"),
            Report::Event(event) => self.event(event, show),
        }
        Ok(())
    }

    fn event(&mut self, event: Event, show: &impl Fn(&str)) {
        match event {
            Event::Received(event) => self.received(&event, show),
            Event::Conversation(change) => self.conversation(&change, show),
            Event::Sent(ticket) => {
                self.open.remove(&ticket);
            }
            Event::Failed(ticket, error) => {
                self.open.remove(&ticket);
                show(&format!("(not sent: {error})"));
            }
            Event::Uncertain(ticket) => {
                self.open.remove(&ticket);
                show("(the connection was lost before the answer: the last text may have arrived)");
            }
            Event::Refused(kind, error) => show(&format!("({kind:?} refused: {error})")),
            Event::Ignored(code) => show(&format!("(ignored: {code})")),
        }
    }

    fn received(&self, event: &DialogEvent, show: &impl Fn(&str)) {
        if let Some(text) = shown(event) {
            show(&text);
        }
        if event.kind.is_content()
            && let Some(sequence) = event.sequence
        {
            let dialog = DialogRef { conversation: event.conversation.clone(), dialog: event.dialog.clone() };
            // Received, and shown.
            for status in [AcceptStatus::Accept, AcceptStatus::Read] {
                self.client.command(Command::Status(dialog.clone(), status, vec![sequence]));
            }
        }
    }

    fn conversation(&mut self, change: &ConversationChange, show: &impl Fn(&str)) {
        let agent = match change.agent {
            AgentPresence::Joined => "with an agent",
            AgentPresence::None | AgentPresence::Suggested => "waiting for an agent",
        };
        let state = match (change.closed, change.main_open) {
            (true, _) => "closed",
            (false, true) => agent,
            (false, false) => "in a survey",
        };
        show(&format!("(conversation {}: {state})", change.conversation));
        if change.closed && self.leaving == Some(Leaving::Closing) {
            self.leaving = Some(Leaving::Closed);
        }
    }
}

fn again(next: Option<jiff::Timestamp>) -> String {
    next.map(|next| format!(", again at {next:.0}")).unwrap_or_default()
}

/// An event as a line. `None` if there is nothing to show.
fn shown(event: &DialogEvent) -> Option<String> {
    let quick_replies = event.quick_replies.as_ref().map(|Structured(replies)| replies);
    let rich = |content: &Value| {
        // The numbers of choices have no meaning here.
        let wording = Wording { choose: "Reply with the words of a choice.".to_owned(), ..Wording::default() };
        plain_text::render(&structured_content::read(content, quick_replies).0, &wording).text
    };
    let text = match &event.kind {
        EventKind::Text(text) if quick_replies.is_some() => {
            format!("{}\n{}", text.as_str(), rich(&Value::Null)).trim_end().to_owned()
        }
        EventKind::Text(text) => text.as_str().trim_end().to_owned(),
        EventKind::RichContent(Structured(content)) => rich(content),
        EventKind::File(file) => {
            let caption = file.caption.as_ref().map(|caption| format!(": {}", caption.as_str())).unwrap_or_default();
            format!("(a file, {}{caption})", file.file_type.name())
        }
        EventKind::OtherContent(kind) => format!("(content of the type {kind})"),
        kind if kind.is_composing() => return Some("(the agent is typing)".to_owned()),
        EventKind::AcceptStatus { status: Some(AcceptStatus::Read), .. } => return Some("(read)".to_owned()),
        EventKind::AcceptStatus { .. } | EventKind::ChatState(_) | EventKind::Unknown(_) => return None,
    };
    Some(format!("< {}", text.replace('\n', "\n  ")))
}
