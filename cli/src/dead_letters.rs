//! `connector dead-letters`: what the queues have given up.

use std::collections::BTreeMap;

use clap::{Args, Subcommand, ValueEnum};
use connector::{
    app::redrive::{Facts, QueueKind, look, plan_dead_letters, redrive_dead_letters, short_name},
    aws::{DeadLetterQueue, SqsQueue},
    port::{DeadLetter, DeadLetters as _},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    output::{Report, age, blocks, or_dash, outcomes, seconds, table, with_task},
    selection::{Consent, SelectionArguments, WHICH},
    target::{Target, TargetArguments},
};

/// What looking at a queue takes: what was received is given back.
const LOOK_RIGHTS: &str = "sqs:ReceiveMessage and sqs:ChangeMessageVisibility";

/// What moving messages out of a queue takes.
const REDRIVE_RIGHTS: &str = "sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:DeleteMessage";

#[derive(Debug, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// List and count them, without what was said in them. SQS shows the first ten of each conversation.
    List(ListArguments),
    /// Show all that is known of some of them.
    Show(ShowArguments),
    /// Move them back into the queue that they came from, in order. Without --yes it only tells what it would move.
    Redrive(RedriveArguments),
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    selection: SelectionArguments,
    /// Only what was on the way to this side.
    #[arg(long, value_enum, help_heading = "Which messages")]
    queue: Option<QueueName>,
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
    /// and is parked if they fail. With it, newer messages of the same conversation wait behind it for as long as it fails.
    #[arg(long, help_heading = "What to do")]
    fresh: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum QueueName {
    ToLiveengage,
    ToChannel,
}

impl DeadLettersCommand {
    /// Carries it out.
    ///
    /// # Errors
    /// A sentence: an argument that can't be used, or what AWS says.
    pub(crate) async fn run(&self, now: Timestamp) -> Result<Report, String> {
        match self {
            Self::List(list) => {
                let seen = list.look(&list.target.target().await?, now).await?;
                let report = if list.json {
                    let counts: Vec<_> =
                        seen.counts().into_iter().map(|(what, count)| count_row(&what, count)).collect();
                    Report::json(&json!({
                        "messages": seen.rows(now, false), "counts": counts, "not_shown": seen.not_shown,
                    }))
                } else {
                    Report::done(seen.table(now) + &seen.count_table())
                };
                Ok(seen.warned(report))
            }
            Self::Show(ShowArguments { list, show_text }) => {
                if list.selection.is_empty() {
                    return Err(WHICH.to_owned());
                }
                let seen = list.look(&list.target.target().await?, now).await?;
                let rows = seen.rows(now, *show_text);
                let report =
                    if list.json { Report::json(&json!({ "messages": rows })) } else { Report::done(blocks(&rows)) };
                Ok(seen.warned(report))
            }
            Self::Redrive(redrive) => redrive.run(now).await,
        }
    }
}

impl ListArguments {
    fn queues(&self) -> Vec<QueueKind> {
        match self.queue {
            Some(QueueName::ToLiveengage) => vec![QueueKind::ToLiveEngage],
            Some(QueueName::ToChannel) => vec![QueueKind::ToChannel],
            None => vec![QueueKind::ToLiveEngage, QueueKind::ToChannel],
        }
    }

    async fn look(&self, target: &Target<'_>, now: Timestamp) -> Result<Seen, String> {
        let selection = self.selection.selection(target, now).await?;
        let mut found = Seen { unlisted: self.selection.unlisted(target), ..Seen::default() };
        for queue in self.queues() {
            let dead_letters = DeadLetterQueue::new(target.sqs()?, target.dead_letter_queue_url(queue)?);
            let seen = look(&dead_letters).await.map_err(|error| target.sqs_failure(&error, LOOK_RIGHTS))?;
            let count = dead_letters.count().await;
            let count = count.map_err(|error| target.sqs_failure(&error, "sqs:GetQueueAttributes"))?;
            found.not_shown += count.saturating_sub(seen.len());
            let plan = plan_dead_letters(seen, &selection);
            found.overtaking += plan.overtaking;
            found.letters.extend(plan.letters.into_iter().map(|letter| (queue, letter)));
        }
        Ok(found)
    }
}

impl RedriveArguments {
    async fn run(&self, now: Timestamp) -> Result<Report, String> {
        self.consent.check(&self.list.selection)?;
        let target = self.list.target.target().await?;
        let sources: Vec<_> = self
            .list
            .queues()
            .into_iter()
            .map(|queue| Ok((queue, SqsQueue::new(target.sqs()?, target.queue_url(queue)?))))
            .collect::<Result<_, String>>()?;
        if !self.consent.yes {
            let seen = self.list.look(&target, now).await?;
            let mut report = if self.list.json {
                Report::json(&json!({ "dry_run": true, "messages": seen.rows(now, false) }))
            } else {
                Report::done(seen.table(now))
            };
            let told = if seen.letters.is_empty() {
                "Nothing was moved: there is nothing to be moved."
            } else {
                "Nothing was moved. With --yes these are moved, each conversation's in this order."
            };
            report.warnings.push(told.to_owned());
            if seen.overtaking > 0 {
                report.warnings.push(format!(
                    "{} of them overtake an earlier one of the same conversation that is not chosen.",
                    seen.overtaking
                ));
            }
            return Ok(seen.warned(report));
        }
        let selection = self.list.selection.selection(&target, now).await?;
        let (mut redriven, mut failures) = (Vec::new(), Vec::new());
        for (queue, source) in sources {
            let dead_letters = DeadLetterQueue::new(target.sqs()?, target.dead_letter_queue_url(queue)?);
            let fresh = self.fresh.then_some(now);
            let (moved, result) = redrive_dead_letters(&dead_letters, &source, &selection, fresh).await;
            redriven.extend(moved);
            if let Err(error) = result {
                let error = target.sqs_failure(&error, REDRIVE_RIGHTS);
                let end = if error.ends_with('.') || error.ends_with('?') { "" } else { "." };
                failures.push(format!("{}: {error}{end} What is left comes back in two minutes.", queue.name()));
            }
        }
        let mut report = outcomes(&redriven, self.list.json);
        report.complete &= failures.is_empty();
        report.warnings = self.list.selection.unlisted(&target);
        report.warnings.extend(failures);
        Ok(report)
    }
}

/// What was found.
#[derive(Default)]
struct Seen {
    letters: Vec<(QueueKind, DeadLetter)>,
    /// How many letters lie there that SQS didn't give out.
    not_shown: usize,
    overtaking: usize,
    /// What the stack doesn't have of what was asked for.
    unlisted: Vec<String>,
}

impl Seen {
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

    /// How many there are of each queue, line and kind.
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

    fn warned(&self, mut report: Report) -> Report {
        report.warnings.extend(self.unlisted.iter().cloned());
        if self.not_shown > 0 {
            report.warnings.push(format!(
                "About {} more lie there: behind the first ten of their conversation, or in somebody's hands for two minutes.",
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
    Some(facts?.person.as_ref()?.line.as_str())
}

fn kind(facts: Option<&Facts>) -> &'static str {
    facts.map_or("unreadable", |facts| facts.kind)
}

fn cells(queue: QueueKind, letter: &DeadLetter, now: Timestamp) -> [String; 7] {
    let facts = Facts::read(&letter.body);
    let facts = facts.as_ref();
    let accepted_at = facts.and_then(|facts| facts.accepted_at).unwrap_or(letter.at);
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
    let accepted_at = facts.and_then(|facts| facts.accepted_at);
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
