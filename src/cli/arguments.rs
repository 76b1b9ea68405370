//! Values of arguments that the model knows: what can be given is listed in the help.

use std::net::IpAddr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::SignedDuration;

use crate::model::{ApplicationType, Plan, Role, Timestamp};

/// A role by its name.
pub(super) fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|name| name.parse::<Role>())
}

/// A plan by its name.
pub(super) fn plan() -> impl TypedValueParser<Value = Plan> {
    let names = [Plan::Free, Plan::Paid].map(Plan::as_str);
    PossibleValuesParser::new(names).try_map(|name| Plan::from_name(&name).ok_or("expected a plan"))
}

/// An application's type by its name.
pub(super) fn application_type() -> impl TypedValueParser<Value = ApplicationType> {
    let names = [ApplicationType::Starter, ApplicationType::Standard].map(ApplicationType::as_str);
    PossibleValuesParser::new(names).try_map(|name| ApplicationType::from_name(&name).ok_or("expected a type"))
}

/// A time as RFC 3339.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    let time = text.parse::<jiff::Timestamp>();
    time.map(|time| Timestamp::from_micros(time.as_microsecond()))
        .map_err(|_| "expected a time as RFC 3339, like 2027-01-31T08:00:00Z".to_owned())
}

/// The method of a request.
pub(super) fn method(text: &str) -> Result<String, String> {
    let good = (1..=32).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'-'));
    if good { Ok(text.to_owned()) } else { Err("expected a method in upper case, like GET".to_owned()) }
}

/// The address of a client.
pub(super) fn client(text: &str) -> Result<IpAddr, String> {
    let address = text.parse::<IpAddr>();
    address.map(|address| address.to_canonical()).map_err(|_| "expected an address, like 192.0.2.7".to_owned())
}

/// A duration like `10s`, `1m 30s` or `500ms`; a number alone is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u32>().map(|seconds| Duration::from_secs(seconds.into()));
    let parsed = seconds.ok().or_else(|| text.parse::<SignedDuration>().ok()?.try_into().ok());
    parsed.ok_or_else(|| "expected a duration, like 10s, 1m or 500ms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_its_offset() {
        assert_eq!(time("2025-11-24T16:00:00Z"), Ok(Timestamp::from_secs(1_764_000_000)));
        assert_eq!(time("2025-11-24T17:00:00.5+01:00"), Ok(Timestamp::from_micros(1_764_000_000_500_000)));
        for text in ["2025-11-24", "2025-11-24T16:00:00", "tomorrow", "", "1764000000"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_or_is_in_seconds() {
        for (text, millis) in [("10", 10_000), ("10s", 10_000), ("500ms", 500), ("1m", 60_000), ("1m 30s", 90_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "1.5", "ten", "10 parsecs"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_method_is_in_upper_case() {
        assert_eq!(method("M-SEARCH").as_deref(), Ok("M-SEARCH"));
        for text in ["get", "", "GET ", &"A".repeat(33)] {
            assert!(method(text).is_err(), "{text}");
        }
    }
}
