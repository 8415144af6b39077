//! `connector parked`: the messages that are kept in the table for an operator after delivery was given up.

use clap::{Args, Subcommand};
use connector::{
    app::redrive::{
        ParkedPlan, PlannedParked, QueueKind, RedriveOutcome, Redriven, WorkerQueues, delete_parked, plan_parked,
        redrive_parked, settle,
    },
    domain::id::LineId,
    port::{ParkedMessages as _, StoreError},
};
use connector_aws::{ParkedTable, SqsQueue};
use connector_liveengage::id::ConversationId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    output::{Report, age, blocks, or_dash, outcomes, seconds, table, with_task},
    selection::{ConfirmArguments, MessageArguments, SELECTION_REQUIRED},
    target::Target,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ParkedCommand {
    /// List parked messages, without their texts.
    List(MessageArguments),
    /// Show everything about the selected parked messages.
    Show(ParkedShowArguments),
    /// Send parked messages again, in the order in which they arrived. Without --yes it only prints what it would send.
    Redrive(ParkedRedriveArguments),
    /// Delete parked messages that need no delivery any more. Without --yes it only prints what it would delete.
    Delete(ParkedDeleteArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ParkedShowArguments {
    #[command(flatten)]
    messages: MessageArguments,
    /// Also show the queue message, which contains the text and the phone number.
    #[arg(long, help_heading = "What to do")]
    show_text: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ParkedRedriveArguments {
    #[command(flatten)]
    messages: MessageArguments,
    #[command(flatten)]
    confirm: ConfirmArguments,
    /// Try each message for another 12 hours. Without this option, a message that the connector accepted more than 12
    /// hours ago gets up to six attempts and is then parked again. With it, newer messages of the same conversation
    /// wait behind a message that fails.
    #[arg(long, help_heading = "What to do")]
    fresh: bool,
    /// Wait for the result of each message and print it: delivered, or parked again and why. Waits up to 5 minutes, or
    /// as long as given after an equals sign: --wait=30m. Has no effect without --yes. A temporary failure is retried
    /// for longer than that, with --fresh for 12 hours.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "5m", value_parser = duration, help_heading = "What to do")]
    wait: Option<SignedDuration>,
}

#[derive(Debug, Args)]
pub(crate) struct ParkedDeleteArguments {
    #[command(flatten)]
    messages: MessageArguments,
    #[command(flatten)]
    confirm: ConfirmArguments,
}

impl ParkedCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// A message for the operator: an invalid argument, or an AWS error.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        match self {
            Self::List(messages) => {
                let parked = find_parked(messages, &messages.target.target().await?, now).await?;
                let report = if messages.json {
                    Report::json(&json!({ "messages": parked.rows(now, false) }))
                } else {
                    Report::done(parked.table(now))
                };
                Ok(parked.with_warnings(report))
            }
            Self::Show(ParkedShowArguments { messages, show_text }) => {
                if messages.selection.is_empty() {
                    return Err(SELECTION_REQUIRED.to_owned());
                }
                let parked = find_parked(messages, &messages.target.target().await?, now).await?;
                let rows = parked.rows(now, *show_text);
                let report = if messages.json {
                    Report::json(&json!({ "messages": rows }))
                } else {
                    Report::done(blocks(&rows))
                };
                Ok(parked.with_warnings(report))
            }
            Self::Redrive(redrive) => redrive.run(now).await,
            Self::Delete(delete) => delete.run(now).await,
        }
    }
}

async fn find_parked(messages: &MessageArguments, target: &Target<'_>, now: Timestamp) -> Result<Parked, String> {
    let selection = messages.selection.selection(target, now).await?;
    let store = ParkedTable::new(target.dynamodb()?, target.table()?);
    // Reads all parked messages regardless of the selection. The plan warns about messages that would be overtaken, and
    // those may have no known line.
    let all = store.parked().await.map_err(|error| target.dynamodb_failure(&error, "dynamodb:Scan"))?;
    let plan = plan_parked(all.messages, &selection);
    let is_missing = |id: &&String| !plan.messages.iter().any(|message| message.id == **id);
    let missing = messages.selection.ids.iter().filter(is_missing).cloned().collect();
    let unlisted = messages.selection.unlisted(target);
    Ok(Parked { missing, unlisted, store, plan, unreadable: all.unreadable })
}

