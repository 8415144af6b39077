//! Resolves the hosts of files, and rejects private addresses.
//!
//! The URL of a file comes with a message. The line's settings name its host, but the owner of that host's DNS could make the name resolve
//! to an address inside the brand's network. An operator who wants a private host configures its IP address instead of a name, because
//! addresses are not resolved.

use connector::log_event;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names with another resolver and drops addresses that are not on the public internet. `localhost` is allowed.
pub(super) struct PublicAddresses(pub(super) Arc<dyn Resolve>);

/// Resolves names with the system's resolver.
#[derive(Debug, Clone, Copy)]
pub(super) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Resolve for PublicAddresses {
    fn resolve(&self, name: Name) -> Resolving {
        let is_localhost = name.as_str().eq_ignore_ascii_case("localhost");
        let found = self.0.resolve(name);
        Box::pin(async move {
            let found = found.await?;
            if is_localhost {
                return Ok(Box::new(found.filter(|address| address.ip().is_loopback())) as Addrs);
            }
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                log_event!(FILE_HOST_NOT_PUBLIC);
                return Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is on the public internet (IANA IPv4 and IPv6 Special-Purpose Address Registries).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared_by_a_provider = a == 100 && (64..128).contains(&b);
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    let relays_to_ipv6 = (a, b, c) == (192, 88, 99);
    let benchmarks = a == 198 && (b == 18 || b == 19);
    let is_special = a == 0
        || a >= 240
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || shared_by_a_provider
        || protocol_assignments
        || relays_to_ipv6
        || benchmarks;
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // NAT64 and 6to4 addresses contain an IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments (including Teredo) and documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // All that is assigned to the internet so far.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn private_addresses_are_distinguished_from_public_ones() {
        for inner in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.7",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.2",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
            "64:ff9b:1::a00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::7f00:1",
        ] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "2001:4860:4860::8888",
            "2a03:2880::1",
            "64:ff9b::808:808",
            "2002:808:808::",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    proptest! {
        #[test]
        fn an_address_in_an_ipv6_coat_is_judged_as_the_address_it_carries(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(is_public(IpAddr::V4(v4)), is_public(IpAddr::V6(v4.to_ipv6_mapped())));
        }

        #[test]
        fn nothing_that_the_standard_library_calls_inner_is_public(bits: u128) {
            let address = Ipv6Addr::from_bits(bits);
            let is_inner = address.is_loopback() || address.is_multicast() || address.is_unique_local() || address.is_unicast_link_local();
            prop_assert!(!(is_inner && is_public(IpAddr::V6(address))));
        }
    }

    /// A resolver that returns the same addresses for every name.
    struct Says(Vec<&'static str>);

    impl Resolve for Says {
        fn resolve(&self, _: Name) -> Resolving {
            let addresses: Vec<SocketAddr> =
                self.0.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0)).collect();
            Box::pin(std::future::ready(Ok(Box::new(addresses.into_iter()) as Addrs)))
        }
    }

    /// Returns which of these addresses are left for a file at this host. `None` if the host is rejected.
    async fn left(host: &str, addresses: &[&'static str]) -> Option<Vec<String>> {
        let resolver = PublicAddresses(Arc::new(Says(addresses.to_vec())));
        let found = resolver.resolve(host.parse().unwrap()).await.ok()?;
        Some(found.map(|address| address.ip().to_string()).collect())
    }

    #[tokio::test]
    async fn a_name_of_an_inner_address_has_no_address() {
        for inner in ["10.1.2.3", "127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:192.168.0.1"] {
            assert_eq!(left("files.example", &[inner]).await, None, "{inner}");
            assert_eq!(left("localhost.", &[inner]).await, None, "{inner}: another spelling is another name");
            let mixed = left("files.example", &[inner, "8.8.8.8"]).await;
            assert_eq!(mixed.unwrap(), ["8.8.8.8"], "{inner}");
        }
        assert_eq!(left("files.example", &[]).await, None);
    }

    #[tokio::test]
    async fn localhost_is_this_machine_and_nothing_else() {
        let found = ["10.1.2.3", "8.8.8.8", "127.0.0.1", "::1"];
        assert_eq!(left("LocalHost", &found).await.unwrap(), ["127.0.0.1", "::1"]);
    }
}
