//! A flow: its name, its stages in order, and where orders begin and go.

use askama::Template;
use axum::extract::Path;
use http::StatusCode;
use stagepost_app::config::{ConfigError, put_flow};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::{Automations, Flow, FulfilledWhen};

use super::around::{Surroundings, Told};
use super::draft::{Draft, Row, Wish};
use super::{busy, path, read, stage_path};
use crate::Stores;
use crate::answer::{Answer, page_as, to_say};
use crate::fields::{Fields, Wrong};
use crate::shell::{Area, Flash, Shell};
use crate::state::State;
use crate::ui::GREY;
use crate::visitor::{Admin, Visit, Visitor};
use crate::words::automations;

/// How often an edit is tried over those of others before it is given up.
const TRIES: usize = 3;

#[derive(Template)]
#[template(path = "flows/edit.html")]
struct EditPage {
    shell: Shell,
    /// The flow's page.
    path: String,
    id: String,
    /// As the flow is called, saved.
    called: String,
    draft: Draft,
    rows: Vec<RowShown>,
    next: Row,
    users: Vec<String>,
    warnings: Vec<Told>,
    wrong: Wrong,
    /// What is wrong where no field shows it.
    elsewhere: Vec<String>,
    unsaved: bool,
    meanwhile: Option<Meanwhile>,
}

