//! A line as words: blanks part them, quotes hold them together.

/// The words of a line; `None` where a quote is not closed.
pub fn split(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (None, '#') if word.is_none() => break,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), letter) if open == letter => quote = None,
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_quotes_and_comments() {
        let words = |line| split(line).unwrap();
        assert_eq!(words("  load  a b.npy # that one"), ["load", "a", "b.npy"]);
        assert_eq!(words("load a 'my file.npy'"), ["load", "a", "my file.npy"]);
        assert_eq!(words("set q \"[1, 2]\""), ["set", "q", "[1, 2]"]);
        assert_eq!(words("a \"\" b#c"), ["a", "", "b#c"]);
        assert!(words(" # nothing").is_empty());
        assert_eq!(split("load 'a"), None);
    }
}
