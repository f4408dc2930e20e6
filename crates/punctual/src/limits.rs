//! Every bound of Punctual, with its unit and its reason. What is not bounded here is bounded by one of these.

use std::time::Duration;

/// Longest length of time anybody may ask for: ten years. Longer ones are slips of a unit.
pub const LENGTH_MAX: Duration = Duration::from_secs(3_650 * 86_400);

/// Payload of a job, in bytes, unless configured: what a message should be; larger things belong in a file store.
pub const PAYLOAD_BYTES: usize = 256 * 1024;
/// Result of a job, in bytes, unless configured: it is kept in the row and copied to every waiter.
pub const RESULT_BYTES: usize = 64 * 1024;
/// What either may be configured to at most, in bytes, so that a flush of one item stays a reasonable transaction.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Progress noted by a run, in bytes: it is written with heartbeats, for all runs of a worker at once.
pub const PROGRESS_BYTES: usize = 4 * 1024;
/// Error text kept of an attempt, in bytes: the story, not the log.
pub const ERROR_BYTES: usize = 1024;
/// Causes of an error that are told with it: nobody reads further down.
pub const ERROR_SOURCES: usize = 16;
/// Attempts kept in a job's history: the newest; twenty is also the default of `max_attempts`.
pub const HISTORY_ATTEMPTS: usize = 20;

/// Kind, queue and worker names, in bytes: they stand in indexes and in metrics' labels.
pub const NAME_BYTES: usize = 128;
/// Name of a worker's host, in bytes: the longest name in the DNS has 253 (RFC 1035).
pub const HOST_BYTES: usize = 255;
/// A unique key, in bytes: it stands in an index, and a URL fits.
pub const UNIQUE_KEY_BYTES: usize = 512;
/// A cron pattern, in bytes: all minutes one by one still fit.
pub const CRON_BYTES: usize = 256;
/// Single dates that a schedule excludes, ten years of holidays and more: what is larger belongs in a calendar.
pub const EXCLUDED_DATES: usize = 366;
/// Excluded days that are passed over for one instant: what rests longer than a century of days has ended.
pub const EXCLUDED_DAYS_PASSED: usize = 36_525;
/// Instants that the clocks leave out and that are passed over for one that they do not: a gap leaves out one, a year has one gap
/// or two, and after 40 years the days of the week have been on every date. What meets gaps alone for so long never meets anything
/// else.
pub const GAPS_PASSED: usize = 100;
/// Calendars that a schedule names: those of a country, a region, a house. Each is read whenever somebody decides about it.
pub const EXCLUDED_CALENDARS: usize = 16;
/// Instants of a schedule that names them one by one.
pub const AT_INSTANTS: usize = 1_000;
/// Live jobs that a schedule's row knows. More of them are live only if somebody triggers so many, and those beyond are not
/// waited for.
pub const SCHEDULE_LIVE: usize = 16;
/// Instants of one preview: as many as a page has items.
pub const PREVIEW_INSTANTS: usize = PAGE_ITEMS;
/// Instants that a schedule's row owes, so that it stays small.
pub const SCHEDULE_OWED: usize = 1_000;
/// Missed instants that are fired late under `misfire: all` unless the schedule says otherwise.
pub const MISFIRE_MAX: u32 = 100;
/// How late an instant is still on time unless the schedule says otherwise: a restart, a failover.
pub const MISFIRE_GRACE: Duration = Duration::from_secs(60);
/// Jobs that one look at a schedule makes; the rest are made by the next look, which comes at once.
pub const FIRED_PER_LOOK: usize = 100;
/// Entries of its ledger that one change of a schedule writes or drops: one for each job, and the skips between them, so that a
/// change stays a short write on every store.
pub const LEDGER_PER_LOOK: usize = 2 * FIRED_PER_LOOK;
/// Entries that a schedule's ledger keeps: a year of an hourly job that never agrees with itself, and a day of one that fires
/// every second.
pub const LEDGER_ENTRIES: usize = 100_000;
/// Old entries that one change drops at most, so that a ledger that was kept too long holds up no other write.
pub const LEDGER_FORGOTTEN: usize = 10_000;
/// How long a ledger tells of an instant, and so how far back one can be made up for.
pub const KEEP_LEDGER: Duration = Duration::from_secs(30 * 86_400);
/// A schedule's old entries are dropped each time it has written so many, or has not dropped any for [`FORGET_EVERY`]: seldom enough
/// that counting them costs nothing.
pub const FORGET_AFTER: u64 = 1_000;
/// See [`FORGET_AFTER`]. An entry stays so much longer than [`KEEP_LEDGER`], so that none is dropped while somebody makes up for its
/// instant.
pub const FORGET_EVERY: Duration = Duration::from_secs(86_400);
/// Dates of one calendar, as far as they go into a record: the holidays of some centuries.
pub const CALENDAR_DATES: usize = 4_000;
/// How long an owed instant waits before somebody looks again, should the end that it waits for have poked nobody.
pub const OWED_LOOK: Duration = Duration::from_secs(30);
/// Schedules that a caretaker reads at once, and so whose plans it holds: with payloads of the default size, 25 MiB.
pub const FIRE_ROWS: usize = 100;
/// Pages of [`FIRE_ROWS`] due schedules that one round of a caretaker goes through: then it sleeps a moment, and goes on with what
/// is left.
pub const FIRE_PAGES: usize = 100;
/// Instants after which a caretaker writes what it has decided, and lets other tasks have their turn: some ten milliseconds.
pub const FIRE_INSTANTS: usize = 10_000;
/// Due schedules that a caretaker leaves alone for a while, and so remembers. One more is fired without waiting for a node that
/// stands before this one.
pub const FIRE_HELD: usize = FIRE_ROWS * FIRE_PAGES;
/// Runs that are asked at once to make way for the next one, so that a slow answer holds up few others.
pub const FIRE_CANCELS: usize = 16;
/// How long a node gives each node that stands before it to fire a schedule: what a busy store takes for a write.
pub const FIRE_RANK: Duration = Duration::from_millis(100);
/// Nodes that one waits for at most: where all of them are gone, a schedule is fired a second late.
pub const FIRE_RANKS: usize = 10;
/// Between two looks for due schedules, when all one hears is that something happened.
pub const FIRE_GAP: Duration = Duration::from_millis(100);
/// How long a schedule is left alone that the store refuses to write: what is wrong with it stays wrong.
pub const FIRE_REFUSED: Duration = Duration::from_secs(30);
/// From how late on a schedule is overdue: by then other nodes have stood in, and whoever lost a signal has looked.
pub const FIRE_LATE: Duration = Duration::from_secs(10);
/// Jobs that one call of a backfill makes: a few seconds of work; whoever wants more calls again.
pub const BACKFILL_JOBS: u64 = 10_000;
/// Writes that one call about a schedule makes at most to settle what came due before it: each settles
/// [`SETTLED_PER_LOOK`] instants, three years of one that comes every second.
pub const SETTLE_ROUNDS: usize = 1_000;
/// Nominal instants that one look at a schedule settles; a longer past takes several looks.
pub const SETTLED_PER_LOOK: usize = 100_000;
/// Reason of a cancel or a pause, in bytes.
pub const REASON_BYTES: usize = 1024;
/// Tags of one job: they are matched row by row.
pub const TAGS: usize = 16;
/// One tag, in bytes.
pub const TAG_BYTES: usize = 128;

