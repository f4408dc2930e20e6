//! Text: what it takes in JSON, and how it is cut to fit.

/// How many bytes a character takes inside a JSON text, as `serde_json` writes it.
pub(super) fn json_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => c.len_utf8(),
    }
}

/// The longest beginning of a text that takes at most so many bytes, by what each character takes.
pub(super) fn head(text: &str, bytes: usize, takes: impl Fn(char) -> usize) -> &str {
    let mut left = bytes;
    for (at, c) in text.char_indices() {
        match left.checked_sub(takes(c)) {
            Some(rest) => left = rest,
            None => return &text[..at],
        }
    }
    text
}

/// The longest end of a text that takes at most so many bytes, by what each character takes.
#[cfg(feature = "target-command")]
pub(super) fn tail(text: &str, bytes: usize, takes: impl Fn(char) -> usize) -> &str {
    let mut left = bytes;
    for (at, c) in text.char_indices().rev() {
        match left.checked_sub(takes(c)) {
            Some(rest) => left = rest,
            None => return &text[at + c.len_utf8()..],
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_take_what_serde_json_writes() {
        for c in (0..0x3000).filter_map(char::from_u32) {
            let json = serde_json::to_string(&c.to_string()).expect("a text has a JSON form");
            assert_eq!(json.len() - 2, json_bytes(c), "{c:?}");
        }
    }

    #[cfg(feature = "target-command")]
    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(head("añb", 2, char::len_utf8), "a");
        assert_eq!(tail("añb", 2, char::len_utf8), "b");
        assert_eq!(head("añb", 4, char::len_utf8), "añb");
        assert_eq!(tail("añb", 3, char::len_utf8), "ñb");
    }
}
