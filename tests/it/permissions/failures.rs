//! Takes each permission that a function itself uses from it in a running lab. The function fails, and continues when it has the permission
//! again.

use std::sync::Arc;

use connector_aws::lambda::{self, config};
use connector_lab::{
    ACCOUNT, Lab,
    aws::authorization::Guard,
    functions::Function,
    liveengage::{NewFile, Service, WebhookSettings},
    sms_gateway::Direction,
};
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

use super::{
    conversation::{PNG, guarded, refused_by_the_gateway, with_questions},
    roles::{EVERYTHING, Roles, of_lambda, statements},
};
use crate::{
    silence::WatchedLab,
    steps::{
        HELLO, PHONE, age_last_text, consumer_texts, desk, opened, opened_on_whatsapp, received, received_on_whatsapp,
        settled, soon,
    },
};

/// The number of labs that run at once. Each lab mostly waits.
const LABS: usize = 4;

/// One permission, and its resource as the template names it.
#[derive(Debug, Clone)]
struct Permission {
    function: String,
    sid: String,
    action: String,
    on: String,
}

/// All permissions that the functions themselves use, from the template. A new one must get a test here.
fn permissions() -> Vec<Permission> {
    let mut permissions = Vec::new();
    for (function, role) in statements(&EVERYTHING) {
        for statement in role {
            let lambdas =
                of_lambda().into_iter().filter(|access| access.caller == function && statement.allows(access));
            let lambdas: Vec<String> = lambdas.map(|access| access.action).collect();
            let on = statement.written.pointer("/Fn::GetAtt/0").and_then(Value::as_str).unwrap_or_default();
            for action in &statement.actions {
                if !lambdas.contains(action) && !action.starts_with("kms:") {
                    let (function, sid, action, on) =
                        (function.clone(), statement.sid.clone(), action.clone(), on.to_owned());
                    permissions.push(Permission { function, sid, action, on });
                }
            }
        }
    }
    permissions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_fails_without_each_permission_and_goes_on_when_it_has_it_again() {
    let proofs = stream::iter(permissions()).map(|permission| async move {
        let proof = tokio::spawn(proof(permission.clone())).await;
        proof.err().map(|error| format!("{permission:?}: {error}"))
    });
    let proofs: Vec<Option<String>> = proofs.buffer_unordered(LABS).collect().await;
    let problems: Vec<String> = proofs.iter().flatten().cloned().collect();
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(proofs.len() >= 20, "{}", proofs.len());
}

/// One permission that is revoked in a running lab.
struct Proof {
    permission: Permission,
    roles: Arc<Roles>,
}

impl Proof {
    fn revoke(&self) {
        let Permission { function, sid, action, .. } = &self.permission;
        self.roles.revoke(function, sid, action);
    }

    /// Waits until the function has asked for what it may no longer do.
    async fn denied(&self) {
        let Permission { function, action, .. } = &self.permission;
        soon("the call is denied", self.roles.asked(function, action, false)).await;
    }

    async fn lab(&self) -> WatchedLab {
        WatchedLab::start(guarded(&self.roles, with_questions())).await
    }
}

async fn proof(permission: Permission) {
    let proof = Proof { permission, roles: Arc::new(Roles::of_the_template()) };
    let permission = &proof.permission;
    match (permission.function.as_str(), permission.action.as_str()) {
        ("token-refresh", _) => {
            proof.revoke();
            let lab = proof.lab().await;
            proof.denied().await;
            refresh(&lab, &proof.roles).await.unwrap_err();
            proof.roles.restore();
            refresh(&lab, &proof.roles).await.unwrap();
        }
        ("reconcile", _) => reconciliation_fails(&proof).await,
        ("to-channel", "secretsmanager:GetSecretValue") if permission.sid == "ReadAccountSecrets" => {
            file_waits(&proof).await;
        }
        ("webhook", "secretsmanager:GetSecretValue") => notification_waits(&proof).await,
        ("inbound" | "to-liveengage", "secretsmanager:GetSecretValue") => text_waits(&proof).await,
        ("to-channel", "secretsmanager:GetSecretValue") => answer_waits(&proof).await,
        (
            "inbound" | "to-liveengage",
            "sqs:SendMessage" | "dynamodb:GetItem" | "dynamodb:PutItem" | "dynamodb:UpdateItem",
        ) if permission.on != "ToChannelQueue" => {
            text_waits(&proof).await;
        }
        ("webhook", "sqs:SendMessage") => answer_waits(&proof).await,
        ("to-liveengage", _) => to_liveengage(&proof).await,
        ("to-channel", _) => to_channel(&proof).await,
        _ => panic!("nothing shows what it is for"),
    }
}

/// A run of `reconcile` fails without the permission, and the next one finds what is missing.
async fn reconciliation_fails(proof: &Proof) {
    let (lab, id) = in_conversation(&proof.roles).await;
    lab.liveengage().set_webhooks(ACCOUNT, WebhookSettings { retention: None, ..WebhookSettings::default() });
    lab.gateway().consumer_sends(PHONE, "still there?").unwrap();
    desk(&lab, "the text is at the desk", |all| consumer_texts(&all[0]).contains(&"still there?")).await;
    lab.liveengage().say(&id, "here it is").unwrap();
    settled(&lab).await;
    age_last_text(&lab, PHONE).await;
    proof.revoke();
    // A consumer who can't be compared doesn't fail the run: the next one tries again.
    let _ = lab.reconcile(json!({"scope": "suspicious"})).await;
    proof.denied().await;
    proof.roles.restore();
    // The secret was not read, and is not asked for again for some seconds.
    lab.replace(Function::Reconcile).await.unwrap();
    lab.reconcile(json!({"scope": "recent"})).await.unwrap();
    assert_eq!(received(&lab, PHONE, 1).await, ["here it is"]);
}

/// A consumer's text waits for the permission.
async fn text_waits(proof: &Proof) {
    let lab = proof.lab().await;
    proof.revoke();
    lab.gateway().consumer_sends(PHONE, HELLO).unwrap();
    proof.denied().await;
    assert!(lab.liveengage().conversations().iter().all(|one| one.transcript.is_empty()));
    proof.roles.restore();
    let all = desk(&lab, "the text is at the desk", |all| all.iter().any(|one| !one.transcript.is_empty())).await;
    settled(&lab).await;
    assert_eq!((all.len(), consumer_texts(&all[0])), (1, vec![HELLO]));
}

/// An agent's text waits for the permission.
async fn answer_waits(proof: &Proof) {
    let (lab, id) = in_conversation(&proof.roles).await;
    proof.revoke();
    lab.liveengage().say(&id, "hello to you").unwrap();
    proof.denied().await;
    assert_eq!(shown(&lab), 0);
    proof.roles.restore();
    assert_eq!(received(&lab, PHONE, 1).await, ["hello to you"]);
}

/// LiveEngage's notification of a new conversation waits for the permission.
async fn notification_waits(proof: &Proof) {
    let lab = proof.lab().await;
    proof.revoke();
    lab.gateway().consumer_sends(PHONE, HELLO).unwrap();
    proof.denied().await;
    proof.roles.restore();
    settled(&lab).await;
    let id = desk(&lab, "the text is at the desk", |all| all.len() == 1).await[0].id.clone();
    lab.liveengage().say(&id, "hello to you").unwrap();
    assert_eq!(received(&lab, PHONE, 1).await, ["hello to you"]);
}

/// An agent's file waits for the permission.
async fn file_waits(proof: &Proof) {
    let lab = proof.lab().await;
    let id = opened_on_whatsapp(&lab, PHONE).await;
    settled(&lab).await;
    proof.revoke();
    lab.liveengage().say_file(&id, NewFile::new("PNG", PNG)).unwrap();
    proof.denied().await;
    proof.roles.restore();
    received_on_whatsapp(&lab, PHONE, 1).await;
}

async fn to_liveengage(proof: &Proof) {
    match (proof.permission.action.as_str(), proof.permission.on.as_str()) {
        ("dynamodb:Query", _) => {
            let (lab, _) = in_conversation(&proof.roles).await;
            proof.revoke();
            lab.liveengage().fail_next(Service::Send, StatusCode::BAD_GATEWAY, "");
            lab.gateway().consumer_sends(PHONE, "anyone?").unwrap();
            // The worker can't look for the echo, so it does not send the text again.
            proof.denied().await;
            assert_eq!(consumer_texts(&lab.liveengage().conversations()[0]), [HELLO]);
            proof.roles.restore();
            desk(&lab, "the text is at the desk", |all| consumer_texts(&all[0]) == [HELLO, "anyone?"]).await;
        }
        ("sqs:ChangeMessageVisibility", "ToLiveEngageQueue") => {
            let (lab, _) = in_conversation(&proof.roles).await;
            proof.revoke();
            lab.liveengage().fail_next(Service::Send, StatusCode::SERVICE_UNAVAILABLE, "");
            lab.gateway().consumer_sends(PHONE, "anyone?").unwrap();
            proof.denied().await;
            // The function could not set the time of the next attempt, so the queue's visibility timeout applies.
            desk(&lab, "the text is at the desk", |all| consumer_texts(&all[0]) == [HELLO, "anyone?"]).await;
        }
        ("sqs:SendMessage", "ToChannelQueue") => {
            let (lab, _) = in_conversation(&proof.roles).await;
            proof.revoke();
            // LiveEngage refuses each attempt. The worker can't tell the consumer yet, so it does not park the message.
            for _ in 0..20 {
                lab.liveengage().fail_next(Service::Send, StatusCode::FORBIDDEN, "");
            }
            lab.gateway().consumer_sends(PHONE, "not for you").unwrap();
            proof.denied().await;
            assert_eq!(shown(&lab), 0);
            proof.roles.restore();
            assert!(received(&lab, PHONE, 1).await[0].starts_with("Sorry"));
        }
        _ => panic!("nothing shows what it is for"),
    }
}

async fn to_channel(proof: &Proof) {
    match (proof.permission.action.as_str(), proof.permission.on.as_str()) {
        ("dynamodb:GetItem" | "dynamodb:UpdateItem", _) => answer_waits(proof).await,
        ("dynamodb:PutItem", _) => {
            let (lab, id) = in_conversation(&proof.roles).await;
            proof.revoke();
            lab.liveengage().say(&id, "hello to you").unwrap();
            proof.denied().await;
            proof.roles.restore();
            // The gateway had accepted the text, and the record of this was denied. This is one of the cases in which a message may double.
            assert!(received(&lab, PHONE, 1).await.iter().all(|text| text == "hello to you"));
            settled(&lab).await;
            assert!(shown(&lab) <= 2);
        }
        ("sqs:ChangeMessageVisibility", "ToChannelQueue") => {
            let (lab, id) = in_conversation(&proof.roles).await;
            proof.revoke();
            lab.gateway().fail_next(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), "");
            lab.liveengage().say(&id, "here").unwrap();
            proof.denied().await;
            assert_eq!(received(&lab, PHONE, 1).await, ["here"]);
        }
        ("sqs:SendMessage", "ToLiveEngageQueue") => {
            let (lab, id) = in_conversation(&proof.roles).await;
            proof.revoke();
            for _ in 0..20 {
                lab.gateway().fail_next(StatusCode::BAD_REQUEST, HeaderMap::new(), refused_by_the_gateway());
            }
            lab.liveengage().say(&id, "refused").unwrap();
            proof.denied().await;
            assert_eq!(consumer_texts(&lab.liveengage().conversations()[0]), [HELLO]);
            proof.roles.restore();
            desk(&lab, "the agent is told", |all| {
                consumer_texts(&all[0]).iter().any(|text| text.contains("Not delivered"))
            })
            .await;
        }
        ("sqs:SendMessage", "ToChannelQueue") => {
            let (lab, id) = in_conversation(&proof.roles).await;
            lab.liveengage().say(&id, "done").unwrap();
            received(&lab, PHONE, 1).await;
            settled(&lab).await;
            proof.revoke();
            lab.liveengage().close(&id).unwrap();
            proof.denied().await;
            assert_eq!(shown(&lab), 1);
            proof.roles.restore();
            assert_eq!(received(&lab, PHONE, 2).await, ["done", "How was it, from 1 to 5?"]);
        }
        _ => panic!("nothing shows what it is for"),
    }
}

