//! Payloads that are neither a request nor a response: headers, metadata, signatures.

use connector_liveengage::{
    messaging::{ClientProperties, Feature},
    notification,
    signature::{self, Algorithms, VerifyError},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    Sample,
    difference::{
        Allowance,
        Kind::{Added, Changed, LeftOut},
        settle,
    },
    rebuild, responses, unknown,
};

const WHO: &str = "optional: the connector says who it is";
const SDK: &str = "optional: names LivePerson's own software for browsers";

pub(super) fn check(sample: &Sample) -> Result<(), String> {
    let json = &sample.json;
    match sample.file.as_str() {
        "signature-vectors.json" => check_signatures(json),
        "dc-auth-error-table.json" | "error-table.json" => responses::check_error_table(json),
        "dc-examples-client-properties-header.json" => {
            check_properties(json, &[(Added, "/appId", WHO), (Added, "/appVersion", WHO)])
        }
        "dc-pcs-client-properties.json" => check_properties(
            json,
            &[
                (Changed, "/appId", WHO),
                (Added, "/appVersion", WHO),
                (LeftOut, "/integration", SDK),
                (LeftOut, "/integrationVersion", SDK),
            ],
        ),
        "client-properties.json" => check_properties(json, &[(Added, "/appVersion", WHO)]),
        "metadata-bot-response.json"
        | "metadata-escalation-summary.json"
        | "metadata-social-facebook-dm-from-agent.json"
        | "metadata-social-facebook-public-from-consumer.json"
        | "metadata-external-id.json" => check_metadata(json),
        // The example of signing is not a notification. The connector acknowledges it and does nothing.
        "dc-webhook-protocol-example-payload.json" => match notification::split(json.to_string().as_bytes()) {
            Ok((None, changes)) if changes.is_empty() => Ok(()),
            other => Err(format!("{other:?} was read")),
        },
        _ => Err(unknown()),
    }
}

fn check_properties(documented: &Value, allowed: &[Allowance]) -> Result<(), String> {
    let mut features = Vec::new();
    for name in documented["features"].as_array().ok_or("no features")? {
        let feature = Feature::ALL.into_iter().find(|feature| name == feature.name());
        features.push(feature.ok_or_else(|| format!("nobody knows the feature {name}"))?);
    }
    let ours = serde_json::from_str(ClientProperties::new(&features).header_value()).unwrap();
    settle(documented, &ours, allowed)
}

/// Checks that metadata is passed on unchanged, beside the body.
fn check_metadata(metadata: &Value) -> Result<(), String> {
    let metadata = if metadata.is_array() { metadata.clone() } else { json!([metadata]) };
    let request = rebuild::with_metadata(&metadata);
    if request["metadata"] == metadata { Ok(()) } else { Err("is changed on its way".to_owned()) }
}

fn check_signatures(vectors: &Value) -> Result<(), String> {
    let mut verified = 0;
    for vector in vectors.as_array().ok_or("no vectors")? {
        let (Some(secret), Some(body)) = (vector["secret"].as_str(), vector["body"].as_str()) else {
            return Err("a vector without a secret and a body".to_owned());
        };
        let secrets = [SecretString::from(secret)];
        let derived = vector["derived"].as_object().into_iter().flat_map(|derived| derived.values());
        for header in vector.get("published").into_iter().chain(derived) {
            let header = header.as_str().ok_or("a signature that is no string")?;
            let verify = |body: &[u8]| signature::verify(header, body, &secrets, Algorithms::Any);
            verify(body.as_bytes()).map_err(|refusal| format!("{header}: {refusal}"))?;
            for at in 0..body.len() {
                let mut flipped = body.as_bytes().to_vec();
                flipped[at] ^= 1;
                if verify(&flipped) != Err(VerifyError::Wrong) {
                    return Err(format!("{header} verifies with byte {at} flipped"));
                }
            }
            let wrong = signature::verify(header, body.as_bytes(), &[SecretString::from("another")], Algorithms::Any);
            if wrong != Err(VerifyError::Wrong) {
                return Err(format!("{header} verifies with another secret"));
            }
            verified += 1;
        }
    }
    if verified == 0 { Err("no vector was verified".to_owned()) } else { Ok(()) }
}
