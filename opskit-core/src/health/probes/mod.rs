//! The probes, one file each.

mod always_true;
mod archiver;
mod backlog;
mod bloat;
mod blocked;
mod buckets;
mod checksums;
mod clock;
mod collations;
mod constraints;
mod counters;
mod dead;
mod definer;
mod drift;
mod duplicate_indexes;
mod exposed;
mod extensions;
mod foreign_keys;
mod growth;
mod idle;
mod invalid_indexes;
mod lag;
mod latency;
mod longest;
mod no_autovacuum;
mod pending_restart;
mod prepared;
mod roles;
mod saturation;
mod sequences;
mod size;
mod slots;
mod tls;
mod triggers;
mod unlogged;
mod unsafe_settings;
mod unused_indexes;
mod wal_size;
mod wraparound;
mod xmin;

use super::probe::HealthProbe;

/// All probes, in the order in which they are asked.
#[must_use]
pub fn probes() -> Vec<Box<dyn HealthProbe>> {
    vec![
        Box::new(latency::Latency),
        Box::new(clock::ClockSkew),
        Box::new(saturation::PROBE),
        Box::new(idle::PROBE),
        Box::new(longest::PROBE),
        Box::new(prepared::PROBE),
        Box::new(xmin::PROBE),
        Box::new(counters::ROLLBACKS),
        Box::new(blocked::PROBE),
        Box::new(counters::DEADLOCKS),
        Box::new(lag::PROBE),
        Box::new(slots::PROBE),
        Box::new(archiver::PROBE),
        Box::new(backlog::PROBE),
        Box::new(wraparound::PROBE),
        Box::new(dead::PROBE),
        Box::new(no_autovacuum::PROBE),
        Box::new(bloat::PROBE),
        Box::new(invalid_indexes::PROBE),
        Box::new(duplicate_indexes::PROBE),
        Box::new(unused_indexes::PROBE),
        Box::new(foreign_keys::PROBE),
        Box::new(constraints::PROBE),
        Box::new(triggers::PROBE),
        Box::new(unlogged::PROBE),
        Box::new(sequences::Sequences),
        Box::new(checksums::PROBE),
        Box::new(size::Size),
        Box::new(wal_size::PROBE),
        Box::new(counters::CACHE),
        Box::new(unsafe_settings::PROBE),
        Box::new(pending_restart::PROBE),
        Box::new(drift::SETTINGS),
        Box::new(collations::PROBE),
        Box::new(extensions::PROBE),
        Box::new(tls::PROBE),
        Box::new(roles::PROBE),
        Box::new(exposed::PROBE),
        Box::new(always_true::PROBE),
        Box::new(definer::PROBE),
        Box::new(drift::ROW_SECURITY),
        Box::new(buckets::Buckets),
    ]
}
