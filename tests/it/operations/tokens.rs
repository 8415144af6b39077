//! Splits a query into words.

/// One word of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A command, a field or a function.
    Word(String),
    /// A text in quotes.
    Text(String),
    /// A number.
    Number(f64),
    /// Anything else.
    Symbol(&'static str),
}

/// The operators. Longer ones come first.
const SYMBOLS: [&str; 13] = ["!=", "<=", ">=", "=", "<", ">", "|", ",", "(", ")", "[", "]", "*"];

/// Returns the words of a query, without its comments.
pub(crate) fn tokens(query: &str) -> Vec<Token> {
    let lines = query.lines().filter(|line| !line.trim_start().starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n");
    let (mut rest, mut tokens) = (text.trim_start(), Vec::new());
    while let Some(first) = rest.chars().next() {
        let (token, behind) = if first == '"' {
            let (inside, behind) = rest[1..].split_once('"').unwrap_or_else(|| panic!("no end of the text in {rest}"));
            (Token::Text(inside.to_owned()), behind)
        } else if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            (Token::Symbol(symbol), &rest[symbol.len()..])
        } else {
            let in_word = |c: char| c.is_alphanumeric() || "@_.".contains(c);
            let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            assert!(end > 0, "what is this? {rest}");
            let (word, behind) = rest.split_at(end);
            (word.parse().map_or_else(|_| Token::Word(word.to_owned()), Token::Number), behind)
        };
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}
