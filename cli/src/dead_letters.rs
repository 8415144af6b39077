//! `connector dead-letters`: the messages that SQS moved to the dead-letter queues.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use connector::{
    app::redrive::{Facts, QueueKind, look, plan_dead_letters, redrive_dead_letters},
    port::{DeadLetter, DeadLetters as _},
    queue_message::short_name,
};
use connector_aws::{DeadLetterQueue, SqsQueue};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    output::{Report, age, blocks, or_dash, outcomes, seconds, table, with_task},
    selection::{ConfirmArguments, MessageArguments, SELECTION_REQUIRED},
    target::Target,
};

/// The IAM actions to read a queue. A message that was received is made visible again.
const READ_RIGHTS: &str = "sqs:ReceiveMessage and sqs:ChangeMessageVisibility";

/// The IAM actions to move messages out of a queue.
const REDRIVE_RIGHTS: &str = "sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:DeleteMessage";

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List and count dead letters, without their texts. SQS shows the first ten of each conversation.
    List(DeadLetterListArguments),
    /// Show everything about the selected dead letters.
    Show(DeadLetterShowArguments),
    /// Move dead letters back into the queue that they came from, in order. Without --yes it only prints what it would
    /// move.
    Redrive(DeadLetterRedriveArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DeadLetterListArguments {
    #[command(flatten)]
    messages: MessageArguments,
    /// Only the dead letters of this queue.
    #[arg(long, value_enum, help_heading = "Which messages")]
    queue: Option<QueueName>,
}

#[derive(Debug, Args)]
pub(crate) struct DeadLetterShowArguments {
    #[command(flatten)]
    list: DeadLetterListArguments,
    /// Also show the queue message, which contains the text and the phone number.
    #[arg(long, help_heading = "What to do")]
    show_text: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DeadLetterRedriveArguments {
    #[command(flatten)]
    list: DeadLetterListArguments,
    #[command(flatten)]
    confirm: ConfirmArguments,
    /// Try each message for another 12 hours. Without this option, a message that the connector accepted more than 12
    /// hours ago gets up to six attempts and is then parked. With it, newer messages of the same conversation wait
    /// behind a message that fails.
    #[arg(long, help_heading = "What to do")]
    fresh: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum QueueName {
    ToLiveengage,
    ToChannel,
}

impl DeadLettersCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// A message for the operator: an invalid argument, or an AWS error.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        match self {
            Self::List(list) => {
                let found = list.find(&list.messages.target.target().await?, now).await?;
                let report = if list.messages.json {
                    let counts: Vec<_> =
                        found.counts().into_iter().map(|(what, count)| count_row(&what, count)).collect();
                    Report::json(&json!({
                        "messages": found.rows(now, false), "counts": counts, "not_shown": found.not_shown,
                    }))
                } else {
                    Report::done(found.table(now) + &found.count_table())
                };
                Ok(found.with_warnings(report))
            }
            Self::Show(DeadLetterShowArguments { list, show_text }) => {
                if list.messages.selection.is_empty() {
                    return Err(SELECTION_REQUIRED.to_owned());
                }
                let found = list.find(&list.messages.target.target().await?, now).await?;
                let rows = found.rows(now, *show_text);
                let report = if list.messages.json {
                    Report::json(&json!({ "messages": rows }))
                } else {
                    Report::done(blocks(&rows))
                };
                Ok(found.with_warnings(report))
            }
            Self::Redrive(redrive) => redrive.run(now).await,
        }
    }
}

impl DeadLetterListArguments {
    fn queues(&self) -> Vec<QueueKind> {
        match self.queue {
            Some(QueueName::ToLiveengage) => vec![QueueKind::ToLiveEngage],
            Some(QueueName::ToChannel) => vec![QueueKind::ToChannel],
            None => vec![QueueKind::ToLiveEngage, QueueKind::ToChannel],
        }
    }

    async fn find(&self, target: &Target<'_>, now: Timestamp) -> Result<FoundDeadLetters, String> {
        let selection = self.messages.selection.selection(target, now).await?;
        let mut found =
            FoundDeadLetters { unlisted: self.messages.selection.unlisted(target), ..FoundDeadLetters::default() };
        for queue in self.queues() {
            let dead_letters = DeadLetterQueue::new(target.sqs()?, target.dead_letter_queue_url(queue)?);
            let letters = look(&dead_letters).await.map_err(|error| target.sqs_failure(&error, READ_RIGHTS))?;
            let count = dead_letters.count().await;
            let count = count.map_err(|error| target.sqs_failure(&error, "sqs:GetQueueAttributes"))?;
            found.not_shown += count.saturating_sub(letters.len());
            let plan = plan_dead_letters(letters, &selection);
            found.overtaking += plan.overtaking;
            found.letters.extend(plan.letters.into_iter().map(|letter| (queue, letter)));
        }
        Ok(found)
    }
}

