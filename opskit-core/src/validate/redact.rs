//! Values whose form may be shown, and nothing else.

/// The longest form that is shown.
const LONGEST: usize = 40;

/// The form of a value: its letters are `x`, its digits `9`, and everything that is neither is left.
pub(super) fn redacted(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "NULL".to_owned();
    };
    let form = |c: char| match c {
        c if c.is_alphabetic() => 'x',
        c if c.is_numeric() => '9',
        c if c.is_ascii_graphic() || c == ' ' => c,
        _ => '?',
    };
    let mut text: String = value.chars().take(LONGEST).map(form).collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_stays_and_the_value_goes() {
        assert_eq!(
            redacted(Some("Ann.Lee@shop.example")),
            "xxx.xxx@xxxx.xxxxxxx"
        );
        assert_eq!(redacted(Some("2026-11-30 12:00")), "9999-99-99 99:99");
        assert_eq!(redacted(Some("日本٣\u{7}")), "xx9?");
        assert_eq!(redacted(None), "NULL");
        assert_eq!(
            redacted(Some(&"a".repeat(100))).chars().count(),
            LONGEST + 1
        );
    }
}
