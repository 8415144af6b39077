//! What the agent is told about a person.

use serde::Deserialize;

use crate::{
    channel::Capabilities,
    domain::{
        id::ChannelUserId,
        message::{MessageText, Person},
    },
    liveengage::messaging::{Contact, CustomerInfo, Personal, UserProfile},
};

/// What the agent is told about every person of a line, beside what the channel says of each.
///
/// It becomes SetUserProfile with the engagement attributes `ctmrinfo` and `personal` (Connector API, Conversation).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileSettings {
    /// Whether the agent sees the person's address on the channel: mostly a phone number.
    pub send_address: bool,
    /// Whether the agent sees the person's name on the channel.
    pub send_name: bool,
    /// `ctype` of everybody who writes to this line, for example `sms`.
    pub customer_type: Option<String>,
    /// `companyBranch` of everybody who writes to this line.
    pub company_branch: Option<String>,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self { send_address: true, send_name: true, customer_type: None, company_branch: None }
    }
}

/// The most characters of a name that LiveEngage is told. No limit is documented; a channel's own are below it.
const LONGEST: usize = 256;

fn short(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
}

impl ProfileSettings {
    /// The profile of `user`, of whom the channel says `person`.
    pub fn profile(
        &self,
        capabilities: &Capabilities,
        user: &ChannelUserId,
        person: Option<&Person>,
        language: Option<&str>,
    ) -> UserProfile {
        let said = |text: Option<&MessageText>| text.and_then(|text| short(text.as_str()));
        let named = person.filter(|_| self.send_name);
        let name = said(named.and_then(|person| person.name.as_ref()));
        // Channels give one name; the last word of several is the last name.
        let (first, last) = match name.as_deref().and_then(|name| name.rsplit_once(char::is_whitespace)) {
            Some((first, last)) => (short(first), short(last)),
            None => (name, None),
        };
        let user_name = said(named.and_then(|person| person.user_name.as_ref()));
        let address = self.send_address.then(|| user.as_str().to_owned());
        let phone = if capabilities.address_is_phone && is_phone(user.as_str()) {
            address.clone()
        } else {
            said(person.filter(|_| self.send_address).and_then(|person| person.phone.as_ref()))
        };
        let language = said(person.and_then(|person| person.language.as_ref())).or(language.map(str::to_owned));
        let text = |text: &Option<String>| text.clone().map(MessageText::new);
        let customer_info = CustomerInfo {
            ctype: self.customer_type.clone(),
            company_branch: self.company_branch.clone(),
            social_id: address,
            user_name,
            ..CustomerInfo::default()
        };
        let contact = Contact { phone: phone.clone(), ..Contact::default() };
        let personal = Personal {
            first_name: first.clone(),
            last_name: last.clone(),
            language,
            contacts: phone.is_some().then_some(contact).into_iter().collect(),
            ..Personal::default()
        };
        UserProfile {
            first_name: text(&first),
            last_name: text(&last),
            mobile_number: phone,
            customer_info: (customer_info != CustomerInfo::default()).then_some(customer_info),
            personal: (personal != Personal::default()).then_some(personal),
            ..UserProfile::default()
        }
    }
}

fn is_phone(address: &str) -> bool {
    let digits = address.strip_prefix('+').unwrap_or(address);
    digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::by_name;

    fn capabilities() -> Capabilities {
        let settings = serde_json::json!({
            "from": "+4930555123", "send_url": "https://gateway.example/", "bearer_token": "b", "webhook_secret": "w",
        });
        by_name("sms").unwrap().line(&settings).unwrap().capabilities()
    }

    fn user(address: &str) -> ChannelUserId {
        ChannelUserId::new(address).unwrap()
    }

    #[test]
    fn the_agent_sees_the_name_and_the_number() {
        let person = Person { name: Some(MessageText::new(" Ada von Muster ")), ..Person::default() };
        let settings = ProfileSettings { customer_type: Some("sms".to_owned()), ..ProfileSettings::default() };
        let profile = settings.profile(&capabilities(), &user("+4915112345678"), Some(&person), Some("de-DE"));
        assert_eq!(profile.first_name, Some(MessageText::new("Ada von")));
        assert_eq!(profile.last_name, Some(MessageText::new("Muster")));
        assert_eq!(profile.mobile_number.as_deref(), Some("+4915112345678"));
        let info = profile.customer_info.unwrap();
        assert_eq!((info.ctype.as_deref(), info.social_id.as_deref()), (Some("sms"), Some("+4915112345678")));
        let personal = profile.personal.unwrap();
        assert_eq!(personal.language.as_deref(), Some("de-DE"));
        assert_eq!(personal.contacts[0].phone.as_deref(), Some("+4915112345678"));
    }

    #[test]
    fn nothing_is_sent_that_the_line_does_not_want() {
        let settings = ProfileSettings { send_address: false, send_name: false, ..ProfileSettings::default() };
        let person = Person {
            name: Some(MessageText::new("Ada")),
            phone: Some(MessageText::new("+4915112345678")),
            ..Person::default()
        };
        let profile = settings.profile(&capabilities(), &user("+4915112345678"), Some(&person), None);
        assert_eq!(profile, UserProfile::default());
    }

    #[test]
    fn an_address_that_is_no_number_is_no_phone() {
        let profile = ProfileSettings::default().profile(&capabilities(), &user("US.13491208655302741918"), None, None);
        assert_eq!(profile.mobile_number, None);
        assert_eq!(profile.customer_info.unwrap().social_id.as_deref(), Some("US.13491208655302741918"));
    }
}
