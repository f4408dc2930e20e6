//! The server from outside: in this process, on a free port, through the client or through bare TCP.

mod access;
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
mod queues;
mod runs;
mod secrets;
mod streams;
mod waiting;
mod workers;
