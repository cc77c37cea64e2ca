//! What a template may say, for people who write one.

use stagepost_domain::template::{LISTS, TEXTS};

/// A variable and what it gives.
pub struct Variable {
    /// As it is written, braces included.
    pub code: String,
    /// What stands there in a mail.
    pub gives: &'static str,
}

/// Variables that belong together.
pub struct Group {
    /// What they are of.
    pub name: &'static str,
    /// Each of them.
    pub variables: Vec<Variable>,
}

/// Every variable that there is.
pub fn all() -> Vec<Group> {
    let code = |name: &str| format!("{{{{{name}}}}}");
    let texts = TEXTS.iter().map(|name| Variable { code: code(name), gives: gives(name) });
    let mut groups = vec![Group { name: "The order", variables: texts.collect() }];
    for (list, fields) in LISTS {
        let all = Variable { code: format!("{{{{#each {list}}}}} … {{{{/each}}}}"), gives: gives(list) };
        let fields = fields.iter();
        let of_one =
            fields.map(|field| Variable { code: code(field), gives: gives(&format!("{list}.{field}")) });
        let name = if list == "items" { "Each item" } else { "Each package" };
        groups.push(Group { name, variables: std::iter::once(all).chain(of_one).collect() });
    }
    let rules = [
        (
            "{{#if carrier}} … {{else}} … {{/if}}",
            "The first part where there is a carrier, the second where not.",
        ),
        ("{{#unless packages}} … {{/unless}}", "Only where there is no package."),
        ("{{../orderNumber}}", "A variable of the order, inside of an #each."),
    ];
    let rules = rules.map(|(code, gives)| Variable { code: code.to_owned(), gives });
    groups.push(Group { name: "Only sometimes", variables: rules.into() });
    groups
}

fn gives(name: &str) -> &'static str {
    match name {
        "orderNumber" => "The order's number, as the shop prints it: #1001.",
        "customerName" | "customer.name" => "The customer's full name. Empty if the channel tells none.",
        "customer.firstName" => "Its first word: Ada.",
        "stageName" => "The stage that the order has entered.",
        "stageDescription" => "That stage's description for customers.",
        "trackingUrl" => "The link to the order's tracking page.",
        "shopName" => "The name of your shop.",
        "orderDate" => "The day of the order: 2026-11-20.",
        "orderTotal" => "The total with its currency: 19.00 EUR.",
        "carrier" => "The carriers of its packages. Empty before there is one.",
        "items" => "Once for each item that was ordered.",
        "items.title" => "The item's title.",
        "items.sku" => "Its stock-keeping unit. Many shops have none.",
        "items.quantity" => "How many pieces.",
        "items.price" => "The price of one.",
        "packages" => "Once for each package.",
        "packages.number" => "Its tracking number. Empty if there is only a link.",
        "packages.url" => "The carrier's page, or else the order's tracking page.",
        "packages.carrier" => "The carrier's name.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_says_what_it_gives() {
        for group in all() {
            for variable in group.variables {
                assert!(!variable.gives.is_empty(), "{}", variable.code);
            }
        }
    }
}
