//! Short end-to-end drills with a fixed seed, while everything around the functions fails.

use connector_lab::drill::{self, DrillOptions, FaultSet, MAX_SECONDS, Phase, Progress, Report, Sabotage, Score};

use crate::silence::{Kind, Watch};

fn short(faults: FaultSet) -> DrillOptions {
    DrillOptions { seconds: 10, messages: 90, conversations: 12, seed: 47_110_815, faults, outage: 0 }
}

/// Starts to watch the log for the texts and phone numbers of a drill.
fn watch(options: &DrillOptions) -> Watch {
    let watch = Watch::begin();
    for person in 0..options.conversations {
        watch.plant(Kind::Number, &format!("+49151700{person:05}"));
    }
    watch.plant_all(Kind::Text, ["Grüße 📦", "one moment, please", "and then?", "Bitte lesen Sie das in Ruhe."]);
    watch
}

async fn run(options: DrillOptions) -> Report {
    let _watch = watch(&options);
    drill::run(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_drill_with_every_fault_keeps_the_promises() {
    let report = run(short(FaultSet::all())).await;
    assert!(report.is_good(), "{report}");
    assert!(report.score.sent >= 60, "{report}");
    let injected = |what: &str| report.injected.iter().filter(|(name, _)| name.contains(what)).map(|(_, n)| n).sum();
    for what in ["DynamoDB", "SQS", "LiveEngage", "gateway", "webhooks", "kill", "repeated"] {
        let count: usize = injected(what);
        assert!(count > 0, "nothing of {what}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_every_message_arrives_once_and_at_once() {
    let options = DrillOptions { seconds: 4, messages: 60, ..short(FaultSet::none()) };
    let report = run(options).await;
    assert!(report.is_good(), "{report}");
    assert_eq!((report.score.sent, report.score.delivered), (60, 60), "{report}");
    assert!(report.score.doubled_in_a_window.is_empty() && report.injected.is_empty(), "{report}");
}

/// Returns the number of messages for which a score reports this kind of error.
type Culprits = fn(&Score) -> usize;

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_of_a_broken_connector_fails_and_says_how() {
    let culprits: [(Sabotage, Culprits); 3] = [
        (Sabotage::LosesWebhooks, |score| score.lost.len()),
        (Sabotage::SendsTwice, |score| score.doubled.len()),
        (Sabotage::SendsOutOfOrder, |score| score.out_of_order.len()),
    ];
    for (sabotage, count) in culprits {
        let options = DrillOptions { seconds: 2, messages: 60, conversations: 6, ..short(FaultSet::none()) };
        let _watch = watch(&options);
        let report = drill::run_broken(options, sabotage).await.unwrap();
        assert!(!report.is_good(), "{sabotage:?}: {report}");
        assert!(count(&report.score) > 0, "{sabotage:?}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_that_is_stopped_judges_only_what_was_sent() {
    // It lasts an hour, so it ends only because it is stopped. The outage is far away.
    let options = DrillOptions { seconds: MAX_SECONDS, messages: 40_000, outage: 60, ..short(FaultSet::all()) };
    let _watch = watch(&options);
    let (progress, mut seen) = tokio::sync::watch::channel(Progress::default());
    let stop = async {
        let _ = seen.wait_for(|progress| progress.phase == Phase::Faults && progress.delivered >= 20).await;
    };
    let report = drill::run_until(options, stop, &progress).await.unwrap();
    assert!(report.is_good(), "{report}");
    assert!(report.stopped_after.is_some(), "{report}");
    let Score { sent, delivered, parked_with_notice, under_way, .. } = &report.score;
    assert!((20..20_000).contains(sent), "{report}");
    assert!(*delivered >= 20, "{report}");
    assert_eq!(delivered + parked_with_notice + under_way.len(), *sent, "{report}");
    assert!(!report.injected.contains_key("LiveEngage: down"), "{report}");
    assert_eq!(progress.borrow().phase, Phase::Settling);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_in_the_middle_delays_and_loses_nothing() {
    let options = DrillOptions { seconds: 8, messages: 60, outage: 4, ..short(FaultSet::none()) };
    let report = run(options).await;
    assert!(report.is_good(), "{report}");
    assert!(report.score.doubled_in_a_window.is_empty(), "{report}");
    assert!(report.injected.contains_key("LiveEngage: down"), "{report}");
}

/// Tests each fault that can interrupt a message separately, so that a failure names its cause.
#[tokio::test(flavor = "multi_thread")]
async fn each_fault_that_interrupts_a_message_is_survived_by_itself() {
    for faults in [
        "kill",
        "lost-answer",
        "drop",
        "repeat,duplicate,reorder",
        "table,queue,error,throttle",
        "close,overtake",
        "deploy",
    ] {
        let options = DrillOptions { seconds: 2, messages: 48, ..short(faults.parse().unwrap()) };
        let report = run(options).await;
        assert!(report.is_good(), "{faults}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_replaced_in_mid_traffic_and_nothing_is_lost() {
    // Delays keep messages under way at most moments. Without them, a fast machine finishes a message at once.
    let options = DrillOptions { seconds: 8, messages: 120, ..short("deploy,delay".parse().unwrap()) };
    let report = run(options).await;
    assert!(report.is_good(), "{report}");
    assert_eq!(report.score.sent, 120, "{report}");
    for function in ["webhook", "inbound", "to-liveengage", "to-channel", "token-refresh"] {
        assert_eq!(report.injected.get(&format!("deployed: {function}")), Some(&4), "{report}");
    }
}
