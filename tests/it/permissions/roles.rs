//! Evaluates the template's roles: checks each call of a function against the statements, and records it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use connector_lab::aws::authorization::{Access, Authorizer};

use super::{
    policy,
    policy::Statement,
    template,
    template::{KEY, OTHER_KEY},
};

/// All conditions: with a key, a second key, and tracing. Then a role has all its statements.
pub(crate) const EVERYTHING: [&str; 3] = ["HasKey", "HasOtherKey", "HasTracing"];
/// While the key changes, either key may encrypt the data that a call reads.
pub(crate) const BOTH_KEYS: [&str; 2] = [KEY, OTHER_KEY];
/// The condition key that tells KMS which service uses a key for a caller.
const VIA_SERVICE: &str = "kms:ViaService";

/// The statements by function.
pub(crate) type Statements = BTreeMap<String, Vec<Statement>>;

pub(crate) fn statements(conditions: &[&str]) -> Statements {
    let source = template::source();
    let functions = template::functions(&source).into_iter();
    functions.map(|function| (function.name, policy::statements(&source, &function.role, conditions))).collect()
}

/// Whether a function may make a call that needs this permission. With keys, the call needs more permissions, because the service uses each
/// key in the caller's name.
pub(crate) fn allowed(statements: &Statements, access: &Access, keys: &[&str]) -> bool {
    let role = statements.get(&access.caller).map(Vec::as_slice).unwrap_or_default();
    let one = |access: &Access| role.iter().any(|statement| statement.allows(access));
    one(access) && keys.iter().all(|key| uses_of_a_key(access, key).iter().all(one))
}

/// Returns the permissions on a key that a call needs when the table, the queues and the secrets are encrypted with it. DynamoDB decrypts
/// the table's key. SQS makes a data key for a new message, and decrypts it to check it. Secrets Manager decrypts the secret.
pub(crate) fn uses_of_a_key(access: &Access, key: &str) -> Vec<Access> {
    let actions: &[&str] = match access.action.as_str() {
        "sqs:SendMessage" => &["kms:GenerateDataKey", "kms:Decrypt"],
        "sqs:ReceiveMessage" | "secretsmanager:GetSecretValue" => &["kms:Decrypt"],
        action if action.starts_with("dynamodb:") => &["kms:Decrypt"],
        _ => &[],
    };
    let service = access.action.split(':').next().unwrap_or_default();
    let via = format!("{service}.us-east-1.amazonaws.com");
    let uses = actions.iter().map(|action| Access {
        caller: access.caller.clone(),
        action: (*action).to_owned(),
        resource: key.to_owned(),
        context: BTreeMap::from([(VIA_SERVICE.to_owned(), vec![via.clone()])]),
    });
    uses.collect()
}

/// Returns the calls that Lambda itself makes in a function's name: it writes the log and the traces, and reads the queue. The source is
/// the developer guide: "Defining Lambda function permissions with an execution role", "Visualize Lambda function invocations using AWS
/// X-Ray", and "Creating and configuring an Amazon SQS event source mapping".
pub(crate) fn of_lambda() -> Vec<Access> {
    let source = template::source();
    let mut of_lambda = Vec::new();
    for function in template::functions(&source) {
        let mut add = |actions: &[&str], resource: &str| {
            of_lambda.extend(actions.iter().map(|action| Access {
                caller: function.name.clone(),
                action: (*action).to_owned(),
                resource: resource.to_owned(),
                context: BTreeMap::new(),
            }));
        };
        add(&["logs:CreateLogStream", "logs:PutLogEvents"], &template::arn(&source, &function.log_group));
        add(&["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*");
        if let Some(queue) = &function.source {
            let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
            add(&actions, &template::arn(&source, queue));
        }
    }
    of_lambda
}

/// Removes one permission.
pub(crate) fn without(statements: &mut Statements, function: &str, sid: &str, action: &str) {
    let statement = statements.get_mut(function).unwrap().iter_mut().find(|statement| statement.sid == sid).unwrap();
    assert!(statement.actions.remove(action), "{function} has no {action} in {sid}");
}

/// The roles in front of a lab's AWS stand-ins, encrypted with both keys.
#[derive(Debug)]
pub(crate) struct Roles(Mutex<Record>);

#[derive(Debug)]
struct Record {
    statements: Statements,
    allowed: BTreeSet<Access>,
    denied: Vec<Access>,
}

impl Roles {
    pub(crate) fn of_the_template() -> Self {
        let statements = statements(&EVERYTHING);
        Self(Mutex::new(Record { statements, allowed: BTreeSet::new(), denied: Vec::new() }))
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn revoke(&self, function: &str, sid: &str, action: &str) {
        without(&mut self.record().statements, function, sid, action);
    }

    pub(crate) fn restore(&self) {
        self.record().statements = statements(&EVERYTHING);
    }

    pub(crate) fn allowed(&self) -> BTreeSet<Access> {
        self.record().allowed.clone()
    }

    pub(crate) fn denied(&self) -> Vec<Access> {
        self.record().denied.clone()
    }

    /// Waits until a function was denied or allowed this action.
    pub(crate) async fn asked(&self, function: &str, action: &str, granted: bool) {
        let fits = |access: &Access| access.caller == function && access.action == action;
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        loop {
            let found = match granted {
                true => self.record().allowed.iter().any(fits),
                false => self.record().denied.iter().any(fits),
            };
            if found {
                return;
            }
            pause.tick().await;
        }
    }
}

impl Authorizer for Roles {
    fn allows(&self, access: &Access) -> bool {
        let mut record = self.record();
        let allowed = allowed(&record.statements, access, &BOTH_KEYS);
        match allowed {
            true => drop(record.allowed.insert(access.clone())),
            false => record.denied.push(access.clone()),
        }
        allowed
    }
}
