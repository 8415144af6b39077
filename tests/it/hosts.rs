//! Tests of hosts that are slow, endless or answer something unexpected, on real sockets.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use connector::port::{Http, StreamedFile};
use connector_aws::outgoing_http::{self, ReqwestHttp};
use connector_channels::{
    self as channel, FileEnvelope, MediaCall,
    message::{InboundMedia, MediaKind},
};
use connector_message::{
    MessageText,
    http::{HttpCall, HttpFailure, HttpReply},
};
use futures::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

/// Starts a host that answers every request with `head` and then sends `piece` again and again, with this pause, as long as the client
/// reads. Returns its address, and a counter of the bytes that it has sent.
async fn endless(head: &'static [u8], piece: &'static [u8], pause: Duration) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let _ = connection.read(&mut [0; 4096]).await;
                let _ = connection.write_all(head).await;
                let mut ticks = tokio::time::interval(pause);
                loop {
                    ticks.tick().await;
                    if connection.write_all(piece).await.is_err() {
                        return;
                    }
                    counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
                }
            });
        }
    });
    (address, sent)
}

fn http() -> ReqwestHttp {
    ReqwestHttp::new(outgoing_http::client().unwrap())
}

fn call(url: impl std::fmt::Display) -> HttpCall {
    HttpCall::new("test", http::Method::POST, url.to_string().parse().unwrap())
}

