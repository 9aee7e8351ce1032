//! `buckets.policies`.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample};
use super::super::question::judge_words;
use super::super::server::Server;
use super::super::verdict::Verdict;
use crate::error::Result;
use async_trait::async_trait;

/// Who may read and write the files of Supabase's storage.
#[derive(Debug)]
pub(super) struct Buckets;

const IS_THERE: &str = "select 1 where to_regclass('storage.buckets') is not null and to_regclass('storage.objects') is not null";

/// A policy of `storage.objects` that names no bucket holds for all of them.
const SQL: &str = "\
select 'storage.objects', 'fail', 'has no row security' from pg_class where oid = 'storage.objects'::regclass and not relrowsecurity \
union all select format('storage.objects.%I', p.polname), 'fail', 'lets anybody write to every bucket' from pg_policy p \
where p.polrelid = 'storage.objects'::regclass and p.polpermissive and p.polcmd <> 'r' \
and (p.polroles = '{0}' or p.polroles && array(select oid from pg_roles where rolname = 'anon')) \
and coalesce(pg_get_expr(p.polqual, p.polrelid), '') || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') \
!~ 'bucket_id|auth\\.|owner|current_setting' \
union all select 'bucket ' || id, 'warn', 'everybody reads its files' from storage.buckets where public";

#[async_trait]
impl HealthProbe for Buckets {
    fn id(&self) -> &str {
        "buckets.policies"
    }

    fn about(&self) -> &str {
        "buckets of storage that everybody reads or writes"
    }

    fn remedy(&self) -> &str {
        "Name the bucket and the owner in each policy of storage.objects; make buckets private."
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: 13,
            needs: Needs::Nothing,
        }
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        if server.ask(IS_THERE).await?.is_empty() {
            let skipped = [
                "the server",
                "skipped",
                "there is no storage of Supabase here",
            ];
            let row = skipped.map(|field| Some(field.to_owned())).to_vec();
            return Ok(Sample { rows: vec![row] });
        }
        let rows = server.ask(SQL).await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, _limits: &Limits) -> Verdict {
        judge_words(now)
    }
}