/// Lowest priority; 0 is the highest. A claim asks one line for each, so there are few.
pub const PRIORITY_MAX: u8 = 9;
/// Priority of a job that does not say.
pub const PRIORITY: u8 = 5;
/// Attempts of a job that does not say.
pub const ATTEMPTS: u32 = 20;
/// Most attempts a job may ask for: beyond, a schedule is what is meant.
pub const ATTEMPTS_MAX: u32 = 1_000;
/// Releases that cost no attempt, in one life of a job; further ones count, so that nothing goes round for ever.
pub const REFUNDS: u32 = 10;
/// Delays in a `list` backoff: one for each attempt is the most that makes sense.
pub const BACKOFF_DELAYS: usize = 1_000;
/// Largest `factor` of an exponential backoff; with it the second delay is already the longest.
pub const BACKOFF_FACTOR_MAX: f64 = 1_000.0;

/// Timeout of one attempt of an `http` or `amqp` job that does not say.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout of one attempt of any other job that does not say.
pub const RUN_TIMEOUT: Duration = Duration::from_secs(3_600);
/// Between asking a run to stop and stopping it by force, unless a lost lease leaves less.
pub const KILL_GRACE: Duration = Duration::from_secs(5);

/// Which part of its lease a run has at most to end once the lease is lost, as a divisor: a sixth, since a quarter is the
/// margin by which it is given up early.
pub const LOST_GRACE_SHARE: u32 = 6;

