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
