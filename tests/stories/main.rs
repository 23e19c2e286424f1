//! (header to be written)

mod download;
mod endgame;
mod faults;
mod resume;
mod seed;
mod tracker;
