//! S3, and what speaks like it.

use super::connect::{Connector, cannot_set_up, retries};
use super::profile::section;
use super::query::Query;
use super::{Place, RepositoryUrl, StoreEnv, invalid};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The region of servers that have none.
const REGION: &str = "us-east-1";

pub(super) fn open(place: &Place<'_>, mut query: Query, env: &StoreEnv) -> Result<RepositoryUrl> {
    let profile = Profile::read(env)?;
    let usual = env.first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]);
    let usual = usual.or_else(|| profile.get("endpoint_url"));
    let endpoint = query.endpoint(usual)?;
    let region = query.take("region");
    let region = region.as_deref();
    let region = region
        .or_else(|| env.first(&["AWS_REGION", "AWS_DEFAULT_REGION"]))
        .or_else(|| profile.get("region"))
        .unwrap_or(REGION);
    let path_style = query.flag("path_style")?;
    let from = query.take("credentials");
    let terms = query.terms()?;
    let said = query.finish()?;
    let builder = AmazonS3Builder::new()
        .with_bucket_name(place.bucket)
        .with_region(region)
        .with_http_connector(Connector)
        .with_retry(retries())
        .with_allow_http(true)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Not every server knows how to remove many objects at once.
        .with_disable_bulk_delete(true)
        .with_disable_tagging(true);
    let builder = match credentials(from.as_deref(), env, &profile)? {
        Credentials::Key { id, secret, token } => {
            let builder = builder
                .with_access_key_id(id)
                .with_secret_access_key(secret.expose());
            match token {
                Some(token) => builder.with_token(token.expose()),
                None => builder,
            }
        }
        Credentials::Anonymous => builder.with_skip_signature(true),
        Credentials::OfMachine => builder,
        Credentials::Variables(given) => {
            given.into_iter().fold(builder, |builder, (key, value)| {
                builder.with_config(key, value)
            })
        }
    };
    let builder = addressed(builder, place.bucket, endpoint, path_style);
    let store = builder.build().map_err(|error| cannot_set_up(&error))?;
    Ok(RepositoryUrl::of_backend(
        Arc::new(store),
        place.prefix,
        place.shown(&said),
        terms,
    ))
}

/// Says where the bucket is: in the name of the host, or in the path.
fn addressed(
    builder: AmazonS3Builder,
    bucket: &str,
    endpoint: Option<String>,
    path_style: Option<bool>,
) -> AmazonS3Builder {
    // Names with dots fit no certificate of the usual host.
    let path_style = path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    let builder = builder.with_virtual_hosted_style_request(!path_style);
    match endpoint {
        None => builder,
        Some(endpoint) if path_style => builder.with_endpoint(endpoint),
        Some(endpoint) => {
            let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", &endpoint));
            builder.with_endpoint(format!("{scheme}://{bucket}.{host}"))
        }
    }
}

/// Who asks.
enum Credentials {
    Key {
        id: String,
        secret: Secret,
        token: Option<Secret>,
    },
    /// A role that a token or the container's own service vouches for.
    Variables(Vec<(AmazonS3ConfigKey, String)>),
    OfMachine,
    Anonymous,
}

fn credentials(from: Option<&str>, env: &StoreEnv, profile: &Profile) -> Result<Credentials> {
    match from {
        Some("instance") => return Ok(Credentials::OfMachine),
        Some("anonymous") => return Ok(Credentials::Anonymous),
        Some(_) => return Err(invalid("credentials is instance or anonymous")),
        None => {}
    }
    if let (Some(id), Some(secret)) = (
        env.var("AWS_ACCESS_KEY_ID"),
        env.var("AWS_SECRET_ACCESS_KEY"),
    ) {
        return Ok(Credentials::Key {
            id: id.to_owned(),
            secret: Secret::new(secret),
            token: env.var("AWS_SESSION_TOKEN").map(Secret::new),
        });
    }
    if let (Some(id), Some(secret)) = (
        profile.get("aws_access_key_id"),
        profile.get("aws_secret_access_key"),
    ) {
        return Ok(Credentials::Key {
            id: id.to_owned(),
            secret: Secret::new(secret),
            token: profile.get("aws_session_token").map(Secret::new),
        });
    }
    of_variables(env).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "there are no credentials").with_hint(
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws/credentials; on a machine that has a role, add credentials=instance to the URL.",
        )
    })
}

/// What the platforms set that give a process a role.
fn of_variables(env: &StoreEnv) -> Option<Credentials> {
    use AmazonS3ConfigKey as Key;
    let given = |pairs: &[(&str, Key)]| {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, key)| Some((*key, env.var(name)?.to_owned())));
        pairs.collect::<Option<Vec<_>>>()
    };
    let token = ("AWS_WEB_IDENTITY_TOKEN_FILE", Key::WebIdentityTokenFile);
    let given = given(&[token, ("AWS_ROLE_ARN", Key::RoleArn)])
        .or_else(|| {
            let name = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
            given(&[(name, Key::ContainerCredentialsRelativeUri)])
        })
        .or_else(|| {
            let uri = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
            let file = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
            given(&[
                (uri, Key::ContainerCredentialsFullUri),
                (file, Key::ContainerAuthorizationTokenFile),
            ])
        });
    given.map(Credentials::Variables)
}

/// The settings of a profile, of both files.
#[derive(Default)]
struct Profile(BTreeMap<String, String>);

impl Profile {
    fn read(env: &StoreEnv) -> Result<Self> {
        let named = env.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]);
        let name = named.unwrap_or("default");
        let mut settings = BTreeMap::new();
        let mut found = false;
        for (variable, file) in [
            ("AWS_CONFIG_FILE", ".aws/config"),
            ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
        ] {
            let path = env.file(variable, file);
            let text = path.and_then(|path| std::fs::read_to_string(path).ok());
            let names = [name.to_owned(), format!("profile {name}")];
            if let Some(section) = text.and_then(|text| section(&text, &names)) {
                found = true;
                settings.extend(section);
            }
        }
        match (named, found) {
            (Some(name), false) => Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no profile \"{name}\" in ~/.aws"),
            )
            .with_hint(
                "AWS_PROFILE names it; the files are ~/.aws/credentials and ~/.aws/config.",
            )),
            _ => Ok(Self(settings)),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_gives_keys_and_region() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let file = |name: &str| home.path().join(".aws").join(name);
        let keys = "[work]\naws_access_key_id = A\naws_secret_access_key = s3cret\n";
        std::fs::write(file("credentials"), keys).unwrap();
        std::fs::write(file("config"), "[profile work]\nregion = eu-west-3\n").unwrap();
        let mut env = StoreEnv::from_vars([("AWS_PROFILE", "work")]);
        env.home = Some(home.path().to_owned());
        let profile = Profile::read(&env).unwrap();
        assert_eq!(profile.get("region"), Some("eu-west-3"));
        let Ok(Credentials::Key { id, secret, .. }) = credentials(None, &env, &profile) else {
            panic!("the profile has keys");
        };
        assert_eq!((id.as_str(), secret.expose()), ("A", "s3cret"));
        env.vars.insert("AWS_PROFILE".into(), "play".into());
        let error = Profile::read(&env).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
