//! The commands that the manuals show are commands.

const PAGES: [&str; 3] = [
    include_str!("../../README.md"),
    include_str!("../../docs/backup.md"),
    include_str!("../../docs/configuration.md"),
];

/// The commands in the blocks of code of a page.
fn commands(page: &str) -> Vec<&str> {
    let blocks = page.split("```").skip(1).step_by(2);
    let parts = blocks.flat_map(|block| block.lines().flat_map(|line| line.split("&&")));
    let commands = parts.map(str::trim);
    commands
        .filter(|text| text.starts_with("opskit "))
        .collect()
}

/// The words of a command, as a shell would take them, up to a comment or a redirection.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#' | '>') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn every_command_of_the_manuals_parses() {
    let mut seen = 0;
    for command in PAGES.iter().flat_map(|page| commands(page)) {
        let parsed = crate::command_line().try_get_matches_from(words(command));
        assert!(parsed.is_ok(), "{command}: {}", parsed.unwrap_err());
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn words_are_those_of_a_shell() {
    assert_eq!(
        words("opskit export 'a b' \"$X\" -o x  # why"),
        ["opskit", "export", "a b", "$X", "-o", "x"]
    );
    assert_eq!(words("opskit list > x"), ["opskit", "list"]);
}
