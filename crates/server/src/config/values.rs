//! Deserializers whose errors say what is allowed, without the value.

use std::net::IpAddr;

use clap::ValueEnum;
use serde::{Deserialize, Deserializer, de::Error};

/// The prefix of this file's errors.
pub(super) const REQUIREMENT_PREFIX: &str = "must be ";

/// One of the names of an enum.
pub(super) fn one_of<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: ValueEnum,
{
    let text = String::deserialize(deserializer)?;
    T::from_str(&text, false).map_err(|_| {
        let values = T::value_variants().iter();
        let values = values.filter_map(ValueEnum::to_possible_value);
        let names: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
        D::Error::custom(format_args!("{REQUIREMENT_PREFIX}{}", names.join(" or ")))
    })
}

/// An IP address.
pub(super) fn ip_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map_err(|_| D::Error::custom(format_args!("{REQUIREMENT_PREFIX}an IP address")))
}
