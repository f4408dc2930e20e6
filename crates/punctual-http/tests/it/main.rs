//! The server from outside: in this process, on a free port, through the client or through bare TCP.

mod access;
mod away;
mod bad_input;
mod batch;
mod bulk;
mod connections;
mod document;
mod doors;
mod far;
mod house;
mod jobs;
mod operating;
mod outage;
mod postgres;
mod queues;
mod redis;
mod runs;
mod schedules;
mod secrets;
#[path = "../../../punctual/tests/it/stores.rs"]
mod stores;
mod streams;
mod waiting;
mod workers;
