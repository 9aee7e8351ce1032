//! The parameters of a URL: known ones only, none of them a secret.

use super::invalid;
use crate::config::parse_size;
use crate::error::{Error, Result};
use crate::repository::store::Terms;
use reqwest::Url;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The smallest and the largest part of an upload: S3 takes none below 5 MiB.
const PART_BYTES: std::ops::RangeInclusive<u64> = (5 << 20)..=(1 << 30);

/// Parameters, each taken by whoever knows it.
pub(super) struct Query {
    left: BTreeMap<String, String>,
    taken: BTreeMap<&'static str, String>,
    known: Vec<&'static str>,
}

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(&format!("x:/?{text}"));
        let url = url.map_err(|_| invalid("the parameters of the URL cannot be read"))?;
        let mut left = BTreeMap::new();
        for (name, value) in url.query_pairs() {
            if left.insert(name.to_string(), value.to_string()).is_some() {
                return Err(invalid(format!("the URL says {name} twice")));
            }
        }
        Ok(Self {
            left,
            taken: BTreeMap::new(),
            known: Vec::new(),
        })
    }

    /// The value of a parameter.
    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let value = self.left.remove(name)?;
        self.taken.insert(name, value.clone());
        Some(value)
    }

    /// The same, true or false.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        match self.take(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(invalid(format!("{name} is true or false"))),
        }
    }

    /// What to ask the store for.
    pub(super) fn terms(&mut self) -> Result<Terms> {
        let mut terms = Terms::default();
        if let Some(size) = self.take("part_size") {
            let bytes = parse_size(&size)
                .ok()
                .filter(|size| PART_BYTES.contains(size));
            let bytes = bytes.ok_or_else(|| invalid("part_size is a size from 5MiB to 1GiB"))?;
            terms.part_bytes = bytes as usize;
        }
        Ok(terms)
    }

    /// The server, where it is not the usual one: plain HTTP within this machine only, unless that is allowed.
    pub(super) fn endpoint(&mut self, usual: Option<&str>) -> Result<Option<String>> {
        let allowed = self.flag("allow_http")?.unwrap_or(false);
        let typed = self.take("endpoint");
        let Some(text) = typed.or_else(|| usual.map(str::to_owned)) else {
            return Ok(None);
        };
        let wrong = || invalid("endpoint is a URL such as https://s3.example.com:9000");
        let url = Url::parse(&text).map_err(|_| wrong())?;
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !bare || !url.has_host() || !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        if url.scheme() == "http" && !allowed && !is_here(&url) {
            return Err(invalid("endpoint would send everything in the clear")
                .with_hint("Use https, or say allow_http=true where the network is yours alone."));
        }
        let text = text.trim_end_matches('/').to_owned();
        self.taken.insert("endpoint", text.clone());
        Ok(Some(text))
    }

    /// Refuses what nobody took; gives what was said, in order, for people.
    pub(super) fn finish(mut self) -> Result<String> {
        self.known.sort_unstable();
        if let Some(name) = self.left.keys().next() {
            return Err(self.unknown(name));
        }
        let said = self
            .taken
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let said: Vec<String> = said.collect();
        Ok(match said.is_empty() {
            true => String::new(),
            false => format!("?{}", said.join("&")),
        })
    }

    fn unknown(&self, name: &str) -> Error {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let name = match name.len() <= 40 && name.bytes().all(plain) {
            true => format!(" \"{name}\""),
            false => String::new(),
        };
        invalid(format!("the URL has an unknown parameter{name}"))
            .with_hint(format!("Known are: {}.", self.known.join(", ")))
    }
}

fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
