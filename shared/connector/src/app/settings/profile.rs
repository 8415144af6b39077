//! What the agent sees about a consumer.

use serde::Deserialize;

use connector_channels::{Capabilities, id::ChannelUserId, message::ChannelProfile};
use connector_liveengage::messaging::{Contact, CustomerInfo, Personal, UserProfile};
use connector_message::MessageText;

/// Which data about a line's consumers the agent sees, and constant values for all of them.
///
/// They are sent as `SetUserProfile` with the engagement attributes `ctmrinfo` and `personal` (Connector API, Conversation).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileSettings {
    /// Whether the agent sees the consumer's address on the channel, which is usually a phone number.
    pub send_address: bool,
    /// Whether the agent sees the consumer's name on the channel.
    pub send_name: bool,
    /// `ctype` of every consumer of this line, for example `sms`.
    pub customer_type: Option<String>,
    /// `companyBranch` of every consumer of this line.
    pub company_branch: Option<String>,
}

impl Default for ProfileSettings {
    fn default() -> Self {
        Self { send_address: true, send_name: true, customer_type: None, company_branch: None }
    }
}

/// The most characters of a name. LiveEngage documents no limit; the channels' limits are below this.
const LONGEST: usize = 256;

fn short(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
}

impl ProfileSettings {
    /// Returns the profile of `user`. `known` is what the channel says about them.
    pub fn profile(
        &self,
        capabilities: &Capabilities,
        user: &ChannelUserId,
        known: Option<&ChannelProfile>,
        language: Option<&str>,
    ) -> UserProfile {
        let trimmed = |text: Option<&MessageText>| text.and_then(|text| short(text.as_str()));
        let named = known.filter(|_| self.send_name);
        let name = trimmed(named.and_then(|known| known.name.as_ref()));
        // Channels give one name. Its last word counts as the last name if it has several.
        let (first, last) = match name.as_deref().and_then(|name| name.rsplit_once(char::is_whitespace)) {
            Some((first, last)) => (short(first), short(last)),
            None => (name, None),
        };
        let user_name = trimmed(named.and_then(|known| known.user_name.as_ref()));
        let address = self.send_address.then(|| user.as_str().to_owned());
        let phone = if capabilities.address_is_phone && is_phone(user.as_str()) {
            address.clone()
        } else {
            trimmed(known.filter(|_| self.send_address).and_then(|known| known.phone.as_ref()))
        };
        let language = trimmed(known.and_then(|known| known.language.as_ref())).or(language.map(str::to_owned));
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
    use connector_channels::by_name;

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
        let person = ChannelProfile { name: Some(MessageText::new(" Ada von Muster ")), ..ChannelProfile::default() };
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
        let person = ChannelProfile {
            name: Some(MessageText::new("Ada")),
            phone: Some(MessageText::new("+4915112345678")),
            ..ChannelProfile::default()
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
