//! What agents see of a consumer: the body of `userprofile.SetUserProfile`.
//!
//! Of the engagement attributes the Send API takes `ctmrinfo` and `personal` only (Connector API, Conversation page).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::domain::message::MessageText;

/// A consumer's profile. Everything is optional; nothing at all is `{}`, which is valid. `Debug` hides the values.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct UserProfile {
    /// The given name, or the whole name where a channel tells no parts.
    pub first_name: Option<MessageText>,
    /// The family name.
    pub last_name: Option<MessageText>,
    /// More about the person, in words.
    pub description: Option<MessageText>,
    /// The address of a picture of the person.
    pub avatar_url: Option<String>,
    /// The phone number (`privateData.mobileNum`).
    pub mobile_number: Option<String>,
    /// The e-mail address (`privateData.mail`).
    pub email: Option<String>,
    /// What the brand knows of its customer (`ctmrinfo`).
    pub customer_info: Option<CustomerInfo>,
    /// Who the person is (`personal`).
    pub personal: Option<Personal>,
}

/// The engagement attribute `ctmrinfo`: what the brand knows of its customer. Its texts only; amounts and dates are the brand's
/// own business. `Debug` hides the values.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomerInfo {
    /// The kind of customer, for example `vip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// The customer's status, for example `cancelled` (`cstatus`).
    #[serde(rename = "cstatus", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The brand's id of the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The id on a social network or another channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub social_id: Option<String>,
    /// The device's IMEI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imei: Option<String>,
    /// The name that the person goes by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// The name of the customer's account, for example a company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_name: Option<String>,
    /// The customer's role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The company's branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company_branch: Option<String>,
    /// The ISO 4217 code of the customer's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whether the customer is logged in, in the brand's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_status: Option<String>,
    /// The postal code of the customer's store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_zip_code: Option<String>,
    /// The number of the customer's store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_number: Option<String>,
}

/// The engagement attribute `personal`: who the person is. `Debug` hides the values.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Personal {
    /// The given name.
    #[serde(rename = "firstname", skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The family name.
    #[serde(rename = "lastname", skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// The language as a BCP 47 tag, for example `en-US`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The company the person works for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// The gender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// How the person can be reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
}

/// A gender, in LivePerson's words: one page of the documentation shows the numbers 0 to 2, every sample the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Gender {
    /// Male.
    Male,
    /// Female.
    Female,
    /// Another one.
    Other,
}

/// A way to reach a person. `Debug` hides the values.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// What kind of phone it is, in the brand's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_type: Option<String>,
    /// The postal address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

macro_rules! hidden {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(hidden)"))
            }
        }
    )*};
}

hidden!(UserProfile, CustomerInfo, Personal, Contact);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a MessageText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<&'a MessageText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a MessageText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_data: Option<PrivateData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticated_data: Option<AuthenticatedData<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrivateData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile_num: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<&'a str>,
}

#[derive(Serialize)]
struct AuthenticatedData<'a> {
    lp_sdes: Vec<EngagementAttribute<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum EngagementAttribute<'a> {
    #[serde(rename = "ctmrinfo")]
    CustomerInfo { info: &'a CustomerInfo },
    #[serde(rename = "personal")]
    Personal { personal: &'a Personal },
}

/// The request's body.
impl Serialize for UserProfile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let info = self.customer_info.as_ref().filter(|info| **info != CustomerInfo::default());
        let personal = self.personal.as_ref().filter(|personal| **personal != Personal::default());
        let attributes: Vec<_> = info
            .map(|info| EngagementAttribute::CustomerInfo { info })
            .into_iter()
            .chain(personal.map(|personal| EngagementAttribute::Personal { personal }))
            .collect();
        let private = PrivateData { mobile_num: self.mobile_number.as_deref(), mail: self.email.as_deref() };
        Body {
            first_name: self.first_name.as_ref(),
            last_name: self.last_name.as_ref(),
            description: self.description.as_ref(),
            avatar_url: self.avatar_url.as_deref(),
            private_data: (private.mobile_num.is_some() || private.mail.is_some()).then_some(private),
            authenticated_data: (!attributes.is_empty()).then_some(AuthenticatedData { lp_sdes: attributes }),
        }
        .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn full() -> UserProfile {
        UserProfile {
            first_name: Some(MessageText::new("Ana")),
            last_name: Some(MessageText::new("Kovač")),
            description: Some(MessageText::new("writes by SMS")),
            avatar_url: some("https://pictures.example/ana.png"),
            mobile_number: some("+4915100000001"),
            email: some("ana@mail.example"),
            customer_info: Some(CustomerInfo {
                ctype: some("gold"),
                status: some("active"),
                customer_id: some("K-81"),
                social_id: some("s-1"),
                imei: some("i-1"),
                user_name: some("anak"),
                account_name: some("Kovač GmbH"),
                role: some("buyer"),
                company_branch: some("Graz"),
                currency: some("EUR"),
                login_status: some("in"),
                store_zip_code: some("8010"),
                store_number: some("7"),
            }),
            personal: Some(Personal {
                first_name: some("Ana"),
                last_name: some("Kovač"),
                language: some("de-AT"),
                company: some("Kovač GmbH"),
                gender: Some(Gender::Female),
                contacts: vec![Contact {
                    email: some("ana@mail.example"),
                    phone: some("+4915100000001"),
                    phone_type: some("mobile"),
                    address: some("Graz"),
                }],
            }),
        }
    }

    #[test]
    fn a_profile_is_the_documented_body() {
        assert_eq!(
            serde_json::to_value(full()).unwrap(),
            json!({
                "firstName": "Ana", "lastName": "Kovač", "description": "writes by SMS",
                "avatarUrl": "https://pictures.example/ana.png",
                "privateData": {"mobileNum": "+4915100000001", "mail": "ana@mail.example"},
                "authenticatedData": {"lp_sdes": [
                    {"type": "ctmrinfo", "info": {"ctype": "gold", "cstatus": "active", "customerId": "K-81",
                        "socialId": "s-1", "imei": "i-1", "userName": "anak", "accountName": "Kovač GmbH", "role": "buyer",
                        "companyBranch": "Graz", "currency": "EUR", "loginStatus": "in", "storeZipCode": "8010",
                        "storeNumber": "7"}},
                    {"type": "personal", "personal": {"firstname": "Ana", "lastname": "Kovač", "language": "de-AT",
                        "company": "Kovač GmbH", "gender": "FEMALE", "contacts": [{"email": "ana@mail.example",
                        "phone": "+4915100000001", "phoneType": "mobile", "address": "Graz"}]}},
                ]},
            })
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        assert_eq!(serde_json::to_value(UserProfile::default()).unwrap(), json!({}));
        let empty = UserProfile {
            customer_info: Some(CustomerInfo::default()),
            personal: Some(Personal::default()),
            ..UserProfile::default()
        };
        assert_eq!(serde_json::to_value(empty).unwrap(), json!({}));
        let phone = UserProfile { mobile_number: some("+4915100000001"), ..UserProfile::default() };
        assert_eq!(serde_json::to_value(phone).unwrap(), json!({"privateData": {"mobileNum": "+4915100000001"}}));
    }

    #[test]
    fn debug_shows_no_value() {
        let profile = full();
        let shown = format!("{profile:?} {:?} {:?}", profile.customer_info, profile.personal);
        assert!(!shown.contains("Ana") && !shown.contains("4915"), "{shown}");
        assert!(!format!("{:?}", profile.personal.unwrap().contacts).contains("mail"));
    }
}
