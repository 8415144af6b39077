//! The items of the table, converted from and to the domain's types.
//!
//! An attribute may be added with a default. A change that an older version would read wrongly raises the number of its kind of item
//! ([`crate::schema_version`]).

mod consumer;
mod ledger;
mod message;
mod parked;
mod token;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, to_attribute_value};

use connector::port::StoreError;

/// A domain type that is stored in the table.
pub(crate) trait Stored: Sized {
    /// Its stored form.
    type Wire: Serialize + DeserializeOwned;

    /// Its name in errors.
    const WHAT: &'static str;

    /// Converts it into its stored form.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] if it can't be stored.
    fn to_wire(&self) -> Result<Self::Wire, StoreError>;

    /// Converts it from its stored form.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    fn from_wire(wire: Self::Wire) -> Result<Self, StoreError>;

    /// Converts it into an attribute's value.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    fn to_attribute(&self) -> Result<AttributeValue, StoreError> {
        to_attribute_value(self.to_wire()?).map_err(|_| StoreError::Unreadable { what: Self::WHAT })
    }

    /// Converts it from an attribute's value.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`].
    fn from_attribute(value: AttributeValue) -> Result<Self, StoreError> {
        let wire = from_attribute_value(value).map_err(|_| StoreError::Unreadable { what: Self::WHAT })?;
        Self::from_wire(wire)
    }
}

/// Stores a value as a string of JSON. Metadata can be nested deeper and hold larger numbers than DynamoDB supports.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Json(String);

impl Json {
    fn of(value: &impl Serialize, what: &'static str) -> Result<Self, StoreError> {
        serde_json::to_string(value).map(Self).map_err(|_| StoreError::Unreadable { what })
    }

    fn read<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(&self.0).map_err(|_| StoreError::Unreadable { what })
    }
}
