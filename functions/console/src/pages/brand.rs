//! How the shop looks to its customers: the logo and the colour of its tracking page.

use askama::Template;
use axum::Router;
use axum::routing::get;
use stagepost_app::config::{BrandInput, ConfigError, update_brand};
use stagepost_app::ports::Secrets;
use stagepost_domain::brand::{Brand, COLOR, Color, LOGO_MAX, Logo};

use super::Routes;
use crate::Stores;
use crate::answer::{Answer, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::visitor::{Admin, Visit, Visitor};

/// Its routes.
pub fn routes<S: Stores, K: Secrets + 'static>() -> Routes<S, K> {
    Router::new().route(Area::Brand.path(), get(show::<S, K>).post(save::<S, K>))
}

/// What the form says.
struct Draft {
    color: String,
    /// The colour as the page first showed it: one that is left so is not written over what others saved since.
    was: String,
    /// A new logo as text; none keeps the one that is there.
    logo: String,
    /// Whether the logo is to be taken away.
    forget: bool,
}

impl Draft {
    fn of(fields: &Fields) -> Self {
        // What is pasted from a terminal comes in lines.
        let logo = fields.text("logo").split_whitespace().collect();
        let (color, was) = (fields.text("color").to_owned(), fields.text("was").to_owned());
        Self { color, was, logo, forget: fields.is_on("forget") }
    }

    fn of_brand(brand: &Brand) -> Self {
        let color = brand.color.as_ref().map(|color| color.as_str().to_owned()).unwrap_or_default();
        Self { was: color.clone(), color, logo: String::new(), forget: false }
    }

    fn input(&self) -> BrandInput {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        // A new one takes the place of the one that is taken away.
        let logo = some(&self.logo).map(Some).or(self.forget.then_some(None));
        BrandInput { color: (self.color != self.was).then(|| some(&self.color)), logo }
    }
}

#[derive(Template)]
#[template(path = "brand.html")]
struct BrandPage {
    shell: Shell,
    draft: Draft,
    /// Whether the shop has a logo that can be taken away.
    has_logo: bool,
    /// The colour and the logo that the preview shows: what was entered, as far as it is one.
    color: String,
    logo: Option<String>,
    wrong: Wrong,
}

fn form(visit: &Visit, brand: &Brand, draft: Draft, wrong: Wrong) -> Answer {
    let stored = brand.logo.as_ref().filter(|_| !draft.forget);
    let entered = Logo::parse(&draft.logo).ok();
    let shown = BrandPage {
        shell: visit.shell(Area::Brand),
        has_logo: brand.logo.is_some(),
        color: Color::parse(&draft.color).map_or_else(|_| COLOR.to_owned(), String::from),
        logo: entered.as_ref().or(stored).map(Logo::data_url),
        draft,
        wrong,
    };
    page_as(shown.wrong.status(false), &shown)
}

async fn show<S: Stores, K: Secrets + 'static>(console: State<S, K>, visitor: Visitor<Admin>) -> Answer {
    let brand = console.core.store.brand(&visitor.shop).await?;
    form(&visitor, &brand, Draft::of_brand(&brand), Wrong::default())
}

async fn save<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    fields: Fields,
) -> Answer {
    let draft = Draft::of(&fields);
    match update_brand(&console.core, &visitor.shop, &draft.input()).await {
        Ok(_) => to_say(Area::Brand.path(), Flash::done("Saved. Tracking pages look like this from now on.")),
        Err(ConfigError::Invalid(wrong)) => {
            let brand = console.core.store.brand(&visitor.shop).await?;
            form(&visitor, &brand, draft, Wrong(wrong))
        }
        Err(error) => Err(error.into()),
    }
}
