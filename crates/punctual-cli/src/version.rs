//! `punctual --version`: which build this is.

use std::sync::LazyLock;

/// The version, the commit that it was built of, and what the library was built with.
pub(crate) static TEXT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{} ({})\nfeatures: {}",
        env!("CARGO_PKG_VERSION"),
        env!("BUILT_OF"),
        punctual::features().join(", "),
    )
});
