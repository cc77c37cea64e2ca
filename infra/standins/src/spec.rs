//! What a script orders and ships.

/// The location of the third-party service.
pub const THIRD_PARTY: usize = 9;

/// One line of an order to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSpec {
    /// Title.
    pub title: String,
    /// Stock-keeping unit.
    pub sku: String,
    /// Pieces.
    pub quantity: u32,
    /// Price of one in hundredths of the currency.
    pub cents: u64,
    /// Which of the store's locations ships it, from 0 (Shopify only).
    pub location: usize,
    /// Shipped by a third-party service, in a fulfillment order that the app's scopes do not show (Shopify
    /// only).
    pub third_party: bool,
}

impl LineSpec {
    /// `quantity` pieces from the first location.
    #[must_use]
    pub fn new(title: &str, quantity: u32, cents: u64) -> Self {
        let sku: String = title.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        Self {
            title: title.to_owned(),
            sku: sku.to_uppercase(),
            quantity,
            cents,
            location: 0,
            third_party: false,
        }
    }

    /// The same from another location.
    #[must_use]
    pub fn at(self, location: usize) -> Self {
        Self { location, ..self }
    }

    /// The same from a third-party service, at a location of its own.
    #[must_use]
    pub fn by_third_party(self) -> Self {
        Self { location: THIRD_PARTY, third_party: true, ..self }
    }

    pub(crate) fn total(&self) -> u64 {
        self.cents.saturating_mul(u64::from(self.quantity))
    }
}

/// An order to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSpec {
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Where mail goes; guests of a till have none.
    pub email: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// Lines.
    pub lines: Vec<LineSpec>,
    /// ISO 4217.
    pub currency: String,
}

impl OrderSpec {
    /// An order of `name` without lines, in euros.
    #[must_use]
    pub fn new(name: &str, email: &str) -> Self {
        let (first_name, last_name) = name.split_once(' ').unwrap_or((name, ""));
        Self {
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            email: Some(email.to_owned()),
            phone: Some("+420 555 010 020".to_owned()),
            lines: Vec::new(),
            currency: "EUR".to_owned(),
        }
    }

    /// With one more line.
    #[must_use]
    pub fn line(mut self, line: LineSpec) -> Self {
        self.lines.push(line);
        self
    }

    /// Without an address to mail to.
    #[must_use]
    pub fn without_email(self) -> Self {
        Self { email: None, ..self }
    }

    pub(crate) fn total(&self) -> u64 {
        self.lines.iter().fold(0, |sum, l| sum.saturating_add(l.total()))
    }
}

/// How parcels are told: numbers, links, a carrier; all may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracking {
    /// The carrier's name.
    pub company: Option<String>,
    /// Tracking numbers.
    pub numbers: Vec<String>,
    /// Links, by place of the numbers.
    pub urls: Vec<String>,
}

impl Tracking {
    /// No tracking at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One parcel with a number.
    #[must_use]
    pub fn number(number: &str) -> Self {
        Self { numbers: vec![number.to_owned()], ..Self::default() }
    }

    /// With a link for the next number.
    #[must_use]
    pub fn url(mut self, url: &str) -> Self {
        self.urls.push(url.to_owned());
        self
    }

    /// With a carrier.
    #[must_use]
    pub fn by(self, company: &str) -> Self {
        Self { company: Some(company.to_owned()), ..self }
    }
}
