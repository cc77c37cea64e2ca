//! Where a deployment's calls go: to the internet, and to nothing else.
//!
//! `make e2e` rehearses a deployment on one machine, where the far ends are stand-ins on loopback. Its functions are
//! built with the feature `rehearsal`, which no other build has (docs/adr/0020). Even those call loopback only
//! where the AWS that they work on is itself on loopback.

use url::Url;

use crate::Guard;

/// What stands in, in a rehearsal, for a far end with an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandIn {
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
pub fn address_of(end: StandIn) -> Option<Url> {
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
fn stood_in(end: StandIn, variable: &dyn Fn(&str) -> Option<String>) -> Option<Url> {
    let name = match end {
        StandIn::Shopify => "REHEARSAL_SHOPIFY_URL",
        StandIn::EasyPost => "REHEARSAL_EASYPOST_URL",
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

    #[cfg(feature = "rehearsal")]
    compile_error!("tests are built as a deployment is: nothing may turn the rehearsal on");

    #[test]
    fn law_18_a_deployment_calls_public_addresses() {
        assert_eq!(guard(), Guard::Public);
        assert_eq!((address_of(StandIn::Shopify), address_of(StandIn::EasyPost)), (None, None));
    }

    #[test]
    fn law_18_a_rehearsal_needs_an_aws_of_this_machine() {
        const SHOP: (&str, &str) = ("REHEARSAL_SHOPIFY_URL", "http://127.0.0.1:9000");
        let here = among(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"), SHOP]);
        assert!(is_rehearsal(&here));
        assert_eq!(stood_in(StandIn::Shopify, &here), Url::parse(SHOP.1).ok());
        assert_eq!(stood_in(StandIn::EasyPost, &here), None);
        let real = among(&[SHOP]);
        let other = among(&[("AWS_ENDPOINT_URL", "https://vpce.us-east-1.amazonaws.com"), SHOP]);
        let name = among(&[("AWS_ENDPOINT_URL", "https://127.0.0.1.evil.example"), SHOP]);
        for elsewhere in [&real as &dyn Fn(&str) -> Option<String>, &other, &name] {
            assert!(!is_rehearsal(elsewhere));
            assert_eq!(stood_in(StandIn::Shopify, elsewhere), None);
        }
        let away = among(&[
            ("AWS_ENDPOINT_URL", "http://localhost:4566"),
            ("REHEARSAL_SHOPIFY_URL", "https://evil.example"),
        ]);
        assert_eq!(stood_in(StandIn::Shopify, &away), None, "a stand-in is on this machine");
    }
}
