//! Cuts a JSON list into its elements while its bytes come in, so that a long list is never held as a whole.
//!
//! It looks for where each element ends and no closer: whoever reads the element finds what is wrong in it.

use http::StatusCode;

use crate::limits::BODY_BYTES;
use crate::problem::{Fault, Problem};

/// A list that is being read.
#[derive(Default)]
pub(super) struct Elements {
    place: Place,
    /// What has come of the element under way.
    element: Vec<u8>,
    /// How many objects and lists of the element are open.
    depth: usize,
    /// Whether it is within a text of the element, and within that behind a backslash.
    quoted: bool,
    escaped: bool,
    /// Elements that were cut off.
    count: usize,
}

#[derive(Default, PartialEq, Eq)]
enum Place {
    #[default]
    Before,
    Within,
    Behind,
}

impl Elements {
    /// Goes on until an element ends. Answers it, and how many bytes were used up; without one, all of them were.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<(Option<Vec<u8>>, usize), Problem> {
        for (used, byte) in bytes.iter().enumerate() {
            match self.place {
                Place::Within => {
                    if self.ends(*byte) {
                        let element = std::mem::take(&mut self.element);
                        // The only element that may be empty is that of an empty list.
                        if self.count > 0 || *byte == b',' || !element.trim_ascii().is_empty() {
                            self.count += 1;
                            return Ok((Some(element), used + 1));
                        }
                    } else if self.element.len() > BODY_BYTES {
                        return Err(self.too_long());
                    }
                }
                _ if byte.is_ascii_whitespace() => {}
                Place::Before => self.begin(*byte)?,
                Place::Behind => return Err(not_json("there is more behind the list")),
            }
        }
        Ok((None, bytes.len()))
    }

    /// Nothing more comes.
    pub(super) fn end(&self) -> Result<(), Problem> {
        match self.place {
            Place::Before => Err(not_json("it is empty")),
            Place::Within => Err(not_json("the list has no end")),
            Place::Behind => Ok(()),
        }
    }

    fn begin(&mut self, byte: u8) -> Result<(), Problem> {
        if byte != b'[' {
            let detail = "it is no list; write the jobs as [{…}, {…}]".to_owned();
            let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body: {detail}"));
            problem.errors.push(Fault {
                pointer: Some(String::new()),
                parameter: None,
                detail,
            });
            return Err(problem);
        }
        self.place = Place::Within;
        Ok(())
    }

    /// Takes one more byte of the element, unless that ends it.
    fn ends(&mut self, byte: u8) -> bool {
        if self.quoted {
            self.quoted = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
        } else {
            match byte {
                b'"' => self.quoted = true,
                b'{' | b'[' => self.depth += 1,
                b',' if self.depth == 0 => return true,
                b']' if self.depth == 0 => {
                    self.place = Place::Behind;
                    return true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.element.push(byte);
        false
    }

    fn too_long(&self) -> Problem {
        let detail = format!("/{}: one job has at most {BODY_BYTES} bytes", self.count);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }
}

fn not_json(why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements, and whether the list ended well, however its bytes are cut into pieces.
    fn cut(list: &str, piece: usize) -> (Vec<String>, bool) {
        let mut elements = Elements::default();
        let mut found = Vec::new();
        for mut bytes in list.as_bytes().chunks(piece) {
            while !bytes.is_empty() {
                let Ok((element, used)) = elements.next(bytes) else {
                    return (found, false);
                };
                found.extend(element.map(|element| String::from_utf8(element).expect("it is text")));
                bytes = &bytes[used..];
            }
        }
        (found, elements.end().is_ok())
    }

    #[test]
    fn commas_and_brackets_within_an_element_do_not_end_it() {
        let list = r#" [{"a": [1, {}], "b": "]},\"\\"},"x,]" ,7 ] "#;
        for piece in [1, 2, 3, 1_000] {
            let (found, ended) = cut(list, piece);
            assert_eq!(found, [r#"{"a": [1, {}], "b": "]},\"\\"}"#, r#""x,]" "#, "7 "]);
            assert!(ended);
        }
    }

    #[test]
    fn an_empty_list_has_no_elements_and_a_comma_makes_empty_ones() {
        assert_eq!(cut("[ ]", 1), (vec![], true));
        assert_eq!(cut("[,]", 9), (vec![String::new(), String::new()], true));
        assert_eq!(cut("[1,]", 9), (vec!["1".to_owned(), String::new()], true));
    }

    #[test]
    fn what_is_no_whole_list_is_told() {
        for bad in ["", " ", "{}", "[", "[1", "[\"]", "[1] 2", "[1]]", "[[1]"] {
            assert!(!cut(bad, 9).1, "{bad}");
        }
    }
}
