//! Which URLs and addresses may be called.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Longest URL, in bytes.
pub const URL_MAX: usize = 2_048;

/// Names that end inside somebody's own network (RFC 6761, 6762, 8375, and `.internal` of ICANN and the clouds).
const LOCAL_ZONES: &[&str] = &["localhost", "local", "internal", "localdomain", "home.arpa"];

/// How strict the guard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Public addresses over https.
    Public,
    /// Local mode: besides, http and any port on loopback addresses.
    LoopbackAllowed,
}

impl Guard {
    /// Whether a connection to `ip` may be opened.
    pub(crate) fn allows(self, ip: IpAddr) -> bool {
        !is_forbidden(ip) || (self == Self::LoopbackAllowed && ip.to_canonical().is_loopback())
    }
}

/// Why a URL is not called, in words for the merchant who typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// Over [`URL_MAX`].
    #[error("the URL must have at most 2048 characters")]
    TooLong,
    /// Another scheme than https.
    #[error("the URL must start with https://")]
    NotHttps,
    /// A user name or a password.
    #[error("the URL must not contain a user name or a password")]
    UserInfo,
    /// No host.
    #[error("the URL must name a host")]
    NoHost,
    /// Another port than 443 and 8443.
    #[error("the URL's port must be 443 or 8443")]
    Port,
    /// `localhost`, `printer.local`, `intranet`.
    #[error("the URL's host must be a full public domain name")]
    LocalName,
    /// A private, reserved or otherwise special address.
    #[error("the URL's host must be a public internet address")]
    NotPublic,
}

/// Whether `url` may be called at all: checked when it is saved, and again at every send, because a literal
/// address never meets the resolver.
///
/// The `url` crate has already turned `2130706433`, `0177.0.0.1`, `0x7f.1` and full-width digits into the
/// address that they mean.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_url(url: &Url, guard: Guard) -> Result<(), UrlRefused> {
    if url.as_str().len() > URL_MAX {
        return Err(UrlRefused::TooLong);
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlRefused::NotHttps);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlRefused::UserInfo);
    }
    let host = url.host().ok_or(UrlRefused::NoHost)?;
    if guard == Guard::LoopbackAllowed && is_loopback_host(&host) {
        return Ok(());
    }
    if url.scheme() != "https" {
        return Err(UrlRefused::NotHttps);
    }
    if !matches!(url.port_or_known_default(), Some(443 | 8443)) {
        return Err(UrlRefused::Port);
    }
    match host {
        Host::Domain(name) if is_public_name(name) => Ok(()),
        Host::Domain(_) => Err(UrlRefused::LocalName),
        Host::Ipv4(ip) if guard.allows(ip.into()) => Ok(()),
        Host::Ipv6(ip) if guard.allows(ip.into()) => Ok(()),
        Host::Ipv4(_) | Host::Ipv6(_) => Err(UrlRefused::NotPublic),
    }
}

pub(crate) fn is_loopback_host(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_localhost(name),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.to_canonical().is_loopback(),
    }
}

/// `localhost` and the names under it, which RFC 6761 keeps for loopback.
pub(crate) fn is_localhost(name: &str) -> bool {
    in_zone(name.strip_suffix('.').unwrap_or(name), "localhost")
}

fn in_zone(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// A name without a dot is refused too: a resolver would complete it from its own search list.
fn is_public_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.contains('.') && !LOCAL_ZONES.iter().any(|zone| in_zone(name, zone))
}

/// Whether an address must never be called: everything that is not plainly public.
#[must_use]
pub fn is_forbidden(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_forbidden_v4(ip),
        IpAddr::V6(ip) => is_forbidden_v6(ip),
    }
}

/// The IANA special-purpose registry, without the two anycast services that are globally reachable.
fn is_forbidden_v4(ip: Ipv4Addr) -> bool {
    match ip.octets() {
        // This network, private, loopback.
        [0 | 10 | 127, ..]
        // Link-local: the clouds' metadata services, and Lambda's own runtime API.
        | [169, 254, ..]
        // Protocol assignments, documentation, the old 6to4 relays, private.
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [192, 168, ..]
        // Benchmarks, documentation.
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // Multicast, reserved, broadcast.
        | [224..=255, ..] => true,
        // Shared by carriers (100.64/10); private (172.16/12).
        [100, second, ..] => second & 0xc0 == 64,
        [172, second, ..] => second & 0xf0 == 16,
        _ => false,
    }
}

