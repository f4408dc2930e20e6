//! What an answer with a run's output says in its headers, since its body is the output and nothing else.

/// Which run it is about.
pub const OUTPUT_RUN: &str = "punctual-run";
/// Where it ends: what to ask for next.
pub const OUTPUT_NEXT: &str = "punctual-output-next";
