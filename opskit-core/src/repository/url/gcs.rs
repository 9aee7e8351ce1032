//! Google Cloud Storage.

use super::connect::{Connector, cannot_set_up, retries};
use super::query::Query;
use super::{Place, RepositoryUrl, StoreEnv, invalid};
use crate::error::{Error, ErrorKind, Result};
use object_store::gcp::GoogleCloudStorageBuilder;
use std::sync::Arc;

/// Where `gcloud auth application-default login` puts what it was given.
const OF_USER: &str = ".config/gcloud/application_default_credentials.json";

pub(super) fn open(place: &Place<'_>, mut query: Query, env: &StoreEnv) -> Result<RepositoryUrl> {
    let endpoint = query.endpoint(None)?;
    let from = query.take("credentials");
    let terms = query.terms()?;
    let said = query.finish()?;
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(place.bucket)
        .with_http_connector(Connector)
        .with_retry(retries());
    let builder = match endpoint {
        Some(endpoint) => builder.with_base_url(&endpoint),
        None => builder,
    };
    let builder = with_credentials(builder, from.as_deref(), env)?;
    let store = builder.build().map_err(|error| cannot_set_up(&error))?;
    Ok(RepositoryUrl::of_backend(
        Arc::new(store),
        place.prefix,
        place.shown(&said),
        terms,
    ))
}

fn with_credentials(
    builder: GoogleCloudStorageBuilder,
    from: Option<&str>,
    env: &StoreEnv,
) -> Result<GoogleCloudStorageBuilder> {
    match from {
        Some("instance") => return Ok(builder),
        Some("anonymous") => return Ok(builder.with_skip_signature(true)),
        Some(_) => return Err(invalid("credentials is instance or anonymous")),
        None => {}
    }
    if let Some(key) = env.var("GOOGLE_SERVICE_ACCOUNT_KEY") {
        return Ok(builder.with_service_account_key(key));
    }
    let file = env.file("GOOGLE_APPLICATION_CREDENTIALS", OF_USER);
    match file.filter(|file| file.is_file()) {
        Some(file) => Ok(builder.with_application_credentials(file.to_string_lossy())),
        None => Err(
            Error::new(ErrorKind::NotFound, "there are no credentials").with_hint(
                "Set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account; on a machine that has one, add credentials=instance to the URL.",
            ),
        ),
    }
}
