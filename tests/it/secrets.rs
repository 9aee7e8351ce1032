//! What holds a secret does not show it, however it is printed.

use opskit_core::context::OpContext;
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::repository::{Keyring, Repository, RepositoryUrl, StoreEnv};
use opskit_core::seal::{Identity, Recipient, SigningKey};
use opskit_core::secret::Secret;
use opskit_tests::secrets::{PASSPHRASE, PASSWORD, assert_kept, told_by};
use std::fmt::Debug;

#[track_caller]
fn keeps(value: &impl Debug) {
    let told = format!("{value:?}\n{value:#?}");
    assert_kept("Debug", told.as_bytes());
}

#[test]
fn nothing_shows_the_secret_that_it_holds() {
    let url = format!("postgresql://ann:{PASSWORD}@db.example.com/shop?application_name=x");
    let url = DatabaseUrl::parse(&url, &ConnectEnv::default()).unwrap();
    keeps(&url);
    keeps(&(url.clone(), OpContext::default()));
    let (identity, secret_key) = Identity::generate();
    let (signing, pem) = SigningKey::generate().unwrap();
    for secret in [&secret_key, &pem] {
        assert!(told_by(secret.expose().as_bytes()).is_some());
        keeps(secret);
    }
    let passphrase = Secret::new(PASSPHRASE);
    let keyring = Keyring::new()
        .sealing_for([
            identity.recipient(),
            Recipient::passphrase(passphrase.clone()),
        ])
        .opening_with([identity, Identity::passphrase(passphrase)])
        .signing_with(signing);
    keeps(&keyring);
    let repository = Repository::create_at(&RepositoryUrl::memory()).unwrap();
    keeps(&repository.with_keyring(keyring));
}

#[test]
fn no_credential_of_a_store_is_shown() {
    for (text, name) in [
        ("s3://box/here", "AWS_SECRET_ACCESS_KEY"),
        ("az://box/here?account=a", "AZURE_STORAGE_ACCOUNT_KEY"),
    ] {
        // What an account key of Azure looks like: base64.
        let key = "cGE1NS1vZi10aGUtc3VpdGU=";
        let env = StoreEnv::from_vars([("AWS_ACCESS_KEY_ID", "ann"), (name, key)]);
        let url = RepositoryUrl::parse(text, &env).unwrap();
        for told in [format!("{env:?} {url:?} {url:#?}"), url.to_string()] {
            assert!(!told.contains(key), "{told}");
        }
    }
}
