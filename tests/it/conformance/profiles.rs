//! Reads a profile from the body of a documented `SetUserProfile`.

use connector_liveengage::messaging::{Contact, CustomerInfo, Gender, Personal, UserProfile};
use connector_message::MessageText;
use serde_json::Value;

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// Returns the parts of a body that the connector can send.
pub(super) fn profile(body: &Value) -> UserProfile {
    let private = body.get("privateData").unwrap_or(&Value::Null);
    let attribute = |kind: &str| {
        body.pointer("/authenticatedData/lp_sdes")?.as_array()?.iter().find(|attribute| attribute["type"] == kind)
    };
    UserProfile {
        first_name: text(body, "firstName").map(MessageText::new),
        last_name: text(body, "lastName").map(MessageText::new),
        description: text(body, "description").map(MessageText::new),
        avatar_url: text(body, "avatarUrl"),
        mobile_number: text(private, "mobileNum"),
        email: text(private, "mail"),
        customer_info: attribute("ctmrinfo").map(|attribute| customer_info(&attribute["info"])),
        personal: attribute("personal").map(|attribute| personal(&attribute["personal"])),
    }
}

fn customer_info(info: &Value) -> CustomerInfo {
    CustomerInfo {
        ctype: text(info, "ctype"),
        status: text(info, "cstatus"),
        customer_id: text(info, "customerId"),
        social_id: text(info, "socialId"),
        imei: text(info, "imei"),
        user_name: text(info, "userName"),
        account_name: text(info, "accountName"),
        role: text(info, "role"),
        company_branch: text(info, "companyBranch"),
        currency: text(info, "currency"),
        login_status: text(info, "loginStatus"),
        store_zip_code: text(info, "storeZipCode"),
        store_number: text(info, "storeNumber"),
    }
}

fn personal(personal: &Value) -> Personal {
    let contacts = personal.get("contacts").and_then(Value::as_array);
    Personal {
        first_name: text(personal, "firstname"),
        last_name: text(personal, "lastname"),
        language: text(personal, "language"),
        company: text(personal, "company"),
        gender: text(personal, "gender").and_then(|gender| match gender.as_str() {
            "MALE" => Some(Gender::Male),
            "FEMALE" => Some(Gender::Female),
            "OTHER" => Some(Gender::Other),
            _ => None,
        }),
        contacts: contacts
            .into_iter()
            .flatten()
            .map(|contact| Contact {
                email: text(contact, "email"),
                phone: text(contact, "phone"),
                phone_type: text(contact, "phoneType"),
                address: text(contact, "address"),
            })
            .collect(),
    }
}
