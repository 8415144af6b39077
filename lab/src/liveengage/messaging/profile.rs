//! The body of `userprofile.SetUserProfile`: every member is optional and has a fixed type.

use serde_json::Value;

const TEXTS: [&str; 7] = ["firstName", "lastName", "userId", "avatarUrl", "role", "backgndImgUri", "description"];
const CUSTOMER_TEXTS: [&str; 12] = [
    "ctype",
    "cstatus",
    "customerId",
    "currency",
    "socialId",
    "imei",
    "userName",
    "companyBranch",
    "accountName",
    "role",
    "loginStatus",
    "storeZipCode",
];
const GENDERS: [&str; 3] = ["MALE", "FEMALE", "OTHER"];

/// Whether it is a valid profile. Undocumented members are ignored.
pub(super) fn is_valid(profile: &Value) -> bool {
    let private = profile.get("privateData");
    let push = private.and_then(|private| private.get("pushNotificationData"));
    profile.is_object()
        && all(profile, &TEXTS, Value::is_string)
        && all(profile, &["privateData", "authenticatedData"], Value::is_object)
        && private.is_none_or(|private| {
            all(private, &["mobileNum", "mail"], Value::is_string)
                && all(private, &["pushNotificationData"], Value::is_object)
        })
        && push.is_none_or(|push| all(push, &["serviceName", "certName", "token"], Value::is_string))
        && profile.pointer("/authenticatedData/lp_sdes").is_none_or(|attributes| match attributes {
            Value::Array(attributes) => attributes.iter().all(is_supported_attribute),
            // An array with one element may be replaced by that element.
            one => is_supported_attribute(one),
        })
}

/// The Send API accepts two of the engagement attributes. The others are for web tagging only.
fn is_supported_attribute(attribute: &Value) -> bool {
    match attribute.get("type").and_then(Value::as_str) {
        Some("ctmrinfo") => attribute.get("info").is_some_and(is_customer_info),
        Some("personal") => attribute.get("personal").is_some_and(is_personal_info),
        _ => false,
    }
}

fn is_customer_info(info: &Value) -> bool {
    info.is_object()
        && all(info, &CUSTOMER_TEXTS, Value::is_string)
        && all(info, &["storeNumber"], Value::is_string)
        && all(info, &["balance", "companySize"], Value::is_number)
        && all(info, &["lastPaymentDate", "registrationDate"], |date| {
            date.is_object() && all(date, &["day", "month", "year"], Value::is_u64)
        })
}

fn is_personal_info(personal: &Value) -> bool {
    let is_contact = |contact: &Value| {
        contact.is_object() && all(contact, &["email", "phone", "phoneType", "address"], Value::is_string)
    };
    personal.is_object()
        && all(personal, &["firstname", "lastname", "company", "language"], Value::is_string)
        && all(personal, &["age"], |age| {
            age.is_object() && all(age, &["age", "year", "month", "day"], Value::is_number)
        })
        && all(personal, &["contacts"], |contacts| match contacts {
            Value::Array(contacts) => contacts.iter().all(is_contact),
            one => is_contact(one),
        })
        && all(personal, &["gender"], |gender| match gender {
            Value::String(gender) => GENDERS.contains(&gender.as_str()),
            // One table has numbers, while every sample has words.
            Value::Number(gender) => gender.as_u64().is_some_and(|gender| gender <= 2),
            _ => false,
        })
}

/// Whether the members that exist are valid.
fn all(object: &Value, members: &[&str], pass: impl Fn(&Value) -> bool) -> bool {
    members.iter().filter_map(|member| object.get(member)).all(pass)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::is_valid;

    fn with(attribute: &Value) -> Value {
        json!({ "authenticatedData": { "lp_sdes": [attribute] } })
    }

    #[test]
    fn the_documented_members_pass() {
        let customer = json!({
            "type": "ctmrinfo",
            "info": {
                "socialId": "77", "ctype": "gold", "balance": -12.5, "companySize": 40, "currency": "CHF",
                "registrationDate": { "day": 3, "month": 9, "year": 2019 }, "shoeSize": "an unknown member",
            },
        });
        let personal = json!({
            "type": "personal",
            "personal": {
                "firstname": "Mary", "age": { "age": 44, "year": 1980 }, "gender": "FEMALE", "language": "de-CH",
                "contacts": [{ "phone": "+41441112233", "email": "mary@shop.example" }],
            },
            "auth": { "iss": "shop" },
        });
        for profile in [
            json!({}),
            json!({ "firstName": "Mary", "privateData": { "mobileNum": "+41441112233" } }),
            with(&customer),
            with(&personal),
            json!({ "authenticatedData": { "lp_sdes": personal } }),
            json!({ "authenticatedData": { "lp_sdes": [] } }),
            with(&json!({ "type": "personal", "personal": { "gender": 1 } })),
        ] {
            assert!(is_valid(&profile), "{profile}");
        }
    }

    #[test]
    fn other_attributes_and_wrong_types_do_not() {
        for profile in [
            json!([]),
            json!({ "firstName": 7 }),
            json!({ "privateData": "none" }),
            json!({ "privateData": { "mail": [] } }),
            json!({ "privateData": { "pushNotificationData": { "token": 1 } } }),
            json!({ "authenticatedData": { "lp_sdes": "none" } }),
            with(&json!({ "type": "cart", "total": 3 })),
            with(&json!({ "type": "lead", "lead": { "topic": "tents" } })),
            with(&json!({ "type": "ctmrinfo", "personal": {} })),
            with(&json!({ "type": "ctmrinfo", "info": { "socialId": 77 } })),
            with(&json!({ "type": "ctmrinfo", "info": { "registrationDate": { "day": "3" } } })),
            with(&json!({ "type": "personal", "personal": { "gender": "WOMAN" } })),
            with(&json!({ "type": "personal", "personal": { "gender": 3 } })),
            with(&json!({ "type": "personal", "personal": { "contacts": [{ "phone": 41 }] } })),
            with(&json!({ "personal": {} })),
        ] {
            assert!(!is_valid(&profile), "{profile}");
        }
    }
}
