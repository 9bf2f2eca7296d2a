//! The address of a client behind proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use audit_core::Error;
use ipnet::IpNet;

use crate::Headers;

/// The addresses of proxies whose headers are believed. From any other peer these headers play no
/// part.
///
/// ```
/// use audit_request::TrustedProxies;
///
/// let proxies = TrustedProxies::default().with("10.0.0.0/8".parse()?).with("::1".parse()?);
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<ProxyNet>);

/// A network of proxies: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyNet(IpNet);

impl FromStr for ProxyNet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(|net| Self(net.trunc())).map_err(|_| {
            Error::malformed("proxy", "an IP address or a network, such as 10.0.0.0/8")
        })
    }
}

impl TrustedProxies {
    /// Trusts the proxies of `net`, too.
    #[must_use]
    pub fn with(mut self, net: ProxyNet) -> Self {
        self.0.push(net);
        self
    }

    /// Returns `true` if the peer at `address` is a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|ProxyNet(net)| net.contains(&address.to_canonical()))
    }

    /// Returns the address of the client of a request that came from `peer`. If that is a trusted
    /// proxy: the last address in `X-Forwarded-For` that is not a trusted proxy's, or in `Forwarded`
    /// (RFC 7239) if there is no `X-Forwarded-For`. Else `peer` itself, whatever the headers say.
    ///
    /// Each proxy appends the address of its own peer, so that what is before the last untrusted one
    /// is the client's own word. A hop that is no address ends the search at the proxy after it.
    pub fn client(&self, peer: IpAddr, headers: &(impl Headers + ?Sized)) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.contains(client) {
            return client;
        }
        let mut hops = list(headers, "x-forwarded-for");
        if hops.is_empty() {
            hops = list(headers, "forwarded");
            hops = hops.into_iter().map(forwarded_for).collect();
        }
        for hop in hops.into_iter().rev() {
            let Some(address) = address(hop) else { break };
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        client
    }
}

/// Returns the items of a list that may be in several headers, in order.
fn list<'a>(headers: &'a (impl Headers + ?Sized), name: &str) -> Vec<&'a str> {
    let mut items = Vec::new();
    headers.each(name, &mut |value| {
        // A value that is no text is an item that is no address.
        let value = std::str::from_utf8(value).unwrap_or("?");
        items.extend(value.split(',').map(str::trim));
    });
    items
}

/// Returns the value of `for` in a hop of `Forwarded`.
fn forwarded_for(hop: &str) -> &str {
    let mut pairs = hop.split(';').filter_map(|pair| pair.split_once('='));
    let named = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.map_or("", |(_, value)| value.trim().trim_matches('"'))
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_trusted_proxy() {
        const PROXY: &str = "10.0.0.1";
        let proxies = TrustedProxies::default()
            .with("10.0.0.0/8".parse().unwrap())
            .with("2001:db8::1".parse().unwrap());
        let many = [
            (vec![("x-forwarded-for", "198.51.100.66, 203.0.113.9")], "203.0.113.9"),
            (vec![("x-forwarded-for", "203.0.113.9, 10.1.1.1,10.2.2.2")], "203.0.113.9"),
            (
                vec![("x-forwarded-for", "a"), ("x-forwarded-for", "203.0.113.9:4711")],
                "203.0.113.9",
            ),
            (vec![("x-forwarded-for", "[2001:db8::2]:4711")], "2001:db8::2"),
            (vec![("x-forwarded-for", "::ffff:203.0.113.9")], "203.0.113.9"),
            (vec![("x-forwarded-for", "10.9.9.9, 10.8.8.8")], "10.9.9.9"),
            (vec![("x-forwarded-for", "203.0.113.9, unknown")], PROXY),
            (vec![("x-forwarded-for", "203.0.113.9, unknown, 10.8.8.8")], "10.8.8.8"),
            (vec![("x-forwarded-for", "")], PROXY),
            (vec![], PROXY),
            (
                vec![("forwarded", "for=198.51.100.66, For=\"[2001:db8::2]:47\";proto=http")],
                "2001:db8::2",
            ),
            (vec![("forwarded", "proto=http; for=203.0.113.9, for=10.1.1.1")], "203.0.113.9"),
            (vec![("forwarded", "for=_hidden")], PROXY),
            (
                vec![("forwarded", "for=198.51.100.66"), ("x-forwarded-for", "203.0.113.9")],
                "203.0.113.9",
            ),
        ];
        for (pairs, expected) in many {
            let client = proxies.client(PROXY.parse().unwrap(), &headers(&pairs));
            assert_eq!(client.to_string(), expected, "{pairs:?}");
        }
        let forged = headers(&[("x-forwarded-for", "203.0.113.9")]);
        let stranger = "::ffff:198.51.100.7".parse().unwrap();
        assert_eq!(proxies.client(stranger, &forged).to_string(), "198.51.100.7");
        assert!(proxies.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!proxies.contains("11.0.0.1".parse().unwrap()));
        assert_eq!("10.0.0.0/33".parse::<ProxyNet>().unwrap_err().field(), Some("proxy"));
    }
}