/// Lease of a run, unless configured. A killed worker's jobs are claimable again this much later.
pub const LEASE: Duration = Duration::from_secs(30);
/// Shortest lease: below it, an ordinary pause of a machine loses leases.
pub const LEASE_MIN: Duration = Duration::from_secs(1);
/// Longest lease, and longest deferral of a run.
pub const LEASE_MAX: Duration = LENGTH_MAX;

/// Attempts at a retry-free insert of a unique job whose holder keeps moving: then the key is contended beyond use.
pub const CONFLICT_ROUNDS: usize = 8;
/// Holders of unique keys that one engine edits at the same time. Edits of one holder go one after the other, so that a
/// hundred callers that debounce one job do not make each other start anew.
pub const HOLDER_LINES: usize = 16;
/// First delay of a job that came to a worker which does not know its kind; it doubles.
pub const UNKNOWN_KIND_DELAY: Duration = Duration::from_secs(10);
/// Longest delay of a job of unknown kind.
pub const UNKNOWN_KIND_DELAY_MAX: Duration = Duration::from_secs(300);

/// Items in one flush of a lane: beyond a thousand a batch gains nothing and only delays its first item.
pub const FLUSH_ITEMS: usize = 1_000;
/// Bytes in one flush of a lane.
pub const FLUSH_BYTES: usize = 1024 * 1024;
/// Items of one bulk caller in a flush while others wait, so that nobody stands behind a whole import.
pub const FLUSH_ITEMS_OF_ONE: usize = 100;
/// Items that may wait in a lane; further callers wait outside.
pub const LANE_ITEMS: usize = 10_000;
/// Bytes that may wait in a lane.
pub const LANE_BYTES: usize = 64 * 1024 * 1024;
/// How long a caller waits for its place in a full lane, and how long an item goes on trying for a key that
/// another transaction has locked.
pub const LANE_DEADLINE: Duration = Duration::from_secs(30);
/// Repeats of one batch after a deadlock, a serialization error or an unknown commit.
pub const FLUSH_REPEATS: usize = 3;
/// Pause before each repeat of a batch but the first: a store that broke a deadlock needs none, one that lost its
/// connection needs a moment.
pub const FLUSH_PAUSE: Duration = Duration::from_millis(50);
/// Items that wait for another's lock and are tried at once, each alone, beside the lane.
pub const SIDE_FLUSHES: usize = 4;
/// Into how many parts a batch falls that met a lock nobody can name: of 1,000 items the locked one stands alone after four
/// [`LOCK_WAIT`]s, a second, and most of the others are written after the first.
pub const LOCKED_PARTS: usize = 10;
/// How long a statement waits for another's lock before its items are tried alone.
pub const LOCK_WAIT: Duration = Duration::from_millis(250);

