//! Reads `template.yaml` as a tree, and resolves its intrinsic functions as CloudFormation does.

use std::{fs, path::Path};

use connector_lab::aws;
use serde_json::{Map, Value, json};
use yaml_rust2::{
    Event,
    parser::{EventReceiver, Parser, Tag},
};

/// The name of the stack in the tests.
const STACK: &str = "connector-lab";
/// The key of that stack, if it has one.
pub(crate) const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/6f1d2c58-90ab-4e37-8c44-b0a7d7e3f915";
/// The key before or after it, while the key is set, changed or removed.
pub(crate) const OTHER_KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/c2b8e7a4-3d51-4f06-9a7e-15f0c8d2b663";

pub(crate) fn source() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let text = fs::read_to_string(path).unwrap();
    let mut tree = Tree::default();
    Parser::new_from_str(&text).load(&mut tree, false).unwrap();
    tree.root.unwrap()
}

/// Builds the tree. Expands a tag: `!Ref x` becomes `{"Ref": "x"}`, and `!Sub x` becomes `{"Fn::Sub": "x"}`.
#[derive(Default)]
struct Tree {
    open: Vec<(Node, Option<Tag>)>,
    root: Option<Value>,
}

enum Node {
    Sequence(Vec<Value>),
    Mapping(Map<String, Value>, Option<String>),
}

impl Tree {
    fn add(&mut self, value: Value, tag: Option<Tag>) {
        let value = match tag.as_ref().map(|tag| tag.suffix.as_str()) {
            None => value,
            Some("Ref" | "Condition") => json!({ tag.unwrap().suffix: value }),
            Some("GetAtt") => {
                let text = value.as_str().unwrap();
                let (resource, attribute) = text.split_once('.').unwrap();
                json!({"Fn::GetAtt": [resource, attribute]})
            }
            Some(name) => json!({ format!("Fn::{name}"): value }),
        };
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some((Node::Sequence(values), _)) => values.push(value),
            Some((Node::Mapping(values, key), _)) => match key.take() {
                None => *key = Some(value.as_str().unwrap().to_owned()),
                Some(key) => assert!(values.insert(key.clone(), value).is_none(), "{key} stands twice"),
            },
        }
    }
}

impl EventReceiver for Tree {
    fn on_event(&mut self, event: Event) {
        match event {
            Event::Scalar(text, _, _, tag) => self.add(Value::String(text), tag),
            Event::SequenceStart(_, tag) => self.open.push((Node::Sequence(Vec::new()), tag)),
            Event::MappingStart(_, tag) => self.open.push((Node::Mapping(Map::new(), None), tag)),
            Event::SequenceEnd | Event::MappingEnd => {
                let (node, tag) = self.open.pop().unwrap();
                let value = match node {
                    Node::Sequence(values) => Value::Array(values),
                    Node::Mapping(values, _) => Value::Object(values),
                };
                self.add(value, tag);
            }
            Event::Alias(_) => panic!("CloudFormation knows no aliases"),
            _ => {}
        }
    }
}

/// Returns the value without the parts that `!If` leaves out. `conditions` are the conditions that hold.
pub(crate) fn decided(value: &Value, conditions: &[&str]) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key("Fn::If") => {
            let [condition, yes, no] = fields["Fn::If"].as_array().unwrap().as_slice() else { panic!("{value}") };
            let holds = conditions.contains(&condition.as_str().unwrap());
            decided(if holds { yes } else { no }, conditions)
        }
        Value::Object(fields) if fields.get("Ref").is_some_and(|name| name == "AWS::NoValue") => None,
        Value::Object(fields) => {
            let fields = fields.iter().filter_map(|(key, value)| Some((key.clone(), decided(value, conditions)?)));
            Some(Value::Object(fields.collect()))
        }
        Value::Array(values) => Some(values.iter().filter_map(|value| decided(value, conditions)).collect()),
        plain => Some(plain.clone()),
    }
}

/// Returns a text in a policy as the lab's AWS stand-ins see it.
pub(crate) fn resolved(template: &Value, value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(name) = value.get("Ref") {
        return named(template, name.as_str().unwrap());
    }
    if let Some(text) = value.get("Fn::Sub") {
        let mut parts = text.as_str().unwrap().split("${");
        let first = parts.next().unwrap().to_owned();
        return parts.fold(first, |text, part| {
            let (name, rest) = part.split_once('}').unwrap();
            text + &named(template, name) + rest
        });
    }
    let [resource, attribute] = value["Fn::GetAtt"].as_array().unwrap().as_slice() else { panic!("{value}") };
    assert_eq!(attribute, "Arn");
    arn(template, resource.as_str().unwrap())
}

fn named(template: &Value, name: &str) -> String {
    if let Some(resource) = name.strip_suffix(".Arn") {
        return arn(template, resource);
    }
    let known = match name {
        "AWS::Partition" => "aws",
        "AWS::Region" => aws::REGION,
        "AWS::AccountId" => aws::ACCOUNT,
        "AWS::URLSuffix" => "amazonaws.com",
        "AWS::StackName" => STACK,
        "KmsKeyArn" => KEY,
        "OtherKmsKeyArn" => OTHER_KEY,
        parameter => template["Parameters"][parameter]["Default"].as_str().unwrap(),
    };
    known.to_owned()
}

/// Returns the ARN of one of the stack's resources, by its name in the lab.
pub(crate) fn arn(template: &Value, resource: &str) -> String {
    let (region, account) = (aws::REGION, aws::ACCOUNT);
    let queue = |name| format!("arn:aws:sqs:{region}:{account}:{name}");
    match resource {
        "Table" => format!("arn:aws:dynamodb:{region}:{account}:table/connector-lab"),
        "ToLiveEngageQueue" => queue(aws::TO_LIVEENGAGE),
        "ToLiveEngageDeadLetterQueue" => queue(aws::TO_LIVEENGAGE_DEAD_LETTERS),
        "ToChannelQueue" => queue(aws::TO_CHANNEL),
        "ToChannelDeadLetterQueue" => queue(aws::TO_CHANNEL_DEAD_LETTERS),
        _ => {
            let properties = &template["Resources"][resource]["Properties"];
            let name = resolved(template, &properties["LogGroupName"]);
            // The ARN of a log group ends like this: it also names the streams in the group.
            format!("arn:aws:logs:{region}:{account}:log-group:{name}:*")
        }
    }
}

/// A function of the template: the name of its binary, which is also its name in the lab, and the logical ids of its role and log group.
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) log_group: String,
    /// The queue from which Lambda invokes it.
    pub(crate) source: Option<String>,
}

pub(crate) fn functions(template: &Value) -> Vec<Function> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let resources = template["Resources"].as_object().unwrap().values();
    let functions = resources.filter(|resource| resource["Type"] == "AWS::Serverless::Function").map(|resource| {
        let properties = &resource["Properties"];
        let source = &properties["Events"]["Queue"]["Properties"]["Queue"]["Fn::GetAtt"][0];
        Function {
            name: text(&resource["Metadata"]["BuildProperties"]["Binary"]),
            role: text(&properties["Role"]["Fn::GetAtt"][0]),
            log_group: text(&properties["LoggingConfig"]["LogGroup"]["Ref"]),
            source: source.as_str().map(str::to_owned),
        }
    });
    functions.collect()
}
