//! What is wrong with a value, in plain words. Serde tells it in those of Rust: a map, a variant, an i64.

/// The longest piece of somebody's own text that is told back, in characters: enough to find it by.
const TOLD_BACK: usize = 60;

/// What serde said, retold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Story {
    /// The field that it is about, where serde tells it of the object around.
    pub(super) field: Option<String>,
    /// What is wrong, and what is accepted.
    pub(super) text: String,
}

/// Retells what serde said. What it does not know, it leaves as it is.
pub(super) fn retell(said: &str) -> Story {
    let of_field = |field: &str, text: &str| Story {
        field: Some(field.to_owned()),
        text: text.to_owned(),
    };
    if let Some(field) = quoted(said, "missing field ") {
        return of_field(field, "it is missing");
    }
    if let Some(field) = quoted(said, "duplicate field ") {
        return of_field(field, "it is given twice");
    }
    Story {
        field: None,
        text: unexpected(said).unwrap_or_else(|| said.to_owned()),
    }
}

/// What stands in backquotes behind these words, if that is all.
fn quoted<'a>(said: &'a str, words: &str) -> Option<&'a str> {
    said.strip_prefix(words)?.strip_prefix('`')?.strip_suffix('`')
}

fn unexpected(said: &str) -> Option<String> {
    if said.starts_with("unknown field ") {
        let known = said.rsplit_once("`, expected ").map(|(_, known)| names(known));
        let known = known.unwrap_or_else(|| "none".to_owned());
        return Some(format!("there is no such field; known are {known}"));
    }
    let (found, wanted) = said.rsplit_once(", expected ")?;
    if let Some(word) = quoted(found, "unknown variant ") {
        return Some(format!("there is no {}; write {}", text(word), choice(wanted)));
    }
    let found = found
        .strip_prefix("invalid type: ")
        .or(found.strip_prefix("invalid value: "))?;
    Some(format!("it is {}; write {}", value(found), kind(wanted)))
}

/// The names of a list such as ``one of `a`, `b` `` or `` `a` or `b` ``.
fn list(listed: &str) -> Vec<&str> {
    listed.split('`').skip(1).step_by(2).collect()
}

fn names(listed: &str) -> String {
    list(listed).join(", ")
}

fn choice(listed: &str) -> String {
    match list(listed).as_slice() {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        names => names.concat(),
    }
}

/// The value that was found: `string "x"`, ``integer `7` ``.
fn value(found: &str) -> String {
    let (kind, what) = found.split_once(' ').unwrap_or((found, ""));
    let bare = found.split('`').nth(1).unwrap_or(what);
    match kind {
        "string" => format!("the text {}", clip(what)),
        "integer" | "floating" => format!("the number {bare}"),
        "boolean" => bare.to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "an object".to_owned(),
        _ => found.to_owned(),
    }
}

/// The kind of value that is accepted.
fn kind(wanted: &str) -> &str {
    match wanted {
        "i64" | "u64" | "i32" | "u32" | "u16" | "u8" => "a whole number",
        "f64" => "a number",
        "a string" => "a text",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        _ => wanted,
    }
}

fn text(word: &str) -> String {
    clip(&format!("{word:?}"))
}

fn clip(quoted: &str) -> String {
    match quoted.char_indices().nth(TOLD_BACK) {
        Some((end, _)) => format!("{}…", &quoted[..end]),
        None => quoted.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_the_words_of_rust() {
        for (said, told) in [
            (
                r#"invalid type: string "high", expected i64"#,
                r#"it is the text "high"; write a whole number"#,
            ),
            (
                "invalid type: floating point `2.5`, expected i64",
                "it is the number 2.5; write a whole number",
            ),
            (
                "invalid type: integer `7`, expected a string",
                "it is the number 7; write a text",
            ),
            (
                "invalid type: map, expected a sequence",
                "it is an object; write a list",
            ),
            (
                "invalid type: sequence, expected an object",
                "it is a list; write an object",
            ),
            ("invalid type: null, expected f64", "it is null; write a number"),
            (
                "invalid value: boolean `false`, expected true, or an object",
                "it is false; write true, or an object",
            ),
            (
                r#"invalid type: string ", expected i64", expected f64"#,
                r#"it is the text ", expected i64"; write a number"#,
            ),
            (
                "unknown variant `a`b`, expected one of `x`, `y`, `z`",
                r#"there is no "a`b"; write x, y or z"#,
            ),
            (
                "unknown variant `a`, expected `x` or `y`",
                r#"there is no "a"; write x or y"#,
            ),
            (
                "unknown field `a`, expected `x`",
                "there is no such field; known are x",
            ),
            (
                "unknown field `a`, there are no fields",
                "there is no such field; known are none",
            ),
            ("recursion limit exceeded", "recursion limit exceeded"),
        ] {
            assert_eq!(retell(said).text, told, "{said}");
        }
    }

    #[test]
    fn a_field_that_serde_tells_of_its_object_is_found() {
        let retold = retell("missing field `type`");
        assert_eq!(
            (retold.field.as_deref(), retold.text.as_str()),
            (Some("type"), "it is missing")
        );
        let retold = retell("duplicate field `kind`");
        assert_eq!(
            (retold.field.as_deref(), retold.text.as_str()),
            (Some("kind"), "it is given twice")
        );
    }

    #[test]
    fn a_long_text_is_clipped() {
        let long = format!("invalid type: string \"{}\", expected i64", "ä".repeat(1000));
        assert!(retell(&long).text.chars().count() < 100);
    }
}