/// Jobs in one claim.
pub const CLAIM_JOBS: usize = 1_000;
/// Queues a claim may name: it asks ten lines for each.
pub const CLAIM_QUEUES: usize = 64;
/// Items on one page of a list.
pub const PAGE_ITEMS: usize = 1_000;
/// Rows passed for one page, matching or not; then the page ends early and says where to go on.
pub const PAGE_ROWS: usize = 10_000;
/// Whole jobs in one page of an export: with payloads of the default size, 16 MiB, and their output.
pub const EXPORT_JOBS: usize = 64;
/// Jobs with output that are imported at once: the commits that they take one by one, they share.
pub const IMPORT_JOBS: usize = 64;
/// Bytes left out of a run's output that an import counts: of more, offsets begin earlier than they were. They are written
/// and dropped, piece by piece.
pub const IMPORT_LEFT_OUT: u64 = 16 * 1024 * 1024;
/// The highest version of a row that can be imported: the largest whole number that every store and every reader of JSON
/// keeps digit for digit (RFC 8259, section 6).
pub const REV_MAX: u64 = (1 << 53) - 1;
/// Jobs that one call of a bulk verb does it to: a second or two of work; whoever wants more calls again.
pub const BULK_JOBS: usize = 10_000;
/// Pages of a list that one call of a bulk verb goes through, whether or not anything on them matches.
pub const BULK_PAGES: usize = 10;
/// Whole rows that a bulk verb holds at once, and writes in one go: with payloads of the default size, 25 MiB.
pub const BULK_ROWS: usize = 100;
/// Refused jobs that a bulk verb tells of one by one: the reasons are the same as a rule.
pub const BULK_REFUSALS: usize = 10;
/// Rows that one round of a caretaker's chore looks at.
pub const CHORE_ROWS: usize = 1_000;
/// Between two looks at the store by whoever waits, should every signal be lost.
pub const RESCAN: Duration = Duration::from_secs(5);
/// Shortest sleep of a waiting claim, should its store say that a job is due and yet give none.
pub const CLAIM_PAUSE: Duration = Duration::from_millis(1);
/// Between two looks of waiting claims at the store when all they hear is that something happened.
pub const CLAIM_GAP: Duration = Duration::from_millis(5);
/// Between two looks for runs that are to stop, when all one hears is that something happened.
pub const CANCEL_GAP: Duration = Duration::from_millis(250);
/// Shortest and longest pause of a settle that cannot reach its store; it doubles. The shortest is also that of a claim whose
/// answer was lost together with the store.
pub const SETTLE_PAUSE: Duration = Duration::from_millis(50);
/// See [`SETTLE_PAUSE`]: short beside a lease, so that a store that comes back is used at once.
pub const SETTLE_PAUSE_MAX: Duration = Duration::from_secs(2);
/// Between two looks at what is overdue: a killed worker's job is claimable again within two seconds of its lease's end.
pub const OVERDUE_SCAN: Duration = Duration::from_secs(1);
/// A clock that went this much further than time did has stepped, and a machine that slept for so long was suspended:
/// what is shorter, every lease has room for.
pub const CLOCK_STEP: Duration = Duration::from_secs(1);
/// Leaps of time that a caretaker remembers: the leases from before older ones have long been set anew.
pub const LEAPS: usize = 16;
/// Pages of [`PAGE_ITEMS`] runs whose leases are noted at a leap: those of ten thousand.
pub const LEAP_PAGES: usize = 10;
/// Between two rounds of pruning: history is kept for hours, so seconds do not matter.
pub const PRUNE_SCAN: Duration = Duration::from_secs(10);
/// Age at which an engine reads the settings of all queues again.
pub const SETTINGS_AGE: Duration = Duration::from_secs(5);
/// Pages of [`PAGE_ITEMS`] settings that an engine reads: queues beyond it are a slip, not a design.
pub const SETTINGS_PAGES: usize = 100;
/// Signals kept for a listener that is slow; then it is told to look at everything.
pub const SIGNALS: usize = 1_024;
/// Rows read at once for those who wait for results.
pub const RESULT_ROWS: usize = 256;
/// Between two reads of all that is waited for, when all one hears is that something happened: so long for each
/// [`RESULT_ROWS`] of them.
pub const RESULT_GAP: Duration = Duration::from_millis(20);
/// Events kept for whoever watches: who falls further behind is told to look at everything.
pub const EVENTS: usize = 2_048;
/// Rows read at once for those who watch.
pub const EVENT_ROWS: usize = 64;
/// Pages of [`EVENT_ROWS`] ends that one look reads at most: who watches is told to look at everything where that is not
/// all that ended since the last one.
pub const EVENT_PAGES: usize = 16;
/// Between two looks for ends that no hint named.
pub const EVENT_PAUSE: Duration = Duration::from_millis(100);
/// How long events are still gathered when nobody watches any more: who comes back by then misses nothing.
pub const EVENT_LINGER: Duration = Duration::from_secs(60);
/// Watchers of events in one process.
pub const WATCHERS: usize = 1_000;
/// Results waited for at once in one process.
pub const WAITERS: usize = 100_000;

/// Succeeded jobs are kept this long, unless configured.
pub const KEEP_SUCCEEDED: Duration = Duration::from_secs(86_400);
/// Failed and cancelled jobs are kept this long, unless configured.
pub const KEEP_FAILED: Duration = Duration::from_secs(7 * 86_400);