/// Only 2000::/3 is given out for global unicast. Outside it lie loopback, v4-compatible addresses, NAT64,
/// discard, segment routing, unique-local (with the metadata service at fd00:ec2::254), link-local and
/// multicast. Inside it, some blocks wrap a v4 address or are no place at all.
fn is_forbidden_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Protocol assignments (Teredo among them), documentation, 6to4, documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0..=0x0fff, ..] => true,
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod space;
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Independent of the code above: prefixes as the registry writes them.
    const TABLE: &[&str] = &[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ];

    fn ranges() -> Vec<(u32, u32)> {
        TABLE
            .iter()
            .map(|line| {
                let (base, length) = line.split_once('/').unwrap();
                let base = u32::from(base.parse::<Ipv4Addr>().unwrap());
                let mask = u32::MAX >> length.parse::<u32>().unwrap();
                (base, base | mask)
            })
            .collect()
    }

    fn expected(ip: u32) -> bool {
        ranges().iter().any(|(first, last)| (*first..=*last).contains(&ip))
    }

    fn v4(ip: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(ip))
    }

    #[test]
    fn law_18_every_special_ipv4_block_is_forbidden_up_to_its_very_edges() {
        for (first, last) in ranges() {
            for ip in [first.wrapping_sub(1), first, last, last.wrapping_add(1)] {
                assert_eq!(is_forbidden(v4(ip)), expected(ip), "{}", v4(ip));
            }
        }
        for block in 0..=u32::from(u16::MAX) {
            let ip = block << 16 | 0x0102;
            assert_eq!(is_forbidden(v4(ip)), expected(ip), "{}", v4(ip));
        }
    }

    proptest! {
        #[test]
        fn law_18_the_ipv4_space_is_split_as_the_registry_says(ip: u32) {
            prop_assert_eq!(is_forbidden(v4(ip)), expected(ip));
        }

        #[test]
        fn law_18_an_ipv4_address_in_ipv6_clothes_is_judged_the_same(ip: u32) {
            let mapped = IpAddr::V6(Ipv4Addr::from(ip).to_ipv6_mapped());
            prop_assert_eq!(is_forbidden(mapped), expected(ip));
        }

        #[test]
        fn law_18_tunnels_to_ipv4_are_forbidden_whatever_they_carry(ip: u32) {
            let [a, b] = [(ip >> 16) as u16, ip as u16];
            for tunnel in [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, a, b),              // v4-compatible
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),      // NAT64
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, a, b),      // local NAT64
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),         // 6to4
                Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, !a, !b),       // Teredo
            ] {
                prop_assert!(is_forbidden(tunnel.into()), "{}", tunnel);
            }
        }

        #[test]
        fn a_url_of_any_shape_is_judged_without_a_panic(text in "(https?|ftp)://\\PC{0,60}") {
            if let Ok(url) = Url::parse(&text) {
                let _ = check_url(&url, Guard::Public);
                let _ = check_url(&url, Guard::LoopbackAllowed);
            }
        }
    }

    #[test]
    fn law_18_special_ipv6_addresses_are_forbidden_and_public_ones_are_not() {
        for bad in [
            "::",
            "::1",
            "::7f00:1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(is_forbidden(bad.parse().unwrap()), "{bad}");
        }
        for good in ["2606:4700:4700::1111", "2a00:1450:4001::200e", "2001:200::1", "2001:4860:4860::8888"] {
            assert!(!is_forbidden(good.parse().unwrap()), "{good}");
        }
    }

    fn check(text: &str, guard: Guard) -> Result<(), UrlRefused> {
        check_url(&Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")), guard)
    }

    #[test]
    fn law_18_only_https_on_two_ports_to_a_public_host_is_called() {
        for good in [
            "https://example.com/hook?a=b",
            "https://example.com:8443/",
            "https://example.com./",
            "https://bücher.example/",
            "https://localhost.example.com/",
            "https://8.8.8.8/",
            "https://[2606:4700:4700::1111]/",
        ] {
            assert_eq!(check(good, Guard::Public), Ok(()), "{good}");
        }
        use UrlRefused::{LocalName, NotHttps, NotPublic, Port, UserInfo};
        for (bad, why) in [
            ("http://example.com/", NotHttps),
            ("ftp://example.com/", NotHttps),
            ("file:///etc/passwd", NotHttps),
            ("mailto:a@example.com", NotHttps),
            ("https://user@example.com/", UserInfo),
            ("https://:secret@example.com/", UserInfo),
            ("https://example.com:80/", Port),
            ("https://example.com:22/", Port),
            ("https://example.com:0/", Port),
            ("https://localhost/", LocalName),
            ("https://LOCALHOST./", LocalName),
            ("https://a.localhost/", LocalName),
            ("https://printer.local/", LocalName),
            ("https://metadata.google.internal/", LocalName),
            ("https://intranet/", LocalName),
            ("https://nas.home.arpa/", LocalName),
            ("https://127.0.0.1/", NotPublic),
            ("https://127.0.0.1./", NotPublic),
            ("https://2130706433/", NotPublic),
            ("https://0x7f000001/", NotPublic),
            ("https://0177.0.0.1/", NotPublic),
            ("https://127.1/", NotPublic),
            ("https://１２７.０.０.１/", NotPublic),
            ("https://169.254.169.254/latest/meta-data/", NotPublic),
            ("https://[::1]/", NotPublic),
            ("https://[::ffff:169.254.169.254]/", NotPublic),
            ("https://[fd00:ec2::254]/", NotPublic),
        ] {
            assert_eq!(check(bad, Guard::Public), Err(why), "{bad}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_MAX));
        assert_eq!(check(&long, Guard::Public), Err(UrlRefused::TooLong));
    }

    #[test]
    fn local_mode_opens_loopback_and_nothing_else() {
        for good in [
            "http://127.0.0.1:3000/",
            "http://localhost:8080/",
            "http://shop.localhost/",
            "https://[::1]:9/",
            "http://[::ffff:127.0.0.1]/",
            "https://example.com/",
        ] {
            assert_eq!(check(good, Guard::LoopbackAllowed), Ok(()), "{good}");
        }
        for bad in [
            "http://example.com/",
            "https://10.0.0.1/",
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://printer.local/",
            "https://example.com:3000/",
            "http://user@127.0.0.1/",
            "http://notlocalhost/",
        ] {
            assert!(check(bad, Guard::LoopbackAllowed).is_err(), "{bad}");
        }
    }
}
