//! Whether the environment's proxy applies to an API server, as Go decides it (golang.org/x/net/http/httpproxy): NO_PROXY
//! is held against the server's host, and loopback is never proxied. kube-rs holds it against the proxy's own address.

use std::net::IpAddr;

/// Tells whether a host is reached without the environment's proxy. `no_proxy` is the variable's text: names, `.suffixes`,
/// addresses, CIDR blocks, with an optional port, or `*`.
pub fn bypasses(no_proxy: &str, host: &str, port: u16) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some((net, bits)) = entry.split_once('/') {
            return matches!((net.parse(), bits.parse(), address), (Ok(net), Ok(bits), Some(address)) if in_block(net, bits, address));
        }
        let (name, wanted_port) = split_port(&entry);
        if wanted_port.is_some_and(|wanted| wanted != port) {
            return false;
        }
        if let Ok(wanted) = name.parse::<IpAddr>() {
            return Some(wanted) == address;
        }
        let name = name.trim_start_matches('*');
        match name.strip_prefix('.') {
            // `.example.com` is for names below it only, `example.com` for itself as well.
            Some(_) => host.ends_with(name),
            None => host == name || host.strip_suffix(name).is_some_and(|front| front.ends_with('.')),
        }
    })
}

fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[')
        && let Some((address, port)) = rest.split_once(']')
    {
        return (address, port.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, port.parse().ok()),
        _ => (entry, None),
    }
}

fn in_block(net: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(net) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(net), IpAddr::V6(address)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(net) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Behind a company proxy the in-house cluster is in NO_PROXY: through the proxy it cannot be reached at all.
    #[test]
    fn no_proxy_is_held_against_the_server() {
        let list = "10.0.0.0/8, .corp.example,api.test:6443,fd00::/8,*.wild.example";
        for (host, port, expected) in [
            ("10.1.2.3", 6443, true),
            ("11.1.2.3", 6443, false),
            ("k8s.corp.example", 443, true),
            ("corp.example", 443, false),
            ("api.test", 6443, true),
            ("api.test", 443, false),
            ("a.api.test", 6443, true),
            ("xapi.test", 6443, false),
            ("[fd00::1]", 443, true),
            ("a.wild.example", 443, true),
            ("localhost", 443, true),
            ("127.8.8.8", 443, true),
        ] {
            assert_eq!(bypasses(list, host, port), expected, "{host}:{port}");
        }
        assert!(bypasses("*", "anything", 1));
        assert!(!bypasses("", "anything", 1));
    }
}
