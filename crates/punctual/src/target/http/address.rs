//! Addresses: which ones may be called.
//!
//! A job names a URL, and whoever may enqueue may name any. So that nobody reaches what only this machine can reach, only
//! addresses of the public internet are called, and what the operator allows besides. What is judged is the address that a
//! connection is about to be made to, never a name or a spelling: a name may resolve to anything, a second look-up to
//! something else, and `0x7f000001`, `127.1` and `2130706433` are all 127.0.0.1.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::error::Error;

/// The addresses that may be called.
#[derive(Debug)]
pub(super) struct Addresses {
    allowed: Vec<IpNet>,
}

/// Why an address is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    address: IpAddr,
    is: &'static str,
    ever: bool,
}

impl Addresses {
    /// Public addresses, and those in these ranges.
    pub(super) fn allowing(ranges: &[String]) -> Result<Addresses, Error> {
        let read = |range: &String| {
            let one = range.parse::<IpAddr>().map(IpNet::from);
            one.or_else(|_| range.parse::<IpNet>()).map_err(|_| {
                Error::invalid(format!(
                    "{range:?} is no range of addresses; write 10.0.0.0/8, fd00::/8 or 127.0.0.1"
                ))
            })
        };
        let allowed = ranges.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Addresses { allowed })
    }

    /// Refuses an address that may not be called.
    pub(super) fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let meant = meant(address);
        let either = |range: &IpNet| range.contains(&address) || range.contains(&meant);
        let refuse = |is, ever| Err(Refused { address, is, ever });
        if METADATA.iter().any(either) {
            return refuse("a service that hands out a machine's own credentials", true);
        }
        if self.allowed.iter().any(either) {
            return Ok(());
        }
        match SPECIAL.iter().find(|(range, _)| range.contains(&meant)) {
            Some((_, is)) => refuse(is, false),
            None if !PUBLIC.iter().any(|range| range.contains(&meant)) => refuse("no public address", false),
            None => Ok(()),
        }
    }
}

impl Refused {
    /// Whether this host is the address itself, and no name of it.
    pub(super) fn is_of(&self, host: &str) -> bool {
        host.trim_matches(['[', ']']).parse() == Ok(self.address)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused { address, is, ever } = self;
        write!(f, "{address} is {is}, ")?;
        match ever {
            true => f.write_str(
                "which is never called, whatever the setting targets.http.allow (--allow-net) says",
            ),
            false => write!(
                f,
                "which is not called unless the setting targets.http.allow (--allow-net) names it, as in \"{}\"",
                IpNet::from(*address)
            ),
        }
    }
}

/// The address that a packet to this one reaches in the end, where one address holds another: an IPv4 address written as
/// IPv6 (RFC 4291, section 2.5.5), behind NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(outer) = address else {
        return address;
    };
    let part = |at: usize| {
        let octets = outer.octets();
        IpAddr::V4(Ipv4Addr::new(
            octets[at],
            octets[at + 1],
            octets[at + 2],
            octets[at + 3],
        ))
    };
    match outer.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => part(12),
        [0x2002, ..] => part(2),
        _ => address,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length)
}

/// A range by its first three groups; the rest is zero.
const fn v6(a: u16, b: u16, c: u16, length: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), length)
}

/// A single address by its first three groups and its last.
const fn v6_one(a: u16, b: u16, c: u16, last: u16) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, last)), 128)
}

/// Where clouds answer a machine with its own credentials and configuration.
const METADATA: [IpNet; 10] = [
    v4(169, 254, 169, 254, 32),      // nearly all of them
    v4(169, 254, 170, 2, 32),        // Amazon ECS
    v4(169, 254, 170, 23, 32),       // Amazon EKS
    v4(100, 100, 100, 200, 32),      // Alibaba
    v4(168, 63, 129, 16, 32),        // Azure
    v4(192, 0, 0, 192, 32),          // Oracle
    v4(169, 254, 42, 42, 32),        // Scaleway
    v6_one(0xfd00, 0xec2, 0, 0x254), // Amazon EC2
    v6_one(0xfd00, 0xec2, 0, 0x23),  // Amazon EKS
    v6_one(0xfd20, 0xce, 0, 0x254),  // Google
];

/// The IPv4 internet, and what of IPv6 is given out as global unicast (RFC 4291, section 2.4).
const PUBLIC: [IpNet; 2] = [v4(0, 0, 0, 0, 0), v6(0x2000, 0, 0, 3)];

