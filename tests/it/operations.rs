//! Checks docs/reference/queries.md. Every query runs over the log of a lab's functions and finds what it asks for. Also checks that one
//! correlation id follows a message from webhook to delivery, and that every metric is written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use connector::log_event;
use connector_lab::{ACCOUNT, LINE, WHATSAPP_LINE};
use serde_json::{Value, json};

use crate::silence::STACK;

mod insights;
mod played;
mod tokens;

use insights::Row;
use played::{Played, of_aws, play};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Returns the page's code blocks of this language.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let fence = format!("```{kind}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Returns a column of a result.
fn column<'a>(rows: &'a [Row], name: &str) -> Vec<&'a str> {
    rows.iter().filter_map(|row| row.get(name)?.as_str()).collect()
}

/// Returns the row in which these columns have these values.
fn row<'a>(rows: &'a [Row], wanted: &[(&str, &str)]) -> &'a Row {
    let fits = |row: &&Row| wanted.iter().all(|(name, value)| row.get(*name).and_then(Value::as_str) == Some(*value));
    rows.iter().find(fits).unwrap_or_else(|| panic!("no row with {wanted:?} in {rows:#?}"))
}

fn amount(row: &Row, name: &str) -> f64 {
    row.get(name).and_then(Value::as_f64).unwrap_or_else(|| panic!("no {name} in {row:?}"))
}

/// The check of each query's result.
type Check = fn(&[Row], &Played);

