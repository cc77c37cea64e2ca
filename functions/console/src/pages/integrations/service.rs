//! The services that can be connected: what each asks for, and what to do over there, in its own menus' words.

use stagepost_domain::order::Platform;
use stagepost_domain::shop::CarrierKind;

/// A service that can be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A store on Shopify.
    Shopify,
    /// A site with WooCommerce.
    Woocommerce,
    /// Trackers of EasyPost.
    Easypost,
    /// Anybody who signs.
    Generic,
}

/// Shopify's own names of what it notifies of.
const SHOPIFY_EVENTS: [&str; 6] = [
    "Order creation",
    "Order update",
    "Order fulfillment",
    "Order cancellation",
    "Fulfillment creation",
    "Fulfillment update",
];
const WOO_TOPICS: [&str; 4] = ["Order created", "Order updated", "Order deleted", "Order restored"];

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Shopify, Self::Woocommerce, Self::Easypost, Self::Generic];

    /// By the word in its path.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.word() == word)
    }

    /// The one of a channel.
    pub fn of_channel(platform: Platform) -> Option<Self> {
        match platform {
            Platform::Shopify => Some(Self::Shopify),
            Platform::Woocommerce => Some(Self::Woocommerce),
            Platform::Api => None,
        }
    }

    /// The one of a carrier integration.
    pub fn of_carrier(kind: CarrierKind) -> Self {
        match kind {
            CarrierKind::Easypost => Self::Easypost,
            CarrierKind::Generic => Self::Generic,
        }
    }

    /// As its path says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
            Self::Easypost => "easypost",
            Self::Generic => "generic",
        }
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shopify => "Shopify",
            Self::Woocommerce => "WooCommerce",
            Self::Easypost => "EasyPost",
            Self::Generic => "Your own carrier feed",
        }
    }

    /// As people call it amid a sentence.
    pub fn called(self) -> &'static str {
        match self {
            Self::Generic => "your own feed",
            other => other.name(),
        }
    }

    /// What one has of it.
    pub fn gives(self) -> &'static str {
        match self {
            Self::Shopify => "Orders come in from a Shopify store, and are fulfilled there.",
            Self::Woocommerce => "Orders come in from a WooCommerce site, and are completed there.",
            Self::Easypost => "Parcels are registered with EasyPost, which tells where they are.",
            Self::Generic => "A warehouse or courier of yours tells where parcels are, with signed messages.",
        }
    }

    /// Whether orders come from it.
    pub fn is_channel(self) -> bool {
        matches!(self, Self::Shopify | Self::Woocommerce)
    }

    /// Whether it has something that we call.
    pub fn is_called(self) -> bool {
        self != Self::Generic
    }

    /// What its address is called, what it looks like.
    pub fn store(self) -> (&'static str, &'static str) {
        match self {
            Self::Shopify => ("Store", "The permanent address: my-shop.myshopify.com"),
            Self::Woocommerce => ("Site", "The site's address: https://shop.example.com"),
            Self::Easypost | Self::Generic => ("", ""),
        }
    }

    /// What its credentials are called, what they look like.
    pub fn credentials(self) -> (&'static str, &'static str) {
        match self {
            Self::Shopify => ("Admin API access token", "Begins with shpat_."),
            Self::Woocommerce => ("Consumer key and secret", "With a colon between them: ck_…:cs_…"),
            Self::Easypost => {
                ("API key", "The production key begins with EZAK, the one for tests with EZTK.")
            }
            Self::Generic => ("", ""),
        }
    }

    /// What goes without credentials, and what does not.
    pub fn without(self) -> &'static str {
        match self {
            Self::Shopify | Self::Woocommerce => {
                "Without it orders still come in by webhook, but none that a webhook misses, none of the past, and \
                 nothing is marked fulfilled there."
            }
            Self::Easypost => "Without it only those parcels are reported that somebody else registers.",
            Self::Generic => "",
        }
    }

    /// Whether the other side makes the secret, so that it must be entered here.
    pub fn makes_secret(self) -> bool {
        self == Self::Shopify
    }

    /// What to do over there before it is connected.
    pub fn before(self) -> Vec<String> {
        let steps: &[&str] = match self {
            Self::Shopify => &[
                "In Shopify: Settings → Apps and sales channels → Develop apps → Create an app. Call it Stagepost.",
                "Configuration → Admin API integration: tick read_orders, read_fulfillments and \
                 write_merchant_managed_fulfillment_orders. Save.",
                "API credentials → Install app. Reveal the Admin API access token; Shopify shows it once.",
                "Settings → Notifications → Webhooks. Below the list Shopify says what your webhooks are signed \
                 with: that is the signing secret. It appears with the first webhook; if there is none yet, create \
                 one for Order creation now and correct its URL afterwards.",
            ],
            Self::Woocommerce => &[
                "In WordPress: WooCommerce → Settings → Advanced → REST API → Add key.",
                "Description: Stagepost. User: one that manages orders. Permissions: Read/Write. Generate API key.",
                "Copy the consumer key and the consumer secret: WooCommerce shows them once.",
            ],
            Self::Easypost => &[
                "In EasyPost's dashboard: Account Settings → API Keys.",
                "Copy the production API key. A test key only knows EasyPost's test numbers.",
            ],
            Self::Generic => {
                &["Nothing yet: connect it here, and you get the address and the secret for the other side."]
            }
        };
        steps.iter().map(|step| (*step).to_owned()).collect()
    }

    /// What to do over there once it is connected.
    pub fn after(self) -> Vec<String> {
        match self {
            Self::Shopify => vec![
                "In Shopify: Settings → Notifications → Webhooks → Create webhook.".to_owned(),
                format!("One for each of these events: {}.", SHOPIFY_EVENTS.join(", ")),
                "Format: JSON. URL: the address above, the same for all. Webhook API version: the newest that is \
                 stable. Save."
                    .to_owned(),
                "Place a test order: it appears under Orders within seconds.".to_owned(),
            ],
            Self::Woocommerce => vec![
                "In WordPress: WooCommerce → Settings → Advanced → Webhooks → Add webhook.".to_owned(),
                format!("One for each of these topics: {}.", WOO_TOPICS.join(", ")),
                "Status: Active. Delivery URL: the address above. Secret: the secret, the same for all. API \
                 version: WP REST API Integration v3. Save webhook."
                    .to_owned(),
                "Place a test order. WooCommerce sends its webhooks by WP-Cron: on a quiet site that can take some \
                 minutes."
                    .to_owned(),
            ],
            Self::Easypost => vec![
                "In EasyPost's dashboard: Webhooks → Add webhook.".to_owned(),
                "Environment: Production. Webhook URL: the address above. Webhook secret (HMAC validation): the \
                 secret. Save."
                    .to_owned(),
                "Parcels that are under way are registered by themselves, and each new one when its number is \
                 known."
                    .to_owned(),
            ],
            Self::Generic => vec![
                "For each report POST JSON to the address above: tracking_number, status and occurred_at.".to_owned(),
                "Sign it with the secret as Standard Webhooks say: webhook-id, webhook-timestamp, \
                 webhook-signature."
                    .to_owned(),
                "200 means that it is stored. On anything else send the same report again, later.".to_owned(),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_a_path_and_words_for_both_sides() {
        for service in Service::ALL {
            assert_eq!(Service::named(service.word()), Some(service));
            assert!(!service.name().is_empty() && !service.gives().is_empty());
            assert!(!service.before().is_empty() && !service.after().is_empty());
            assert_eq!(service.is_called(), !service.credentials().0.is_empty());
            assert_eq!(service.is_called(), !service.without().is_empty());
            assert_eq!(service.is_channel(), !service.store().0.is_empty());
        }
        assert_eq!(Service::named("magento"), None);
    }
}
