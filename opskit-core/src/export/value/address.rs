//! `inet` and `cidr`: the server's text form, and back.
//!
//! The binary form is family (2 for IPv4, 3 for IPv6), prefix length, a flag that says `cidr`, the
//! length of the address, the address (`network.c`, `network_send`).

use super::{Fit, Malformed};
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 3;

/// Appends the text form: `inet` leaves a full prefix out, `cidr` always tells it.
pub(crate) fn write_text(bytes: &[u8], is_cidr: bool, out: &mut Vec<u8>) -> Fit {
    let &[family, prefix, flag, len, ref address @ ..] = bytes else {
        return Err(Malformed);
    };
    if flag != u8::from(is_cidr) || usize::from(len) != address.len() {
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
    if is_cidr || prefix != full {
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
pub(crate) fn write_binary(text: &str, is_cidr: bool, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| Malformed)?)),
        None => (text, None),
    };
    match address.parse::<IpAddr>().map_err(|_| Malformed)? {
        IpAddr::V4(v4) => {
            out.extend([FAMILY_IPV4, prefix.unwrap_or(32), u8::from(is_cidr), 4]);
            out.extend(v4.octets());
        }
        IpAddr::V6(v6) => {
            out.extend([FAMILY_IPV6, prefix.unwrap_or(128), u8::from(is_cidr), 16]);
            out.extend(v6.octets());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(address: &str, prefix: u8, is_cidr: bool) -> String {
        let mut binary = Vec::new();
        write_binary(&format!("{address}/{prefix}"), is_cidr, &mut binary).unwrap();
        let mut out = Vec::new();
        assert_eq!(write_text(&binary, is_cidr, &mut out), Ok(true));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn spelled_as_the_server_does() {
        assert_eq!(text("10.0.0.1", 24, false), "10.0.0.1/24");
        assert_eq!(text("10.0.0.1", 32, false), "10.0.0.1");
        assert_eq!(text("10.0.0.0", 32, true), "10.0.0.0/32");
        assert_eq!(text("0:0:0:0:0:0:0:0", 128, false), "::");
        assert_eq!(text("::1", 128, false), "::1");
        assert_eq!(text("::2", 128, false), "::2");
        assert_eq!(text("::ffff:1.2.3.4", 128, false), "::ffff:1.2.3.4");
        assert_eq!(text("::1.2.3.4", 128, false), "::1.2.3.4");
        assert_eq!(
            text("2001:db8:0:0:1:0:0:0", 64, false),
            "2001:db8:0:0:1::/64"
        );
        assert_eq!(text("2001:0:0:1:0:0:0:1", 128, false), "2001:0:0:1::1");
        assert_eq!(text("1:0:2:3:4:5:6:7", 128, false), "1:0:2:3:4:5:6:7");
    }

    proptest! {
        #[test]
        fn text_comes_back(words in prop::collection::vec(prop_oneof![Just(0_u16), any::<u16>()], 8), prefix in 0_u8..=128) {
            let mut binary = vec![FAMILY_IPV6, prefix, 0, 16];
            binary.extend(words.iter().flat_map(|word| word.to_be_bytes()));
            let mut out = Vec::new();
            prop_assert_eq!(write_text(&binary, false, &mut out), Ok(true));
            let mut back = Vec::new();
            write_binary(std::str::from_utf8(&out).unwrap(), false, &mut back).unwrap();
            prop_assert_eq!(back, binary);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..24), is_cidr in any::<bool>()) {
            let _ = write_text(&bytes, is_cidr, &mut Vec::new());
        }
    }
}