const CHECKS: &[(&str, Check)] = &[
    ("Where is this message?", |rows, _| {
        let events = ["webhook.accepted", "message.parked", "nack.sent", "message.delivered"];
        assert_eq!(column(rows, "fields.event"), events);
        let error = "the channel can't reach this person (HTTP 422, code opted_out)";
        assert_eq!(column(rows, "fields.error"), [error]);
    }),
    ("What came over this line?", |rows, played| {
        let accepted = played.of("channel_request.accepted", "correlation");
        assert!(rows.len() >= 3 && accepted.len() > rows.len(), "not the other line's: {rows:#?}");
        let delivered = played.of("message.delivered", "correlation");
        assert!(column(rows, "fields.correlation").iter().any(|id| delivered.iter().any(|known| known == id)));
        row(rows, &[("fields.event", "channel_request.refused"), ("fields.reason", "unsigned")]);
    }),
    ("Which messages belong to this conversation?", |rows, played| {
        let delivered: BTreeSet<String> = played.of("message.delivered", "correlation").into_iter().collect();
        assert!(rows.len() >= 4, "{rows:#?}");
        assert!(column(rows, "fields.correlation").iter().any(|id| delivered.contains(*id)));
        assert!(column(rows, "state").contains(&"message.retry_scheduled"), "the last text waits: {rows:#?}");
        assert_eq!(column(rows, "begun").len(), rows.len());
    }),
    ("Why was it not delivered?", |rows, _| {
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["fields.error"], "the channel can't reach this person (HTTP 422, code opted_out)");
    }),
    ("Which agents were told that a message did not arrive?", |rows, played| {
        assert_eq!(column(rows, "fields.conversation"), [played.conversation.as_str()]);
        assert_eq!(column(rows, "fields.correlation"), [parked(played).as_str()]);
    }),
    ("What is failing right now?", |rows, _| {
        let later = "the channel asks for a later attempt (HTTP 503)";
        let waiting = row(rows, &[("fields.line", LINE), ("fields.error", later)]);
        assert!(amount(waiting, "retries") >= 4.0 && amount(waiting, "highest_attempt") >= 4.0, "{rows:#?}");
        row(rows, &[("fields.line", LINE), ("fields.error", "LiveEngage SEND: unavailable (HTTP 503)")]);
    }),
    ("Is there a retry storm?", |rows, _| {
        assert!(amount(row(rows, &[("fields.class", "channel")]), "retries") >= 1.0);
        row(rows, &[("fields.class", "held back")]);
        row(rows, &[("fields.class", "liveengage")]);
        assert!(rows.iter().all(|row| row["bin(5m)"].as_str().unwrap().ends_with(":00Z")), "{rows:#?}");
    }),
    ("Which line or account is down?", |rows, _| {
        let down = row(rows, &[("fields.call", "SMS gateway send"), ("fields.key", LINE)]);
        assert_eq!(down["state"], "breaker.opened");
    }),
    ("Which calls to LiveEngage fail, and how?", |rows, _| {
        assert!(amount(row(rows, &[("call", "LiveEngage SEND"), ("why", "unavailable (HTTP 503)")]), "times") >= 1.0);
        assert!(column(rows, "why").iter().any(|why| why.contains("HTTP 403")), "{rows:#?}");
    }),
    ("What is parked, and why?", |rows, played| {
        assert_eq!(rows.len(), 2);
        assert!(column(rows, "fields.correlation").contains(&parked(played).as_str()));
        assert_eq!(column(rows, "fields.line"), [LINE, LINE]);
    }),
    ("Who is refused, and why?", |rows, _| {
        let times = |event: &str, reason: &str| {
            amount(row(rows, &[("fields.event", event), ("fields.reason", reason)]), "times")
        };
        assert!((times("webhook.refused", "unsigned") - 2.0).abs() < 0.1);
        assert!((times("channel_request.refused", "unsigned") - 1.0).abs() < 0.1);
        assert!((times("channel_request.refused", "unknown line") - 1.0).abs() < 0.1);
        assert!((times("channel_request.refused", "address of no line") - 1.0).abs() < 0.1);
    }),
    ("What came for an address that no line has?", |rows, _| {
        assert_eq!(rows.len(), 1, "{rows:#?}");
        let of_line = row(rows, &[("fields.line", WHATSAPP_LINE)]);
        assert_eq!(["messages", "requests"].map(|name| amount(of_line, name)), [1.0, 1.0]);
    }),
    ("What was left out of webhooks?", |rows, _| {
        let of_line = row(rows, &[("fields.line", WHATSAPP_LINE), ("fields.kind", "change of another field")]);
        assert!((amount(of_line, "parts") - 1.0).abs() < 0.1);
    }),
    ("Did a function crash or run out of time?", |rows, _| {
        assert_eq!(rows.len(), 1, "{rows:#?}");
        assert_eq!(rows[0]["@log"], "419083552716:/aws/lambda/prod-to-channel");
        assert_eq!(rows[0]["record.status"], "timeout");
    }),
    ("How long do messages take?", |rows, _| {
        for line in [LINE, WHATSAPP_LINE] {
            let of_line = row(rows, &[("fields.line", line)]);
            assert!(amount(of_line, "p50_ms") <= amount(of_line, "p99_ms"));
            assert!(amount(of_line, "p99_ms") <= amount(of_line, "longest_ms"));
        }
        let sms = row(rows, &[("fields.line", LINE)]);
        assert!(amount(sms, "longest_ms") >= 300.0, "one was tried twice: {rows:#?}");
    }),
    ("Are the tokens fresh?", |rows, _| {
        let token = row(rows, &[("fields.account", ACCOUNT)]);
        assert!(amount(token, "age_s") <= 60.0, "{rows:#?}");
    }),
    ("Which version runs?", |rows, _| {
        let functions: BTreeSet<&str> = column(rows, "fields.function").into_iter().collect();
        assert_eq!(functions.len(), 6);
        assert!(column(rows, "fields.version").iter().all(|version| *version == env!("CARGO_PKG_VERSION")));
    }),
    ("Which version of a secret is in use?", |rows, _| {
        let secrets: BTreeSet<&str> = column(rows, "fields.secret").into_iter().collect();
        let wanted = [format!("connector/account/{ACCOUNT}"), format!("connector/line/{LINE}")];
        assert!(wanted.iter().all(|name| secrets.contains(name.as_str())), "{rows:#?}");
        assert_eq!(column(rows, "since").len(), rows.len(), "{rows:#?}");
    }),
    ("How many cold starts, and how much memory?", |rows, _| {
        let webhook = row(rows, &[("@log", "419083552716:/aws/lambda/prod-webhook")]);
        let counted = ["invocations", "cold", "longest_start_ms", "memory_mb"].map(|name| amount(webhook, name));
        assert_eq!(counted, [2.0, 1.0, 184.2, 41.0]);
    }),
    ("What were the senders answered?", |rows, _| {
        let good = row(rows, &[("routeKey", "POST /webhooks/liveengage"), ("status", "200")]);
        assert_eq!((amount(good, "requests"), &good["longest_ms"]), (2.0, &json!("42")));
        row(rows, &[("status", "401")]);
    }),
];

/// Returns the correlation id of the agent's text that the gateway refused.
fn parked(played: &Played) -> String {
    let of_the_agent = |event: &&Value| {
        let fields = &event["fields"];
        fields["event"] == "message.parked" && fields["error"].as_str().unwrap_or_default().contains("opted_out")
    };
    played.records().find(of_the_agent).unwrap()["fields"]["correlation"].as_str().unwrap().to_owned()
}

