//! The real binary, run as a person or a script would: what it prints, where, and its exit code.
//!
//! Each test has a scratch directory of its own (`Workdir`); programs that go on running
//! (`Running`) are waited for by the lines they print, never by sleeping, and never for ever.

mod config;
mod control;
mod faults;
mod files;
mod hostile;
mod interface;
#[cfg(feature = "lab")]
mod lab;
mod library;
mod magnet;
mod manners;
mod nodes;
mod program;
mod remote;
mod service;
mod shell;
mod story;
mod trace;
mod udp;
mod webs;
mod workdir;
