//! Probes that `opskit.toml` declares.

mod sql;
mod web;

use super::probe::{HealthProbe, Threshold};
use super::run::HealthRequest;
use crate::config::{DeclaredProbe, DeclaredQuestion, HealthSettings};

impl HealthRequest {
    /// Takes over what `opskit.toml` says of a target: limits, and what is accepted.
    ///
    /// ```
    /// use opskit_core::config::Config;
    /// use opskit_core::health::HealthRequest;
    /// let config = Config::parse(r#"
    ///     [[health.limit]]
    ///     probe = "transactions.idle"
    ///     warn = 5
    ///     fail = 10
    /// "#)?;
    /// let request = HealthRequest::default().configured(&config.health, None);
    /// assert_eq!(request.limits.of("transactions.idle").unwrap().warn, 5.0);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn configured(mut self, settings: &HealthSettings, target: Option<&str>) -> Self {
        let mut limits = self.limits;
        // What is said of the target goes before what is said of all.
        let (all, own): (Vec<_>, Vec<_>) = settings
            .limits
            .iter()
            .filter(|limit| is_for(limit.target.as_deref(), target))
            .partition(|limit| limit.target.is_none());
        for limit in all.into_iter().chain(own) {
            let threshold = Threshold {
                warn: limit.warn,
                fail: limit.fail,
            };
            limits = match &limit.object {
                Some(object) => limits.with_object(&limit.probe, object, threshold),
                None => limits.with(&limit.probe, threshold),
            };
        }
        limits.disk = settings.disk.or(limits.disk);
        self.limits = limits;
        let accepted = settings.accept.iter();
        let accepted = accepted.filter(|it| is_for(it.target.as_deref(), target));
        self.accept.extend(accepted.cloned());
        self
    }
}

/// The probes that `opskit.toml` declares for a target. `variable` gives the values of environment variables.
///
/// ```
/// use opskit_core::config::Config;
/// use opskit_core::health::declared_probes;
/// let config = Config::parse(r#"
///     [[probe]]
///     id = "orders.stuck"
///     query = "select count(*) from orders where sent_at is null"
///     fail = "> 100"
/// "#)?;
/// let probes = declared_probes(&config.health, None, |_| None);
/// assert_eq!(probes[0].id(), "orders.stuck");
/// # Ok::<(), opskit_core::Error>(())
/// ```
pub fn declared_probes<'a>(
    settings: &HealthSettings,
    target: Option<&str>,
    variable: impl Fn(&str) -> Option<&'a str>,
) -> Vec<Box<dyn HealthProbe>> {
    let declared = settings.probes.iter();
    let declared = declared.filter(|probe| is_for(probe.target.as_deref(), target));
    let made = |probe: &DeclaredProbe| -> Box<dyn HealthProbe> {
        match &probe.question {
            DeclaredQuestion::Sql(_) => Box::new(sql::SqlProbe(probe.clone())),
            DeclaredQuestion::Http(request) => {
                Box::new(web::WebProbe::new(probe.clone(), request, &variable))
            }
        }
    };
    declared.map(made).collect()
}

fn is_for(of: Option<&str>, target: Option<&str>) -> bool {
    of.is_none() || of == target
}
