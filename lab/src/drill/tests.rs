use super::*;

/// The report of a drill that ends while LiveEngage is down, so that nothing can settle.
async fn ended_in_an_outage(sabotage: Option<Sabotage>) -> Report {
    let options = DrillOptions {
        seconds: 60,
        messages: 1200,
        conversations: 12,
        seed: 47_110_815,
        faults: FaultSet::none(),
        outage: 60,
    };
    let mut drill = Drill::start(options, sabotage).await.unwrap();
    let (progress, mut seen) = watch::channel(Progress::default());
    let (mut watcher, faults_started) = (drill.watcher(), drill.faults_started);
    tokio::select! {
        () = drill.inject_faults() => panic!("the plan has ended"),
        never = watcher.publish(&progress, faults_started) => match never {},
        _ = seen.wait_for(|progress| progress.sent >= 30) => {}
    }
    drill.actors.stop().await;
    let under_way = drill.watcher().under_way().await;
    drill.report(Some(Duration::from_secs(1)), under_way).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_at_the_end_of_a_drill_is_not_lost() {
    let report = ended_in_an_outage(None).await;
    assert!(report.is_good(), "{report}");
    assert!(!report.score.under_way.is_empty(), "{report}");
    assert_eq!(report.score.delivered + report.score.under_way.len(), report.score.sent, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_message_is_noticed_while_others_are_under_way() {
    let report = ended_in_an_outage(Some(Sabotage::LosesWebhooks)).await;
    assert!(!report.score.lost.is_empty() && !report.score.under_way.is_empty(), "{report}");
}