impl DeadLetterRedriveArguments {
    async fn run(&self, now: Timestamp) -> Result<Report, String> {
        self.confirm.check(&self.list.messages.selection)?;
        let target = self.list.messages.target.target().await?;
        let sources: Vec<_> = self
            .list
            .queues()
            .into_iter()
            .map(|queue| Ok((queue, SqsQueue::new(target.sqs()?, target.queue_url(queue)?))))
            .collect::<Result<_, String>>()?;
        if !self.confirm.yes {
            let found = self.list.find(&target, now).await?;
            let mut report = if self.list.messages.json {
                Report::json(&json!({ "dry_run": true, "messages": found.rows(now, false) }))
            } else {
                Report::done(found.table(now))
            };
            let message = if found.letters.is_empty() {
                "No messages match: nothing was moved."
            } else {
                "Nothing was moved. Add --yes to move these messages, in this order within each conversation."
            };
            report.warnings.push(message.to_owned());
            if found.overtaking > 0 {
                report.warnings.push(format!(
                    "{} of these messages overtake an earlier message of the same conversation that is not selected.",
                    found.overtaking
                ));
            }
            return Ok(found.with_warnings(report));
        }
        let selection = self.list.messages.selection.selection(&target, now).await?;
        let (mut redriven, mut failures) = (Vec::new(), Vec::new());
        for (queue, source) in sources {
            let dead_letters = DeadLetterQueue::new(target.sqs()?, target.dead_letter_queue_url(queue)?);
            let fresh = self.fresh.then_some(now);
            let (moved, result) = redrive_dead_letters(&dead_letters, &source, &selection, fresh).await;
            redriven.extend(moved);
            if let Err(error) = result {
                let error = target.sqs_failure(&error, REDRIVE_RIGHTS);
                let end = if error.ends_with('.') || error.ends_with('?') { "" } else { "." };
                failures.push(format!(
                    "{}: {error}{end} The remaining messages become visible again in two minutes.",
                    queue.name()
                ));
            }
        }
        let mut report = outcomes(&redriven, self.list.messages.json);
        report.complete &= failures.is_empty();
        report.warnings = self.list.messages.selection.unlisted(&target);
        report.warnings.extend(failures);
        Ok(report)
    }
}

/// The dead letters that match.
#[derive(Default)]
struct FoundDeadLetters {
    letters: Vec<(QueueKind, DeadLetter)>,
    /// The number of dead letters that SQS did not return.
    not_shown: usize,
    overtaking: usize,
    /// Warnings about selected ids that the stack doesn't list.
    unlisted: Vec<String>,
}

impl FoundDeadLetters {
    fn rows(&self, now: Timestamp, show_text: bool) -> Vec<Value> {
        self.letters.iter().map(|(queue, letter)| row(*queue, letter, now, show_text)).collect()
    }

    fn table(&self, now: Timestamp) -> String {
        let rows: Vec<_> = self.letters.iter().map(|(queue, letter)| cells(*queue, letter, now)).collect();
        if rows.is_empty() {
            return "No dead letters.\n".to_owned();
        }
        table(["ID", "GIVEN UP", "AGE", "QUEUE", "LINE", "CONVERSATION", "KIND"], &rows)
    }

    /// The number of dead letters by queue, line and kind.
    fn counts(&self) -> BTreeMap<[String; 3], usize> {
        let mut counts = BTreeMap::new();
        for (queue, letter) in &self.letters {
            let facts = Facts::read(&letter.body);
            let facts = facts.as_ref();
            let key = [queue.name().to_owned(), or_dash(line(facts)), kind(facts).to_owned()];
            *counts.entry(key).or_insert(0) += 1;
        }
        counts
    }

    fn count_table(&self) -> String {
        if self.letters.is_empty() {
            return String::new();
        }
        let rows: Vec<_> = self
            .counts()
            .into_iter()
            .map(|([queue, line, kind], count)| [queue, line, kind, count.to_string()])
            .collect();
        format!("\n{}", table(["QUEUE", "LINE", "KIND", "COUNT"], &rows))
    }

    fn with_warnings(&self, mut report: Report) -> Report {
        report.warnings.extend(self.unlisted.iter().cloned());
        if self.not_shown > 0 {
            report.warnings.push(format!(
                "About {} more messages are in the queue: behind the first ten of their conversation, or with another receiver for two minutes.",
                self.not_shown
            ));
        }
        report
    }
}

fn count_row([queue, line, kind]: &[String; 3], count: usize) -> Value {
    json!({"queue": queue, "line": line, "kind": kind, "count": count})
}

fn line(facts: Option<&Facts>) -> Option<&str> {
    Some(facts?.consumer.as_ref()?.line.as_str())
}

fn kind(facts: Option<&Facts>) -> &'static str {
    facts.map_or("unreadable", |facts| facts.kind)
}

fn cells(queue: QueueKind, letter: &DeadLetter, now: Timestamp) -> [String; 7] {
    let facts = Facts::read(&letter.body);
    let facts = facts.as_ref();
    let accepted_at = facts.map(|facts| facts.accepted_at).unwrap_or(letter.at);
    [
        short_name(&letter.id),
        seconds(letter.at),
        age(now.duration_since(accepted_at)),
        queue.name().to_owned(),
        or_dash(line(facts)),
        or_dash(facts.and_then(|facts| Some(facts.conversation.as_ref()?.as_str()))),
        kind(facts).to_owned(),
    ]
}

fn row(queue: QueueKind, letter: &DeadLetter, now: Timestamp, show_text: bool) -> Value {
    let facts = Facts::read(&letter.body);
    let facts = facts.as_ref();
    let accepted_at = facts.map(|facts| facts.accepted_at);
    let row = json!({
        "id": short_name(&letter.id),
        "given_up_at": letter.at,
        "accepted_at": accepted_at,
        "age_s": now.duration_since(accepted_at.unwrap_or(letter.at)).as_secs(),
        "queue": queue.name(),
        "line": line(facts),
        "conversation": facts.and_then(|facts| Some(facts.conversation.as_ref()?.as_str())),
        "kind": kind(facts),
        "correlation": facts.map(|facts| facts.correlation.as_str()),
    });
    if show_text { with_task(row, &letter.body) } else { row }
}