/// Returns the values of each metric, by its name and dimensions.
fn by_metric(played: &Played) -> BTreeMap<(String, Vec<String>), Vec<i64>> {
    let mut found: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for line in played.metrics() {
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "LiveEngageConnector");
        let metrics = directive["Metrics"].as_array().unwrap();
        let sets = directive["Dimensions"].as_array().unwrap();
        for (set, metric) in sets.iter().flat_map(|set| metrics.iter().map(move |metric| (set, metric))) {
            let value = |name: &Value| line[name.as_str().unwrap()].as_str().unwrap().to_owned();
            let set: Vec<String> = set.as_array().unwrap().iter().map(value).collect();
            let name = metric["Name"].as_str().unwrap();
            found.entry((name.to_owned(), set)).or_default().push(line[name].as_i64().unwrap());
        }
    }
    found
}

fn check_the_queries(played: &Played) {
    let page = read("docs/reference/queries.md");
    let events: Vec<Value> = played.events.iter().cloned().chain(of_aws()).collect();
    let mut asked = Vec::new();
    for query in blocks(&page, "insights") {
        let title = query.lines().next().unwrap().trim_start_matches("# ").to_owned();
        let filled = query
            .replace("CORRELATION", &parked(played))
            .replace("CONVERSATION", &played.conversation)
            .replace("\"LINE\"", &format!("{LINE:?}"));
        let rows = insights::run(&filled, &events);
        println!("# {title}");
        rows.iter().for_each(|row| println!("{}", json!(row)));
        assert!(!rows.is_empty(), "{title} finds nothing");
        let check = CHECKS.iter().find(|(name, _)| *name == title);
        let (_, check) = check.unwrap_or_else(|| panic!("nothing is known of the query {title}"));
        check(&rows, played);
        if title == "Where is this message?" {
            check_the_example(&page, &rows);
        }
        asked.push(title);
    }
    assert_eq!(asked, CHECKS.iter().map(|(title, _)| *title).collect::<Vec<_>>(), "every query is on the page");
}

/// Checks that the page's example shows what the lab gives: the same records in the same order.
fn check_the_example(page: &str, rows: &[Row]) {
    let example = blocks(page, "example");
    let shown: Vec<&str> =
        example[0].lines().filter(|line| line.contains(" INFO ") || line.contains("ERROR")).collect();
    assert_eq!(shown.len(), rows.len(), "{shown:#?}");
    for (line, row) in shown.iter().zip(rows) {
        for column in ["level", "fields.event", "fields.line", "fields.error"] {
            let value = row.get(column).and_then(Value::as_str).unwrap_or_default();
            assert!(line.contains(value), "{value} is not in {line}");
        }
    }
}

fn check_the_correlation(played: &Played) {
    for record in played.records() {
        let fields = &record["fields"];
        let of_a_message = ["line", "conversation"].iter().any(|name| fields.get(name).is_some());
        let has_one = fields["correlation"].as_str().is_some_and(|id| !id.is_empty());
        assert!(has_one || !of_a_message, "this can't be found by its correlation id: {record}");
    }
    let road = |correlation: &str| -> Vec<&str> {
        let its = played.records().filter(|event| event["fields"]["correlation"] == correlation);
        its.filter_map(|event| event["fields"]["event"].as_str()).collect()
    };
    // An agent's text, and the channel's report about it. The report is a webhook with its own id.
    const REPORTED: &str = "message.reported";
    let (text, report) = (&played.of(REPORTED, "correlation")[0], &played.of(REPORTED, "report")[0]);
    let there = road(text);
    assert_eq!(there[0], "webhook.accepted", "{there:?}");
    assert!(there.contains(&"message.delivered") && there.contains(&REPORTED), "{there:?}");
    let back = road(report);
    assert!(back[0] == "channel_request.accepted" && back.last() == Some(&"message.delivered"), "{back:?}");
    assert_eq!(played.of(REPORTED, "status")[0], "delivered");
    // The consumer's text that LiveEngage refused is parked, and the phone shows the notice.
    let refused = played.of("message.parked", "correlation").into_iter().find(|id| *id != parked(played)).unwrap();
    let road = road(&refused);
    assert_eq!(road.first(), Some(&"channel_request.accepted"), "{road:?}");
    assert!(road.contains(&"message.parked") && road.last() == Some(&"message.delivered"), "{road:?}");
}

