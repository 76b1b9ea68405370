//! How much load there is, and for how long.

use std::time::Duration;

use clap::Args;
use hyper::StatusCode;

use super::load::Plan;
use crate::cli::arguments;
use crate::cli::failure::UsageError;

/// Enough for percentiles, and short enough that a mistake is over soon.
const LONGEST: Duration = Duration::from_secs(600);
/// A request that waits longer has failed, whatever comes later.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How the load is sent.
#[derive(Args)]
pub(super) struct LoadArguments {
    /// How many connections are kept open
    #[arg(long, value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// How many threads send the load; one is enough for tens of thousands of requests per second
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// Requests per second that are due, whether or not those before are answered [default: as many as are answered]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// How long to measure, ten minutes at most: 30s, 2m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = arguments::duration)]
    duration: Duration,
    /// How long to load before that
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = arguments::duration)]
    warm_up: Duration,
    /// How long to wait for an answer, a minute at most; with --rate also how long after the end what was due is sent
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = arguments::duration)]
    timeout: Duration,
}

impl LoadArguments {
    /// What is to be done.
    pub(super) fn plan(&self) -> Result<Plan, UsageError> {
        let Self { connections, threads, rate, duration, warm_up, timeout } = *self;
        let refuse = |message: &'static str| Err(UsageError::new(message));
        if duration.is_zero() || duration > LONGEST || warm_up > LONGEST {
            return refuse("--duration and --warm-up are ten minutes at most, and the former is not nothing");
        }
        if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
            return refuse("--timeout is a minute at most, and not nothing");
        }
        if threads > connections {
            return refuse("each of --threads needs at least one of --connections");
        }
        Ok(Plan { connections, threads, rate, duration, warm_up, timeout })
    }
}

/// A status by its number.
pub(super) fn status(text: &str) -> Result<StatusCode, String> {
    text.parse().map_err(|_| "expected a status, like 200".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_is_not_meant_is_refused() {
        let arguments = |change: fn(&mut LoadArguments)| {
            let second = Duration::from_secs(1);
            let mut arguments = LoadArguments {
                connections: 4,
                threads: 1,
                rate: None,
                duration: second,
                warm_up: second,
                timeout: second,
            };
            change(&mut arguments);
            arguments.plan().map(drop)
        };
        assert!(arguments(|_| {}).is_ok());
        assert!(arguments(|arguments| arguments.warm_up = Duration::ZERO).is_ok());
        assert!(arguments(|arguments| arguments.duration = Duration::ZERO).is_err());
        assert!(arguments(|arguments| arguments.duration = Duration::from_secs(601)).is_err());
        assert!(arguments(|arguments| arguments.warm_up = Duration::from_secs(601)).is_err());
        assert!(arguments(|arguments| arguments.timeout = Duration::from_secs(61)).is_err());
        assert!(arguments(|arguments| arguments.threads = 5).is_err());
    }
}