impl ParkedRedriveArguments {
    async fn run(&self, now: Timestamp) -> Result<Report, String> {
        self.confirm.check(&self.messages.selection)?;
        self.check_ids()?;
        let target = self.messages.target.target().await?;
        let parked = find_parked(&self.messages, &target, now).await?;
        let queue = |kind| -> Result<_, String> { Ok(SqsQueue::new(target.sqs()?, target.queue_url(kind)?)) };
        // Also resolved in a dry run, so that a missing option is reported before anything changes.
        let (to_liveengage, to_channel) = (queue(QueueKind::ToLiveEngage)?, queue(QueueKind::ToChannel)?);
        if !self.confirm.yes {
            let mut report = parked.dry_run(&self.messages, "sent", now);
            if self.wait.is_some() {
                report.warnings.push("--wait does nothing without --yes.".to_owned());
            }
            return Ok(report);
        }
        let queues = WorkerQueues { to_liveengage: &to_liveengage, to_channel: &to_channel };
        let mut redriven = redrive_parked(&parked.plan, &parked.store, queues, self.fresh, now).await;
        let waited = wait(self.wait.unwrap_or_default(), &parked, &mut redriven).await;
        waited.map_err(|error| target.dynamodb_failure(&error, "dynamodb:GetItem"))?;
        let mut report = outcomes(&redriven, self.messages.json);
        let unsettled = unsettled(&redriven);
        if unsettled > 0 && self.wait.is_some() {
            report.complete = false;
            report.warnings.push(format!(
                "The result of {unsettled} messages is not known yet. A message that fails is parked again under the same id."
            ));
        } else if unsettled > 0 {
            report.warnings.push(
                "A message in its queue is not delivered yet. Use --wait to wait for the result. A message that fails is parked again under the same id."
                    .to_owned(),
            );
        }
        parked.warn_of_permanent(&mut report);
        Ok(parked.with_warnings(report))
    }

    /// `--wait 30m` means `--wait` and the id `30m`. No id is a valid duration.
    fn check_ids(&self) -> Result<(), String> {
        match self.messages.selection.ids.iter().find(|id| duration(id).is_ok()) {
            Some(id) if self.wait.is_some() => {
                Err(format!("{id} is not an id: write --wait={id}, with an equals sign"))
            }
            _ => Ok(()),
        }
    }
}

/// The interval between checks of the results.
const POLL_INTERVAL: SignedDuration = SignedDuration::from_secs(2);

fn unsettled(redriven: &[Redriven]) -> usize {
    redriven.iter().filter(|one| one.outcome == RedriveOutcome::Sent).count()
}

/// Waits until the result of each sent message is known, but no longer than `longest`.
#[expect(clippy::disallowed_methods, reason = "an operator waits at a terminal, and no function does")]
async fn wait(longest: SignedDuration, parked: &Parked, redriven: &mut [Redriven]) -> Result<(), StoreError> {
    let mut left = longest;
    while unsettled(redriven) > 0 && left.is_positive() {
        let pause = left.min(POLL_INTERVAL);
        tokio::time::sleep(pause.unsigned_abs()).await;
        left -= pause;
        settle(&parked.plan, redriven, &parked.store).await?;
    }
    Ok(())
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let duration = text.parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    duration.ok_or_else(|| "expected a duration such as 30s, 5m or 1h".to_owned())
}

impl ParkedDeleteArguments {
    async fn run(&self, now: Timestamp) -> Result<Report, String> {
        self.confirm.check(&self.messages.selection)?;
        let parked = find_parked(&self.messages, &self.messages.target.target().await?, now).await?;
        if !self.confirm.yes {
            return Ok(parked.dry_run(&self.messages, "deleted", now));
        }
        let deleted = delete_parked(&parked.plan, &parked.store).await;
        Ok(parked.with_warnings(outcomes(&deleted, self.messages.json)))
    }
}

/// The parked messages that match.
struct Parked {
    store: ParkedTable,
    plan: ParkedPlan,
    /// The number of items that this version can't read.
    unreadable: usize,
    /// Selected ids that are not parked.
    missing: Vec<String>,
    /// Warnings about selected ids that the stack doesn't list.
    unlisted: Vec<String>,
}

impl Parked {
    fn rows(&self, now: Timestamp, show_text: bool) -> Vec<Value> {
        self.plan.messages.iter().map(|planned| row(planned, now, show_text)).collect()
    }

