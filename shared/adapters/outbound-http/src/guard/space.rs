//! Law 18 over the whole address space, against IANA's special-purpose registries written out as prefixes, and over
//! every way to spell an address.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use url::Url;

use super::{Guard, UrlRefused, check_url, is_forbidden};

/// IPv4: the registry and multicast, without the anycast services that are globally reachable (AS112 and AMT).
const V4: [(&str, u32); 15] = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.0.2.0", 24),
    ("192.88.99.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("198.51.100.0", 24),
    ("203.0.113.0", 24),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
];

/// IPv6: the registry, deprecated site-local addresses and multicast. IPv4-mapped ones are judged as what they wrap.
const V6: [(&str, u32); 19] = [
    ("::", 128),
    ("::1", 128),
    ("64:ff9b::", 96),
    ("64:ff9b:1::", 48),
    ("100::", 64),
    ("100:0:0:1::", 64),
    ("2001::", 23),
    ("2001::", 32),
    ("2001:2::", 48),
    ("2001:10::", 28),
    ("2001:20::", 28),
    ("2001:db8::", 32),
    ("2002::", 16),
    ("3fff::", 20),
    ("5f00::", 16),
    ("fc00::", 7),
    ("fe80::", 10),
    ("fec0::", 10),
    ("ff00::", 8),
];

fn v4_ranges() -> Vec<(u32, u32)> {
    let range = |(base, length): (&str, u32)| {
        let base = u32::from(base.parse::<Ipv4Addr>().unwrap());
        (base, base | u32::MAX.checked_shr(length).unwrap_or(0))
    };
    V4.map(range).to_vec()
}

fn v6_ranges() -> Vec<(u128, u128)> {
    let range = |(base, length): (&str, u32)| {
        let base = u128::from(base.parse::<Ipv6Addr>().unwrap());
        (base, base | u128::MAX.checked_shr(length).unwrap_or(0))
    };
    V6.map(range).to_vec()
}

fn special_v4(ip: u32) -> bool {
    v4_ranges().iter().any(|(first, last)| (*first..=*last).contains(&ip))
}

/// In the registry, or outside of what is given out for global unicast (2000::/3).
fn special_v6(ip: u128) -> bool {
    ip >> 125 != 1 || v6_ranges().iter().any(|(first, last)| (*first..=*last).contains(&ip))
}

fn mapped(ip: u128) -> Option<u32> {
    Ipv6Addr::from(ip).to_ipv4_mapped().map(u32::from)
}

#[test]
fn law_18_every_block_of_256_ipv4_addresses_is_judged_as_the_registry_says() {
    // No registered block is smaller, so this is the whole space.
    let mut ranges = v4_ranges();
    ranges.sort_unstable();
    let mut ranges = ranges.into_iter().peekable();
    let (mut forbidden, mut wrong) = (0_u32, Vec::new());
    for block in 0..1_u32 << 24 {
        let (first, last) = (block << 8, block << 8 | 0xff);
        while ranges.peek().is_some_and(|(_, end)| *end < first) {
            ranges.next();
        }
        let special = ranges.peek().is_some_and(|(begin, _)| *begin <= first);
        for ip in [first, last] {
            if is_forbidden(Ipv4Addr::from(ip).into()) != special {
                wrong.push(Ipv4Addr::from(ip));
            }
        }
        forbidden += u32::from(special);
    }
    assert!(wrong.is_empty(), "{} wrong, such as {:?}", wrong.len(), wrong.first());
    // 0/8, 10/8, 127/8, 224/3: 35 of 256 eighths; and the smaller ones.
    assert_eq!(forbidden, 35 * 65_536 + 16_384 + 4_096 + 2 * 256 + 512 + 5);
}

#[test]
fn law_18_every_special_ipv6_block_is_forbidden_up_to_its_very_edges() {
    for (first, last) in v6_ranges() {
        for ip in [first.saturating_sub(1), first, first | 1, last, last.saturating_add(1)] {
            let expected = mapped(ip).map_or_else(|| special_v6(ip), special_v4);
            assert_eq!(is_forbidden(Ipv6Addr::from(ip).into()), expected, "{}", Ipv6Addr::from(ip));
        }
    }
}

/// Every way to write an IPv4 address that a URL's reader understands.
fn spellings(ip: u32) -> Vec<String> {
    let [a, b, c, d] = ip.to_be_bytes();
    let dotted = format!("{a}.{b}.{c}.{d}");
    let wide = |c: char| match c {
        '0'..='9' => char::from_u32(u32::from(c) - 0x30 + 0xff10).unwrap(),
        // The ideographic full stop is a dot to a reader of host names.
        _ => '\u{3002}',
    };
    vec![
        ip.to_string(),
        format!("0x{ip:x}"),
        format!("0X{ip:X}"),
        format!("0{ip:o}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("{a}.{}", ip & 0x00ff_ffff),
        format!("{a}.{b}.{}", ip & 0xffff),
        format!("0x{a:x}.0{b:o}.{}", ip & 0xffff),
        format!("{dotted}."),
        dotted.chars().map(wide).collect(),
        dotted.replace('.', "%2E"),
        format!("[::ffff:{dotted}]"),
        dotted,
    ]
}

fn verdict(text: &str) -> Result<(), UrlRefused> {
    check_url(&Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e}")), Guard::Public)
}

fn any_v4() -> impl Strategy<Value = u32> {
    let edges: Vec<u32> = v4_ranges()
        .into_iter()
        .flat_map(|(first, last)| [first.wrapping_sub(1), first, last, last.wrapping_add(1)])
        .collect();
    prop_oneof![any::<u32>(), prop::sample::select(edges)]
}

proptest! {
    #[test]
    fn law_18_the_ipv6_space_is_split_as_the_registry_says(
        ip in prop_oneof![
            any::<u128>(),
            // Where the global addresses are, and among the blocks inside.
            any::<u128>().prop_map(|ip| ip >> 3 | 1 << 125),
            any::<u128>().prop_map(|ip| ip >> 16 | 0x2001 << 112),
            any::<u128>().prop_map(|ip| ip >> 16 | 0x3fff << 112),
        ],
    ) {
        let expected = mapped(ip).map_or_else(|| special_v6(ip), special_v4);
        prop_assert_eq!(is_forbidden(Ipv6Addr::from(ip).into()), expected, "{}", Ipv6Addr::from(ip));
    }

    #[test]
    fn law_18_an_ipv4_address_is_the_same_however_it_is_spelt(ip in any_v4()) {
        let expected = if special_v4(ip) { Err(UrlRefused::NotPublic) } else { Ok(()) };
        for host in spellings(ip) {
            prop_assert_eq!(verdict(&format!("https://{host}/hook")), expected, "{} is {}", host, Ipv4Addr::from(ip));
        }
    }

    #[test]
    fn law_18_no_user_and_no_other_port_gets_through_whatever_the_host(
        ip in any_v4(), port in any::<u16>(), user in "[a-z]{0,4}", password in "[a-z]{0,4}",
    ) {
        let host = Ipv4Addr::from(ip);
        if !user.is_empty() || !password.is_empty() {
            let text = format!("https://{user}:{password}@{host}/");
            prop_assert_eq!(verdict(&text), Err(UrlRefused::UserInfo), "{}", text);
        }
        let refused = verdict(&format!("https://{host}:{port}/")).is_err();
        prop_assert_eq!(refused, special_v4(ip) || !matches!(port, 443 | 8443));
    }
}
