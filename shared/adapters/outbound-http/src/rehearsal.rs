//! Where a deployment's calls go: to the internet, and to nothing else.
//!
//! `make e2e` rehearses a deployment on one machine, where the far ends are stand-ins on loopback. Its functions are
//! built with the feature `rehearsal`, which no other build has (docs/adr/0020). Even those call loopback only
//! where the AWS that they work on is itself on loopback.

use url::Url;

use crate::Guard;

/// A far end with an address of its own, which a rehearsal's stand-in takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FarEnd {
    /// Every Shopify store.
    Shopify,
    /// EasyPost's API.
    EasyPost,
}

/// The guard of a deployment's functions.
#[must_use]
pub fn guard() -> Guard {
    #[cfg(feature = "rehearsal")]
    if is_rehearsal(&variable) {
        return Guard::LoopbackAllowed;
    }
    Guard::Public
}

/// The address of the stand-in that takes the far end's place: none in a deployment.
#[must_use]
#[cfg_attr(not(feature = "rehearsal"), expect(unused_variables, reason = "only a rehearsal has stand-ins"))]
pub fn stand_in(end: FarEnd) -> Option<Url> {
    #[cfg(feature = "rehearsal")]
    return stood_in(end, &variable);
    #[cfg(not(feature = "rehearsal"))]
    None
}

#[cfg(feature = "rehearsal")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether the functions work on an AWS of this machine. The SDK reads the same variable.
#[cfg(any(test, feature = "rehearsal"))]
fn is_rehearsal(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    variable("AWS_ENDPOINT_URL").as_deref().and_then(on_loopback).is_some()
}

#[cfg(any(test, feature = "rehearsal"))]
fn stood_in(end: FarEnd, variable: &dyn Fn(&str) -> Option<String>) -> Option<Url> {
    let name = match end {
        FarEnd::Shopify => "REHEARSAL_SHOPIFY_URL",
        FarEnd::EasyPost => "REHEARSAL_EASYPOST_URL",
    };
    variable(name).filter(|_| is_rehearsal(variable)).as_deref().and_then(on_loopback)
}

#[cfg(any(test, feature = "rehearsal"))]
fn on_loopback(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| url.host().is_some_and(|host| crate::guard::is_loopback_host(&host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(variables: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }

    #[cfg(not(feature = "rehearsal"))]
    #[test]
    fn law_18_a_deployment_calls_public_addresses_whatever_its_environment_says() {
        assert_eq!(guard(), Guard::Public);
        assert_eq!((stand_in(FarEnd::Shopify), stand_in(FarEnd::EasyPost)), (None, None));
    }

    #[test]
    fn law_18_a_rehearsal_needs_an_aws_of_this_machine() {
        const SHOP: (&str, &str) = ("REHEARSAL_SHOPIFY_URL", "http://127.0.0.1:9000");
        let here = among(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"), SHOP]);
        assert!(is_rehearsal(&here));
        assert_eq!(stood_in(FarEnd::Shopify, &here), Url::parse(SHOP.1).ok());
        assert_eq!(stood_in(FarEnd::EasyPost, &here), None);
        let real = among(&[SHOP]);
        let other = among(&[("AWS_ENDPOINT_URL", "https://vpce.us-east-1.amazonaws.com"), SHOP]);
        let name = among(&[("AWS_ENDPOINT_URL", "https://127.0.0.1.evil.example"), SHOP]);
        for elsewhere in [&real as &dyn Fn(&str) -> Option<String>, &other, &name] {
            assert!(!is_rehearsal(elsewhere));
            assert_eq!(stood_in(FarEnd::Shopify, elsewhere), None);
        }
        let away = among(&[
            ("AWS_ENDPOINT_URL", "http://localhost:4566"),
            ("REHEARSAL_SHOPIFY_URL", "https://evil.example"),
        ]);
        assert_eq!(stood_in(FarEnd::Shopify, &away), None, "a stand-in is on this machine");
    }
}
