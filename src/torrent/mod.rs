//! (to be written)

pub mod choker;
