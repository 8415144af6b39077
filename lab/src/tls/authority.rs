//! A certificate authority for loopback hosts.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use jiff::ToSpan as _;
use jiff::civil::Date;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivatePkcs8KeyDer;

/// How long the certificates are valid, from the day before the start.
const VALID_DAYS: i32 = 90;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// A key or a certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses the certificate.
    #[error("the TLS library refuses the certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// The date is at the end of the calendar.
    #[error("the date is out of range: {0}")]
    Date(#[from] jiff::Error),
}

/// A certificate authority, and a server certificate for `localhost`, `127.0.0.1` and `::1` that it has signed.
///
/// Its private key is dropped as soon as it has signed, and the server's stays in memory. Only names of this machine are permitted (RFC 5280,
/// name constraints), so a client that trusts the authority for longer than intended trusts nothing else.
#[derive(Debug)]
pub(crate) struct Authority {
    /// The authority's certificate, in PEM.
    pub(crate) certificate_pem: String,
    /// The server's settings: HTTP/1.1, TLS 1.2 and 1.3.
    pub(crate) server: Arc<ServerConfig>,
}

impl Authority {
    /// Makes both certificates, valid from the day before `today`.
    ///
    /// # Errors
    /// [`AuthorityError`].
    pub(crate) fn generate(today: Date) -> Result<Self, AuthorityError> {
        let authority_key = KeyPair::generate()?;
        let authority = valid_from(authority_params(), today)?;
        let certificate_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);

        let server_key = KeyPair::generate()?;
        let server = valid_from(server_params()?, today)?.signed_by(&server_key, &issuer)?;
        let key = PrivatePkcs8KeyDer::from(server_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key.into())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { certificate_pem, server: Arc::new(config) })
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "connector lab, until it stops");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(Ipv4Addr::LOCALHOST.octets(), 32)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
        ],
        excluded_subtrees: Vec::new(),
    });
    params
}

fn server_params() -> Result<CertificateParams, rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn valid_from(mut params: CertificateParams, today: Date) -> Result<CertificateParams, jiff::Error> {
    let first = today.checked_sub(1.day())?;
    let last = first.checked_add(VALID_DAYS.days())?;
    let midnight = |date: Date| {
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (midnight(first), midnight(last));
    Ok(params)
}
