//! Protects the lab from other web sites in the developer's browser.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::api;

/// Every request must name a loopback host. Otherwise a foreign name that resolves to 127.0.0.1 could read the page
/// (DNS rebinding). A changing request must come from the page itself, or from a client that is not a browser.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = text(headers, header::HOST).unwrap_or_default();
    if !is_loopback(host) {
        return api::error(StatusCode::FORBIDDEN, "the page answers under 127.0.0.1 and localhost only");
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !is_own(headers, host) {
        return api::error(StatusCode::FORBIDDEN, "only the lab's own page may do this");
    }
    next.run(request).await
}

fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let same_site = match text(headers, "sec-fetch-site") {
        None => !headers.contains_key("sec-fetch-site"),
        Some(site) => matches!(site, "same-origin" | "none"),
    };
    let origin = match text(headers, header::ORIGIN) {
        None => !headers.contains_key(header::ORIGIN),
        Some(origin) => origin.strip_prefix("http://").is_some_and(|own| own.eq_ignore_ascii_case(host)),
    };
    same_site && origin
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::{is_loopback, is_own};

    #[test]
    fn only_loopback_host_names_are_accepted() {
        for host in ["127.0.0.1", "127.0.0.1:8080", "localhost:3000", "LOCALHOST", "[::1]:80", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "lab.example", "lab.example:80", "127.0.0.1.example:80", "localhost.example", "10.0.0.1:80", "::1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_browser_on_another_origin_is_not_the_page() {
        let own = |pairs: &[(&'static str, &str)]| {
            let headers: HeaderMap =
                pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            is_own(&headers, "127.0.0.1:8080")
        };
        assert!(own(&[]));
        assert!(own(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")]));
        assert!(!own(&[("origin", "http://127.0.0.1:9090")]));
        assert!(!own(&[("origin", "https://evil.example")]));
        assert!(!own(&[("origin", "null")]));
        assert!(!own(&[("sec-fetch-site", "cross-site")]));
        assert!(!own(&[("sec-fetch-site", "same-site")]));
    }
}
