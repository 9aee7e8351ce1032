//! `inet` and `cidr`: the server's text form, and back.
//!
//! The binary form is family (2 for IPv4, 3 for IPv6), prefix length, a flag that says `cidr`, the
//! length of the address, the address (`network.c`, `network_send`).

use super::{Fit, Malformed};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which of the two types it is; the binary form says so, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An address with a prefix length, which the text leaves out when it is full.
    Inet = 0,
    /// A network, whose text always tells the prefix length.
    Cidr = 1,
}

const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 3;

/// Appends the text form: `inet` leaves a full prefix out, `cidr` always tells it.
pub(crate) fn write_text(bytes: &[u8], kind: Kind, out: &mut Vec<u8>) -> Fit {
    let &[family, prefix, flag, len, ref address @ ..] = bytes else {
        return Err(Malformed);
    };
    if flag != kind as u8 || usize::from(len) != address.len() {
        return Err(Malformed);
    }
    let full = match (family, address.len()) {
        (FAMILY_IPV4, 4) => {
            let octets: [u8; 4] = address.try_into().map_err(|_| Malformed)?;
            let _ = write!(out, "{}", Ipv4Addr::from(octets));
            32
        }
        (FAMILY_IPV6, 16) => {
            let octets: [u8; 16] = address.try_into().map_err(|_| Malformed)?;
            write_ipv6(Ipv6Addr::from(octets), out);
            128
        }
        _ => return Err(Malformed),
    };
    if prefix > full {
        return Err(Malformed);
    }
    if kind == Kind::Cidr || prefix != full {
        let _ = write!(out, "/{prefix}");
    }
    Ok(true)
}

/// The server's spelling (`inet_net_ntop.c`): the first longest run of two or more zero words is
/// `::`; a leading run of six, or of five before ffff, is followed by
/// the dotted form.
fn write_ipv6(address: Ipv6Addr, out: &mut Vec<u8>) {
    let words = address.segments();
    let (base, len) = longest_zero_run(&words);
    let dotted = base == 0 && (len == 6 || (len == 5 && words[5] == 0xffff));
    let mut at = 0;
    while at < 8 {
        if len >= 2 && at == base {
            out.extend(if at == 0 { &b"::"[..] } else { &b":"[..] });
            at += len;
            continue;
        }
        if at == 6 && dotted {
            let [.., a, b, c, d] = address.octets();
            let _ = write!(out, "{a}.{b}.{c}.{d}");
            return;
        }
        let _ = write!(out, "{:x}", words[at]);
        at += 1;
        if at < 8 {
            out.push(b':');
        }
    }
}

/// Start and length of the first longest run of zero words.
fn longest_zero_run(words: &[u16; 8]) -> (usize, usize) {
    let mut best = (0, 0);
    let mut at = 0;
    while at < 8 {
        let len = words[at..].iter().take_while(|word| **word == 0).count();
        if len > best.1 {
            best = (at, len);
        }
        at += len.max(1);
    }
    best
}

/// Appends the binary form of such a text.
pub(crate) fn write_binary(text: &str, kind: Kind, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| Malformed)?)),
        None => (text, None),
    };
    match address.parse::<IpAddr>().map_err(|_| Malformed)? {
        IpAddr::V4(v4) => {
            out.extend([FAMILY_IPV4, prefix.unwrap_or(32), kind as u8, 4]);
            out.extend(v4.octets());
        }
        IpAddr::V6(v6) => {
            out.extend([FAMILY_IPV6, prefix.unwrap_or(128), kind as u8, 16]);
            out.extend(v6.octets());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(address: &str, prefix: u8, kind: Kind) -> String {
        let mut binary = Vec::new();
        write_binary(&format!("{address}/{prefix}"), kind, &mut binary).unwrap();
        let mut out = Vec::new();
        assert_eq!(write_text(&binary, kind, &mut out), Ok(true));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn spelled_as_the_server_does() {
        assert_eq!(text("10.0.0.1", 24, Kind::Inet), "10.0.0.1/24");
        assert_eq!(text("10.0.0.1", 32, Kind::Inet), "10.0.0.1");
        assert_eq!(text("10.0.0.0", 32, Kind::Cidr), "10.0.0.0/32");
        assert_eq!(text("0:0:0:0:0:0:0:0", 128, Kind::Inet), "::");
        assert_eq!(text("::1", 128, Kind::Inet), "::1");
        assert_eq!(text("::2", 128, Kind::Inet), "::2");
        assert_eq!(text("::ffff:1.2.3.4", 128, Kind::Inet), "::ffff:1.2.3.4");
        assert_eq!(text("::1.2.3.4", 128, Kind::Inet), "::1.2.3.4");
        assert_eq!(
            text("2001:db8:0:0:1:0:0:0", 64, Kind::Inet),
            "2001:db8:0:0:1::/64"
        );
        assert_eq!(text("2001:0:0:1:0:0:0:1", 128, Kind::Inet), "2001:0:0:1::1");
        assert_eq!(text("1:0:2:3:4:5:6:7", 128, Kind::Inet), "1:0:2:3:4:5:6:7");
    }

    proptest! {
        #[test]
        fn text_comes_back(words in prop::collection::vec(prop_oneof![Just(0_u16), any::<u16>()], 8), prefix in 0_u8..=128) {
            let mut binary = vec![FAMILY_IPV6, prefix, 0, 16];
            binary.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            let mut out = Vec::new();
            prop_assert_eq!(write_text(&binary, Kind::Inet, &mut out), Ok(true));
            let mut back = Vec::new();
            write_binary(std::str::from_utf8(&out).unwrap(), Kind::Inet, &mut back).unwrap();
            prop_assert_eq!(back, binary);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..24), kind in prop_oneof![Just(Kind::Inet), Just(Kind::Cidr)]) {
            let _ = write_text(&bytes, kind, &mut Vec::new());
        }
    }
}
