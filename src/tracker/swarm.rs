//! Swarm: the peers of one torrent, as a tracker keeps them.
