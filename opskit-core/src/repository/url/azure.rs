//! Azure Blob Storage.

use super::connect::{Connector, cannot_set_up, retries};
use super::query::Query;
use super::{Place, RepositoryUrl, StoreEnv, invalid};
use crate::error::{Error, ErrorKind, Result};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use std::sync::Arc;

pub(super) fn open(place: &Place<'_>, mut query: Query, env: &StoreEnv) -> Result<RepositoryUrl> {
    let endpoint = query.endpoint(None)?;
    let account = query.take("account");
    let account = account.as_deref();
    let account = account
        .or_else(|| env.var("AZURE_STORAGE_ACCOUNT_NAME"))
        .ok_or_else(|| {
            invalid("account is missing")
                .with_hint("Add account=NAME to the URL, or set AZURE_STORAGE_ACCOUNT_NAME.")
        })?;
    let from = query.take("credentials");
    let terms = query.terms()?;
    let said = query.finish()?;
    let builder = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(place.bucket)
        .with_http_connector(Connector)
        .with_retry(retries())
        .with_allow_http(true)
        .with_disable_tagging(true);
    let builder = match endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint),
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
    builder: MicrosoftAzureBuilder,
    from: Option<&str>,
    env: &StoreEnv,
) -> Result<MicrosoftAzureBuilder> {
    match from {
        Some("instance") => return Ok(builder),
        Some("anonymous") => return Ok(builder.with_skip_signature(true)),
        Some(_) => return Err(invalid("credentials is instance or anonymous")),
        None => {}
    }
    use AzureConfigKey as Key;
    let keys = [
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_KEY",
    ];
    if let Some(key) = env.first(&keys) {
        return Ok(builder.with_access_key(key));
    }
    if let Some(token) = env.var("AZURE_STORAGE_SAS_TOKEN") {
        return Ok(builder.with_config(Key::SasKey, token));
    }
    let application = |kind: &str| {
        let name = format!("AZURE_STORAGE_{kind}");
        env.var(&name).or_else(|| env.var(&format!("AZURE_{kind}")))
    };
    let (id, tenant) = (application("CLIENT_ID"), application("TENANT_ID"));
    if let (Some(id), Some(tenant), Some(secret)) = (id, tenant, application("CLIENT_SECRET")) {
        return Ok(builder.with_client_secret_authorization(id, secret, tenant));
    }
    if let (Some(id), Some(tenant), Some(file)) =
        (id, tenant, env.var("AZURE_FEDERATED_TOKEN_FILE"))
    {
        return Ok(builder
            .with_client_id(id)
            .with_tenant_id(tenant)
            .with_federated_token_file(file));
    }
    Err(Error::new(ErrorKind::NotFound, "there are no credentials").with_hint(
        "Set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN; on a machine that has an identity, add credentials=instance to the URL.",
    ))
}
