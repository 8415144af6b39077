//! A consumer's profile, as agents see it: the body of `userprofile.SetUserProfile`.
//!
//! The Send API accepts only the engagement attributes `ctmrinfo` and `personal` (Connector API, Conversation page). The fields are those
//! of "Types of Engagement Attributes" and of LivePerson's JSON schema of the request.

use serde::{Serialize, Serializer};
use serde_with::skip_serializing_none;

use connector_message::MessageText;

/// A consumer's profile. All fields are optional, and an empty profile is valid. `Debug` hides the values.
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq, Hash)]
#[debug("UserProfile(hidden)")]
pub struct UserProfile {
    /// The given name, or the whole name if the channel doesn't separate its parts.
    pub first_name: Option<MessageText>,
    /// The family name.
    pub last_name: Option<MessageText>,
    /// A description of the consumer.
    pub description: Option<MessageText>,
    /// The URL of a picture of the consumer.
    pub avatar_url: Option<String>,
    /// The phone number (`privateData.mobileNum`).
    pub mobile_number: Option<String>,
    /// The e-mail address (`privateData.mail`).
    pub email: Option<String>,
    /// The engagement attribute `ctmrinfo`.
    pub customer_info: Option<CustomerInfo>,
    /// The engagement attribute `personal`.
    pub personal: Option<Personal>,
}

/// The engagement attribute `ctmrinfo`: what the brand knows about its customer. Only the text fields: the connector knows no amounts and
/// dates. `Debug` hides the values.
#[skip_serializing_none]
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[debug("CustomerInfo(hidden)")]
#[serde(rename_all = "camelCase")]
pub struct CustomerInfo {
    /// The type of customer, for example `vip`.
    pub ctype: Option<String>,
    /// The customer's status, for example `cancelled` (`cstatus`).
    #[serde(rename = "cstatus")]
    pub status: Option<String>,
    /// The brand's id of the customer.
    pub customer_id: Option<String>,
    /// The id on a social network or another channel.
    pub social_id: Option<String>,
    /// The device's IMEI.
    pub imei: Option<String>,
    /// The user name.
    pub user_name: Option<String>,
    /// The name of the customer's account, for example a company.
    pub account_name: Option<String>,
    /// The customer's role.
    pub role: Option<String>,
    /// The branch of the company.
    pub company_branch: Option<String>,
    /// The ISO 4217 code of the customer's currency.
    pub currency: Option<String>,
    /// Whether the customer is logged in. The brand defines the values.
    pub login_status: Option<String>,
    /// The postal code of the customer's store.
    pub store_zip_code: Option<String>,
    /// The number of the customer's store.
    pub store_number: Option<String>,
}

/// The engagement attribute `personal`: who the consumer is. `Debug` hides the values.
#[skip_serializing_none]
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[debug("Personal(hidden)")]
pub struct Personal {
    /// The given name.
    #[serde(rename = "firstname")]
    pub first_name: Option<String>,
    /// The family name.
    #[serde(rename = "lastname")]
    pub last_name: Option<String>,
    /// The language as a BCP 47 tag, for example `en-US`.
    pub language: Option<String>,
    /// The company that the consumer works for.
    pub company: Option<String>,
    /// The gender.
    pub gender: Option<Gender>,
    /// Ways to contact the consumer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
}

/// A gender. One page of the documentation shows the numbers 0 to 2, and every sample the words, which are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Gender {
    /// Male.
    Male,
    /// Female.
    Female,
    /// Another gender.
    Other,
}

/// A way to contact a consumer. `Debug` hides the values.
#[skip_serializing_none]
#[derive(derive_more::Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
#[debug("Contact(hidden)")]
#[serde(rename_all = "camelCase")]
pub struct Contact {
    /// The e-mail address.
    pub email: Option<String>,
    /// The phone number.
    pub phone: Option<String>,
    /// The type of phone. The brand defines the values.
    pub phone_type: Option<String>,
    /// The postal address.
    pub address: Option<String>,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProfileBody<'a> {
    first_name: Option<&'a MessageText>,
    last_name: Option<&'a MessageText>,
    description: Option<&'a MessageText>,
    avatar_url: Option<&'a str>,
    private_data: Option<PrivateData<'a>>,
    authenticated_data: Option<AuthenticatedData<'a>>,
}

#[skip_serializing_none]
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PrivateData<'a> {
    mobile_num: Option<&'a str>,
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

/// Serializes the profile as the body of the request.
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
        ProfileBody {
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
    fn empty_fields_are_left_out() {
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
