//! `~/.aws/credentials` and `~/.aws/config`: sections of `name = value`.

use std::collections::BTreeMap;

/// The settings of a profile in the text of such a file. `None` where it has no such section.
pub(super) fn section(text: &str, names: &[String]) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines() {
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.split(']').next())
        {
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            inside = names.contains(&name);
            if inside {
                found.get_or_insert_default();
            }
            continue;
        }
        // Indented lines are settings of a setting.
        if let (true, false, Some((name, value))) = (inside, nested, line.split_once('=')) {
            let settings = found.get_or_insert_default();
            settings.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found() {
        let text = "\
# mine
[default]
aws_access_key_id = A
aws_secret_access_key=b=c/d+

[profile  work]
region = eu-central-1
s3 =
  endpoint_url = https://nested.example.com
; more
[other]
region = us-west-2
";
        let named = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            section(text, &names)
        };
        let default = named(&["default"]).unwrap();
        assert_eq!(default["aws_access_key_id"], "A");
        assert_eq!(default["aws_secret_access_key"], "b=c/d+");
        let work = named(&["work", "profile work"]).unwrap();
        assert_eq!(work["region"], "eu-central-1");
        assert!(!work.contains_key("endpoint_url"));
        assert_eq!(named(&["none"]), None);
    }
}
