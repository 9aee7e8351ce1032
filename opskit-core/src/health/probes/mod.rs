//! The probes, one file each.

mod always_true;
mod archiver;
mod blocked;
mod checksums;
mod collations;
mod constraints;
mod dead;
mod deadlocks;
mod definer;
mod duplicate_indexes;
mod exposed;
mod extensions;
mod foreign_keys;
mod idle;
mod invalid_indexes;
mod lag;
mod latency;
mod longest;
mod pending_restart;
mod prepared;
mod roles;
mod saturation;
mod sequences;
mod slots;
mod tls;
mod triggers;
mod unsafe_settings;
mod wraparound;

use super::probe::HealthProbe;

/// All probes, in the order in which they are asked.
#[must_use]
pub fn probes() -> Vec<Box<dyn HealthProbe>> {
    vec![
        Box::new(latency::Latency),
        Box::new(saturation::PROBE),
        Box::new(idle::PROBE),
        Box::new(longest::PROBE),
        Box::new(blocked::PROBE),
        Box::new(lag::PROBE),
        Box::new(slots::PROBE),
        Box::new(archiver::PROBE),
        Box::new(wraparound::PROBE),
        Box::new(dead::PROBE),
        Box::new(invalid_indexes::PROBE),
        Box::new(duplicate_indexes::PROBE),
        Box::new(foreign_keys::PROBE),
        Box::new(constraints::PROBE),
        Box::new(triggers::PROBE),
        Box::new(sequences::PROBE),
        Box::new(checksums::PROBE),
        Box::new(unsafe_settings::PROBE),
        Box::new(pending_restart::PROBE),
        Box::new(prepared::PROBE),
        Box::new(collations::PROBE),
        Box::new(extensions::PROBE),
        Box::new(tls::PROBE),
        Box::new(roles::PROBE),
        Box::new(exposed::PROBE),
        Box::new(always_true::PROBE),
        Box::new(definer::PROBE),
        Box::new(deadlocks::Deadlocks),
    ]
}