/// Starts a lab with an open conversation, and waits until nothing is under way.
async fn in_conversation(roles: &Arc<Roles>) -> (WatchedLab, String) {
    let lab = WatchedLab::start(guarded(roles, with_questions())).await;
    let id = opened(&lab, PHONE).await;
    settled(&lab).await;
    (lab, id)
}

/// Returns how many messages the phone has received.
fn shown(lab: &Lab) -> usize {
    lab.gateway().transcript(PHONE).iter().filter(|message| message.direction == Direction::ToPhone).count()
}

/// Runs the schedule once.
async fn refresh(lab: &Lab, roles: &Arc<Roles>) -> Result<(), lambda::FunctionError> {
    let guard = Guard::in_front_of(lab.aws().endpoints(), Arc::clone(roles) as _).await.unwrap();
    let table = lab.aws().table_name().to_owned();
    let environment = move |variable: &str| match variable {
        config::ACCOUNTS => Some(ACCOUNT.to_owned()),
        config::SECRET_PREFIX => Some("connector".to_owned()),
        config::TABLE => Some(table.clone()),
        _ => None,
    };
    let config = config::TokenRefreshConfig::read(&environment).unwrap();
    let sdk = lab.aws().sdk_config_for("token-refresh", guard.endpoints());
    let mut context = Context::default();
    context.request_id = "a-run-of-the-schedule".to_owned();
    lambda::token_refresh(&config, &sdk).unwrap().handle(LambdaEvent::new(json!({}), context)).await
}
