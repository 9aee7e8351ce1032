//! Recognises the keys of a platform's HTTP API, pasted where the database password belongs.

use crate::error::{Error, ErrorKind, Result};

/// `Err` when `password` is a Supabase API key. Such a key never opens the database, and sending
/// the service-role key to a server one cannot verify gives the whole project away.
pub(super) fn refuse_api_key(password: &str) -> Result<()> {
    if !is_api_key(password) {
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::InvalidInput, "the password is a Supabase API key, not a database password").with_hint(
            "Use the database password: in the Supabase dashboard press Connect for the connection string, or reset the password under Project Settings, Database.",
        ),
    )
}

fn is_api_key(password: &str) -> bool {
    password.starts_with("sb_secret_")
        || password.starts_with("sb_publishable_")
        || is_platform_jwt(password)
}

fn is_platform_jwt(password: &str) -> bool {
    let segments: Vec<&str> = password.split('.').collect();
    let [header, payload, signature] = segments[..] else {
        return false;
    };
    let (Some(header), Some(payload), Some(_)) =
        (json(header), json(payload), base64url(signature))
    else {
        return false;
    };
    let word = |name: &str| {
        payload
            .get(name)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
    };
    header.get("alg").is_some()
        && (matches!(word("role"), "anon" | "service_role") || word("iss") == "supabase")
}

fn json(segment: &str) -> Option<serde_json::Value> {
    serde_json::from_slice(&base64url(segment)?).ok()
}

/// Decodes base64 of the URL alphabet, padding optional.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

    #[test]
    fn tells_api_keys_from_passwords() {
        let table = [
            // {"role":"anon","iss":"supabase"}
            (
                format!("{HEADER}.eyJyb2xlIjoiYW5vbiIsImlzcyI6InN1cGFiYXNlIn0.c2ln"),
                true,
            ),
            // {"role":"service_role"}
            (
                format!("{HEADER}.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2ln"),
                true,
            ),
            // {"role":"admin"}
            (format!("{HEADER}.eyJyb2xlIjoiYWRtaW4ifQ.c2ln"), false),
            (format!("{HEADER}.eyJyb2xlIjoiYW5vbiJ9"), false),
            ("sb_secret_abc".to_owned(), true),
            ("a.b.c".to_owned(), false),
            ("correct horse".to_owned(), false),
            (String::new(), false),
        ];
        for (password, expected) in table {
            assert_eq!(is_api_key(&password), expected, "{password}");
            assert_eq!(refuse_api_key(&password).is_err(), expected);
        }
    }

    #[test]
    fn decodes_base64url() {
        assert_eq!(base64url("aGVsbG8").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64url("-_8=").as_deref(), Some(&[0xfb, 0xff][..]));
        assert_eq!(base64url("a+b"), None);
    }
}