/// A worker that has not beaten for this long is gone from the list of workers.
pub const WORKER_FORGOTTEN: Duration = Duration::from_secs(600);
/// Pages of [`PAGE_ITEMS`] runs that are counted to tell how many each worker holds; beyond it, what workers told stands.
pub const HELD_PAGES: usize = 10;
/// Slots of one worker, and jobs that it may hold beyond them.
pub const CONCURRENCY_MAX: usize = 10_000;
/// Slots of a worker that does not say.
pub const CONCURRENCY: usize = 64;
/// How long after it was told of in the log that heartbeats fail it is told of again: an outage of hours stays in sight.
pub const HEARTBEAT_FAILURE_PAUSE: Duration = Duration::from_secs(300);
/// Heartbeats in one lease: two may be lost before the worker gives the lease up.
pub const BEATS_IN_LEASE: u32 = 3;
/// Between two looks at how old the leases are, and so how late a lost one is noticed after the machine slept.
pub const TRUST_CHECK: Duration = Duration::from_secs(1);
/// Between two heartbeats that carry progress: each is a write.
pub const PROGRESS_PAUSE: Duration = Duration::from_secs(1);
/// Longest wait of a worker's claim, and at most this part of its lease, as a divisor: the lease is trusted from the
/// beginning of the wait.
pub const CLAIM_WAIT: Duration = Duration::from_secs(5);
/// See [`CLAIM_WAIT`].
pub const CLAIM_WAIT_SHARE: u32 = 6;
/// Outcomes of one worker that are not yet settled; then it starts nothing more until some are.
pub const UNSETTLED: usize = 4_000;
/// Batches of outcomes that one worker settles at once: one is being written while the next one gathers.
pub const SETTLES: usize = 2;
/// First pause of a worker after its source failed.
pub const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
/// Longest pause of a worker after its source failed.
pub const PAUSE_AFTER_ERROR_MAX: Duration = Duration::from_secs(5);
/// How long a stopping worker gives its runs, unless configured: service managers kill after 30 s.
pub const STOP_WITHIN: Duration = Duration::from_secs(25);
/// How long a stopping worker waits for the claim that it has already sent: what it brings is put back, by its engine if it
/// comes later.
pub const LAST_CLAIM: Duration = Duration::from_millis(250);
/// How long a stopping worker waits for its last outcomes to be settled, once nothing runs any more.
pub const LAST_SETTLES: Duration = Duration::from_secs(2);
/// How long a worker that has stopped waits for its last beat: nothing but a list of workers hangs on it.
pub const LAST_BEAT: Duration = Duration::from_millis(500);
/// Kinds without a handler that one worker counts by name; further ones are put back uncounted.
pub const KINDS_UNKNOWN: usize = 1_000;
/// Live output kept of one run, in bytes: its head and its tail.
pub const OUTPUT_BYTES: usize = 256 * 1024;
/// Live output that a run gathers until it is sent, in bytes, half of them its head and half its tail: what comes faster
/// is left out, since no reader could follow it.
pub const OUTPUT_SENT_BYTES: usize = 64 * 1024;
/// Between two sends of one run's live output: each is a write.
pub const OUTPUT_PAUSE: Duration = Duration::from_millis(250);
/// How long a run that is over waits for the last of its live output to be written.
pub const LAST_OUTPUT: Duration = Duration::from_secs(1);
/// Followers of live output in one process: each reads a page at a time.
pub const FOLLOWERS: usize = 1_000;
/// Between two looks of one follower, when all it hears is that something happened.
pub const FOLLOW_PAUSE: Duration = Duration::from_millis(100);
/// Between two looks of all followers, when all one hears is that something happened: so long for each of them, since each
/// reads for itself what its run put out.
pub const FOLLOW_GAP: Duration = Duration::from_millis(1);
/// One page of a run's output, in bytes.
pub const OUTPUT_PAGE_BYTES: usize = 64 * 1024;
/// A small document with a rev (queue settings, keys), in bytes.
pub const RECORD_BYTES: usize = 64 * 1024;

