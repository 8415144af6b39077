//! A menu inside a record, as one string of JSON: metadata can be nested deeper, and hold larger numbers, than DynamoDB takes.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::Menu;

pub(crate) fn serialize<S: Serializer>(menu: &Option<Menu>, serializer: S) -> Result<S::Ok, S::Error> {
    let json = menu.as_ref().map(serde_json::to_string).transpose().map_err(ser::Error::custom)?;
    json.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Menu>, D::Error> {
    let json = Option::<String>::deserialize(deserializer)?;
    json.map(|json| serde_json::from_str(&json)).transpose().map_err(de::Error::custom)
}

/// What was chosen, in a step of a message: written in the same way, and read in the older form too.
pub(crate) mod chosen {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

    use crate::domain::menu::Chosen;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Json(String),
        Native(Chosen),
    }

    pub(crate) fn serialize<S: Serializer>(chosen: &Option<Chosen>, serializer: S) -> Result<S::Ok, S::Error> {
        let json = chosen.as_ref().map(serde_json::to_string).transpose().map_err(ser::Error::custom)?;
        json.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Chosen>, D::Error> {
        match Option::<Form>::deserialize(deserializer)? {
            Some(Form::Json(json)) => serde_json::from_str(&json).map(Some).map_err(de::Error::custom),
            Some(Form::Native(chosen)) => Ok(Some(chosen)),
            None => Ok(None),
        }
    }
}
