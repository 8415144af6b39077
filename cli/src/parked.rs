//! `connector parked`: what the connector has given up and kept in its table.

use clap::{Args, Subcommand};
use connector::{
    app::redrive::{
        ParkedPlan, PlannedParked, QueueKind, RedriveOutcome, Redriven, WorkerQueues, delete_parked, plan_parked,
        redrive_parked, settle,
    },
    aws::{ParkedTable, SqsQueue},
    domain::id::{ConversationId, LineId},
    port::{ParkedMessages as _, StoreError},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    output::{Report, age, blocks, or_dash, outcomes, seconds, table, with_task},
    selection::{Consent, SelectionArguments, WHICH},
    target::{Target, TargetArguments},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ParkedCommand {
    /// List them, without what was said in them.
    List(ListArguments),
    /// Show all that is known of some of them.
    Show(ShowArguments),
    /// Send them again, in the order in which they came. Without --yes it only tells what it would send.
    Redrive(RedriveArguments),
    /// Delete them: they are settled in another way. Without --yes it only tells what it would delete.
    Delete(DeleteArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    target: TargetArguments,
    /// Print JSON.
    #[arg(long, help_heading = "What to do")]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    list: ListArguments,
    /// Show the queue message too, with the text and the phone number in it.
    #[arg(long, help_heading = "What to do")]
    show_text: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RedriveArguments {
    #[command(flatten)]
    list: ListArguments,
    #[command(flatten)]
    consent: Consent,
    /// Try each for another 12 hours. Without this, one that the connector took over more than 12 hours ago gets up to six attempts,
    /// and is parked again if they fail. With it, newer messages of the same conversation wait behind it for as long as it fails.
    #[arg(long, help_heading = "What to do")]
    fresh: bool,
    /// Wait until it is known what becomes of each, and say it: delivered, or parked again, and why. Up to 5 minutes, or for as long as
    /// said after an equals sign: --wait=30m. It does nothing without --yes. A failure that may pass is retried for longer than that, with --fresh for 12 hours.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "5m", value_parser = length, help_heading = "What to do")]
    wait: Option<SignedDuration>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    list: ListArguments,
    #[command(flatten)]
    consent: Consent,
}

impl ParkedCommand {
    /// Carries it out.
    ///
    /// # Errors
    /// A sentence: an argument that can't be used, or what AWS says.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        match self {
            Self::List(list) => {
                let parked = list.parked(&list.target.target().await?, now).await?;
                let report = if list.json {
                    Report::json(&json!({ "messages": parked.rows(now, false) }))
                } else {
                    Report::done(parked.table(now))
                };
                Ok(parked.warned(report))
            }
            Self::Show(ShowArguments { list, show_text }) => {
                if list.selection.is_empty() {
                    return Err(WHICH.to_owned());
                }
                let parked = list.parked(&list.target.target().await?, now).await?;
                let rows = parked.rows(now, *show_text);
                let report =
                    if list.json { Report::json(&json!({ "messages": rows })) } else { Report::done(blocks(&rows)) };
                Ok(parked.warned(report))
            }
            Self::Redrive(redrive) => redrive.run(now).await,
            Self::Delete(delete) => delete.run(now).await,
        }
    }
}

impl ListArguments {
    async fn parked(&self, target: &Target<'_>, now: Timestamp) -> Result<Parked, String> {
        let selection = self.selection.selection(target, now).await?;
        let store = ParkedTable::new(target.dynamodb()?, target.table()?);
        // All of them, whatever is chosen: the plan warns of what would be overtaken, and that may be kept under no line.
        let all = store.parked().await.map_err(|error| target.dynamodb_failure(&error, "dynamodb:Scan"))?;
        let plan = plan_parked(all.messages, &selection);
        let is_missing = |id: &&String| !plan.messages.iter().any(|message| message.id == **id);
        let missing = self.selection.ids.iter().filter(is_missing).cloned().collect();
        let unlisted = self.selection.unlisted(target);
        Ok(Parked { missing, unlisted, store, plan, unreadable: all.unreadable })
    }
}

impl RedriveArguments {
    async fn run(&self, now: Timestamp) -> Result<Report, String> {
        self.consent.check(&self.list.selection)?;
        self.check_ids()?;
        let target = self.list.target.target().await?;
        let parked = self.list.parked(&target, now).await?;
        let queue = |kind| -> Result<_, String> { Ok(SqsQueue::new(target.sqs()?, target.queue_url(kind)?)) };
        // Asked for in a dry run too: it tells what is missing before anything is done.
        let (to_liveengage, to_channel) = (queue(QueueKind::ToLiveEngage)?, queue(QueueKind::ToChannel)?);
        if !self.consent.yes {
            let mut report = parked.dry_run(&self.list, "sent", now);
            if self.wait.is_some() {
                report.warnings.push("--wait does nothing without --yes.".to_owned());
            }
            return Ok(report);
        }
        let queues = WorkerQueues { to_liveengage: &to_liveengage, to_channel: &to_channel };
        let mut redriven = redrive_parked(&parked.plan, &parked.store, queues, self.fresh, now).await;
        let waited = wait(self.wait.unwrap_or_default(), &parked, &mut redriven).await;
        waited.map_err(|error| target.dynamodb_failure(&error, "dynamodb:GetItem"))?;
        let mut report = outcomes(&redriven, self.list.json);
        let unsettled = unsettled(&redriven);
        if unsettled > 0 && self.wait.is_some() {
            report.complete = false;
            report.warnings.push(format!(
                "Of {unsettled} it is not known yet what becomes of them. One that fails is parked again, by the same id."
            ));
        } else if unsettled > 0 {
            report.warnings.push(
                "Into a queue is not delivered yet. --wait tells what becomes of them; one that fails is parked again, by the same id."
                    .to_owned(),
            );
        }
        parked.warn_of_permanent(&mut report);
        Ok(parked.warned(report))
    }

    /// `--wait 30m` is `--wait` and the id `30m`. No id is a length of time.
    fn check_ids(&self) -> Result<(), String> {
        match self.list.selection.ids.iter().find(|id| length(id).is_ok()) {
            Some(id) if self.wait.is_some() => Err(format!("{id} is no id: write --wait={id}, with an equals sign")),
            _ => Ok(()),
        }
    }
}

/// How often it is looked what has become of what was sent.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(2);

fn unsettled(redriven: &[Redriven]) -> usize {
    redriven.iter().filter(|one| one.outcome == RedriveOutcome::Sent).count()
}

/// Waits until it is known what has become of each message that was sent, for so long at the most.
#[expect(clippy::disallowed_methods, reason = "an operator waits at a terminal, and no function does")]
async fn wait(longest: SignedDuration, parked: &Parked, redriven: &mut [Redriven]) -> Result<(), StoreError> {
    let mut left = longest;
    while unsettled(redriven) > 0 && left.is_positive() {
        let pause = left.min(LOOK_EVERY);
        tokio::time::sleep(pause.unsigned_abs()).await;
        left -= pause;
        settle(&parked.plan, redriven, &parked.store).await?;
    }
    Ok(())
}

fn length(text: &str) -> Result<SignedDuration, String> {
    let length = text.parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    length.ok_or_else(|| "a length of time, such as 30s, 5m or 1h".to_owned())
}

impl DeleteArguments {
    async fn run(&self, now: Timestamp) -> Result<Report, String> {
        self.consent.check(&self.list.selection)?;
        let parked = self.list.parked(&self.list.target.target().await?, now).await?;
        if !self.consent.yes {
            return Ok(parked.dry_run(&self.list, "deleted", now));
        }
        let deleted = delete_parked(&parked.plan, &parked.store).await;
        Ok(parked.warned(outcomes(&deleted, self.list.json)))
    }
}

/// What was found.
struct Parked {
    store: ParkedTable,
    plan: ParkedPlan,
    /// Items that this version can't read.
    unreadable: usize,
    /// Ids that were asked for and are not there.
    missing: Vec<String>,
    /// What the stack doesn't have of what was asked for.
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

    fn dry_run(&self, list: &ListArguments, done: &str, now: Timestamp) -> Report {
        let mut report = if list.json {
            Report::json(&json!({ "dry_run": true, "messages": self.rows(now, false) }))
        } else {
            Report::done(self.table(now))
        };
        report.warnings.push(if self.plan.messages.is_empty() {
            format!("Nothing was {done}: there is nothing to be {done}.")
        } else {
            format!("Nothing was {done}. With --yes these are {done}, in this order.")
        });
        if done == "sent" {
            self.warn_of_permanent(&mut report);
        }
        if done == "sent" && self.plan.overtaking > 0 {
            report.warnings.push(format!(
                "{} of them overtake an earlier one of the same conversation that is parked too and is not chosen.",
                self.plan.overtaking
            ));
        }
        self.warned(report)
    }

    fn warn_of_permanent(&self, report: &mut Report) {
        let permanent: Vec<_> =
            self.plan.messages.iter().filter(|one| one.parked.parked.permanent).map(|one| one.id.as_str()).collect();
        if !permanent.is_empty() {
            report.warnings.push(format!(
                "Failed for a reason that does not pass by itself, and will be parked again unless that was mended: {}",
                permanent.join(", ")
            ));
        }
    }

    fn warned(&self, mut report: Report) -> Report {
        report.warnings.extend(self.unlisted.iter().cloned());
        if !self.missing.is_empty() {
            report.complete = false;
            report.warnings.push(format!("Not parked, or not chosen by the rest: {}", self.missing.join(", ")));
        }
        if self.unreadable > 0 {
            report
                .warnings
                .push(format!("{} more can't be read by this version: is a newer one deployed?", self.unreadable));
        }
        report
    }
}

fn cells(planned: &PlannedParked, now: Timestamp) -> [String; 8] {
    let (parked, facts) = (&planned.parked.parked, planned.facts.as_ref());
    let accepted_at = facts.and_then(|facts| facts.accepted_at).unwrap_or(parked.at);
    let begun = if planned.parked.begun.is_some() { " (sending it again was begun)" } else { "" };
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
    let person = planned.facts.as_ref().and_then(|facts| facts.person.as_ref());
    planned.parked.parked.line.as_ref().or(person.map(|person| &person.line)).map(LineId::as_str)
}

fn conversation(planned: &PlannedParked) -> Option<&str> {
    let facts = planned.facts.as_ref();
    let named = planned.parked.parked.conversation.as_ref();
    named.or(facts.and_then(|facts| facts.conversation.as_ref())).map(ConversationId::as_str)
}

fn row(planned: &PlannedParked, now: Timestamp, show_text: bool) -> Value {
    let (parked, facts) = (&planned.parked.parked, planned.facts.as_ref());
    let accepted_at = facts.and_then(|facts| facts.accepted_at);
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
    if show_text { with_task(row, &parked.task) } else { row }
}

#[cfg(test)]
mod tests;