/// A row with what the form does not say.
struct RowShown {
    row: Row,
    field: String,
    wrong: Option<String>,
    wrong_color: Option<String>,
    /// Where the stage is set up; nothing for one that is not saved yet.
    setup: Option<String>,
    /// Its automations that are on: icon, word and what each does.
    on: Vec<(&'static str, &'static str, &'static str)>,
    hidden: bool,
    warnings: usize,
}

/// Somebody else's edit.
pub struct Meanwhile {
    /// What differs: the field, how it is now, what was entered.
    pub differences: Vec<(String, String, String)>,
}

/// What came of the form that was sent.
#[derive(Default)]
struct Came {
    wrong: Wrong,
    unsaved: bool,
    meanwhile: Option<Meanwhile>,
}

pub async fn show<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Answer {
    let (flow, around) = tokio::join!(read(&console, &visitor, &id), Surroundings::read(&console, &visitor));
    let (flow, around) = (flow?, around?);
    shown(StatusCode::OK, &visitor, &flow, &around, Draft::of_flow(&flow), Came::default())
}

pub async fn save<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let draft = Draft::of_form(&fields);
    for _ in 0..TRIES {
        let (flow, around) =
            tokio::join!(read(&console, &visitor, &id), Surroundings::read(&console, &visitor));
        let (flow, around) = (flow?, around?);
        if draft.version != flow.version {
            return overtaken(&visitor, &flow, &around, draft);
        }
        let input = draft.input(&flow);
        let put = put_flow(&console.core, &visitor.shop, Some(&flow.id), &input, Some(flow.version));
        match put.await {
            Ok(saved) => return to_say(&path(&saved.id), Flash::done("The flow is saved.")),
            Err(ConfigError::Invalid(wrong)) => {
                let came = Came { wrong: Wrong(wrong), unsaved: true, ..Came::default() };
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                return shown(status, &visitor, &flow, &around, draft, came);
            }
            // Edited since it was read just now: looked at once more, it has another version.
            Err(ConfigError::Stale { .. } | ConfigError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(busy())
}

/// Gives the form back with what one of its buttons asks for: a row for another stage, another order. Nothing is
/// written by it, so the form keeps its key for when it is saved.
pub async fn preview<S: Stores, K: Secrets + 'static>(
    console: State<S, K>,
    visitor: Visitor<Admin>,
    Path(id): Path<String>,
    fields: Fields,
) -> Answer {
    let (flow, around) = tokio::join!(read(&console, &visitor, &id), Surroundings::read(&console, &visitor));
    let (flow, around, mut draft) = (flow?, around?, Draft::of_form(&fields));
    if draft.version != flow.version {
        return overtaken(&visitor, &flow, &around, draft);
    }
    draft.grant(&Wish::of(&fields));
    let came = Came { unsaved: true, ..Came::default() };
    shown(StatusCode::OK, &visitor, &flow, &around, draft, came)
}

/// The form over a flow that somebody else has saved meanwhile.
fn overtaken(visit: &Visit, flow: &Flow, around: &Surroundings, mut draft: Draft) -> Answer {
    let meanwhile = Meanwhile { differences: differences(&draft, flow) };
    draft.over(flow);
    let came = Came { unsaved: true, meanwhile: Some(meanwhile), ..Came::default() };
    shown(StatusCode::CONFLICT, visit, flow, around, draft, came)
}

fn shown(
    status: StatusCode,
    visit: &Visit,
    flow: &Flow,
    around: &Surroundings,
    draft: Draft,
    came: Came,
) -> Answer {
    let warnings = around.warnings(flow, visit);
    let rows: Vec<RowShown> = draft
        .rows
        .iter()
        .enumerate()
        .map(|(at, row)| RowShown::new(at, row.clone(), flow, &warnings, &came.wrong))
        .collect();
    let page = EditPage {
        shell: visit.shell(Area::Flows),
        path: path(&flow.id),
        id: flow.id.to_string(),
        called: flow.name.clone(),
        next: Row { key: draft.next_key(), name: String::new(), color: next_color(draft.rows.len()) },
        elsewhere: elsewhere(&came.wrong, &draft),
        rows,
        draft,
        users: around.users(flow),
        warnings,
        wrong: came.wrong,
        unsaved: came.unsaved,
        meanwhile: came.meanwhile,
    };
    page_as(status, &page)
}

impl EditPage {
    /// Rows that orders can begin in.
    fn stage_choices(&self) -> Vec<(String, String)> {
        self.rows.iter().map(|shown| (shown.row.key.clone(), shown.row.name.clone())).collect()
    }

    fn fulfilled_choices(&self) -> Vec<(String, String)> {
        let none = (String::new(), "Nowhere: fulfillments move no order".to_owned());
        std::iter::once(none).chain(self.stage_choices()).collect()
    }

    fn when_choices(&self) -> [(String, String); 2] {
        [("complete", "everything is fulfilled"), ("first", "the first part is fulfilled")]
            .map(|(value, word)| (value.to_owned(), word.to_owned()))
    }

    fn when(&self) -> &'static str {
        match self.draft.fulfilled_when {
            FulfilledWhen::Complete => "complete",
            FulfilledWhen::First => "first",
        }
    }
}

impl RowShown {
    fn new(at: usize, row: Row, flow: &Flow, warnings: &[Told], wrong: &Wrong) -> Self {
        let id = row.stage();
        let stage = id.as_ref().and_then(|id| flow.stages.iter().find(|stage| stage.id == *id));
        let of_stage = |told: &&Told| id.as_ref().is_some_and(|id| told.is_of(id));
        Self {
            field: format!("stages[{}]", row.key),
            wrong: wrong.of(&format!("stages[{at}].name")).map(str::to_owned),
            wrong_color: wrong.of(&format!("stages[{at}].color")).map(str::to_owned),
            setup: stage.map(|stage| stage_path(&flow.id, &stage.id)),
            on: automations(&stage.map_or_else(Automations::default, |stage| stage.automations.clone())),
            hidden: stage.is_some_and(|stage| !stage.customer_visible),
            warnings: warnings.iter().filter(of_stage).count(),
            row,
        }
    }
}

/// Colours for stages that are added, one after the other.
fn next_color(rows: usize) -> String {
    const COLORS: [&str; 6] = ["#2563eb", "#9333ea", "#ea580c", "#16a34a", "#ca8a04", "#db2777"];
    COLORS.get(rows % COLORS.len()).copied().unwrap_or(GREY).to_owned()
}

/// What no field of the form shows.
fn elsewhere(wrong: &Wrong, draft: &Draft) -> Vec<String> {
    let at_rows = |field: &str| {
        let at = |at: usize| [format!("stages[{at}].name"), format!("stages[{at}].color")];
        (0..draft.rows.len()).flat_map(at).any(|known| known == field)
    };
    let known = |field: &str| matches!(field, "name" | "default_stage" | "fulfilled_stage") || at_rows(field);
    let rest = wrong.0.iter().filter(|wrong| !known(&wrong.field));
    rest.map(|wrong| format!("{}: {}.", wrong.field, wrong.reason)).collect()
}

/// How the flow is now, where that is not what was entered.
fn differences(mine: &Draft, flow: &Flow) -> Vec<(String, String, String)> {
    let theirs = Draft::of_flow(flow);
    let names = |draft: &Draft| {
        let names: Vec<_> = draft.rows.iter().map(|row| row.name.as_str()).collect();
        names.join(" \u{2192} ")
    };
    let stage = |draft: &Draft, key: &str| {
        let found = draft.rows.iter().find(|row| row.key == key);
        found.map_or_else(|| "none".to_owned(), |row| row.name.clone())
    };
    let when = |draft: &Draft| match draft.fulfilled_when {
        FulfilledWhen::Complete => "everything is fulfilled".to_owned(),
        FulfilledWhen::First => "the first part is fulfilled".to_owned(),
    };
    let all = [
        ("Name", theirs.name.clone(), mine.name.clone()),
        ("Stages", names(&theirs), names(mine)),
        ("Default stage", stage(&theirs, &theirs.default_stage), stage(mine, &mine.default_stage)),
        ("Fulfilled Stage", stage(&theirs, &theirs.fulfilled_stage), stage(mine, &mine.fulfilled_stage)),
        ("Moves there when", when(&theirs), when(mine)),
    ];
    let differ = all.into_iter().filter(|(_, theirs, mine)| theirs != mine);
    let mut found: Vec<_> = differ.map(|(what, theirs, mine)| (what.to_owned(), theirs, mine)).collect();
    for row in &mine.rows {
        let there = theirs.rows.iter().find(|there| there.key == row.key && there.color != row.color);
        found.extend(
            there.map(|there| (format!("Colour of {}", row.name), there.color.clone(), row.color.clone())),
        );
    }
    found
}
