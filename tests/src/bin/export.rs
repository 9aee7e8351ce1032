//! Exports a table or query in a process of its own, and tells its peak memory in KiB:
//! `opskit-test-export URL TABLE DIRECTORY JOBS`, or `URL --query SQL DIRECTORY JOBS`.

use opskit_core::postgres::export::ExportRequest;
use opskit_tests::export::export_parquet;
use std::io::Write as _;
use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (url, request, target, jobs) = match args[..] {
        [url, "--query", sql, target, jobs] => (url, ExportRequest::query(sql), target, jobs),
        [url, table, target, jobs] => (
            url,
            ExportRequest::tables([table]).expect("a pattern"),
            target,
            jobs,
        ),
        _ => panic!("usage: opskit-test-export URL TABLE DIRECTORY JOBS"),
    };
    let request = request.with_jobs(jobs.parse().expect("a number of jobs"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let report = runtime
        .block_on(export_parquet(url, request, Path::new(target)))
        .unwrap_or_else(|e| panic!("{e:?}"));
    let status = std::fs::read_to_string("/proc/self/status").expect("the status of this process");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("the peak");
    let peak = peak.trim().trim_end_matches(" kB");
    writeln!(std::io::stdout(), "{} {peak}", report.rows).expect("somebody listens");
}
