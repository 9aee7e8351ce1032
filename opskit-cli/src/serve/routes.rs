//! What is answered.

use super::reports::{Outcome, Reports};
use super::token::Token;
use crate::command::health::open_metrics;
use axum::Router;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use opskit_core::health::{self, HealthReport};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the server knows.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// Of the probes without which nothing works.
    pub(crate) critical: Reports,
    /// Of all.
    pub(crate) all: Reports,
    /// Without one, nobody sees details.
    pub(crate) token: Option<Token>,
}

/// The paths. All others are not found, and all are read only.
pub(crate) fn router(site: Site) -> Router {
    Router::new()
        .route(
            "/livez",
            get(async || no_store(StatusCode::OK, "text/plain", "ok\n".to_owned())),
        )
        .route("/readyz", get(ready))
        .route("/health", get(whole))
        .route("/metrics", get(metrics))
        .with_state(Arc::new(site))
}

impl Site {
    fn shows_details(&self, headers: &HeaderMap) -> bool {
        let header = headers.get(AUTHORIZATION);
        let token = self.token.as_ref();
        token
            .zip(header)
            .is_some_and(|(token, header)| token.is_borne_by(header.as_bytes()))
    }
}

async fn ready(State(site): State<Arc<Site>>) -> Response {
    let outcome = site.critical.fresh().await;
    // Who asks whether to send traffic here wants a word, and is not told why.
    document(&outcome, false_details)
}

async fn whole(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let outcome = site.all.fresh().await;
    match site.shows_details(&headers) {
        true => document(&outcome, details),
        false => document(&outcome, false_details),
    }
}

/// Objects have names in metrics, so a token that is set is asked for.
async fn metrics(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    if site.token.is_some() && !site.shows_details(&headers) {
        let refused = no_store(
            StatusCode::UNAUTHORIZED,
            "text/plain",
            "a token is needed\n".to_owned(),
        );
        return ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response();
    }
    let text = open_metrics(site.all.fresh().await.as_ref().as_ref());
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    no_store(StatusCode::OK, form, text)
}

/// `application/health+json`: `pass`, `warn` or `fail`, and 503 for what fails or could not be seen.
fn document(outcome: &Outcome, details: fn(&HealthReport) -> Option<Value>) -> Response {
    let (status, word, more) = match outcome.as_ref() {
        Ok(report) if report.blocks() => (StatusCode::SERVICE_UNAVAILABLE, "fail", details(report)),
        Ok(report) if report.worst() == health::State::Warn => {
            (StatusCode::OK, "warn", details(report))
        }
        Ok(report) => (StatusCode::OK, "pass", details(report)),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "fail", None),
    };
    let mut body = json!({ "status": word });
    if let Some(more) = more {
        body["report"] = more;
    }
    no_store(status, "application/health+json", format!("{body}\n"))
}

fn details(report: &HealthReport) -> Option<Value> {
    serde_json::to_value(report).ok()
}

fn false_details(_: &HealthReport) -> Option<Value> {
    None
}

fn no_store(status: StatusCode, form: &'static str, body: String) -> Response {
    let headers = [(CONTENT_TYPE, form), (CACHE_CONTROL, "no-store")];
    (status, headers, body).into_response()
}
