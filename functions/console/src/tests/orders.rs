//! The list of orders.

use stagepost_testkit::build;

use super::World;

#[tokio::test]
async fn the_list_shows_a_stage_a_flow_and_what_is_untriaged() {
    let world = World::new().await;
    assert!(world.get("/orders").await.says("No orders yet"));
    world.order(1001).await;
    let all = world.get("/orders").await;
    assert!(all.says("#1001") && all.says("Ada Example") && all.says("New"));
    assert!(world.get("/orders?stage=stg_new").await.says("#1001"));
    let other = world.get("/orders?stage=stg_packing").await;
    assert!(!other.says("#1001") && other.says("No orders in this stage"));
    assert!(world.get("/orders?untriaged=true").await.says("Nothing to triage"));
}

#[tokio::test]
async fn what_a_customer_calls_themselves_is_text() {
    let world = World::new().await;
    let mut fact = build::order_fact(1001, 0);
    fact.snapshot.customer.name = Some("<script>alert(1)</script>".to_owned());
    fact.number = "\"><b>1".to_owned();
    world.tell(&build::order_id(1001), &build::told(fact)).await;
    let seen = world.get("/orders").await;
    assert!(!seen.says("<script>") && !seen.says("<b>1"));
    assert!(seen.says("&#60;script&#62;alert(1)&#60;/script&#62;"));
    let seen = world.get("/orders?q=%22%3E%3Cscript%3E").await;
    assert!(!seen.says("<script>"));
}

#[tokio::test]
async fn another_shops_orders_are_not_in_the_list() {
    let world = World::new().await;
    world.order(1001).await;
    world.configured(&build::other_shop(), |_| {}).await;
    world.sign_in(&build::other_shop(), stagepost_domain::shop::Role::Owner).await;
    for path in ["/orders", "/orders?stage=stg_new", "/orders?untriaged=true", "/orders?q=1001"] {
        assert!(!world.get(path).await.says("#1001"), "{path}");
    }
}

#[tokio::test]
async fn an_order_is_added_by_hand_and_begins_like_any_other() {
    let world = World::new().await;
    let form = world.get("/orders/new").await;
    assert!(form.says("Add an order") && form.says("flow_main"));
    let said = [
        ("external_id", "#T-1"),
        ("flow", "flow_main"),
        ("customer.name", "Ada <b>Example"),
        ("customer.email", "ada@customer.example"),
        ("item", "Paper boat"),
        ("package", "1Z1"),
    ];
    let made = world.post("/orders", &said).await;
    let order = world.get(made.to()).await;
    assert!(
        order.says("#T-1 is in New.") && order.says("by ") && !order.says("by the API"),
        "{}",
        order.body
    );
    assert!(order.says("Paper boat") && order.says("1Z1") && order.says("Ada &#60;b&#62;Example"));
    // The same once more, or another order of that number: what is here stays as it is.
    let other = [("external_id", "#T-1"), ("flow", "flow_main"), ("customer.name", "Eve")];
    for said in [&said[..], &other] {
        let again = world.post("/orders", said).await;
        assert_eq!(again.to(), made.to());
        let order = world.get(again.to()).await;
        assert!(order.says("is here already: this is it") && order.says("Ada &#60;b&#62;Example"));
        assert!(!order.says("Eve") && order.says("Paper boat") && !order.says("step 2"));
    }
}

#[tokio::test]
async fn an_order_that_is_not_one_comes_back_with_what_was_entered() {
    let world = World::new().await;
    let wrong = [("external_id", ""), ("flow", "flow_main"), ("customer.email", "ada"), ("item", "Boat")];
    let seen = world.post("/orders", &wrong).await;
    assert_eq!(seen.status, http::StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.says("Order number must not be empty") && seen.says("must be an e-mail address"));
    assert!(seen.says("value=\"Boat\""));
    let nothing = world.post("/orders", &[("external_id", "1"), ("package", "---")]).await;
    assert!(nothing.says("must have letters or digits"), "a parcel is not lost without a word");
    let gone = world.post("/orders", &[("external_id", "1"), ("flow", "flow_gone")]).await;
    assert!(gone.says("is gone: choose another"));
    let untriaged = world.post("/orders", &[("external_id", "1"), ("flow", "")]).await;
    assert!(world.get(untriaged.to()).await.says("1 is here, in no flow yet."));
}

#[tokio::test]
async fn whoever_only_reads_adds_no_order() {
    let world = World::with(stagepost_domain::shop::Role::Viewer, |_| {}).await;
    assert_eq!(world.get("/orders/new").await.status, http::StatusCode::FORBIDDEN);
    let made = world.post("/orders", &[("external_id", "1")]).await;
    assert_eq!(made.status, http::StatusCode::FORBIDDEN);
    assert!(!world.get("/orders").await.says("Add order"));
}
