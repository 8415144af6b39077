//! Tests of where files are fetched from. They run on any machine, because they resolve the names themselves.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
};

use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolving};

use super::*;

/// Resolves every name to this machine, and records the names.
#[derive(Default)]
struct Names(Mutex<Vec<String>>);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        self.0.lock().push(name.as_str().to_owned());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Box::pin(std::future::ready(Ok(Box::new([address].into_iter()) as Addrs)))
    }
}

/// Starts a server inside the brand's network that sends this response. Returns its port and the number of calls.
fn inner_server(answer: String) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, called) = (listener.local_addr().unwrap().port(), Arc::<Mutex<usize>>::default());
    let count = Arc::clone(&called);
    // The thread ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            *count.lock() += 1;
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (port, called)
}

const SECRET: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret";

#[tokio::test]
async fn a_file_is_fetched_from_no_name_that_stands_for_an_inner_address() {
    let (port, called) = inner_server(SECRET.to_owned());
    let names = Arc::new(Names::default());
    let http = ReqwestHttp::with_names(client().unwrap(), Arc::<Names>::clone(&names));
    let at = |host: &str| HttpCall::new("test", http::Method::GET, format!("http://{host}:{port}/").parse().unwrap());
    for host in ["files.example", "localhost.", "metadata.internal"] {
        assert_eq!(http.download(at(host)).await.err(), Some(HttpFailure::NotSent), "{host}");
        assert_eq!(names.0.lock().pop().as_deref(), Some(host), "it was looked up");
    }
    assert_eq!(*called.lock(), 0);
    // `localhost` and IP addresses are allowed, because an operator has written them into the settings.
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(http.download(at(host)).await.unwrap().head, "secret", "{host}");
    }
    assert_eq!(*called.lock(), 2);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (port, called) = inner_server(SECRET.to_owned());
    for status in [301, 302, 303, 307, 308] {
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let (there, _) = inner_server(answer);
        let call = || HttpCall::new("test", http::Method::GET, format!("http://127.0.0.1:{there}/").parse().unwrap());
        let http = ReqwestHttp::new(client().unwrap());
        assert_eq!(http.call(call()).await.unwrap().status.as_u16(), status);
        assert_eq!(http.download(call()).await.unwrap().status.as_u16(), status, "nor for a file");
    }
    assert_eq!(*called.lock(), 0);
}

/// The client has no limit of its own, so this test never ends if the call's limit is ignored.
#[tokio::test]
async fn a_call_ends_at_its_own_limit() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap();
    let call = HttpCall::new("test", http::Method::GET, url).within(SignedDuration::from_millis(50));
    let http = ReqwestHttp::new(bare_builder().unwrap().build().unwrap());
    assert_eq!(http.call(call).await.unwrap_err(), HttpFailure::Unanswered);
}

#[test]
fn a_function_has_built_in_roots_unless_the_environment_names_others() {
    use RootCertificates::{BuiltIn, Machine};
    const LAMBDA: &str = "AWS_LAMBDA_FUNCTION_NAME";
    for (set, expected) in [
        (&[LAMBDA][..], BuiltIn),
        (&[LAMBDA, "SSL_CERT_FILE"], Machine),
        (&[LAMBDA, "SSL_CERT_DIR"], Machine),
        (&["SSL_CERT_FILE"], Machine),
        (&[], Machine),
    ] {
        assert_eq!(RootCertificates::of(|name| set.contains(&name)), expected, "{set:?}");
    }
}

#[test]
fn the_built_in_roots_have_the_authorities_of_aws_and_of_the_vendors() {
    let has = |name: &str| {
        let is_in = |subject: &[u8]| subject.windows(name.len()).any(|part| part == name.as_bytes());
        webpki_roots::TLS_SERVER_ROOTS.iter().any(|root| is_in(&root.subject))
    };
    for name in ["Amazon Root CA 1", "DigiCert Global Root G2", "GlobalSign", "ISRG Root X1"] {
        assert!(has(name), "{name}");
    }
    // Panics if no crypto provider, or more than one, is linked.
    drop(built_in_roots());
}
