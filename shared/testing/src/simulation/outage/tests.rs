//! While the gateway of one line is down, the texts on the other line go on as long as the queue finds them.

use super::*;

/// A text that needs no second attempt arrives within this time.
const SOON: SignedDuration = SignedDuration::from_secs(10);

/// A quarter of the look-through, as the backlog alarms in template.yaml.
const ALARM: usize = LOOK_THROUGH / 1000 / 4;

fn outage(queues: Queues, hours: i64) -> OutageReport {
    let report = simulate_outage(Outage { queues, lasts: SignedDuration::from_hours(hours), ..Outage::small() }, None);
    assert_eq!(report.violation, None);
    let Counts { written, delivered, parked, .. } = report.counts;
    assert_eq!(delivered + parked, written, "every message arrives or is parked");
    report
}

fn waited(probe: &Probe) -> SignedDuration {
    probe.waited.unwrap()
}

#[test]
fn other_lines_go_on_until_the_backlog_exceeds_what_the_queue_looks_through() {
    let report = outage(Queues::Shared, 6);
    let look_through = Outage::small().look_through;
    let (before, after): (Vec<_>, Vec<_>) =
        report.probes.iter().partition(|probe| probe.backlog.total() < look_through - 10);
    assert!(before.len() > 15 && before.iter().all(|probe| waited(probe) < SOON), "{before:?}");
    let stalled: Vec<_> = after.iter().filter(|probe| probe.backlog.total() > look_through).collect();
    // They wait for the end of the outage.
    let lasts = SignedDuration::from_hours(6);
    assert!(stalled.len() > 10 && stalled.iter().all(|probe| waited(probe) > lasts - probe.at), "{stalled:?}");
}

#[test]
fn other_lines_that_stall_wait_until_messages_of_the_line_are_parked() {
    let report = outage(Queues::Shared, 16);
    let parked = report.first_parked.unwrap();
    assert!((SignedDuration::from_hours(12)..SignedDuration::from_mins(750)).contains(&parked), "{parked:?}");
    let (four, five) = (SignedDuration::from_hours(4), SignedDuration::from_hours(5));
    for probe in report.probes.iter().filter(|probe| (four..five).contains(&probe.at)) {
        // 12 hours less the 3 hours and 20 minutes in which the backlog has grown, and at most 15 minutes until the next attempt.
        let hours = waited(probe).as_secs_f64() / 3600.0;
        assert!((8.6..9.0).contains(&hours), "{probe:?}");
    }
}

#[test]
fn with_a_queue_for_each_line_the_others_go_on_beyond_it() {
    let report = outage(Queues::PerLine, 6);
    assert!(report.probes.last().unwrap().backlog.total() > Outage::small().look_through);
    assert!(report.probes.iter().all(|probe| waited(probe) < SOON));
}

#[test]
fn the_backlog_alarm_fires_hours_before_other_lines_stall_and_visible_messages_alone_would_not_show_it() {
    let report = outage(Queues::Shared, 6);
    let first = |holds: fn(&Probe) -> bool| *report.probes.iter().find(|probe| holds(probe)).unwrap();
    let (alarm, stalled) = (first(|probe| probe.backlog.total() > ALARM), first(|probe| waited(probe) > SOON));
    assert!(stalled.at - alarm.at > SignedDuration::from_hours(2), "{alarm:?} {stalled:?}");
    assert!(stalled.backlog.visible < ALARM, "{stalled:?}");
}
