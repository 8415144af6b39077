//! Tests of the live feed.

use super::*;

/// The events of a feed, as (event, id, data).
struct EventFeed {
    response: Response,
    text: String,
}

impl EventFeed {
    async fn open(lab: &PageFixture, last_event_id: Option<&str>) -> Self {
        let mut request = lab.client.get(format!("{}api/events", lab.page.url()));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event, or `None` at the end of the feed.
    async fn next(&mut self) -> Option<(String, String, String)> {
        let event = loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                break event;
            }
            self.text.push_str(std::str::from_utf8(&self.response.chunk().await.unwrap()?).unwrap());
        };
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches(':').trim().to_owned()
        };
        Some((field("event"), field("id"), field("data")))
    }
}

#[tokio::test]
async fn the_feed_contains_past_entries_live_entries_and_changes() {
    let lab = PageFixture::start().await;
    lab.journal.record("phone", "gateway", "first", None);
    let mut feed = EventFeed::open(&lab, None).await;
    let (event, _, run) = feed.next().await.unwrap();
    assert_eq!(event, "hello");
    let (event, id, data) = feed.next().await.unwrap();
    assert_eq!((event.as_str(), id), ("journal", format!("{run}:0")));
    let entry: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&entry["number"], &entry["what"]), (&json!(0), &json!("first")));

    lab.changes.send(()).unwrap();
    assert_eq!(feed.next().await.unwrap().0, "changed");
    lab.journal.record("gateway", "inbound", "second\nline", Some(json!({ "text": "a\n\nb" })));
    let (_, id, data) = feed.next().await.unwrap();
    assert_eq!(id, format!("{run}:1"));
    assert_eq!(serde_json::from_str::<Value>(&data).unwrap()["detail"]["text"], "a\n\nb");
}

#[tokio::test]
async fn a_reconnecting_browser_gets_missed_entries_and_after_a_restart_all_entries() {
    let lab = PageFixture::start().await;
    for line in ["zero", "one", "two"] {
        lab.journal.record("phone", "gateway", line, None);
    }
    let (_, _, run) = EventFeed::open(&lab, None).await.next().await.unwrap();
    for (last, next) in [(format!("{run}:1"), 2), ("another-run:1".to_owned(), 0), (format!("{run}:x"), 0)] {
        let mut feed = EventFeed::open(&lab, Some(&last)).await;
        assert_eq!(feed.next().await.unwrap().0, "hello");
        assert_eq!(feed.next().await.unwrap().1, format!("{run}:{next}"));
    }
}

#[tokio::test]
async fn the_feed_continues_without_changes_and_ends_with_the_page() {
    let PageFixture { page, journal, changes, client, fake } = PageFixture::start().await;
    drop(changes);
    let lab = PageFixture { page, journal, changes: mpsc::unbounded_channel().0, client, fake };
    let mut feed = EventFeed::open(&lab, None).await;
    assert_eq!(feed.next().await.unwrap().0, "hello");
    lab.journal.record("phone", "gateway", "still here", None);
    assert_eq!(feed.next().await.unwrap().0, "journal");
    let url = lab.page.url();
    drop(lab.page);
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), feed.next()).await.unwrap(), None);
    assert!(lab.client.get(url).send().await.is_err());
}

#[tokio::test]
async fn a_browser_that_was_away_for_long_is_told_how_many_entries_are_missing() {
    let lab = PageFixture::start().await;
    // Ten more than the journal keeps.
    for line in 0..20_010 {
        lab.journal.record("phone", "gateway", line.to_string(), None);
    }
    let (_, _, run) = EventFeed::open(&lab, None).await.next().await.unwrap();
    let mut feed = EventFeed::open(&lab, Some(&format!("{run}:4"))).await;
    assert_eq!(feed.next().await.unwrap().0, "hello");
    assert_eq!(feed.next().await.unwrap(), ("dropped".to_owned(), String::new(), "5".to_owned()));
    assert_eq!(feed.next().await.unwrap().1, format!("{run}:10"));
}
