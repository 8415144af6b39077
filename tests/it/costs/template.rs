//! What `template.yaml` says about costs, with the defaults of its parameters.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::permissions::template;

/// The settings of a stack that change what a message costs.
#[derive(Debug)]
pub(super) struct Settings {
    /// The memory of each function in MB, by its name.
    pub(super) memory: BTreeMap<String, u64>,
    /// Whether the functions log at INFO.
    pub(super) logs_info: bool,
    /// Whether Lambda logs the start and the end of each invocation.
    pub(super) logs_invocations: bool,
    /// The bytes of API Gateway's line for a request, if it writes one.
    pub(super) access_log: u64,
    /// Whether Lambda sends traces.
    pub(super) traces: bool,
}

impl Settings {
    /// Reads the template.
    pub(super) fn of_the_template() -> Self {
        let source = template::source();
        let of_all = &source["Globals"]["Function"];
        let logging = text(&source, &of_all["LoggingConfig"]["SystemLogLevel"]);
        let level = text(&source, &of_all["LoggingConfig"]["ApplicationLogLevel"]);
        let functions = source["Resources"].as_object().unwrap().values();
        let functions = functions.filter(|resource| resource["Type"] == "AWS::Serverless::Function");
        let memory = functions.map(|function| {
            let own = &function["Properties"]["MemorySize"];
            let memory = text(&source, if own.is_null() { &of_all["MemorySize"] } else { own });
            let name = function["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap();
            (name.to_owned(), memory.parse().unwrap())
        });
        let format = &source["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"];
        Self {
            memory: memory.collect(),
            logs_info: level == "INFO",
            logs_invocations: matches!(logging.as_str(), "INFO" | "DEBUG"),
            access_log: format.as_str().map(access_log).unwrap_or_default(),
            traces: text(&source, &of_all["Tracing"]) == "Active",
        }
    }
}

/// The value of a property: its own, or the default of the parameter that it refers to.
fn text(source: &Value, value: &Value) -> String {
    let value = match value["Ref"].as_str() {
        Some(parameter) => &source["Parameters"][parameter]["Default"],
        None => value,
    };
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The bytes of an access log line with usual values.
fn access_log(format: &str) -> u64 {
    const USUAL: [(&str, &str); 11] = [
        ("requestId", "JKJaXmPLvHcESHA="),
        ("requestTime", "30/Nov/2026:06:08:00 +0000"),
        ("routeKey", "POST /webhooks/liveengage"),
        ("status", "200"),
        ("identity.sourceIp", "203.0.113.117"),
        ("dataProcessed", "1204"),
        ("responseLength", "0"),
        ("responseLatency", "24"),
        ("integrationLatency", "22"),
        ("integrationStatus", "200"),
        ("error.responseType", "-"),
    ];
    let mut parts = format.split("$context.");
    let first = parts.next().unwrap().len();
    let rest = parts.map(|part| {
        let length = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(part.len());
        let (name, rest) = part.split_at(length);
        let (_, value) = USUAL.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no value of {name}"));
        value.len() + rest.len()
    });
    u64::try_from(first + rest.sum::<usize>()).unwrap()
}
