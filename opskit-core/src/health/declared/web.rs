//! A URL.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample};
use super::super::server::Server;
use super::super::verdict::{Finding, Reason, State, Verdict};
use crate::config::{Comparison, DeclaredProbe, DeclaredRequest, DeclaredUrl};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{build, client_builder};
use crate::secret::Secret;
use async_trait::async_trait;
use std::fmt;
use std::time::{Duration, Instant};

/// How long an answer may take; the run's own limit may be nearer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A request whose answer must be as declared. A host that does not answer is a failure: it is what was to be seen.
pub(super) struct WebProbe {
    probe: DeclaredProbe,
    request: DeclaredRequest,
    /// Where, and with which headers; or which variable is missing.
    call: std::result::Result<Call, String>,
}

struct Call {
    url: Secret,
    headers: Vec<(String, Secret)>,
}

impl fmt::Debug for WebProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebProbe").field(&self.probe.id).finish()
    }
}

impl WebProbe {
    pub(super) fn new<'a>(
        probe: DeclaredProbe,
        request: &DeclaredRequest,
        variable: &impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        let value = |name: &str| {
            let value = variable(name).map(Secret::new);
            value.ok_or_else(|| format!("{name} is not set"))
        };
        let call = || {
            let headers = request.headers.iter();
            let headers = headers.map(|(name, env)| Ok((name.clone(), value(env)?)));
            Ok(Call {
                url: match &request.url {
                    DeclaredUrl::Given(url) => Secret::new(url.clone()),
                    DeclaredUrl::Env(name) => value(name)?,
                },
                headers: headers.collect::<std::result::Result<_, String>>()?,
            })
        };
        Self {
            call: call(),
            request: request.clone(),
            probe,
        }
    }

    /// What is wrong with an answer, each as object and detail.
    async fn ask(&self, call: &Call) -> Result<Vec<[String; 2]>> {
        let client = build(client_builder()?.timeout(TIMEOUT))?;
        let mut request = client.get(call.url.expose());
        for (name, value) in &call.headers {
            request = request.header(name, value.expose());
        }
        let dead = |error: reqwest::Error| {
            let what = if error.is_timeout() {
                "in time"
            } else {
                "at all"
            };
            vec![["host".to_owned(), format!("does not answer {what}")]]
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_builder() => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "the URL or a header cannot be used",
                ));
            }
            Err(error) => return Ok(dead(error)),
        };
        let mut wrong = Vec::new();
        let status = response.status().as_u16();
        if status != self.request.status {
            let detail = format!("is {status}, not {}", self.request.status);
            wrong.push(["status".to_owned(), detail]);
        }
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= BODY_BYTES_MAX => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    wrong.push(["body".to_owned(), "is too long".to_owned()]);
                    break;
                }
                Ok(None) => break,
                Err(error) => return Ok(dead(error)),
            }
        }
        wrong.extend(self.body(&body));
        Ok(wrong)
    }

    fn body(&self, body: &[u8]) -> Vec<[String; 2]> {
        let mut wrong = Vec::new();
        if let Some(text) = &self.request.body
            && !String::from_utf8_lossy(body).contains(&**text)
        {
            let detail = "does not contain what it should";
            wrong.push(["body".to_owned(), detail.to_owned()]);
        }
        if self.request.json.is_empty() {
            return wrong;
        }
        let Ok(document) = serde_json::from_slice::<serde_json::Value>(body) else {
            wrong.push(["body".to_owned(), "is no JSON document".to_owned()]);
            return wrong;
        };
        for (place, comparison) in &self.request.json {
            let detail = match document.pointer(place) {
                None => "is not there",
                Some(value) if holds(comparison, value) => continue,
                Some(_) => "is not as it should be",
            };
            wrong.push([place.clone(), detail.to_owned()]);
        }
        wrong
    }
}

fn holds(comparison: &Comparison, value: &serde_json::Value) -> bool {
    let text = match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    comparison.holds(&text) == Some(true)
}

#[async_trait]
impl HealthProbe for WebProbe {
    fn id(&self) -> &str {
        &self.probe.id
    }

    fn about(&self) -> &str {
        "a URL of opskit.toml"
    }

    fn remedy(&self) -> &str {
        &self.probe.remedy
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: 0,
            needs: Needs::Nothing,
        }
    }

    async fn sample(&self, _server: &mut Server) -> Result<Sample> {
        let call = self.call.as_ref().map_err(|missing| {
            let error = Error::new(ErrorKind::InvalidInput, missing.clone());
            error.with_hint("The probe has its URL or a header there.")
        })?;
        let begun = Instant::now();
        let wrong = self.ask(call).await?;
        let millis = begun.elapsed().as_secs_f64() * 1000.0;
        let first = vec![Some("latency".to_owned()), Some(format!("{millis:.0}"))];
        let mut rows = vec![first];
        rows.extend(wrong.into_iter().map(|row| row.map(Some).to_vec()));
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, _limits: &Limits) -> Verdict {
        let Some((latency, wrong)) = now.rows.split_first() else {
            return Verdict::unknown(Reason::Error, "nothing was asked");
        };
        let millis = Sample::field(latency, 1).unwrap_or_default();
        let is_so = |comparison: &Option<Comparison>| {
            let holds = comparison.as_ref().map(|it| it.holds(millis));
            holds.flatten() == Some(true)
        };
        let finding = |object: &str, state, detail: &str| Finding {
            object: object.to_owned(),
            state,
            detail: detail.to_owned(),
        };
        let words =
            |row: &'_ [Option<String>], at| Sample::field(row, at).unwrap_or_default().to_owned();
        let mut findings: Vec<_> = wrong
            .iter()
            .map(|row| finding(&words(row, 0), State::Fail, &words(row, 1)))
            .collect();
        let detail = format!("{millis} ms");
        if is_so(&self.probe.fail) {
            findings.push(finding("latency", State::Fail, &detail));
        } else if is_so(&self.probe.warn) {
            findings.push(finding("latency", State::Warn, &detail));
        }
        Verdict::found(findings)
    }
}
