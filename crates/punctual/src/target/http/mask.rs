//! Masks: what a server repeats of a call's secrets is not told on.

use url::form_urlencoded::byte_serialize;

use crate::limits::{HTTP_ERROR_BODY_BYTES, HTTP_MASKED_BYTES};
use crate::target::text;

/// What is told in place of a secret.
pub const MASK: &str = "***";

/// Headers of a call whose values let whoever reads them in: those of HTTP itself (RFC 9110, RFC 6265), and those that
/// widespread services read keys and tokens from, each in its own way. A name that is not here is told as it was sent.
pub const SECRET_HEADERS: [&str; 17] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    // the customary names of a key or a token
    "api-key",
    "apikey",
    "x-api-key",
    "x-apikey",
    "x-api-token",
    "x-access-token",
    "x-auth-token",
    "x-auth-key",
    "x-csrf-token",
    "x-secret",
    // those of services that have one of their own
    "private-token",
    "x-amz-security-token",
    "x-vault-token",
];

/// The secrets of one call.
#[derive(Default)]
pub(super) struct Masks(Vec<String>);

impl Masks {
    /// Hides these texts from now on, also as a URL holds them, but not those so short that they would hide innocent ones.
    pub(super) fn hide(&mut self, texts: impl IntoIterator<Item = String>) {
        for text in texts.into_iter().filter(|text| text.len() >= HTTP_MASKED_BYTES) {
            let in_a_query: String = byte_serialize(text.as_bytes()).collect();
            let in_a_path = in_a_query.replace('+', "%20");
            self.0.extend([text, in_a_query, in_a_path]);
        }
        // One that holds another goes first.
        self.0
            .sort_by(|one, other| other.len().cmp(&one.len()).then(one.cmp(other)));
        self.0.dedup();
    }

    /// The text without them.
    pub(super) fn text(&self, text: String) -> String {
        self.0
            .iter()
            .fold(text, |text, hidden| match text.contains(hidden) {
                true => text.replace(hidden, MASK),
                false => text,
            })
    }

    /// The beginning of a text from a header, as far as an error tells it: without them before it is cut, since half a secret is
    /// not found any more.
    pub(super) fn head(&self, header: &[u8]) -> String {
        let masked = self.text(String::from_utf8_lossy(header).trim().to_owned());
        text::head(&masked, HTTP_ERROR_BODY_BYTES, char::len_utf8).to_owned()
    }

    /// The bytes without them. `cut`: they end where more followed, and so may end with the beginning of one.
    pub(super) fn bytes(&self, bytes: &[u8], cut: bool) -> Option<Vec<u8>> {
        let mut masked: Option<Vec<u8>> = None;
        for hidden in &self.0 {
            let bytes = masked.as_deref().unwrap_or(bytes);
            masked = replaced(bytes, hidden.as_bytes(), cut).or(masked);
        }
        masked
    }
}

fn replaced(bytes: &[u8], hidden: &[u8], cut: bool) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let (mut at, mut from) = (0, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let begins = cut && rest.len() >= HTTP_MASKED_BYTES && hidden.starts_with(rest);
        if rest.starts_with(hidden) || begins {
            kept.extend_from_slice(&bytes[from..at]);
            kept.extend_from_slice(MASK.as_bytes());
            at += hidden.len().min(rest.len());
            from = at;
        } else {
            at += 1;
        }
    }
    if from == 0 {
        return None;
    }
    kept.extend_from_slice(&bytes[from..]);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(texts: &[&str]) -> Masks {
        let mut masks = Masks::default();
        masks.hide(texts.iter().map(|&text| text.to_owned()));
        masks
    }

    #[test]
    fn every_secret_is_masked_and_nothing_else() {
        let masks = masks(&["token", "token-2", "abc"]);
        assert_eq!(masks.text("abc token-2, token".to_owned()), "abc ***, ***");
        assert_eq!(
            masks.bytes(b"abc token-2, token", false).as_deref(),
            Some(&b"abc ***, ***"[..])
        );
        assert_eq!(masks.bytes(b"abc toke", false), None);
        assert_eq!(masks.bytes(b"token", false).as_deref(), Some(&b"***"[..]));
    }

    #[test]
    fn a_secret_is_masked_as_urls_hold_it() {
        let masks = masks(&["s3 cr/et"]);
        assert_eq!(masks.text("/s3%20cr%2Fet?s3+cr%2Fet".to_owned()), "/***?***");
    }

    #[test]
    fn the_beginning_of_a_secret_at_a_cut_is_masked() {
        let masks = masks(&["s3cret"]);
        assert_eq!(
            masks.bytes(b"it is s3cr", true).as_deref(),
            Some(&b"it is ***"[..])
        );
        assert_eq!(masks.bytes(b"it is s3", true), None);
    }
}