/// How long a job is put off, at no cost of an attempt, when the machine has no file descriptors, processes or memory to
/// begin it with: other runs end meanwhile.
pub const SHORTAGE_DELAY: Duration = Duration::from_secs(5);
/// Lines of a job's own table of answers or exit codes: codes come in hundreds, and lines may hold many.
pub const VERDICTS: usize = 64;
/// Headers of one `http` job: it is a message, not a store.
pub const HTTP_HEADERS: usize = 64;
/// Time to get a connection, name look-up and TLS included, for an `http` job that does not say.
pub const HTTP_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time to get a connection that an `http` job may ask for: one that nobody waits for any more ends then.
pub const HTTP_CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// Names that an `http` target looks up at once. A look-up cannot be called off, and takes one of the 512 threads that a
/// runtime has for blocking work; when the name server is dead, it does so for half a minute.
pub const HTTP_LOOKUPS: usize = 64;
/// Addresses of one name that are tried in turn.
pub const HTTP_ADDRESSES: usize = 8;
/// How long an address is tried before the next one of the same name: most of those that answer do so in a fraction of it.
pub const HTTP_ADDRESS_TIME: Duration = Duration::from_secs(2);
/// Idle connections kept of all that the `http` target opened; further ones are closed after their call.
pub const HTTP_CONNECTIONS_KEPT: usize = 256;
/// How long an idle connection is kept: less than most servers do, so that they are seldom the ones to close it.
pub const HTTP_IDLE: Duration = Duration::from_secs(15);
/// Head of an answer to the `http` target, in bytes: what common servers send at most, many times over.
pub const HTTP_HEAD_BYTES: usize = 64 * 1024;
/// Body kept of an answer, in bytes: in base64 and with its headers it fits [`RESULT_BYTES`].
pub const HTTP_ANSWER_BYTES: usize = 44 * 1024;
/// Headers kept of an answer, in bytes of names and values.
pub const HTTP_ANSWER_HEADER_BYTES: usize = 2 * 1024;
/// Headers of an answer that one job may ask to be kept besides the usual ones: what it names must find room in
/// [`HTTP_ANSWER_HEADER_BYTES`].
pub const HTTP_KEPT_HEADERS: usize = 16;
/// Redirects that one call may be asked to follow: more are a loop as a rule.
pub const HTTP_REDIRECTS: u8 = 10;
/// Shortest secret that is masked where an answer repeats it, in bytes: a shorter one would mask innocent text.
pub const HTTP_MASKED_BYTES: usize = 4;
/// A secret that calls are signed with, in bytes: as Standard Webhooks asks for.
pub const HTTP_SIGNING_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// Body of an answer that was not accepted, as far as its error tells it, in bytes.
pub const HTTP_ERROR_BODY_BYTES: usize = 512;
/// How long the body of an answer that was not accepted is waited for: its status has said enough.
pub const HTTP_ERROR_BODY_WAIT: Duration = Duration::from_secs(5);
/// Longest delay that a `Retry-After` may ask for: it is a hint of a stranger, and a year would lose the job.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Arguments of one command, and variables of its environment: what fits a payload is far below what Linux takes.
pub const COMMAND_ARGUMENTS: usize = 4_096;
/// Output kept of each stream of a command, in bytes, half of them its head and half its tail.
pub const COMMAND_STREAM_BYTES: usize = 28 * 1024;
/// What the text of one stream may take in the JSON of a result, in bytes: two of them fit [`RESULT_BYTES`].
pub const COMMAND_STREAM_JSON_BYTES: usize = 30 * 1024;
/// Standard error that a failed command's error tells, in bytes: its end.
pub const COMMAND_ERROR_BYTES: usize = 768;
/// How long a command's output is waited for once the command itself has ended: what it left behind may hold the pipe.
pub const COMMAND_DRAIN: Duration = Duration::from_secs(1);
/// Which part of its grace a command is not given between SIGTERM and SIGKILL, as a divisor: killing, collecting and settling
/// take time, too.
pub const COMMAND_KILL_SHARE: u32 = 5;
/// Processes of a command that are watched or killed at once: each takes a file descriptor. More come in the next round.
pub const COMMAND_PROCESSES: usize = 256;
/// Rounds of looking for processes that a command left behind, and killing them: each finds what was forked meanwhile.
pub const COMMAND_KILL_ROUNDS: usize = 100;
/// How long each of these rounds waits for the killed to be gone.
pub const COMMAND_KILL_WAIT: Duration = Duration::from_millis(20);
/// How long a supervisor is waited for that was told to kill its command: what its rounds may take, and then some.
pub const COMMAND_SUPERVISOR_WAIT: Duration = Duration::from_secs(4);

