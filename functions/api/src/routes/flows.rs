//! Flows.

use schemars::JsonSchema;
use serde::Deserialize;
use stagepost_app::config::{self, FlowInput, Removal};
use stagepost_app::ports::Secrets;
use stagepost_domain::flow::Flow;
use stagepost_domain::flow::starters::{self, Starter};
use stagepost_domain::flow::warnings::{Around, warnings};
use stagepost_domain::id::FlowId;
use stagepost_domain::text::Invalid;
use stagepost_lambda::http::Problem;

use super::State;
use crate::Stores;
use crate::answer::{Answer, Current, Found, Gone, List, MadeCurrent};
use crate::caller::{Admin, Caller};
use crate::payload::{IfMatch, Named, Payload, Queried};
use crate::view::FlowView;

/// Longest page, in bytes: a hundred flows of fifty described stages are more than the 6 MB that a function
/// may answer.
const PAGE_MAX: usize = 4_000_000;

/// Which part of the list to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlowsQuery {
    /// `next` of the page before.
    #[schemars(with = "Option<FlowId>")]
    cursor: Option<String>,
}

pub async fn list<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Queried(q): Queried<FlowsQuery>,
) -> Answer<Found<List<Flow>>> {
    let after = q.cursor.map(|cursor| FlowId::parse(&cursor)).transpose();
    let wrong = |_| Problem::invalid(vec![Invalid::new("cursor", "is not a cursor that was given out")]);
    let after = after.map_err(wrong)?;
    Ok(Found(page(api.core.store.flows(caller.shop()).await?, after.as_ref())))
}

/// As many flows behind the cursor as fit, one at least. Archived ones are not listed.
fn page(mut flows: Vec<Flow>, after: Option<&FlowId>) -> List<Flow> {
    flows.retain(|flow| flow.archived_at.is_none() && after.is_none_or(|after| flow.id > *after));
    flows.sort_by(|a, b| a.id.cmp(&b.id));
    let mut bytes = 0_usize;
    let fits = |flow: &Flow| {
        bytes = bytes.saturating_add(serde_json::to_string(flow).map_or(0, |text| text.len()));
        bytes <= PAGE_MAX
    };
    let count = flows.iter().map(fits).take_while(|fits| *fits).count().max(1);
    let more = flows.len() > count;
    flows.truncate(count);
    let next = flows.last().filter(|_| more).map(|flow| flow.id.to_string());
    List { items: flows, next }
}

pub async fn read<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller,
    Named(id): Named<FlowId>,
) -> Answer<Current<FlowView>> {
    let (store, shop) = (&api.core.store, caller.shop());
    let (flow, settings, channels, carriers, templates, endpoints) = tokio::try_join!(
        store.flow(shop, &id),
        store.settings(shop),
        store.channels(shop),
        store.carriers(shop),
        store.templates(shop),
        store.endpoints(shop)
    )?;
    let flow = flow.filter(|flow| flow.archived_at.is_none());
    let (Some(flow), Some(settings)) = (flow, settings) else {
        return Err(Problem::not_found("flow").into());
    };
    let around = Around {
        settings: &settings,
        channels: &channels,
        carriers: &carriers,
        templates: &templates,
        endpoints: &endpoints,
    };
    let warnings = warnings(&flow, &around);
    Ok(Current(FlowView::new(flow, warnings)))
}

pub async fn starters<S: Stores, K: Secrets + 'static>(
    _: State<S, K>,
    _: Caller,
) -> Answer<Found<List<Starter>>> {
    Ok(List::whole(starters::ALL.to_vec()))
}

pub async fn create<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Payload(input): Payload<FlowInput>,
) -> Answer<MadeCurrent<Flow>> {
    Ok(MadeCurrent(config::put_flow(&api.core, caller.shop(), None, &input, None).await?))
}

pub async fn update<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<FlowId>,
    IfMatch(expected): IfMatch,
    Payload(input): Payload<FlowInput>,
) -> Answer<Current<Flow>> {
    Ok(Current(config::put_flow(&api.core, caller.shop(), Some(&id), &input, expected).await?))
}

pub async fn archive<S: Stores, K: Secrets + 'static>(
    api: State<S, K>,
    caller: Caller<Admin>,
    Named(id): Named<FlowId>,
    IfMatch(expected): IfMatch,
) -> Answer<Gone> {
    config::remove(&api.core, caller.shop(), Removal::Flow(&id), expected).await?;
    Ok(Gone)
}

#[cfg(test)]
mod tests {
    use stagepost_testkit::build;

    use super::*;

    fn flows(count: usize, description: &str) -> Vec<Flow> {
        let flow = |n: usize| {
            let mut flow = build::flow(&build::shop());
            flow.id = FlowId::from_body(&format!("f{n:03}")).unwrap();
            flow.stages.iter_mut().for_each(|stage| stage.description = Some(description.to_owned()));
            flow.stages = flow.stages.iter().cycle().take(50).cloned().collect();
            flow
        };
        (0..count).rev().map(flow).collect()
    }

    #[test]
    fn the_largest_flows_of_a_shop_are_listed_in_pages_that_fit_into_an_answer() {
        let all = flows(100, &"\u{1f4e6}".repeat(500));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = page(all.clone(), after.as_ref());
            assert!(serde_json::to_string(&page).unwrap().len() < 5_000_000);
            seen.extend(page.items.into_iter().map(|flow| flow.id));
            match page.next {
                Some(next) => after = Some(FlowId::parse(&next).unwrap()),
                None => break,
            }
        }
        let mut ids: Vec<_> = all.into_iter().map(|flow| flow.id).collect();
        ids.sort();
        assert_eq!(seen, ids);
    }

    #[test]
    fn flows_of_the_usual_size_are_one_page_and_archived_ones_are_not_on_it() {
        let mut all = flows(100, "short");
        all[3].archived_at = Some(build::seconds(1));
        let page = page(all, None);
        assert_eq!((page.items.len(), page.next), (99, None));
    }
}
