//! For any JSON in a webhook, nothing panics and no message is dropped.

use proptest::prelude::*;

use super::{
    inbound::{CONSUMER, receive, webhook},
    *,
};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[a-z0-9+. ]{0,12}".prop_map(Value::from),
        Just(json!(PHONE_NUMBER_ID)),
    ];
    leaf.prop_recursive(6, 64, 4, |inner| {
        let key = prop::sample::select(vec![
            "metadata",
            "phone_number_id",
            "contacts",
            "wa_id",
            "profile",
            "name",
            "messages",
            "from",
            "id",
            "type",
            "text",
            "body",
            "image",
            "interactive",
            "statuses",
            "status",
            "recipient_id",
            "errors",
            "edit",
            "message",
            "location",
            "latitude",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key, inner, 0..6)
                .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_causes_a_panic(messages in prop::collection::vec(any_json(), 0..4), value in any_json(), kind in "(text|image|contacts|interactive|edit|location)") {
        let mut typed = json!({"from": CONSUMER, "id": "wamid.M1", "type": kind.clone()});
        typed[&kind] = value.clone();
        let count = messages.len();
        let all: Vec<_> = messages.into_iter().chain([typed]).collect();
        let reception = receive(&webhook(json!({"messages": all, "statuses": value, "contacts": value})));
        // A message with an id and a sender is never dropped.
        prop_assert!(reception.events.iter().any(|event| event.id.as_str() == "wamid.M1"), "{} messages", count);
        let _ = line().receive(&request(Method::POST, &[], &json!({"object": "whatsapp_business_account", "entry": value}).to_string()));
    }
}
