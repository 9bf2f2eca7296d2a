//! The options of limits, and of the proxies in front of the service.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use audit_http::{HttpOptions, ProxyNet, ServeOptions};

/// Limits that are not given have the defaults of `audit-http`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct Limits {
    /// The part of what all organizations share that one may hold, in percent [default: 50].
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    organization_share: Option<u8>,
    /// The number of requests that each key may make in a second [default: 1000].
    #[arg(long, value_name = "N")]
    rate_limit: Option<NonZeroU32>,
    /// The number of requests that all keys of an organization may make in a second [default: 4000].
    #[arg(long, value_name = "N")]
    organization_rate_limit: Option<NonZeroU32>,
    /// The number of requests that are handled at once [default: 256].
    #[arg(long, value_name = "N")]
    max_requests: Option<NonZeroUsize>,
    /// The number of requests of each key that are handled at once [default: 128].
    #[arg(long, value_name = "N")]
    max_requests_per_key: Option<NonZeroUsize>,
    /// The number of requests that read events at once [default: 6].
    #[arg(long, value_name = "N")]
    max_reads: Option<NonZeroUsize>,
    /// The number of long polls and streams that wait for events at once [default: 512].
    #[arg(long, value_name = "N")]
    max_followers: Option<NonZeroUsize>,
    /// The highest size of a request body, in bytes [default: 4194304].
    #[arg(long, value_name = "BYTES")]
    max_body: Option<NonZeroUsize>,
    /// The memory for all bodies that are on their way, in bytes [default: 16777216].
    #[arg(long, value_name = "BYTES")]
    body_memory: Option<NonZeroUsize>,
    /// The memory for all answers that are not read yet, in bytes [default: 16777216].
    #[arg(long, value_name = "BYTES")]
    answer_memory: Option<NonZeroUsize>,
    /// The number of open connections [default: 4096].
    #[arg(long, value_name = "N")]
    max_connections: Option<NonZeroUsize>,
    /// The number of open connections of each address that is not a trusted proxy, and of requests
    /// at once of each address behind one [default: 2048].
    #[arg(long, value_name = "N")]
    max_connections_per_address: Option<NonZeroUsize>,
    /// The time limit for the head of a request, in seconds [default: 15].
    #[arg(long, value_name = "SECONDS")]
    head_timeout: Option<NonZeroU64>,
    /// How long a connection may be idle between two requests, in seconds; longer than that of the
    /// proxy in front [default: 75].
    #[arg(long, value_name = "SECONDS")]
    idle_timeout: Option<NonZeroU64>,
    /// The time limit for a request body, in seconds [default: 30].
    #[arg(long, value_name = "SECONDS")]
    body_timeout: Option<NonZeroU64>,
    /// The bytes a second that a request body must arrive with; 0 for any [default: 1024].
    #[arg(long, value_name = "BYTES")]
    min_body_rate: Option<u32>,
    /// The time limit of a request after its body, in seconds [default: 30].
    #[arg(long, value_name = "SECONDS")]
    request_timeout: Option<NonZeroU64>,
    /// How long a client may leave an answer unread, in seconds [default: 30].
    #[arg(long, value_name = "SECONDS")]
    answer_timeout: Option<NonZeroU64>,
    /// The bytes a second that a client must read of an answer; 0 for any [default: 1024].
    #[arg(long, value_name = "BYTES")]
    min_answer_rate: Option<u32>,
    /// A proxy whose `X-Forwarded-For` (or `Forwarded`) and `X-Forwarded-Prefix` are believed: an
    /// address, or a network such as 10.0.0.0/8. May be repeated.
    #[arg(long, value_name = "CIDR", help_heading = "Proxies")]
    trusted_proxy: Vec<ProxyNet>,
}

/// Sets an option if it is given.
fn set<O, T>(options: O, given: Option<T>, with: impl FnOnce(O, T) -> O) -> O {
    match given {
        Some(value) => with(options, value),
        None => options,
    }
}

fn seconds(seconds: Option<NonZeroU64>) -> Option<Duration> {
    seconds.map(|seconds| Duration::from_secs(seconds.get()))
}

fn number(number: Option<NonZeroUsize>) -> Option<usize> {
    number.map(NonZeroUsize::get)
}

fn rate(rate: Option<NonZeroU32>) -> Option<u32> {
    rate.map(NonZeroU32::get)
}

impl Limits {
    /// Adds the limits of requests to `options`.
    pub(super) fn of_requests(&self, options: HttpOptions) -> HttpOptions {
        let options = set(options, self.organization_share, HttpOptions::with_organization_share);
        let options = set(options, rate(self.rate_limit), HttpOptions::with_rate_limit);
        let given = rate(self.organization_rate_limit);
        let options = set(options, given, HttpOptions::with_organization_rate_limit);
        let options = set(options, number(self.max_requests), HttpOptions::with_max_requests);
        let given = number(self.max_requests_per_key);
        let options = set(options, given, HttpOptions::with_max_requests_per_caller);
        let options = set(options, number(self.max_reads), HttpOptions::with_max_reads);
        let options = set(options, number(self.max_followers), HttpOptions::with_max_followers);
        let options = set(options, number(self.max_body), HttpOptions::with_max_body);
        let options = set(options, number(self.body_memory), HttpOptions::with_body_memory);
        let options = set(options, number(self.answer_memory), HttpOptions::with_answer_memory);
        let options = set(options, seconds(self.body_timeout), HttpOptions::with_body_timeout);
        let options = set(options, self.min_body_rate, HttpOptions::with_min_body_rate);
        set(options, seconds(self.request_timeout), HttpOptions::with_request_timeout)
    }

    /// Returns the limits of connections.
    pub(super) fn of_connections(&self) -> ServeOptions {
        let options = ServeOptions::default();
        let options =
            set(options, number(self.max_connections), ServeOptions::with_max_connections);
        let given = number(self.max_connections_per_address);
        let options = set(options, given, ServeOptions::with_max_connections_per_address);
        let options = set(options, seconds(self.head_timeout), ServeOptions::with_head_timeout);
        let options = set(options, seconds(self.idle_timeout), ServeOptions::with_idle_timeout);
        let options = set(options, seconds(self.answer_timeout), ServeOptions::with_answer_timeout);
        let options = set(options, self.min_answer_rate, ServeOptions::with_min_answer_rate);
        self.trusted_proxy.iter().copied().fold(options, ServeOptions::with_trusted_proxy)
    }
}