/// Returns the result of a call, and how long the call took.
async fn timed<T>(answer: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(60), answer).await.expect("it ends by itself");
    (answer, began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_trickles_is_cut_off_after_eight_seconds_whatever_it_trickles() {
    let pause = Duration::from_millis(100);
    let (body, _) = endless(CHUNKED, b"1\r\n{\r\n", pause).await;
    let (head, _) = endless(b"HTTP/1.1 200 OK\r\nx-filling: ", b"x", pause).await;
    // The host sends as many bytes as are read before a file is judged, and then hardly any more.
    let begun: &'static [u8] = Box::leak(
        [b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n".as_slice(), &[b'x'; 10_000]].concat().into_boxed_slice(),
    );
    let (file, _) = endless(begun, b"x", pause).await;
    let (nothing, _) = endless(b"", b"", pause).await;
    let client = http();
    let slow_file = StreamedFile {
        size: 100_000,
        bytes: stream::unfold(tokio::time::interval(pause), |mut ticks| async move {
            ticks.tick().await;
            Some((Ok(Bytes::from_static(b"x")), ticks))
        })
        .boxed(),
    };
    let (body, head, file, upload, nothing) = tokio::join!(
        timed(client.call(call(format!("http://{body}/")))),
        timed(client.call(call(format!("http://{head}/")))),
        timed(async {
            let download = client.download(call(format!("http://{file}/"))).await?;
            // The head may include the first bytes of the slow part.
            assert!((10_000..10_100).contains(&download.head.len()), "{}", download.head.len());
            download.rest.try_fold(0, |sum, chunk| std::future::ready(Ok(sum + chunk.len()))).await
        }),
        timed(client.upload(call(format!("http://{nothing}/")), slow_file, FileEnvelope::default())),
        timed(client.call(call(format!("http://{nothing}/")))),
    );
    for took in [body.1, head.1, file.1, upload.1, nothing.1] {
        // The call must not end sooner. `timed` has checked that it ends at all although the host keeps sending.
        assert!(took >= Duration::from_millis(7500), "{took:?}");
    }
    // The status is an answer: an accepted message must not be sent again because the rest of the answer is missing.
    assert_eq!(body.0.unwrap().status, StatusCode::OK);
    assert_eq!(head.0.unwrap_err(), HttpFailure::Unanswered);
    assert_eq!(file.0.unwrap_err(), HttpFailure::Unanswered);
    assert_eq!(upload.0.unwrap_err(), HttpFailure::Unanswered);
    assert_eq!(nothing.0.unwrap_err(), HttpFailure::Unanswered);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_read_to_one_mebibyte() {
    let piece: &'static [u8] =
        Box::leak([b"10000\r\n".as_slice(), &[b' '; 0x10000], b"\r\n"].concat().into_boxed_slice());
    let (address, sent) = endless(CHUNKED, piece, Duration::from_micros(10)).await;
    let answer = timed(http().call(call(format!("http://{address}/")))).await.0.unwrap();
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    // The size limit ended it and not the time limit, within which far more bytes would have come. The buffers of two sockets hold the
    // rest.
    assert!(sent.load(Ordering::Relaxed) < 32 * 1024 * 1024, "{} bytes", sent.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_file_is_read_no_further_than_it_is_wanted() {
    let piece: &'static [u8] =
        Box::leak([b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat().into_boxed_slice());
    let (address, sent) = endless(CHUNKED, piece, Duration::from_micros(10)).await;
    let download = http().download(call(format!("http://{address}/"))).await.unwrap();
    assert_eq!(download.length, None, "nobody says how large it is");
    assert!(download.head.len() < 1024 * 1024);
    let mut quiet = tokio::time::interval(Duration::from_millis(300));
    quiet.tick().await;
    quiet.tick().await;
    let before = sent.load(Ordering::Relaxed);
    quiet.tick().await;
    assert_eq!(sent.load(Ordering::Relaxed), before, "it waits until somebody reads on");
    drop(download);
}

#[tokio::test]
async fn a_redirect_of_a_file_is_not_followed() {
    let (host, inner) = (MockServer::start().await, MockServer::start().await);
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/latest/meta-data/", inner.uri());
        let answer = ResponseTemplate::new(status).insert_header("location", location.as_str());
        Mock::given(path(format!("/{status}"))).respond_with(answer).mount(&host).await;
        let download = http().download(call(format!("{}/{status}", host.uri()))).await.unwrap();
        assert_eq!(download.status.as_u16(), status);
    }
    assert!(inner.received_requests().await.unwrap().is_empty());
}

/// Addresses that a message could name for a file to make the connector call hosts in an internal network.
const INNER: [&str; 17] = [
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "https://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.43518/",
    "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
    "http://localhost:9001/2018-06-01/runtime/invocation/next",
    "http://10.0.0.1/",
    "https://gateway.example@169.254.169.254/",
    "https://gateway.example.169.254.169.254.nip.io/",
    "file:///proc/self/environ",
    "gopher://gateway.example/",
];

#[test]
fn no_address_in_a_message_makes_the_connector_call_something_inside() {
    let media = |reference: &str| InboundMedia {
        kind: MediaKind::Picture,
        reference: MessageText::new(reference),
        content_type: None,
        name: None,
        caption: None,
    };
    let settings = json!({
        "from": "+4930555020", "send_url": "https://gateway.example/v1/messages", "bearer_token": "t", "webhook_secret": "s",
        "media_hosts": ["files.gateway.example"],
    });
    let sms = channel::by_name("sms").unwrap().line(&settings).unwrap();
    let settings = json!({"phone_number_id": "1182", "access_token": "t", "app_secret": "s", "verify_token": "v"});
    let whatsapp = channel::by_name("whatsapp").unwrap().line(&settings).unwrap();
    let located = |url: &str| HttpReply {
        status: StatusCode::OK,
        retry_after: None,
        body: json!({"url": url, "mime_type": "image/png"}).to_string().into(),
    };
    for url in INNER {
        assert!(sms.fetch(&media(url), None).is_err(), "{url}");
        assert!(whatsapp.fetch(&media(url), None).is_err(), "{url} is no id");
        assert!(whatsapp.fetch(&media("4417"), Some(&located(url))).is_err(), "{url}");
    }
    let own = sms.fetch(&media("https://files.gateway.example/mms/1"), None);
    assert!(matches!(own, Ok(MediaCall::Fetch(_))), "{own:?}");
    let own = whatsapp.fetch(&media("4417"), Some(&located("https://lookaside.fbsbx.com/whatsapp/1")));
    assert!(matches!(own, Ok(MediaCall::Fetch(_))), "{own:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_says_whose_it_is() {
    let server = MockServer::start().await;
    Mock::given(path("/")).respond_with(ResponseTemplate::new(200).set_body_string("{}")).mount(&server).await;
    let http = http();
    http.call(call(server.uri())).await.unwrap();
    http.download(call(server.uri())).await.unwrap();
    let file = StreamedFile { size: 2, bytes: stream::iter([Ok(Bytes::from_static(b"hi"))]).boxed() };
    http.upload(call(server.uri()), file, FileEnvelope::default()).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.headers["user-agent"], concat!("liveengage-connector/", env!("CARGO_PKG_VERSION")));
    }
}