/// How long a transaction waits for a database file that another one holds. A file has one lock, so whoever holds it
/// holds up everybody; a slow disk does so for a second.
pub const FILE_LOCK_WAIT: Duration = Duration::from_secs(5);
/// Between two tries to lock a database file: about as long as a transaction takes.
pub const FILE_LOCK_PAUSE: Duration = Duration::from_millis(1);
/// Verbs on their way to the one who writes a database file, and reads to those who read it; further callers wait
/// outside.
pub const FILE_VERBS: usize = 256;
/// Verbs in one transaction of a database file: of a thousand rows each, they are as much as a commit may hold up.
pub const FILE_GROUP: usize = 64;
/// Connections that read a database file beside the one that writes: a list of ten thousand rows must not hold up a
/// fetch.
pub const FILE_READERS: usize = 2;
/// Cache of the connection that writes a database file, in bytes: the pages that a busy system touches again and again.
pub const FILE_CACHE_BYTES: usize = 16 * 1024 * 1024;
/// A page of a database file, in bytes: a batch of jobs fills fewer of them than of SQLite's own 4 KiB, and each page
/// costs the log two writes. A single job still fits its few pages into one write of a disk. Files of other pages work.
pub const FILE_PAGE_BYTES: u32 = 8 * 1024;
/// Pages in a write-ahead log at which they are copied into the file: 16 MiB, so that pages which are written again and
/// again are copied once.
pub const FILE_LOG_PAGES: u32 = 2_048;
/// Pages in a write-ahead log beyond which writes are refused: 1 GiB. Only somebody who reads for minutes makes it grow
/// so far, and a full disk would be worse.
pub const FILE_LOG_PAGES_MAX: u32 = 131_072;
/// Pages in a write-ahead log at which whoever writes waits for the copy, and what its file shrinks to afterwards:
/// 64 MiB, two seconds of a disk that is slow.
pub const FILE_LOG_PAGES_IN_A_RUSH: u32 = 8_192;
/// How long a due row that cannot be read is put off: a process of a newer version may read it then, and meanwhile it
/// stands at the head of no line.
pub const UNREADABLE_DELAY: Duration = Duration::from_secs(60);
/// Rounds of one claim that meet rows which cannot be read; what is left of them is met by the next claim.
pub const UNREADABLE_ROUNDS: usize = 8;
/// Overdue rows that cannot be read and are told of, one by one in the log, and together by a check: the reasons are the same
/// as a rule.
pub const UNREADABLE_TOLD: usize = 100;
/// How long after such a row was told of in the log it is told of again.
pub const UNREADABLE_PAUSE: Duration = Duration::from_secs(3_600);
/// From how far apart on a check tells that a server's clock is not this machine's: sooner nobody would notice.
pub const CLOCK_APART: Duration = Duration::from_secs(1);
/// How long a database file or a server that took a write is taken for one that takes the next: a check writes no more often,
/// unless it refused one.
pub const WRITE_KNOWN: Duration = Duration::from_secs(30);
/// How often a check tries its write on a database server where others hold its row, for a [`LOCK_WAIT`] each: a second in all,
/// half of what `/readyz` has.
pub const CHECK_TRIES: usize = 4;
/// How long one that refused a write is taken for one that refuses the next.
pub const FILE_REFUSAL_KNOWN: Duration = Duration::from_secs(1);
/// Pages in a write-ahead log at which a backup, which keeps it from beginning anew, is given up: a quarter of
/// [`FILE_LOG_PAGES_MAX`] is left for what others that read for long may cost.
pub const BACKUP_LOG_PAGES_MAX: u32 = FILE_LOG_PAGES_MAX / 4 * 3;
/// Pages that a backup copies at a time, which is as long as it cannot be stopped: 4 MiB, some milliseconds of a disk.
pub const BACKUP_PAGES: i32 = 512;
/// A piece of a run's output in one row, in bytes: shorter ones are joined.
pub const OUTPUT_PIECE_BYTES: usize = 2 * 1024;
/// The pause after the first look for other processes' commits to a file; each further one is twice as long.
pub const FILE_LOOK_FIRST: Duration = Duration::from_millis(1);
/// The longest such pause: a commit that takes longer than all of them is heard of late.
pub const FILE_LOOK_LAST: Duration = Duration::from_millis(256);
/// Between two looks for other processes' commits where the machine gives no watch on the file.
pub const FILE_LOOK_UNWATCHED: Duration = Duration::from_millis(100);
/// Such looks after which a watch is asked for again: one second of them.
pub const FILE_LOOKS_UNWATCHED: u32 = 10;