fn check_the_metrics(played: &Played) {
    let found = by_metric(played);
    let values = |name: &str, second: Option<&str>| {
        let key = [Some(STACK), second].into_iter().flatten().map(str::to_owned).collect();
        found.get(&(name.to_owned(), key)).unwrap_or_else(|| panic!("no {name} of {second:?} in {found:#?}"))
    };
    let ones =
        |name: &str, second: &str, count: usize| assert_eq!(values(name, Some(second)), &vec![1; count], "{name}");
    ones("Accepted", "webhook", played.of("webhook.accepted", "correlation").len());
    ones("Delivered", LINE, played.of("message.delivered", "line").iter().filter(|line| *line == LINE).count());
    assert_eq!(values("AgeAtDelivery", Some(LINE)).len(), values("Delivered", Some(LINE)).len());
    assert!(values("AgeAtDelivery", Some(WHATSAPP_LINE)).iter().all(|age| (0..60_000).contains(age)));
    ones("Refused", "unsigned", 3);
    ones("Refused", "unknown line", 1);
    ones("Refused", "address of no line", 1);
    assert_eq!(values("Refused", None).len(), 5);
    assert_eq!(values("Misdirected", None), &[1]);
    ones("LeftOut", "change of another field", 1);
    ones("Nacked", LINE, 1);
    ones("Parked", LINE, 2);
    assert_eq!(values("Parked", None).len(), 2);
    assert!(!values("Retries", Some("channel")).is_empty() && !values("Retries", Some("held back")).is_empty());
    assert_eq!(values("BreakerOpen", None), &[1]);
    assert!(values("TokenAge", None).iter().all(|age| (0..60).contains(age)));

    // Every metric that an alarm watches is written.
    let template = read("template.yaml");
    let watched = template.split("Namespace: LiveEngageConnector\n").skip(1);
    let watched: Vec<&str> =
        watched.map(|rest| rest.split("MetricName: ").nth(1).unwrap().lines().next().unwrap()).collect();
    assert_eq!(watched, ["Refused", "Misdirected", "Recovered", "Parked", "TokenAge"]);
    for name in watched {
        assert!(!values(name, None).is_empty());
    }
    let written: BTreeSet<&str> = found.keys().map(|(name, _)| name.as_str()).collect();
    let declared: BTreeSet<&str> = log_event::all().flat_map(|event| event.metrics).map(|metric| metric.name).collect();
    assert_eq!(written, declared, "the lab shows every metric");
}

#[tokio::test]
async fn an_operators_questions_are_answered_by_the_pages_queries_and_by_metrics() {
    let played = play().await;
    check_the_correlation(&played);
    check_the_metrics(&played);
    check_the_queries(&played);
}

#[test]
fn what_the_evaluator_does_is_what_insights_does() {
    let events = [
        json!({"timestamp": "2026-06-15T09:31:07Z", "fields": {"message": "a", "ms": 10, "line": "x"}}),
        json!({"timestamp": "2026-06-15T09:33:07Z", "fields": {"message": "b: c: d", "ms": 30, "line": "x"}}),
        json!({"timestamp": "2026-06-15T09:36:07Z", "fields": {"message": "c", "ms": 20}}),
    ];
    let run = |query: &str| serde_json::to_value(insights::run(query, &events)).unwrap();
    assert_eq!(
        run("fields fields.ms as ms | filter fields.ms >= 20 and not fields.message = \"c\""),
        json!([{"ms": 30}])
    );
    assert_eq!(run("fields fields.ms | sort fields.ms desc | limit 1"), json!([{"fields.ms": 30}]));
    assert_eq!(
        run(
            "stats count(*) as n, pct(fields.ms, 50) as p50, latest(fields.message) as last by fields.line | sort n desc"
        ),
        json!([{"fields.line": "x", "n": 2, "p50": 10.0, "last": "b: c: d"}, {"n": 1, "p50": 20.0, "last": "c"}])
    );
    assert_eq!(
        run("stats count(*) by bin(5m)"),
        json!([{"bin(5m)": "2026-06-15T09:30:00Z", "count(*)": 2}, {"bin(5m)": "2026-06-15T09:35:00Z", "count(*)": 1}])
    );
    let parsed =
        "parse fields.message \"*: *\" as call, why | filter ispresent(call) | stats count(*) as n by call, why";
    assert_eq!(run(parsed), json!([{"call": "b", "why": "c: d", "n": 1}]));
    assert_eq!(
        run("fields fields.ms | filter fields.line in [\"y\", \"x\"] or (fields.ms = 99)"),
        json!([{"fields.ms": 10}, {"fields.ms": 30}])
    );
    let odd = std::panic::catch_unwind(|| insights::run("filter fields.message like /a/", &[]));
    assert!(odd.is_err(), "what isn't known is not passed over");
}
