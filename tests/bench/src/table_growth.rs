//! How a message, and a call, depend on the number of items in the table stand-in.

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use connector_lab::{
    Lab, LabOptions,
    aws::table::{PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE},
    liveengage::WebhookEvent,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use crate::{BenchError, lab_load, report::Samples};

/// The most items of a `BatchWriteItem` (DynamoDB's limit).
const BATCH: u32 = 25;
/// How many of these calls are under way at a time.
const BATCHES_AT_A_TIME: usize = 4;

/// Which tables are compared.
#[derive(Debug, clap::Args)]
pub(crate) struct GrowthOptions {
    /// The items of the large table.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub(crate) items: u32,
    /// The items of the small table.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) small: u32,
    /// How many texts are sent in each direction, and how often each call is made.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rounds: u32,
}

/// What was measured with one table.
#[derive(Default)]
pub(crate) struct Growth {
    /// The items at the start, without those of the conversation.
    pub(crate) items: u32,
    /// From a phone to the desk.
    pub(crate) to_desk: Samples,
    /// From the desk to a phone.
    pub(crate) to_phone: Samples,
    /// A call that reads one item.
    pub(crate) get: Samples,
    /// A call that adds one item if it doesn't exist.
    pub(crate) put: Samples,
}

/// A lab with a table of so many items.
struct FilledLab {
    lab: Lab,
    client: Client,
    phone: String,
    conversation: String,
    growth: Growth,
}

/// Measures both tables in turn, so that what else happens on the machine affects both.
pub(crate) async fn run(options: &GrowthOptions) -> Result<Vec<Growth>, BenchError> {
    let mut labs = [FilledLab::start(options.small).await?, FilledLab::start(options.items).await?];
    for round in 0..options.rounds {
        for lab in &mut labs {
            lab.measure(round).await?;
        }
    }
    Ok(labs.into_iter().map(|lab| lab.growth).collect())
}

impl FilledLab {
    async fn start(items: u32) -> Result<Self, BenchError> {
        let lab = Lab::start(LabOptions::default()).await?;
        let client = Client::new(lab.aws().sdk_config());
        let batches = stream::iter((0..items).step_by(BATCH as usize));
        batches
            .map(|first| write(&client, lab.aws().table_name(), first..items.min(first + BATCH)))
            .buffer_unordered(BATCHES_AT_A_TIME)
            .try_collect::<()>()
            .await?;
        let pairs = lab_load::open(&lab, 1).await?;
        let (phone, conversation) = pairs.into_iter().next().ok_or(BenchError::NoAnswer)?;
        Ok(Self { lab, client, phone, conversation, growth: Growth { items, ..Growth::default() } })
    }

    async fn measure(&mut self, round: u32) -> Result<(), BenchError> {
        let text = format!("round {round}");
        let refused = |error: &dyn std::fmt::Display| BenchError::Function(error.to_string());

        let (mut desk, started) = (self.lab.liveengage().subscribe(), Instant::now());
        self.lab.gateway().consumer_sends(&self.phone, &text).map_err(|error| refused(&error))?;
        while desk.recv().await.map_err(|_| BenchError::NoAnswer)?.event != WebhookEvent::Content {}
        self.growth.to_desk.add(started.elapsed());
        self.lab.settled().await;

        let (mut phone, started) = (self.lab.gateway().subscribe(), Instant::now());
        self.lab.liveengage().say(&self.conversation, &text).map_err(|error| refused(&error))?;
        phone.recv().await.map_err(|_| BenchError::NoAnswer)?;
        self.growth.to_phone.add(started.elapsed());
        self.lab.settled().await;

        // Far apart, so that a cache doesn't have the same pages each time.
        let number = (u64::from(round) * 7_919 % u64::from(self.growth.items)).to_string();
        let (table, started) = (self.lab.aws().table_name(), Instant::now());
        let [(pk, key), (sk, sort)] = key_of(&number);
        let got = self.client.get_item().table_name(table).key(pk, key).key(sk, sort).send().await;
        if got.map_err(|error| refused(&error))?.item.is_none() {
            return Err(BenchError::Function("an item of the table is missing".to_owned()));
        }
        self.growth.get.add(started.elapsed());

        let started = Instant::now();
        let put = self.client.put_item().table_name(table).set_item(Some(item(&format!("{number}-{round}"))));
        put.condition_expression("attribute_not_exists(pk)").send().await.map_err(|error| refused(&error))?;
        self.growth.put.add(started.elapsed());
        Ok(())
    }
}

async fn write(client: &Client, table: &str, numbers: std::ops::Range<u32>) -> Result<(), BenchError> {
    let mut requests = Vec::new();
    for number in numbers {
        let put = PutRequest::builder().set_item(Some(item(&number.to_string()))).build();
        let put = put.map_err(|error| BenchError::Function(error.to_string()))?;
        requests.push(WriteRequest::builder().put_request(put).build());
    }
    let written = client.batch_write_item().request_items(table, requests).send().await;
    match written.map_err(|error| BenchError::Function(error.to_string()))?.unprocessed_items {
        Some(left) if !left.is_empty() => Err(BenchError::Function("the table took only a part of a batch".to_owned())),
        _ => Ok(()),
    }
}

/// The key has the form of a message's.
fn key_of(name: &str) -> [(&'static str, AttributeValue); 2] {
    let key = AttributeValue::S(format!("MSG#in#sms-lab#filler-{name}"));
    [(PARTITION_KEY, key), (SORT_KEY, AttributeValue::S("MSG".to_owned()))]
}

/// An item of about the size of a message's.
fn item(name: &str) -> std::collections::HashMap<String, AttributeValue> {
    let rest =
        [(TTL_ATTRIBUTE, AttributeValue::N("4102444800".to_owned())), ("filler", AttributeValue::S("x".repeat(200)))];
    key_of(name).into_iter().chain(rest).map(|(name, value)| (name.to_owned(), value)).collect()
}
