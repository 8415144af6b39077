//! What a webhook uses: requests and units as AWS bills them, and what else takes time.

use std::{collections::BTreeMap, ops::AddAssign};

/// What one function did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) invocations: u64,
    /// Calls to SQS.
    pub(super) queue_calls: u64,
    /// Calls to DynamoDB.
    pub(super) table_calls: u64,
    /// Calls to Secrets Manager.
    pub(super) secret_calls: u64,
    /// Calls to LiveEngage and to the channel.
    pub(super) outside_calls: u64,
    /// DynamoDB's write request units.
    pub(super) written: u64,
    /// DynamoDB's read request units.
    pub(super) read: u64,
}

impl Work {
    /// Calls of every kind.
    pub(super) const fn calls(&self) -> u64 {
        self.aws_calls() + self.outside_calls
    }

    /// Calls to AWS.
    pub(super) const fn aws_calls(&self) -> u64 {
        self.queue_calls + self.table_calls + self.secret_calls
    }

    const fn times(self, times: u64) -> Self {
        Self {
            invocations: self.invocations * times,
            queue_calls: self.queue_calls * times,
            table_calls: self.table_calls * times,
            secret_calls: self.secret_calls * times,
            outside_calls: self.outside_calls * times,
            written: self.written * times,
            read: self.read * times,
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.invocations += other.invocations;
        self.queue_calls += other.queue_calls;
        self.table_calls += other.table_calls;
        self.secret_calls += other.secret_calls;
        self.outside_calls += other.outside_calls;
        self.written += other.written;
        self.read += other.read;
    }
}

/// What one or more webhooks use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Requests to API Gateway.
    pub(super) webhooks: u64,
    /// Messages that the workers got from the queues.
    pub(super) messages: u64,
    /// What the functions did, by their names.
    pub(super) functions: BTreeMap<&'static str, Work>,
    /// Bytes that the functions wrote to their logs.
    pub(super) log_bytes: u64,
    /// Calls to LiveEngage, by service.
    pub(super) liveengage: BTreeMap<&'static str, u64>,
    /// Calls to the channel.
    pub(super) channel: u64,
}

impl Usage {
    /// The work of all functions.
    pub(super) fn work(&self) -> Work {
        self.functions.values().fold(Work::default(), |mut sum, work| {
            sum += *work;
            sum
        })
    }

    /// Requests to SQS: the functions' own, and for each message one receive and one delete by the event source mapping.
    pub(super) fn queue_requests(&self) -> u64 {
        self.work().queue_calls + 2 * self.messages
    }

    /// The same so many times.
    pub(super) fn times(&self, times: u64) -> Self {
        Self {
            webhooks: self.webhooks * times,
            messages: self.messages * times,
            functions: self.functions.iter().map(|(name, work)| (*name, work.times(times))).collect(),
            log_bytes: self.log_bytes * times,
            liveengage: self.liveengage.iter().map(|(name, count)| (*name, count * times)).collect(),
            channel: self.channel * times,
        }
    }

    /// Whether AWS bills both alike, and both call the same outside. The logs may differ by some bytes.
    pub(super) fn costs_as(&self, other: &Self) -> bool {
        let without_logs = |usage: &Self| Self { log_bytes: 0, ..usage.clone() };
        without_logs(self) == without_logs(other)
    }
}

impl AddAssign<&Self> for Usage {
    fn add_assign(&mut self, other: &Self) {
        self.webhooks += other.webhooks;
        self.messages += other.messages;
        self.channel += other.channel;
        self.log_bytes += other.log_bytes;
        for (name, work) in &other.functions {
            *self.functions.entry(name).or_default() += *work;
        }
        for (name, count) in &other.liveengage {
            *self.liveengage.entry(name).or_default() += count;
        }
    }
}

/// Adds up.
pub(super) fn sum<'a>(parts: impl IntoIterator<Item = &'a Usage>) -> Usage {
    parts.into_iter().fold(Usage::default(), |mut sum, usage| {
        sum += usage;
        sum
    })
}
