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
