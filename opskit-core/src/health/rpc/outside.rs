//! Whether the function does from outside what it is for, and whether anything else can be reached that way.

use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{build, client_builder};
use crate::secret::Secret;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Serialize;
use std::time::Duration;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Where PostgREST is asked, and as whom.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outside {
    root: Url,
    key: Option<Secret>,
    /// Tables of the exposed schema whose rows nobody may read with that key.
    pub private: Vec<String>,
}

/// One thing that was looked at from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OutsideCheck {
    /// What.
    pub name: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

impl OutsideCheck {
    fn new(name: &str, detail: String) -> Self {
        Self {
            name: name.to_owned(),
            ok: false,
            detail,
        }
    }

    /// As it should be, where this holds.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "the argument is the condition itself"
    )]
    fn if_so(self, ok: bool) -> Self {
        Self { ok, ..self }
    }
}

impl Outside {
    /// `url` is that of a Supabase project, or the root of a PostgREST; `key` is the `anon` key, where one is needed.
    ///
    /// # Errors
    /// `InvalidInput` for what is no URL of HTTP, or one that names a user or a password.
    pub fn new(url: &str, key: Option<Secret>) -> Result<Self> {
        let usable = |url: &Url| {
            matches!(url.scheme(), "https" | "http")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        };
        let root = Url::parse(url.trim()).ok().filter(usable);
        let mut root = root.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "the URL of PostgREST cannot be used",
            )
            .with_hint("Write https://PROJECT.supabase.co, or the root of your PostgREST.")
        })?;
        if matches!(root.path(), "" | "/") && root.host_str().is_some_and(is_supabase) {
            root.set_path("/rest/v1");
        }
        Ok(Self {
            root,
            key,
            private: Vec::new(),
        })
    }

    /// Looks. Each check is a value; a host that does not answer is one that is not as it should be.
    ///
    /// # Errors
    /// `Cancelled`, and `Internal` where no client can be made.
    pub async fn check(&self, ctx: &OpContext) -> Result<Vec<OutsideCheck>> {
        let client = build(client_builder()?.timeout(TIMEOUT))?;
        let look = async {
            let mut checks = self.function(&client).await;
            checks.push(self.refused(&client, Method::GET, "published").await);
            checks.push(self.refused(&client, Method::POST, "rpc/refresh").await);
            for table in &self.private {
                checks.push(self.unreadable(&client, table).await);
            }
            Ok(checks)
        };
        ctx.cancel().guard(look).await
    }

    /// The function by GET: its status, and what it says.
    async fn function(&self, client: &Client) -> Vec<OutsideCheck> {
        let name = "the function answers";
        let (status, body) = match self
            .ask(client, Method::GET, "rpc/health_check", None)
            .await
        {
            Ok(answer) => answer,
            Err(detail) => return vec![OutsideCheck::new(name, detail)],
        };
        let Ok(document) = serde_json::from_slice::<serde_json::Value>(&body) else {
            let detail = format!("status {status}, and no JSON document");
            return vec![OutsideCheck::new(name, detail)];
        };
        let says = document["status"].as_str().unwrap_or_default();
        let agrees = match says {
            "ok" | "warn" => status == StatusCode::OK,
            "error" => status == StatusCode::SERVICE_UNAVAILABLE,
            _ => false,
        };
        let number = |key: &str| document["rls"][key].as_u64();
        let (policies, exposed) = (number("policies"), number("exposed"));
        let told =
            |count: Option<u64>| count.map_or_else(|| "not told".to_owned(), |it| it.to_string());
        vec![
            OutsideCheck::new(name, format!("status {status}, and \"{says}\"")).if_so(agrees),
            OutsideCheck::new("the database is well", document["reasons"].to_string())
                .if_so(says == "ok"),
            OutsideCheck::new("there are policies", told(policies)).if_so(policies > Some(0)),
            OutsideCheck::new("no table is exposed", told(exposed)).if_so(exposed == Some(0)),
        ]
    }

    /// What is not meant for callers.
    async fn refused(&self, client: &Client, method: Method, path: &str) -> OutsideCheck {
        let name = format!("{path} is out of reach");
        match self.ask(client, method, path, Some("opskit_health")).await {
            Ok((status, _)) => OutsideCheck::new(&name, format!("status {status}"))
                .if_so(status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS),
            Err(detail) => OutsideCheck::new(&name, detail),
        }
    }

    async fn unreadable(&self, client: &Client, table: &str) -> OutsideCheck {
        let name = format!("the rows of {table} cannot be read");
        match self.ask(client, Method::GET, table, None).await {
            Ok((status, body)) => {
                // A table that is not there at all is not known to be private.
                let refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
                let empty = status == StatusCode::OK && body.trim_ascii() == b"[]";
                OutsideCheck::new(&name, format!("status {status}")).if_so(refused || empty)
            }
            Err(detail) => OutsideCheck::new(&name, detail),
        }
    }

    async fn ask(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        profile: Option<&str>,
    ) -> Result<(StatusCode, Vec<u8>), String> {
        let mut url = self.root.clone();
        url.path_segments_mut()
            .map_err(|()| "the URL takes no path".to_owned())?
            .pop_if_empty()
            .extend(path.split('/'));
        let mut request = client.request(method, url);
        if let Some(key) = &self.key {
            request = request
                .header("apikey", key.expose())
                .bearer_auth(key.expose());
        }
        if let Some(profile) = profile {
            request = request
                .header("Accept-Profile", profile)
                .header("Content-Profile", profile);
        }
        let told = |error: reqwest::Error| error.without_url().to_string();
        let mut response = request.send().await.map_err(told)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err("the answer is too long".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

fn is_supabase(host: &str) -> bool {
    host.ends_with(".supabase.co") || host.ends_with(".supabase.in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_asked_where_its_postgrest_is() {
        let root = |url| Outside::new(url, None).map(|outside| outside.root.to_string());
        assert_eq!(
            root("https://abc.supabase.co").unwrap(),
            "https://abc.supabase.co/rest/v1"
        );
        assert_eq!(
            root("http://localhost:3000").unwrap(),
            "http://localhost:3000/"
        );
        for bad in ["localhost", "ftp://x.y", "https://u:p@x.y"] {
            assert!(root(bad).is_err(), "{bad}");
        }
    }
}
