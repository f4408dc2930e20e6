//! Beats and outcomes, cut into pieces that a server reads.

use punctual::limits::{ERROR_BYTES, FLUSH_ITEMS};
use punctual::run::{BeatRun, Outcome, Settlement};
use serde::Serialize;

use crate::limits::{BODY_BYTES, PIECE_BYTES};
use crate::wire;

/// The runs of a beat, one piece at least: it also says that the worker lives.
pub(super) fn beats(runs: &[BeatRun]) -> Vec<Vec<wire::BeatRun>> {
    pieces(runs.iter().map(wire::BeatRun::of))
}

/// Outcomes. One that no request can carry is told as the failure that it would come to at the server, too.
pub(super) fn outcomes(settlements: &[Settlement]) -> Vec<Vec<wire::Settlement>> {
    let wired = settlements.iter().map(|settlement| {
        let outcome = short(&settlement.outcome);
        let wired = wire::Settlement::of(settlement.id, &outcome);
        match &outcome {
            Outcome::Done(result) if bytes(&wired) > PIECE_BYTES => {
                let has = result.len();
                let error = format!(
                    "it is done, but its result has {has} bytes, more than a request to the server may have ({BODY_BYTES})"
                );
                wire::Settlement::of(settlement.id, &Outcome::Fail { error })
            }
            _ => wired,
        }
    });
    pieces(wired)
}

/// The outcome with no more of its story than is kept.
fn short(outcome: &Outcome) -> Outcome {
    // The server cuts it to bytes.
    let clip = |text: &str| text.chars().take(ERROR_BYTES).collect();
    match outcome {
        Outcome::Retry { error, after, cause } => Outcome::Retry {
            error: clip(error),
            after: *after,
            cause: *cause,
        },
        Outcome::Fail { error } => Outcome::Fail { error: clip(error) },
        Outcome::Cancelled { reason } => Outcome::Cancelled { reason: clip(reason) },
        other => other.clone(),
    }
}

fn pieces<T: Serialize>(items: impl Iterator<Item = T>) -> Vec<Vec<T>> {
    let mut pieces = vec![Vec::new()];
    let mut size = 0;
    for item in items {
        let bytes = bytes(&item) + 1;
        let last = pieces.last().map_or(0, Vec::len);
        if last > 0 && (size + bytes > PIECE_BYTES || last == FLUSH_ITEMS) {
            pieces.push(Vec::new());
            size = 0;
        }
        size += bytes;
        if let Some(piece) = pieces.last_mut() {
            piece.push(item);
        }
    }
    pieces
}

fn bytes(item: &impl Serialize) -> usize {
    serde_json::to_vec(item).map_or(0, |json| json.len())
}
