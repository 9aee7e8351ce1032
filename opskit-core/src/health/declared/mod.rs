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
        // A probe that is declared for another target is not asked here, and nothing is to be said of it.
        let is_here = |id: &str| {
            let declared = settings.probes.iter().find(|probe| probe.id == id);
            declared.is_none_or(|probe| is_for(probe.target.as_deref(), target))
        };
        let mut limits = self.limits;
        // What is said of the target goes before what is said of all.
        let (all, own): (Vec<_>, Vec<_>) = settings
            .limits
            .iter()
            .filter(|limit| is_for(limit.target.as_deref(), target) && is_here(&limit.probe))
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
        let accepted =
            accepted.filter(|it| is_for(it.target.as_deref(), target) && is_here(&it.probe));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::health::probes;

    #[test]
    fn what_is_said_of_another_targets_probe_is_no_mistake_here() {
        let text = "
            [target.a]
            class = \"scratch\"
            url_env = \"A\"
            [target.b]
            class = \"scratch\"
            url_env = \"B\"
            [[probe]]
            id = \"orders.stuck\"
            target = \"a\"
            query = \"select 1\"
            [[health.accept]]
            probe = \"orders.stuck\"
            reason = \"r\"
            until = \"2999-01-01\"
            [[health.limit]]
            probe = \"locks.blocked\"
            target = \"a\"
            warn = 1
            fail = 2";
        let settings = Config::parse(text).unwrap().health;
        let request = |target| HealthRequest::default().configured(&settings, Some(target));
        let (a, b) = (request("a"), request("b"));
        assert_eq!((a.accept.len(), b.accept.len()), (1, 0));
        assert!(a.limits.of("locks.blocked").is_some() && b.limits.of("locks.blocked").is_none());
        assert!(a.check_names(&probes()).is_err() && b.check_names(&probes()).is_ok());
    }
}
