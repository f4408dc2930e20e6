//! Every bound of the HTTP edge, with its unit and its reason.

use std::time::Duration;

/// A request's body, in bytes: a payload of the default size, its base64 form included, fits twice.
pub const BODY_BYTES: usize = 1024 * 1024;
/// Jobs in one batch: a flush of the lane.
pub const BATCH_JOBS: usize = 1_000;
/// The body of a batch, in bytes: it is read and stored as it comes, never held as a whole. One job in it has [`BODY_BYTES`] at
/// most, and about as many bytes of jobs are stored at once.
pub const BATCH_BYTES: usize = 64 * 1024 * 1024;
/// A request's line and headers, in bytes.
pub const HEADER_BYTES: usize = 32 * 1024;
/// Headers of a request: what hyper takes unless it is told otherwise, which would cost an allocation for each request.
pub const HEADERS: usize = 100;
/// From the first byte of a connection, or the end of an answer on it, to the end of the next request's headers.
/// It also ends connections that nobody uses.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// From the end of a request's headers to the end of its body.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// How long a client may leave an answer unread. One that reads at all starts it anew; one that does not would hold its
/// place for ever.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection that ends over something unread, such as a body that was refused, still listens: a client that
/// sends all before it reads would otherwise see a reset instead of the answer. On loopback it is done much sooner.
pub const LINGER: Duration = Duration::from_secs(5);
/// What such a connection discards at most, in bytes: many times any body that is taken, so that whoever errs by a little,
/// or by much, is told; what comes without end is not heard out.
pub const LINGER_BYTES: usize = 64 * 1024 * 1024;
/// Connections served at once: ten thousand waiters, and room for others. Further ones stay in the system's line.
/// `punctual serve` takes fewer where the limit of open files asks for it.
pub const CONNECTIONS: usize = 12_000;
/// After an accept that failed, for want of file descriptors as a rule, the next one is tried this much later.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long requests under way may go on once the server stops. Waits are answered at once, so that what is left is short.
pub const DRAIN: Duration = Duration::from_secs(10);
/// The longest that one request may wait for a result; who wants to wait longer asks again.
pub const WAIT_MAX: Duration = Duration::from_secs(600);
/// The longest that one claim may wait for a job: what stands in between cuts a connection that is silent for longer.
pub const CLAIM_WAIT_MAX: Duration = Duration::from_secs(60);
/// Workers whose claims may wait at once, and as many that may hear of cancels: every job that comes is matched with all claims
/// that wait, and every stream of cancels looks at the store for itself. With the others they leave room among [`CONNECTIONS`].
pub const WORKERS: usize = 1_000;
/// Jobs in one claim over HTTP; more come with the next one.
pub const CLAIM_RUNS: usize = 100;
/// Payloads in the answer to one claim, in bytes, unless the first one alone is longer. What would come on top is put back:
/// in base64, and with all else that a job says, it has to fit [`ANSWER_BYTES`].
pub const CLAIM_BYTES: usize = 24 * 1024 * 1024;
/// The longest lease over HTTP: should its worker die, a job lies for so long.
pub const LEASE_MAX: Duration = Duration::from_secs(3_600);
/// How long a settle may go on trying while the store cannot be reached, before its worker is told to send it again.
pub const SETTLE_DEADLINE: Duration = Duration::from_secs(10);
/// Between two signs of life on a stream on which nothing happens, so that nobody between takes it for dead.
pub const STREAM_PAUSE: Duration = Duration::from_secs(15);
/// Wrong places that one problem names: whoever mends these is told of the others. A body has room for a hundred thousand.
pub const FAULTS: usize = 100;
/// A line of an export, in bytes: the largest job there can be, all of it in base64, and the output of all its runs.
pub const EXPORT_LINE_BYTES: usize = 64 * 1024 * 1024;
/// Jobs on one page of a list that does not say.
pub const PAGE_ITEMS: usize = 100;
/// Schedules on one page, each with its whole plan: with payloads of the default size, in base64, 33 MiB, which has to fit
/// [`ANSWER_BYTES`].
pub const SCHEDULE_ITEMS: usize = 100;
/// A file of schedules, in bytes: thousands of them, and it is held as a whole.
pub const SCHEDULES_BYTES: usize = 4 * 1024 * 1024;
/// Instants of a preview that does not say: a screen of them.
pub const PREVIEW_ITEMS: usize = 10;
/// How long a look at the store may take before the server says that it is not ready.
pub const READY_DEADLINE: Duration = Duration::from_secs(2);
/// What `Retry-After` says when the store cannot be reached: it comes back by itself.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request's id, in bytes, that is taken over from its client: a trace's name is much shorter.
pub const REQUEST_ID_BYTES: usize = 128;

/// How long the client tries to connect.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A connection of the client on which nothing has come for so long is probed, so often: a stream that says nothing for a good
/// reason is told from a server that is gone without a word.
pub const PROBE: Duration = Duration::from_secs(15);
/// Probes in a row that nobody answers, before the connection is given up.
pub const PROBES: u32 = 3;
/// How long the client keeps a connection that it does not use: less than the server does, so that no request is sent on one
/// that is being closed.
pub const CONNECTION_KEPT: Duration = Duration::from_secs(5);
/// How long the client waits for an answer, beyond the wait that it asked for.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(60);
/// An answer that the client reads, in bytes: a full page, each job with the longest of names and tags.
pub const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Tokens of runs that a far worker keeps: more than it ever holds at once.
pub const TOKENS: usize = 100_000;
/// A request of a far worker, in bytes: its beats and outcomes are sent in pieces, each well below [`BODY_BYTES`].
pub const PIECE_BYTES: usize = BODY_BYTES / 2;
/// First and longest pause of a far worker's stream or settle that the server did not answer; it doubles.
pub const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// See [`RECONNECT_PAUSE`].
pub const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(5);
