//! Carriers' names as Shopify spells them. It follows a parcel by itself only if its carrier's name is one of its
//! own, letter by letter (integrations §1.6); carrier services run the words together, and people write as they like.

/// Of Shopify's list those that EasyPost knows too or that people ship with (the documentation of a fulfillment's
/// tracking company, under "Supported tracking companies").
const NAMES: [&str; 50] = [
    "4PX",
    "An Post",
    "APC",
    "Asendia USA",
    "Australia Post",
    "BPost",
    "Canada Post",
    "Canpar",
    "China Post",
    "Chronopost",
    "Colissimo",
    "Correios",
    "Correos",
    "CTT",
    "Deutsche Post",
    "DHL",
    "DHL eCommerce",
    "DHL eCommerce Asia",
    "DHL Express",
    "DHL Parcel",
    "DPD",
    "DPD Local",
    "DPD UK",
    "Estes",
    "Evri",
    "FedEx",
    "GLS",
    "Hermes",
    "Israel Post",
    "Lasership",
    "LSO",
    "Mondial Relay",
    "New Zealand Post",
    "OnTrac",
    "Packeta",
    "Parcelforce",
    "Poste Italiane",
    "PostNL",
    "Purolator",
    "Royal Mail",
    "Sendle",
    "SEUR",
    "SF Express",
    "Singapore Post",
    "StarTrack",
    "Swiss Post",
    "TNT",
    "UPS",
    "USPS",
    "Yodel",
];
/// EasyPost's names that are other words for the same.
const OTHERS: [(&str, &str); 2] = [("dhlecs", "DHL eCommerce"), ("lasershipv2", "Lasership")];

/// The carrier's name in Shopify's spelling; one that is not known as it is.
pub(crate) fn spelled(carrier: &str) -> &str {
    let said = bare(carrier);
    let other = OTHERS.into_iter().find_map(|(other, name)| (other == said).then_some(name));
    other.or_else(|| NAMES.into_iter().find(|name| bare(name) == said)).unwrap_or(carrier)
}

/// What a name is told by: its letters and digits, whatever their case.
fn bare(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_that_shopify_follows_goes_out_in_its_spelling() {
        for (said, spelled_so) in [
            ("DHLExpress", "DHL Express"),
            ("DHLEcommerceAsia", "DHL eCommerce Asia"),
            ("DhlEcs", "DHL eCommerce"),
            ("CanadaPost", "Canada Post"),
            ("AustraliaPost", "Australia Post"),
            ("AsendiaUsa", "Asendia USA"),
            ("LaserShipV2", "Lasership"),
            ("DPDUK", "DPD UK"),
            ("ups", "UPS"),
            ("Fedex", "FedEx"),
            ("royal-mail", "Royal Mail"),
            ("dhl", "DHL"),
        ] {
            assert_eq!(spelled(said), spelled_so);
        }
    }

    #[test]
    fn a_carrier_that_is_not_known_goes_out_as_it_is() {
        for said in ["UPSMailInnovations", "Bob's Bikes", "Österreichische Post", "-", ""] {
            assert_eq!(spelled(said), said);
        }
    }

    #[test]
    fn every_name_is_spelled_as_it_stands() {
        for name in NAMES {
            assert_eq!(spelled(name), name);
        }
    }
}