/// Connections to a database server that write, each opened when it is needed: three lanes (of new jobs, of their changes, of
/// schedules) with their [`SIDE_FLUSHES`], which may all wait for somebody's locks, and two claims.
pub const WRITE_SESSIONS: usize = 3 * (1 + SIDE_FLUSHES) + 2;
/// Idle connections of one purpose that a process keeps: processes are many and a server's connections are not.
pub const SESSIONS_KEPT: usize = 4;
/// Connections to a database server that read: a list of ten thousand rows must not hold up a fetch.
pub const READ_SESSIONS: usize = 2;
/// Short reads that may be under way on one connection to a database server at once: each of them has its answer in memory.
pub const PIPELINED_READS: usize = 64;
/// Rows that one of them may ask for: as many as waiters for results are answered with at a time. More of them would hold up
/// the others, since they are answered one after the other.
pub const PIPELINED_ROWS: usize = RESULT_ROWS;
/// Connections to a database server that carry heartbeats, which wait for nobody.
pub const BEAT_SESSIONS: usize = 1;
/// How long a connection to a database server may take to be made.
pub const CONNECT_TIME: Duration = Duration::from_secs(5);
/// First pause after a connection could not be made; it doubles.
pub const CONNECT_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause after a connection could not be made: a server that is back is used at once.
pub const CONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a database server may leave what it was sent unconfirmed until it is taken to be cut off: less than a
/// heartbeat's third of the usual lease.
pub const CONNECTION_SILENCE: Duration = Duration::from_secs(8);
/// How long a statement may take on a database server; counting ten million jobs takes some seconds.
pub const STATEMENT_TIME: Duration = Duration::from_secs(30);
/// How long a transaction on a database server may stand still: a process that hangs in the middle of one holds its locks.
pub const TRANSACTION_IDLE: Duration = Duration::from_secs(10);
/// How long a verb may take in all on a database server, the wait for a connection included.
pub const VERB_TIME: Duration = Duration::from_secs(45);
/// How long a process waits for another one that brings the schema up to date, and how long a step of that may take.
pub const MIGRATION_WAIT: Duration = Duration::from_secs(40);
/// How long a claim from a queue with limits waits for its turn: each takes some milliseconds.
pub const TURN_WAIT: Duration = Duration::from_secs(5);
/// Queues whose settings a process remembers between claims; beyond it, it reads them anew.
pub const QUEUES_KNOWN: usize = 1_000;
/// Dead rows that a claim passes before the next ones begin behind them: fewer cost less than half a millisecond.
pub const FLOOR_ROWS: u64 = 1_000;
/// How long claims begin behind dead rows before one of them looks at all again; and so how much later a job is found that
/// somebody else puts before them, should no hint tell of it.
pub const FLOOR_AGE: Duration = Duration::from_secs(2);
/// How far such a beginning stays behind now: a job is stored a little after the instant at which it is due.
pub const FLOOR_MARGIN: Duration = Duration::from_secs(1);
/// Jobs above which counting them is work that is not repeated at once.
pub const COUNT_JOBS: u64 = 10_000;
/// Which part of its time a process lets a database server spend on counting at most, as a divisor.
pub const COUNT_SHARE: u32 = 100;

/// Name of a namespace, in bytes: it stands before each key of Redis.
pub const NAMESPACE_BYTES: usize = 63;
/// Hosts that the URL of a cluster may name: one that answers is enough.
pub const CLUSTER_NODES: usize = 64;
/// Nodes of a cluster that one question follows when each points to the next.
pub const CLUSTER_REDIRECTS: usize = 5;
/// Items in one script of Redis, which does nothing else meanwhile: a few milliseconds.
pub const SCRIPT_ITEMS: usize = 256;
/// Bytes that a script of Redis is given, or gives, before another one goes on.
pub const SCRIPT_BYTES: usize = 1024 * 1024;
/// Entries of lines that one claim passes in Redis: many start deadlines may have passed at once.
pub const SCRIPT_PASSED: usize = 4_096;
/// The beginning of each of a row's two strings that is read for its head, in bytes: longer heads are read whole.
pub const ROW_HEAD_BYTES: usize = 2 * 1024;
/// How long an answer of Redis may take: longer than any script, or a disk that is slow to sync.
pub const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Between two looks whether a silent connection to Redis still works.
pub const LISTENER_PING: Duration = Duration::from_secs(15);
/// How long a store that only dispatches through Redis waits for its answer, or for a connection: it can do without, and a
/// server that hangs must not hold jobs up.
pub const DISPATCH_WAIT: Duration = Duration::from_millis(500);
/// Ids in one line of a dispatch, some 25 MiB of Redis: whatever finds no room there is claimed from the store, with all else in
/// its queue, until a claim there has found all that is due.
pub const DISPATCH_LINE: usize = 100_000;
/// How long lines of a dispatch stay in Redis when nobody serves their queue or adds to them: longer than workers rest over
/// night. A job that loses its line by that is found in the store.
pub const DISPATCH_IDLE: Duration = Duration::from_secs(24 * 3_600);
/// Age of the store's time, as a dispatch last heard it, at which it is asked for anew: a machine's clock goes wrong by a few
/// milliseconds in that time.
pub const DISPATCH_TIME_AGE: Duration = Duration::from_secs(60);
/// How long a Redis store that is dropped waits for what was begun.
pub const LAST_ANSWERS: Duration = Duration::from_secs(1);