/// What is set apart in the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), and multicast.
const SPECIAL: [(IpNet, &str); 29] = [
    (v4(0, 0, 0, 0, 8), "an unspecified address"),
    (v4(10, 0, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 0, 10), "an address shared behind a carrier's NAT"),
    (v4(127, 0, 0, 0, 8), "a loopback address"),
    (v4(169, 254, 0, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 0, 12), "a private address"),
    (v4(192, 0, 0, 0, 24), "an address of IETF protocols"),
    (v4(192, 0, 2, 0, 24), "an address for documentation"),
    (v4(192, 88, 99, 0, 24), "an address of 6to4 relays"),
    (v4(192, 168, 0, 0, 16), "a private address"),
    (v4(198, 18, 0, 0, 15), "an address for benchmarks"),
    (v4(198, 51, 100, 0, 24), "an address for documentation"),
    (v4(203, 0, 113, 0, 24), "an address for documentation"),
    (v4(224, 0, 0, 0, 4), "a multicast address"),
    (v4(240, 0, 0, 0, 4), "a reserved address"),
    (v6_one(0, 0, 0, 0), "an unspecified address"),
    (v6_one(0, 0, 0, 1), "a loopback address"),
    (v6(0x64, 0xff9b, 1, 48), "an address of a local NAT64"),
    (v6(0x100, 0, 0, 64), "an address that discards"),
    (v6(0x2001, 0, 0, 32), "a Teredo address"),
    (v6(0x2001, 0, 0, 23), "an address of IETF protocols"),
    (v6(0x2001, 0xdb8, 0, 32), "an address for documentation"),
    (v6(0x2002, 0, 0, 16), "a 6to4 address"),
    (v6(0x3fff, 0, 0, 20), "an address for documentation"),
    (v6(0x5f00, 0, 0, 16), "an address of segment routing"),
    (v6(0xfc00, 0, 0, 7), "a private address"),
    (v6(0xfe80, 0, 0, 10), "a link-local address"),
    (v6(0xfec0, 0, 0, 10), "a site-local address"),
    (v6(0xff00, 0, 0, 8), "a multicast address"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn allowing(ranges: &[&str]) -> Addresses {
        let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        Addresses::allowing(&ranges).expect("ranges")
    }

    fn check(addresses: &Addresses, address: &str) -> Result<(), Refused> {
        addresses.check(address.parse().expect("an address"))
    }

    #[test]
    fn only_the_public_internet_is_called_unless_more_is_allowed() {
        let public = allowing(&[]);
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert_eq!(check(&public, address), Ok(()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.2.3",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
            "::ffff:0:1.2.3.4",
        ] {
            assert!(check(&public, address).is_err(), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_called_in_all_its_forms() {
        let some = allowing(&["10.0.0.0/8", "127.0.0.1", "fd00::/8"]);
        for address in [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "64:ff9b::a01:203",
            "127.0.0.1",
            "fd00::1",
        ] {
            assert_eq!(check(&some, address), Ok(()), "{address}");
        }
        for address in ["11.0.0.1", "1.1.1.1"] {
            assert_eq!(check(&some, address), Ok(()), "{address}");
        }
        for address in ["127.0.0.2", "192.168.0.1", "fe80::1"] {
            assert!(check(&some, address).is_err(), "{address}");
        }
    }

    #[test]
    fn metadata_of_clouds_is_never_called_whatever_is_allowed() {
        let all = allowing(&["0.0.0.0/0", "::/0"]);
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::a9fe:a9fe",
        ] {
            let refused = check(&all, address).expect_err(address).to_string();
            assert!(refused.contains("never called"), "{refused}");
        }
        assert_eq!(check(&all, "169.254.1.1"), Ok(()));
    }

    #[test]
    fn a_refusal_names_the_address_and_the_setting() {
        let refused = check(&allowing(&[]), "127.0.0.1").expect_err("loopback");
        assert_eq!(
            refused.to_string(),
            "127.0.0.1 is a loopback address, which is not called unless the setting targets.http.allow (--allow-net) names it, \
             as in \"127.0.0.1/32\""
        );
    }

    #[test]
    fn a_bad_range_is_refused_by_name() {
        for range in ["", "10.0.0.0/33", "10.0.0/8", "localhost", "::/129"] {
            let error = Addresses::allowing(&[range.to_owned()])
                .expect_err(range)
                .to_string();
            assert!(
                error.contains(&format!("{range:?} is no range of addresses")),
                "{error}"
            );
        }
    }
}
