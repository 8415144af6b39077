//! The webhook's address in the outputs of a deployed stack.
//!
//! Two commands print them: `aws cloudformation describe-stacks`, as `{"Stacks": [{"Outputs": [...]}]}`, and
//! `sam list stack-outputs --output json`, as the list alone.

use serde_json::Value;

/// The output of the stack's template that holds the address.
pub(crate) const WEBHOOK_OUTPUT: &str = "LiveEngageWebhookUrl";

/// Why the outputs don't tell the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StackOutputsError {
    /// It is not JSON.
    NotJson,
    /// It is JSON, but holds no list of outputs.
    NoOutputs,
    /// No stack has the output; the ones that there are.
    Missing(Vec<String>),
    /// Stacks with different addresses.
    Several,
}

impl std::fmt::Display for StackOutputsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotJson => {
                f.write_str("the stack's outputs are not JSON: use `--output json` of the command that prints them")
            }
            Self::NoOutputs => f.write_str(
                "there are no outputs in this JSON: give what `aws cloudformation describe-stacks --stack-name NAME` or \
                 `sam list stack-outputs --stack-name NAME --output json` prints",
            ),
            Self::Missing(keys) if keys.is_empty() => {
                write!(f, "the stack has no outputs, so no {WEBHOOK_OUTPUT}: is its deployment finished?")
            }
            Self::Missing(keys) => {
                write!(f, "the stack has no output {WEBHOOK_OUTPUT}, only {}: is it the connector's?", keys.join(", "))
            }
            Self::Several => {
                write!(f, "several stacks have an output {WEBHOOK_OUTPUT}: name one with `--stack-name`")
            }
        }
    }
}

/// Finds the webhook's address.
///
/// # Errors
/// [`StackOutputsError`].
pub(crate) fn webhook_url(json: &[u8]) -> Result<String, StackOutputsError> {
    let value: Value = serde_json::from_slice(json).map_err(|_| StackOutputsError::NotJson)?;
    let lists: Vec<&Vec<Value>> = match &value {
        Value::Array(outputs) => vec![outputs],
        value => match value.get("Stacks").and_then(Value::as_array) {
            // A stack that is being created has no outputs yet.
            Some(stacks) => stacks.iter().filter_map(|stack| stack.get("Outputs")?.as_array()).collect(),
            None => vec![value.get("Outputs").and_then(Value::as_array).ok_or(StackOutputsError::NoOutputs)?],
        },
    };
    let text = |output: &Value, key: &str| output.get(key).and_then(Value::as_str).map(str::to_owned);
    let outputs = || lists.iter().flat_map(|outputs| outputs.iter());
    let mut found = outputs()
        .filter(|output| text(output, "OutputKey").as_deref() == Some(WEBHOOK_OUTPUT))
        .filter_map(|output| text(output, "OutputValue"));
    let url = found.next().ok_or_else(|| {
        StackOutputsError::Missing(outputs().filter_map(|output| text(output, "OutputKey")).collect())
    })?;
    if found.any(|other| other != url) { Err(StackOutputsError::Several) } else { Ok(url) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const URL: &str = "https://h41.execute-api.eu-central-1.amazonaws.com/webhooks/liveengage";

    fn outputs(url: &str) -> Value {
        json!([
            {"OutputKey": "TableName", "OutputValue": "connector-Table-1", "Description": "The table."},
            {"OutputKey": "LiveEngageWebhookUrl", "OutputValue": url, "Description": "The endpoint."},
        ])
    }

    fn find(value: &Value) -> Result<String, StackOutputsError> {
        webhook_url(value.to_string().as_bytes())
    }

    #[test]
    fn the_address_is_found_in_the_output_of_either_command() {
        let stack = json!({"StackName": "connector", "Outputs": outputs(URL)});
        for printed in [outputs(URL), json!({"Stacks": [stack]}), stack.clone()] {
            assert_eq!(find(&printed).as_deref(), Ok(URL));
        }
    }

    #[test]
    fn another_stacks_outputs_are_named() {
        let other = json!({"Stacks": [{"Outputs": [{"OutputKey": "BucketName", "OutputValue": "b"}]}]});
        let error = find(&other).unwrap_err();
        assert_eq!(error, StackOutputsError::Missing(vec!["BucketName".to_owned()]));
        assert!(error.to_string().contains("LiveEngageWebhookUrl, only BucketName"), "{error}");
        for unfinished in [json!([]), json!({"Stacks": [{"StackName": "connector"}]}), json!({"Stacks": []})] {
            let error = find(&unfinished).unwrap_err();
            assert_eq!(error, StackOutputsError::Missing(vec![]));
            assert!(error.to_string().contains("finished"), "{error}");
        }
    }

    #[test]
    fn what_holds_no_outputs_is_refused() {
        assert_eq!(webhook_url(b"LiveEngageWebhookUrl: https://x"), Err(StackOutputsError::NotJson));
        assert_eq!(webhook_url(b""), Err(StackOutputsError::NotJson));
        for wrong in [json!({}), json!("text"), json!({"Stacks": 7})] {
            assert_eq!(find(&wrong), Err(StackOutputsError::NoOutputs), "{wrong}");
        }
    }

    #[test]
    fn two_deployments_are_not_mixed_up() {
        let stacks = |second: &str| json!({"Stacks": [{"Outputs": outputs(URL)}, {"Outputs": outputs(second)}]});
        assert_eq!(find(&stacks("https://other.example/webhooks/liveengage")), Err(StackOutputsError::Several));
        assert_eq!(find(&stacks(URL)).as_deref(), Ok(URL));
    }
}
