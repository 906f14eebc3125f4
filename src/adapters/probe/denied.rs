//! Addresses that are never probed. Who writes a SharedService chooses what this process connects to, so that what only this host may
//! reach, such as the metadata service of a cloud, has to be kept from them.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// What no check ever needs: this network, link-local addresses, among them the metadata services of clouds (RFC 3927, RFC 4291 §2.5.6),
/// multicast and broadcast.
const USUAL: [&str; 7] =
    ["0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/128", "fe80::/10", "ff00::/8"];

/// What stands for an empty list.
const NONE: &str = "none";

/// Ranges of addresses that are never probed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeniedRanges(Vec<IpNet>);

impl Default for DeniedRanges {
    fn default() -> Self {
        // Each of them is a range: a test parses them all.
        Self(USUAL.iter().filter_map(|range| range.parse().ok()).collect())
    }
}

impl FromStr for DeniedRanges {
    type Err = String;

    /// Ranges with commas between them, such as `169.254.0.0/16,10.8.0.0/16`, or `none`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self(Vec::new()));
        }
        let range = |text: &str| {
            let alone = text.trim().parse::<IpAddr>().map(IpNet::from);
            alone.or_else(|_| text.trim().parse()).map_err(|_| {
                format!("{text:?} is no range of addresses: write one such as 169.254.0.0/16, or {NONE}")
            })
        };
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for DeniedRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(NONE);
        }
        for (index, range) in self.0.iter().enumerate() {
            write!(f, "{}{range}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl DeniedRanges {
    /// The range that an address is in. An IPv4 address that is written as an IPv6 one is the same (RFC 4291 §2.5.5.2).
    pub(super) fn range_of(&self, address: IpAddr) -> Option<IpNet> {
        let address = address.to_canonical();
        self.0.iter().find(|range| range.contains(&address)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(ranges: &str, address: &str) -> bool {
        ranges.parse::<DeniedRanges>().unwrap().range_of(address.parse().unwrap()).is_some()
    }

    #[test]
    fn the_usual_ranges_keep_metadata_services_away_and_nothing_that_is_probed() {
        let usual = DeniedRanges::default().to_string();
        assert_eq!(usual, USUAL.join(","));
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "0.0.0.0", "::", "fe80::1", "224.0.0.1"]
        {
            assert!(denied(&usual, address), "{address}");
        }
        for address in
            ["127.0.0.1", "::1", "10.0.0.1", "192.168.0.1", "fd00::1", "203.0.113.1", "2001:db8::1"]
        {
            assert!(!denied(&usual, address), "{address}");
        }
    }

    #[test]
    fn ranges_are_read_as_they_are_written_and_what_is_none_is_named() {
        assert!(denied("10.8.0.0/16, 192.0.2.7", "192.0.2.7") && denied("10.8.0.0/16", "10.8.255.1"));
        assert!(!denied("none", "169.254.169.254"));
        assert_eq!("none".parse::<DeniedRanges>().unwrap().to_string(), "none");
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/8,", "metadata.example"] {
            let error = wrong.parse::<DeniedRanges>().unwrap_err();
            assert!(error.contains("is no range of addresses: write one such as"), "{error}");
        }
    }
}