    fn table(&self, now: Timestamp) -> String {
        let rows: Vec<_> = self.plan.messages.iter().map(|planned| cells(planned, now)).collect();
        let heading = ["ID", "PARKED", "AGE", "LINE", "CONVERSATION", "QUEUE", "KIND", "REASON"];
        let count = rows.len();
        format!("{}{count} parked\n", if rows.is_empty() { String::new() } else { table(heading, &rows) })
    }

    fn dry_run(&self, messages: &MessageArguments, done: &str, now: Timestamp) -> Report {
        let mut report = if messages.json {
            Report::json(&json!({ "dry_run": true, "messages": self.rows(now, false) }))
        } else {
            Report::done(self.table(now))
        };
        report.warnings.push(if self.plan.messages.is_empty() {
            format!("No messages match: nothing was {done}.")
        } else {
            format!("Nothing was {done}. With --yes, these messages are {done} in this order.")
        });
        if done == "sent" {
            self.warn_of_permanent(&mut report);
        }
        if done == "sent" && self.plan.overtaking > 0 {
            report.warnings.push(format!(
                "{} of these messages overtake an earlier parked message of the same conversation that is not selected.",
                self.plan.overtaking
            ));
        }
        self.with_warnings(report)
    }

    fn warn_of_permanent(&self, report: &mut Report) {
        let permanent: Vec<_> =
            self.plan.messages.iter().filter(|one| one.parked.parked.permanent).map(|one| one.id.as_str()).collect();
        if !permanent.is_empty() {
            report.warnings.push(format!(
                "These messages failed for a permanent reason, and will be parked again unless it was fixed: {}",
                permanent.join(", ")
            ));
        }
    }

    fn with_warnings(&self, mut report: Report) -> Report {
        report.warnings.extend(self.unlisted.iter().cloned());
        if !self.missing.is_empty() {
            report.complete = false;
            report.warnings.push(format!(
                "These ids are not parked, or the other options exclude them: {}",
                self.missing.join(", ")
            ));
        }
        if self.unreadable > 0 {
            report.warnings.push(format!(
                "{} more parked messages can't be read by this version: use the version that is deployed.",
                self.unreadable
            ));
        }
        report
    }
}

fn cells(planned: &PlannedParked, now: Timestamp) -> [String; 8] {
    let (parked, facts) = (&planned.parked.parked, planned.facts.as_ref());
    let accepted_at = facts.map(|facts| facts.accepted_at).unwrap_or(parked.at);
    let begun = if planned.parked.begun.is_some() { " (redrive started)" } else { "" };
    [
        planned.id.clone(),
        seconds(parked.at),
        age(now.duration_since(accepted_at)),
        or_dash(line(planned)),
        or_dash(conversation(planned)),
        or_dash(facts.map(|facts| facts.queue.name())),
        or_dash(facts.map(|facts| facts.kind)),
        format!("{}{begun}", parked.reason),
    ]
}

fn line(planned: &PlannedParked) -> Option<&str> {
    let person = planned.facts.as_ref().and_then(|facts| facts.consumer.as_ref());
    planned.parked.parked.line.as_ref().or(person.map(|person| &person.line)).map(LineId::as_str)
}

fn conversation(planned: &PlannedParked) -> Option<&str> {
    let facts = planned.facts.as_ref();
    let named = planned.parked.parked.conversation.as_ref();
    named.or(facts.and_then(|facts| facts.conversation.as_ref())).map(ConversationId::as_str)
}

fn row(planned: &PlannedParked, now: Timestamp, show_text: bool) -> Value {
    let (parked, facts) = (&planned.parked.parked, planned.facts.as_ref());
    let accepted_at = facts.map(|facts| facts.accepted_at);
    let row = json!({
        "id": planned.id,
        "parked_at": parked.at,
        "accepted_at": accepted_at,
        "age_s": now.duration_since(accepted_at.unwrap_or(parked.at)).as_secs(),
        "line": line(planned),
        "conversation": conversation(planned),
        "queue": facts.map(|facts| facts.queue.name()),
        "kind": facts.map(|facts| facts.kind),
        "correlation": facts.map(|facts| facts.correlation.as_str()),
        "reason": parked.reason,
        "permanent": parked.permanent,
        "begun_at": planned.parked.begun,
    });
    if show_text { with_task(row, &parked.body) } else { row }
}

#[cfg(feature = "lab")]
#[cfg(test)]
mod tests;
